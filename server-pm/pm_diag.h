/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_SERVER_PM_DIAG_H
#define MPLB_SERVER_PM_DIAG_H

#include "lib/nl.h"
#include "pm_flow.h"

/*
 * What sockets there are, over sock_diag (include/uapi/linux/inet_diag.h). nl is a
 * NETLINK_SOCK_DIAG connection. The kernel tells about MPTCP to those with CAP_NET_ADMIN only.
 */

/* A TCP socket that is a subflow of an MPTCP connection. */
struct pm_subflow {
	__u32 token; /* of the connection, as in events and commands */
	struct pm_flow flow;
	bool initial; /* the connection began with it; else it was joined */
	bool server_side; /* the peer opened it */
	bool up; /* TCP state ESTABLISHED, and not waiting to be established as a subflow */
	bool backup; /* for our sending */
	__u64 received, sent; /* bytes of payload that TCP has received, and has had acknowledged */
};

/* Called for each; not 0 ends the dump. */
typedef int (*pm_subflow_cb)(const struct pm_subflow *subflow, void *data);
/* All subflows that are not closed or closing on both ends. 0 or -errno. */
int pm_diag_subflows(struct nl *nl, pm_subflow_cb cb, void *data);

/* True where there is a TCP socket in state ESTABLISHED for the flow. */
bool pm_diag_alive(struct nl *nl, const struct pm_flow *flow);

/* A listening socket. */
struct pm_listener {
	struct ip addr; /* all zero: every address */
	__u16 port; /* host byte order */
	bool both; /* an IPv6 socket that takes IPv4 as well */
};

typedef int (*pm_listener_cb)(const struct pm_listener *listener, void *data);
/* Those of MPTCP. */
int pm_diag_listeners(struct nl *nl, pm_listener_cb cb, void *data);
/* Those of TCP, the ones that belong to MPTCP listeners among them. */
int pm_diag_tcp_listeners(struct nl *nl, pm_listener_cb cb, void *data);
/* Sockets of UDP that take datagrams from anyone. */
int pm_diag_udp(struct nl *nl, pm_listener_cb cb, void *data);

/* True where the listener takes connections to the address. */
bool pm_listener_takes(const struct pm_listener *listener, const struct ip *addr);

/* The readers of the kernel's answers. 1 with *out; 0 for a socket of another kind; -EINVAL for a
 * message that is too short or has attributes of a wrong size. *out is untouched then. */
int pm_subflow_parse(const struct nlmsghdr *nlh, struct pm_subflow *out);
int pm_listener_parse(const struct nlmsghdr *nlh, struct pm_listener *out);

#endif
