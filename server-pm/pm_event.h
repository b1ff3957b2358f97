/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_SERVER_PM_EVENT_H
#define MPLB_SERVER_PM_EVENT_H

#include <linux/netlink.h>
#include "pm_flow.h"

/*
 * What the kernel tells about MPTCP connections: generic netlink, family mptcp_pm, group
 * mptcp_pm_events (include/uapi/linux/mptcp_pm.h).
 */

/* Later than the headers of Debian 12. */
#define PM_EVENT_LISTENER_CREATED 15 /* Linux 6.2 */
#define PM_EVENT_LISTENER_CLOSED  16

/* In a set of event types. */
#define PM_EVENT_BIT(type) (1U << (type))

struct nl;

struct pm_event {
	int type; /* MPTCP_EVENT_*, PM_EVENT_* */
	__u32 token; /* of the connection, as in netlink commands */
	bool server_side; /* the peer opened the connection; said by CREATED and ESTABLISHED alone
			   */
	struct pm_flow flow; /* families are 0 where the event says nothing of it */
};

/* Reads a message of the family. 0, or -EINVAL with *out untouched where it is no event: too short,
 * attributes of a wrong size, or a type that needs a token without one. */
int pm_event_parse(const struct nlmsghdr *nlh, struct pm_event *out);

/* Has a generic netlink socket receive events of these types (a set of PM_EVENT_BIT()), with room
 * for about 80,000 that wait to be read. who begins each message ("guard: "), hint ends the one on
 * a kernel without such events. The family's number, or -errno after logging. */
int pm_event_subscribe(struct nl *nl, __u32 types, const char *who, const char *hint);

#endif
