/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_SERVER_ITEM_SYSCTL_H
#define MPLB_SERVER_ITEM_SYSCTL_H

#include <stdbool.h>
#include <stddef.h>

/* The sysctls that server-pm sets, and which values will do. */
struct item_sysctl {
	const char *name;
	const char *value; /* to be set where the present one will not do */
	bool ipv4_only; /* needed for IPv4 VIPs only */
};

/* The i-th, with the value for the running kernel; false past the last one. */
bool item_sysctl(size_t i, struct item_sysctl *out);

/* 1 where the present value will do, 0 where not, or the kernel lacks the sysctl. */
int item_sysctl_ok(const char *name);

#endif
