/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_SERVER_MACHINE_H
#define MPLB_SERVER_MACHINE_H

#include <stdbool.h>
#include "lib/mptcp_pm.h"
#include "lib/rtaddr.h"

/* The kernel as it is: connections to it, and what was seen at the last look. */
struct machine {
	struct nl *route;
	struct mptcp_pm *pm; /* NULL where the kernel has no MPTCP */
	struct rtaddr *addrs;
	size_t n_addrs;
	struct mptcp_endpoint endpoints[MPTCP_PM_MAX_ENDPOINTS * 4];
	size_t n_endpoints;
	struct mptcp_limits limits;
};

/* 0 with *out to be closed, or -errno, logged. A kernel without MPTCP is no error here. */
int machine_open(struct machine *out);
void machine_close(struct machine *m);

/* Looks at addresses, endpoints and limits. 0 or -errno, logged. */
int machine_look(struct machine *m);

/* The endpoint with this address and port (0: none), or NULL. Endpoints that the kernel made by
 * itself for a join (`implicit`) give way to configured ones, and are passed over. */
const struct mptcp_endpoint *machine_endpoint(const struct machine *m, const struct ip *addr,
					      __u16 port);

/* The running kernel is at least this release. */
bool machine_kernel_at_least(unsigned int major, unsigned int minor);

/* The process's effective capabilities: a bit per CAP_*. */
unsigned long long machine_capabilities(void);

#endif
