/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_LINK_H
#define MPLB_LINK_H

#include <stdbool.h>
#include "lib/nl.h"

/* A network device, as far as it matters to who sends through it. */
struct link {
	unsigned int ifindex;
	char name[16];
	char kind[16]; /* as `ip link add type` calls it; "" for hardware */
	unsigned int mtu;
	unsigned int below; /* ifindex of the device that it sends through, 0: none */
	bool below_is_elsewhere; /* and that is in another network namespace */
	bool is_ethernet, is_running;
	__u16 vlan, vlan_protocol; /* of kind "vlan": id, ETH_P_* */
	__u8 address[6];
};

/* Asks the kernel. 0, -ENODEV, or -errno. */
int link_get(struct nl *rt, unsigned int ifindex, struct link *out);

/* Fills *out (struct link) from an RTM_NEWLINK message: a callback for nl_talk(). */
int link_parse(const struct nlmsghdr *nlh, void *out);

#define LINK_TEXT 80
/*
 * Where packets leave that are routed out of link: the ifindex of link itself, or, since XDP does
 * not run on VLAN devices, of the NIC below it, with its id in *vlan. below: the device below, NULL
 * for none. obstacle: why XDP cannot send them, "" if it can.
 */
unsigned int link_egress(const struct link *link, const struct link *below, __u16 *vlan,
			 char obstacle[static LINK_TEXT]);

#endif
