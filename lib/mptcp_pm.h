/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_MPTCP_PM_H
#define MPLB_MPTCP_PM_H

#include <stddef.h>
#include "lib/ip.h"

/*
 * The kernel's MPTCP path manager over generic netlink (family mptcp_pm,
 * include/uapi/linux/mptcp.h) in the network namespace in which mptcp_pm_open() was called.
 */
struct mptcp_pm;

#define MPTCP_PM_MAX_ENDPOINTS 8 /* MPTCP_PM_ADDR_MAX in net/mptcp/pm_kernel.c */
#define MPTCP_PM_MAX_LIMIT     8 /* the same constant bounds both limits */

struct mptcp_endpoint {
	struct ip addr;
	__u16 port; /* host byte order; 0: none */
	__u8 id; /* 1 to 255, given by the kernel */
	__u32 flags; /* MPTCP_PM_ADDR_FLAG_* */
};

struct mptcp_limits {
	__u32 add_addr_accepted; /* ADD_ADDR accepted per connection */
	__u32 subflows; /* additional subflows per connection */
};

/* 0 with *out to be closed, -ENOENT where the kernel has no MPTCP, or -errno. */
int mptcp_pm_open(struct mptcp_pm **out);
void mptcp_pm_close(struct mptcp_pm *pm);

/* Fills out with at most max endpoints. The number of endpoints (may exceed max), or -errno. */
int mptcp_pm_endpoints(struct mptcp_pm *pm, struct mptcp_endpoint *out, size_t max);

/* Adds an endpoint; the kernel chooses the id. -EEXIST if there is one with this address and port,
 * -ERANGE beyond MPTCP_PM_MAX_ENDPOINTS. */
int mptcp_pm_add(struct mptcp_pm *pm, const struct mptcp_endpoint *endpoint);

/* Removes the endpoint with this id. The kernel takes the address back from the peers of live
 * connections and closes their subflows from it, an initial subflow included. */
int mptcp_pm_delete(struct mptcp_pm *pm, const struct mptcp_endpoint *endpoint);

/* Gives the endpoint with this id the flags `backup` and `fullmesh` as in endpoint->flags (the
 * kernel changes no others); live subflows from it are told with MP_PRIO. */
int mptcp_pm_set_flags(struct mptcp_pm *pm, const struct mptcp_endpoint *endpoint);

int mptcp_pm_get_limits(struct mptcp_pm *pm, struct mptcp_limits *out);
int mptcp_pm_set_limits(struct mptcp_pm *pm, const struct mptcp_limits *limits);

/* The kernel's text for the last failure. */
const char *mptcp_pm_error(const struct mptcp_pm *pm);

#endif
