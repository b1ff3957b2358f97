/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_FUZZ_NETLINK_ROUTE_H
#define MPLB_FUZZ_NETLINK_ROUTE_H

#include <stddef.h>

/* Runs a parser of loader/nexthop.c over messages: 0 route, 1 link, 2 neighbour. */
void fuzz_nexthop(unsigned int kind, const void *at, size_t len);

#endif
