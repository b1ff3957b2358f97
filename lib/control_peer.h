/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_CONTROL_PEER_H
#define MPLB_CONTROL_PEER_H

#include <stdbool.h>

/* May we talk to who is at the other end? Of an abstract address only root and our own user. */
bool control_may_talk(const char *address, int fd);

#endif
