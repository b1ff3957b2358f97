/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_NEXTHOP_H
#define MPLB_NEXTHOP_H

#include <stdbool.h>
#include "lib/ip.h"
#include "lib/nl.h"

/* How this machine would send to an address, from the kernel's route and neighbour tables. */
struct nexthop {
	unsigned int ifindex; /* 0: no route */
	bool local; /* the address is this machine's own */
	bool gateway; /* via is a router; else via is the address itself */
	bool resolved; /* dmac is known */
	struct ip via; /* whose link-layer address dmac is */
	struct ip src; /* source that this machine uses; family 0: none */
	unsigned int mtu; /* of the path, bytes of an IP packet */
	__u8 smac[6], dmac[6];
};

/* rt: a NETLINK_ROUTE conversation. 0 with *out filled in as far as the kernel knows (no route is
 * no error), or -errno. */
int nexthop_resolve(struct nl *rt, const struct ip *dst, struct nexthop *out);

/* Makes the kernel look for the neighbour hop->via on hop->ifindex (ARP, neighbour discovery).
 * Returns at once; resolve again a little later. 0 or -errno. */
int nexthop_probe(struct nl *rt, const struct nexthop *hop);

#endif
