/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_SERVER_CONNECTIONS_H
#define MPLB_SERVER_CONNECTIONS_H

#include <jansson.h>
#include "lib/nl.h"

/*
 * The live MPTCP connections that clients have opened, as their sockets show them, whoever manages
 * their paths. A connection is
 *
 *	vip       on its initial subflow alone
 *	joined    on further subflows to other addresses as well
 *	off_path  on those, with the initial one closed or a backup
 */
struct connection_counts {
	size_t vip, joined, off_path;
	/* Payload of the subflows that are open now: through VIPs, and to other addresses. */
	struct {
		__u64 received, sent;
	} vip_bytes, dedicated_bytes;
};

/* Counts them: one dump of all TCP sockets. nl is a NETLINK_SOCK_DIAG connection. 0 or -errno. */
int connections_count(struct nl *nl, struct connection_counts *out);

/* An array of {"token", "local", "remote", "state", "dedicated": [...], "subflows",
 * "initial_bytes", "dedicated_bytes"}, or NULL with *err. */
json_t *connections_json(struct nl *nl, int *err);

#endif
