/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_LINK_CONTROL_H
#define MPLB_LINK_CONTROL_H

#include <stddef.h>

#include "way.h"

/*
 * The control socket: Unix, SOCK_SEQPACKET, a JSON object per message, an answer to each.
 *
 *   {"forth": {"delay_ms": 50, "loss": 0.01}, "back": null}
 *
 * changes the settings named (settings.h) of the way from the first interface to the second
 * ("forth") and of the other ("back"); null makes a way perfect. Either may be absent; {} only
 * asks. The answer is {"forth": {...}, "back": {...}} with all settings and counters, or {"error":
 * "..."}, and then nothing has changed.
 */
#define LINK_CONTROL_MAX     8192 /* bytes per message */
#define LINK_CONTROL_CLIENTS 8

/* The answer, for free(). NULL without memory. ways: forth, back. */
char *link_control_answer(const char *request, size_t len, struct link_way ways[static 2]);

/* Listens at the path. The descriptor, or -errno, logged. */
int link_control_listen(const char *path);
/* Answers what waits at a client's descriptor. 0, or -errno when it is to be closed. */
int link_control_serve(int fd, struct link_way ways[static 2]);
/* The other end: sends a request and prints the answer. The exit code. */
int link_control_tell(const char *path, const char *request);

#endif
