/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_LOAD_SERVE_H
#define MPLB_LOAD_SERVE_H

struct endpoint;
struct event_base;

/* Echoes datagrams that come to the address, "NAME " in front, from the address that they were sent
 * to (which under direct server return is the VIP). 0 or -errno, logged. */
int serve_udp(struct event_base *base, const char *name, const struct endpoint *at);

#endif
