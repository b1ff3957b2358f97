/* SPDX-License-Identifier: GPL-2.0-only */
#include <string.h>

#include <linux/capability.h>
#include "cmd.h"
#include "connections.h"
#include "lib/log.h"
#include "lib/out.h"
#include "machine.h"

static const struct out_column columns[] = {
	{ "token", "TOKEN" },
	{ "remote", "CLIENT" },
	{ "local", "VIP" },
	{ "state", "STATE" },
	{ "dedicated", "JOINED" },
	{ "initial_bytes", "BYTES BY VIP" },
	{ "dedicated_bytes", "BYTES BY JOINED" },
	{ NULL, NULL },
};

int server_cmd_connections(const struct server_options *options)
{
	struct nl *nl;
	json_t *rows;
	int err;

	/* Without it the kernel lists the sockets all the same, and tells nothing of MPTCP. */
	if (!(machine_capabilities() & 1ULL << CAP_NET_ADMIN)) {
		log_error("no right to see MPTCP connections (CAP_NET_ADMIN); run as root");
		return SERVER_REFUSED;
	}
	err = nl_open(NETLINK_SOCK_DIAG, 0, &nl);
	if (err) {
		log_error("sock_diag: %s; see that the process may open sockets", strerror(-err));
		return SERVER_REFUSED;
	}
	rows = connections_json(nl, &err);
	if (!rows)
		log_error("sockets cannot be listed: %s; have inet_diag and tcp_diag in the kernel "
			  "or loaded (modprobe), and run as root",
			  nl_error(nl));
	else if (options->json)
		out_json(rows);
	else if (json_array_size(rows))
		out_table(rows, columns);
	else
		log_info("no live MPTCP connection");
	json_decref(rows);
	nl_close(nl);
	return err ? SERVER_REFUSED : SERVER_OK;
}
