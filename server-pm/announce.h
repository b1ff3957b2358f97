/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_SERVER_ANNOUNCE_H
#define MPLB_SERVER_ANNOUNCE_H

#include <stdbool.h>
#include "config.h"

/* What clients are told to join (ADD_ADDR): the dedicated addresses, in the order of the config,
 * the prefix of per_connection, and behind them, with join_port, each VIP with that port. */
struct announced {
	struct ip addr;
	__u16 port; /* host byte order; 0: that of the connection */
	bool prefix; /* addr is a prefix, in which each connection has its own address */
};

/*
 * True where the kernel sends ADD_ADDR with an IPv6 address and a port, 30 bytes of the 40 that a
 * TCP header has for options: without TCP timestamps, or where it leaves those out of that one
 * packet (net.mptcp.add_addr_v6_port_drop_ts, Linux 7.2 and later). Else it drops the announcement
 * without a word but MPTcpExtAddAddrTxDrop.
 */
bool announce_port_fits_ipv6(void);

/* Fills out, which has room for MPTCP_PM_MAX_ENDPOINTS, and returns how many there are. IPv6 VIPs
 * with a port are among them only where `ipv6` says that they can be sent: the kernel would take
 * them and send nothing, and the connection would wait for an address of its own family. */
size_t announce_list(const struct server_config *config, bool ipv6, struct announced *out);

#endif
