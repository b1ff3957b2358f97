/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_SERVER_PM_FLOW_H
#define MPLB_SERVER_PM_FLOW_H

#include <stdbool.h>
#include "lib/ip.h"

/* The ends of a subflow, seen from this machine. */
struct pm_flow {
	struct ip local, remote;
	__u16 local_port, remote_port; /* host byte order */
	/* An IPv4 flow of an IPv6 socket. The kernel's messages have its addresses IPv4-mapped, and
	 * its commands want them so; here they are plain IPv4. */
	bool mapped;
};

#define PM_END_STRLEN 56 /* IP_STRLEN, brackets, colon, port */

/* Makes IPv4-mapped addresses plain IPv4. */
void pm_flow_unmap(struct pm_flow *flow);
bool pm_flow_equal(const struct pm_flow *a, const struct pm_flow *b);
/* A short name for the flow, for sets of a few: two flows of one connection have the same one with
 * a probability of 1 in 65,535. Never 0. */
__u16 pm_flow_tag(const struct pm_flow *flow);
/* "192.0.2.1:443", "[2001:db8::1]:443". */
const char *pm_end_format(const struct ip *addr, __u16 port, char buf[static PM_END_STRLEN]);

#endif
