/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_RTADDR_H
#define MPLB_RTADDR_H

#include <stddef.h>
#include "lib/ip.h"
#include "lib/nl.h"

/* IP addresses of interfaces over rtnetlink. nl is a NETLINK_ROUTE connection. */
struct rtaddr {
	struct ip addr;
	int ifindex;
	__u32 flags; /* IFA_F_* */
	__u8 prefix_len; /* bits */
};

/* All addresses of the namespace. *out is malloc'ed, to be freed by the caller; the number of
 * addresses, or -errno with *out untouched. */
int rtaddr_dump(struct nl *nl, struct rtaddr **out);

/* The first entry with this address, on ifindex or, if that is 0, on any interface; or NULL. */
const struct rtaddr *rtaddr_find(const struct rtaddr *list, size_t n, const struct ip *addr,
				 int ifindex);

/* Adds the address with a full-length prefix and global scope, IPv6 without duplicate address
 * detection, or deletes it. 0 or -errno (-EEXIST, -EADDRNOTAVAIL). */
int rtaddr_add(struct nl *nl, const struct ip *addr, int ifindex);
int rtaddr_delete(struct nl *nl, const struct ip *addr, int ifindex);

#endif
