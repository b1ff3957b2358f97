/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_SERVER_ITEM_ROUTE_H
#define MPLB_SERVER_ITEM_ROUTE_H

#include "lib/nl.h"
#include "mplb/server.h"

/*
 * `ip -6 route add local PREFIX/64 dev lo`: every address of the prefix is this host's, without one
 * being configured (AnyIP). As item_look(), item_put() and item_take(). nl is a NETLINK_ROUTE
 * connection.
 */
int item_route_look(struct nl *nl, const struct mplb_server_item *item);
int item_route_put(struct nl *nl, const struct mplb_server_item *item);
int item_route_take(struct nl *nl, const struct mplb_server_item *item);

#endif
