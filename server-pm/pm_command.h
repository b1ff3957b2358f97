/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_SERVER_PM_COMMAND_H
#define MPLB_SERVER_PM_COMMAND_H

#include "announce.h"
#include "lib/nl.h"
#include "pm_flow.h"

/*
 * Commands about one connection, which the kernel takes for connections begun under the userspace
 * path manager. nl is a generic netlink connection, family the number of mptcp_pm. Each returns 0
 * or -errno, with the kernel's words in nl_error(): -EINVAL for a token that is gone, and for a
 * connection of the kernel's path manager.
 */

/*
 * Sends ADD_ADDR, also if the address was announced already, and if the peer has echoed it: the
 * kernel's own timer begins anew. -EINVAL where the address has another id on this connection.
 */
int pm_command_announce(struct nl *nl, int family, __u32 token, const struct announced *address,
			__u8 id);

/* Sends RM_ADDR. The peer closes its subflows to the address; the kernel's own ends stay. */
int pm_command_remove(struct nl *nl, int family, __u32 token, __u8 id);

/* Gives a subflow the priority, and tells the peer with MP_PRIO. */
int pm_command_backup(struct nl *nl, int family, __u32 token, const struct pm_flow *flow,
		      bool backup);

/* Closes a subflow; what the peer has not acknowledged goes out on another one. -ESRCH where the
 * connection has no such subflow. */
int pm_command_close(struct nl *nl, int family, __u32 token, const struct pm_flow *flow);

#endif
