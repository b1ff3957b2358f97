/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_SERVER_PM_LISTEN_H
#define MPLB_SERVER_PM_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include "config.h"
#include "pm_diag.h"

/*
 * Listening sockets on dedicated addresses. A join to (dedicated address, port) needs a listening
 * MPTCP socket there; the connection that the join names then gets the subflow, the listening
 * socket nothing. An application that listens on every address has one. For one that listens on
 * the VIP alone this opens one, and closes it when the application has closed its own, so that
 * another one can have the port. At join_port of the VIPs there always is one.
 */
struct event_base;
struct pm_listen;

/* 0 with *out to be freed, or -ENOMEM. nl is a NETLINK_SOCK_DIAG connection, and outlives it. */
int pm_listen_new(struct event_base *base, const struct server_config *config,
		  const struct mplb_guard *guard, struct nl *nl, struct pm_listen **out);
void pm_listen_free(struct pm_listen *listen);

/* Another config, which outlives it. */
void pm_listen_change(struct pm_listen *listen, const struct server_config *config);

/* True while something wanted could not be opened: it may be possible later, of which no event
 * tells. */
bool pm_listen_waits(const struct pm_listen *listen);

/* Opens and closes as the applications' sockets are now. Logged. */
void pm_listen_update(struct pm_listen *listen);

/* The number of sockets that are open. */
size_t pm_listen_count(const struct pm_listen *listen);

/* True where joins to addr need a listener for the port: of the n listeners there are (ours left
 * out) one is on a VIP, and none takes connections to addr. vips NULL: the latter is enough. */
bool pm_listen_wanted(const struct pm_listener *there, size_t n,
		      const struct server_addresses *vips, const struct ip *addr, __u16 port);

#endif
