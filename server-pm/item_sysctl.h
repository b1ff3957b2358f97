/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_SERVER_ITEM_SYSCTL_H
#define MPLB_SERVER_ITEM_SYSCTL_H

#include <stdbool.h>
#include <stddef.h>
#include "config.h"

/* The sysctls that server-pm sets, and which values will do. */
struct item_sysctl {
	const char *name;
	const char *value; /* to be set where the present one will not do */
	bool ipv4_only; /* needed for IPv4 VIPs only */
};

/* The i-th, with the value for the running kernel; false past the last one. */
bool item_sysctl(size_t i, struct item_sysctl *out);

/* The one that says who manages paths: net.mptcp.path_manager, and before Linux 6.15 pm_type. False
 * where the kernel has neither: it manages paths by itself and nobody else can. */
bool item_sysctl_manager(enum server_manager manager, struct item_sysctl *out);

/* The C flag of MP_CAPABLE (RFC 8684, 3.1): without it clients may join the VIP. */
void item_sysctl_c_flag(bool join_vip, struct item_sysctl *out);

/* 1 where the present value will do for the one that is wanted, 0 where not, or the kernel lacks
 * the sysctl. */
int item_sysctl_ok(const char *name, const char *wanted);

#endif
