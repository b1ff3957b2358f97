/* SPDX-License-Identifier: GPL-2.0-only */
#include "item.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/mptcp.h>
#include "decap.h"
#include "item_route.h"
#include "item_sysctl.h"
#include "lib/log.h"
#include "lib/sysctl.h"
#include "tc.h"

/* ---- sysctls ---- */

static int sysctl_look(const struct item_place *place, const struct mplb_server_item *item)
{
	(void)place;
	return item_sysctl_ok(item->name, item->value);
}

static void sysctl_remember(const struct item_place *place, struct mplb_server_item *item)
{
	(void)place;
	sysctl_read(item->name, item->before, sizeof(item->before));
}

static int sysctl_set(const char *name, const char *value)
{
	int err = sysctl_write(name, value);

	if (err)
		log_error("sysctl %s cannot be set to %s: %s; %s", name, value, strerror(-err),
			  err == -ENOENT ? "this kernel does not have it: Linux 5.14 or later does"
					 : "run as root, with /proc/sys writable");
	return err;
}

static int sysctl_put(const struct item_place *place, const struct mplb_server_item *item)
{
	(void)place;
	return sysctl_set(item->name, item->value);
}

static int sysctl_take(const struct item_place *place, const struct mplb_server_item *item)
{
	char now[MPLB_SERVER_VALUE_LEN];

	(void)place;
	if (!*item->before || sysctl_read(item->name, now, sizeof(now)) ||
	    !strcmp(now, item->before))
		return 0;
	if (strcmp(now, item->value) != 0) {
		log_warn("sysctl %s: someone has set it to %s since; left so (it was %s before)",
			 item->name, now, item->before);
		return 0;
	}
	return sysctl_set(item->name, item->before);
}

/* ---- limits of the path manager: `subflows` is the only one that a server needs ---- */

static int limit_look(const struct item_place *place, const struct mplb_server_item *item)
{
	return place->machine->limits.subflows >= strtoul(item->value, NULL, 10);
}

static void limit_remember(const struct item_place *place, struct mplb_server_item *item)
{
	snprintf(item->before, sizeof(item->before), "%u", place->machine->limits.subflows);
}

static int limit_set(const struct item_place *place, const char *value)
{
	struct mptcp_limits limits = place->machine->limits;
	int err;

	limits.subflows = (__u32)strtoul(value, NULL, 10);
	err = mptcp_pm_set_limits(place->machine->pm, &limits);
	if (err)
		log_error("MPTCP limit subflows cannot be set to %s: %s; run as root", value,
			  mptcp_pm_error(place->machine->pm));
	else
		place->machine->limits = limits;
	return err;
}

static int limit_put(const struct item_place *place, const struct mplb_server_item *item)
{
	return limit_set(place, item->value);
}

static int limit_take(const struct item_place *place, const struct mplb_server_item *item)
{
	if (!*item->before || place->machine->limits.subflows != strtoul(item->value, NULL, 10))
		return 0;
	return limit_set(place, item->before);
}

/* ---- VIPs on lo ---- */

static struct ip item_ip(const struct mplb_server_item *item)
{
	return (struct ip){ .addr = item->addr, .family = item->family };
}

/* On whichever device: an operator may have put the VIP on another one. */
static int address_look(const struct item_place *place, const struct mplb_server_item *item)
{
	struct ip ip = item_ip(item);

	return rtaddr_find(place->machine->addrs, place->machine->n_addrs, &ip, 0) != NULL;
}

static int address_put(const struct item_place *place, const struct mplb_server_item *item)
{
	struct ip ip = item_ip(item);
	char text[IP_STRLEN];
	int err = rtaddr_add(place->machine->route, &ip, (int)if_nametoindex(item->name));

	if (!err || err == -EEXIST)
		return 0;
	return log_err_r(err, "VIP %s cannot be put on %s: %s; run as root, with %s up",
			 ip_format(&ip, text), item->name, nl_error(place->machine->route),
			 item->name);
}

static int address_take(const struct item_place *place, const struct mplb_server_item *item)
{
	struct ip ip = item_ip(item);
	char text[IP_STRLEN];
	int err = rtaddr_delete(place->machine->route, &ip, (int)if_nametoindex(item->name));

	if (!err || err == -EADDRNOTAVAIL)
		return 0;
	return log_err_r(err, "VIP %s cannot be taken off %s: %s; run as root",
			 ip_format(&ip, text), item->name, nl_error(place->machine->route));
}

/* ---- endpoints ---- */

static int endpoint_look(const struct item_place *place, const struct mplb_server_item *item)
{
	struct ip ip = item_ip(item);
	const struct mptcp_endpoint *e = machine_endpoint(place->machine, &ip, item->port);
	const struct mplb_server_item *known;

	if (!e)
		return 0;
	if ((e->flags & item->endpoint_flags) == item->endpoint_flags)
		return 1;
	known = place->state ? server_state_find(place->state, item) : NULL;
	return known && (known->flags & MPLB_SERVER_F_OURS) ? 0 : -EEXIST;
}

