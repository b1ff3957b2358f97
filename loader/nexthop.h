/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_NEXTHOP_H
#define MPLB_NEXTHOP_H

#include <stdbool.h>
#include "lib/ip.h"
#include "lib/nl.h"
#include "link.h"

/* What keeps packets from an address. */
enum nexthop_fault {
	NEXTHOP_OK,
	NEXTHOP_NO_ROUTE,
	NEXTHOP_LOCAL, /* the address is this machine's own */
	NEXTHOP_NO_SOURCE, /* this machine has no address to send from */
	NEXTHOP_DEVICE, /* XDP cannot send through the device of the route */
	NEXTHOP_NO_NEIGHBOUR, /* the link-layer address is unknown */
};

/* How this machine would send to an address, from the kernel's route and neighbour tables. */
struct nexthop {
	enum nexthop_fault fault;
	unsigned int ifindex; /* where XDP sends: the NIC below a VLAN device; 0: no route */
	__u16 vlan; /* tag to send with, 0: none */
	unsigned int device; /* of the route; a VLAN device has an index of its own */
	char name[16]; /* of device */
	char obstacle[LINK_TEXT]; /* NEXTHOP_DEVICE: what it is about the device */
	bool gateway; /* via is a router; else via is the address itself */
	bool permanent; /* the neighbour is not to be asked */
	bool confirmed; /* it answered lately */
	bool stale; /* it did once, and nobody asks */
	bool failed; /* it was asked and did not answer */
	struct ip via; /* whose link-layer address dmac is */
	struct ip src; /* source that this machine uses; family 0: none */
	unsigned int mtu; /* of the path, bytes of an IP packet */
	__u8 smac[6], dmac[6];
};

/* rt: a NETLINK_ROUTE conversation. 0 with *out filled in as far as the kernel knows, or -errno.
 * What keeps packets from dst is no error: see fault. */
int nexthop_resolve(struct nl *rt, const struct ip *dst, struct nexthop *out);

/* Makes the kernel look for the neighbour hop->via (ARP, neighbour discovery): probe where its
 * link-layer address is unknown, verify where it is known from before. Returns at once; resolve
 * again a little later. 0 or -errno. */
int nexthop_probe(struct nl *rt, const struct nexthop *hop);
int nexthop_verify(struct nl *rt, const struct nexthop *hop);

#define NEXTHOP_TEXT 160
/* The fault in words ("no neighbour: 10.0.0.12 does not answer on eth0"), "" for none. dst: the
 * address that was resolved. Returns buf. */
const char *nexthop_problem(const struct nexthop *hop, const struct ip *dst,
			    char buf[static NEXTHOP_TEXT]);

#endif
