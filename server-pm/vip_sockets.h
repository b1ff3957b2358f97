/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_SERVER_VIP_SOCKETS_H
#define MPLB_SERVER_VIP_SOCKETS_H

#include "config.h"
#include "lib/nl.h"

/* Counts the TCP connections, with MPTCP or without, that have one of these addresses at this end
 * and are not closed on both. nl is a NETLINK_SOCK_DIAG connection. 0 or -errno. */
int vip_sockets_count(struct nl *nl, const struct server_addresses *vips, size_t *out);

#endif