static int endpoint_error(const struct item_place *place, const struct mplb_server_item *item,
			  int err)
{
	char text[ITEM_TEXT];

	return log_err_r(err,
			 "%s cannot be set: %s; `ip mptcp endpoint` shows what is in the way%s",
			 item_text(item, text), mptcp_pm_error(place->machine->pm),
			 err == -ERANGE	      ? " (the kernel has room for 8)"
			 : err == -EADDRINUSE ? ", `ss -tlnp` who has the port: the kernel listens "
						"there for joins"
					      : "");
}

/* Someone changed an endpoint of ours. Changing `backup` back closes nothing; deleting would. */
static int endpoint_change(const struct item_place *place, const struct mplb_server_item *item,
			   struct mptcp_endpoint e)
{
	int err;

	if (item->endpoint_flags == MPTCP_PM_ADDR_FLAG_BACKUP) {
		e.flags |= MPTCP_PM_ADDR_FLAG_BACKUP;
		err = mptcp_pm_set_flags(place->machine->pm, &e);
		return err ? endpoint_error(place, item, err) : 0;
	}
	err = mptcp_pm_delete(place->machine->pm, &e);
	e = (struct mptcp_endpoint){ .addr = e.addr,
				     .port = e.port,
				     .flags = item->endpoint_flags };
	err = err ? err : mptcp_pm_add(place->machine->pm, &e);
	return err ? endpoint_error(place, item, err) : 0;
}

static int endpoint_put(const struct item_place *place, const struct mplb_server_item *item)
{
	struct mptcp_endpoint e = { .addr = item_ip(item),
				    .port = item->port,
				    .flags = item->endpoint_flags };
	const struct mptcp_endpoint *there = machine_endpoint(place->machine, &e.addr, e.port);
	int err;

	if (there)
		return endpoint_change(place, item, *there);
	err = mptcp_pm_add(place->machine->pm, &e);
	return err && err != -EEXIST ? endpoint_error(place, item, err) : 0;
}

static int endpoint_take(const struct item_place *place, const struct mplb_server_item *item)
{
	struct ip ip = item_ip(item);
	const struct mptcp_endpoint *e = machine_endpoint(place->machine, &ip, item->port);
	char text[ITEM_TEXT];
	int err = e ? mptcp_pm_delete(place->machine->pm, e) : 0;

	if (err)
		log_error("%s cannot be removed: %s; run as root", item_text(item, text),
			  mptcp_pm_error(place->machine->pm));
	return err;
}

int item_rest(const struct item_place *place, struct mplb_server_item *item)
{
	struct ip ip = item_ip(item);
	const struct mptcp_endpoint *there = machine_endpoint(place->machine, &ip, item->port);
	struct mptcp_endpoint e;
	int err = 0;

	if (there) {
		e = *there;
		e.flags &= ~(__u32)MPTCP_PM_ADDR_FLAG_BACKUP;
		err = mptcp_pm_set_flags(place->machine->pm, &e);
	}
	if (err)
		return endpoint_error(place, item, err);
	item->endpoint_flags = 0;
	strcpy(item->value, "resting");
	return 0;
}

/* ---- the decapsulation ---- */

static int xdp_look(const struct item_place *place, const struct mplb_server_item *item)
{
	int err = server_decap_look(place->state, item->name);

	return err == -ENODEV ? 0 : err;
}

static int xdp_put(const struct item_place *place, const struct mplb_server_item *item)
{
	enum server_mode mode = SERVER_MODE_AUTO;

	server_mode_parse(item->value, &mode);
	return server_decap_attach(place->state, item->name, mode);
}

static int xdp_take(const struct item_place *place, const struct mplb_server_item *item)
{
	return server_decap_detach(place->state, item->name);
}

/* ---- the tc programs ---- */

/* What the item says was there before: the qdisc that the programs hang on. */
#define QDISC_OURS "no clsact"

static enum server_tc tc_of(const struct mplb_server_item *item)
{
	switch (item->kind) {
	case MPLB_SERVER_GUARD:
		return SERVER_TC_GUARD;
	case MPLB_SERVER_FIRST_FLIGHT:
		return SERVER_TC_FIRST_FLIGHT;
	case MPLB_SERVER_PASS_ON:
		return SERVER_TC_PASS_ON;
	default:
		return SERVER_TC_MSS;
	}
}

/* The qdisc is there for an item of ours on the device: which is taken back last, nobody knows. */
static bool qdisc_is_ours(const struct server_state *state, const char *device)
{
	const struct mplb_server_item *items;
	size_t n = server_state_items(state, &items);

	for (size_t i = 0; i < n; i++)
		if (!strcmp(items[i].name, device) && !strcmp(items[i].before, QDISC_OURS))
			return true;
	return false;
}

/* Another's program in our place is in the way: putting ours there says so, and does not. */
static int tc_look(const struct item_place *place, const struct mplb_server_item *item)
{
	int err = server_tc_look(place->state, item->name, tc_of(item));

	return err == -ENODEV || err == -EEXIST ? 0 : err;
}

