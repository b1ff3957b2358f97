/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_FUZZ_NETLINK_SERVER_H
#define MPLB_FUZZ_NETLINK_SERVER_H

#include <stddef.h>

/* kind: 0 an event, 1 a subflow, 2 a listener. */
void fuzz_server(unsigned int kind, const void *at, size_t len);

#endif