static void tc_remember(const struct item_place *place, struct mplb_server_item *item)
{
	char kind[SERVER_TC_QDISC_LEN];

	if (server_tc_qdisc(place->machine->route, item->name, kind))
		return;
	if (!*kind || qdisc_is_ours(place->state, item->name))
		snprintf(kind, sizeof(kind), "%s", QDISC_OURS);
	snprintf(item->before, sizeof(item->before), "%s", kind);
}

static int tc_put(const struct item_place *place, const struct mplb_server_item *item)
{
	return server_tc_attach(place->state, place->machine->route, item->name, tc_of(item));
}

static int tc_take(const struct item_place *place, const struct mplb_server_item *item)
{
	int err = server_tc_detach(place->state, item->name, tc_of(item));

	if (err || strcmp(item->before, QDISC_OURS) != 0)
		return err;
	return server_tc_remove_qdisc(place->machine->route, item->name);
}

/* ---- the route of the connections' addresses ---- */

static int route_look(const struct item_place *place, const struct mplb_server_item *item)
{
	return item_route_look(place->machine->route, item);
}

static int route_put(const struct item_place *place, const struct mplb_server_item *item)
{
	return item_route_put(place->machine->route, item);
}

static int route_take(const struct item_place *place, const struct mplb_server_item *item)
{
	return item_route_take(place->machine->route, item);
}

static void remember_nothing(const struct item_place *place, struct mplb_server_item *item)
{
	(void)place;
	(void)item;
}

static int netns_look(const struct item_place *place, const struct mplb_server_item *item)
{
	(void)place;
	(void)item;
	return 1;
}

static int netns_nothing(const struct item_place *place, const struct mplb_server_item *item)
{
	(void)place;
	(void)item;
	return 0;
}

static const struct item_ops {
	const char *name;
	int (*look)(const struct item_place *place, const struct mplb_server_item *item);
	void (*remember)(const struct item_place *place, struct mplb_server_item *item);
	int (*put)(const struct item_place *place, const struct mplb_server_item *item);
	int (*take)(const struct item_place *place, const struct mplb_server_item *item);
} ops[MPLB_SERVER_KIND_MAX] = {
	[MPLB_SERVER_NETNS] = { "netns", netns_look, remember_nothing, netns_nothing,
				netns_nothing },
	[MPLB_SERVER_SYSCTL] = { "sysctl", sysctl_look, sysctl_remember, sysctl_put, sysctl_take },
	[MPLB_SERVER_LIMIT] = { "limit", limit_look, limit_remember, limit_put, limit_take },
	[MPLB_SERVER_ADDRESS] = { "address", address_look, remember_nothing, address_put,
				  address_take },
	[MPLB_SERVER_ENDPOINT] = { "endpoint", endpoint_look, remember_nothing, endpoint_put,
				   endpoint_take },
	[MPLB_SERVER_PASS_ON] = { "second chance", tc_look, tc_remember, tc_put, tc_take },
	[MPLB_SERVER_MSS] = { "VIPs' MSS", tc_look, tc_remember, tc_put, tc_take },
	[MPLB_SERVER_XDP] = { "decapsulation", xdp_look, remember_nothing, xdp_put, xdp_take },
	[MPLB_SERVER_GUARD] = { "guard", tc_look, tc_remember, tc_put, tc_take },
	[MPLB_SERVER_ROUTE] = { "route", route_look, remember_nothing, route_put, route_take },
	[MPLB_SERVER_FIRST_FLIGHT] = { "first flight", tc_look, tc_remember, tc_put, tc_take },
};

int item_look(const struct item_place *place, const struct mplb_server_item *item)
{
	return ops[item->kind].look(place, item);
}

void item_remember(const struct item_place *place, struct mplb_server_item *item)
{
	ops[item->kind].remember(place, item);
}

int item_put(const struct item_place *place, const struct mplb_server_item *item)
{
	return ops[item->kind].put(place, item);
}

int item_take(const struct item_place *place, const struct mplb_server_item *item)
{
	return ops[item->kind].take(place, item);
}

const char *item_kind(const struct mplb_server_item *item)
{
	return ops[item->kind].name;
}

const char *item_subject(const struct mplb_server_item *item, char buf[static ITEM_TEXT])
{
	struct ip ip = item_ip(item);
	char addr[IP_STRLEN];

	snprintf(buf, ITEM_TEXT, "%s", item->family ? ip_format(&ip, addr) : item->name);
	return buf;
}

const char *item_text(const struct mplb_server_item *item, char buf[static ITEM_TEXT])
{
	char subject[ITEM_TEXT];
	const char *link = " ";

	if (item->kind == MPLB_SERVER_SYSCTL || item->kind == MPLB_SERVER_LIMIT)
		link = " = ";
	snprintf(buf, ITEM_TEXT, "%s %.64s%s%s", item_kind(item), item_subject(item, subject), link,
		 item->value);
	return buf;
}
