/* SPDX-License-Identifier: GPL-2.0-only */
/* From a config to the items that it asks for. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/mptcp.h>
#include "announce.h"
#include "item.h"
#include "item_sysctl.h"
#include "lib/log.h"
#include "tc.h"

/* Additional subflows per connection that the kernel allows by default. */
#define DEFAULT_SUBFLOWS 2
/* A client with two interfaces that joins each dedicated address from both. */
#define SUBFLOWS_PER_ADDRESS 2

struct plan {
	struct mplb_server_item *item;
	int n;
};

static struct mplb_server_item *plan_add(struct plan *plan, enum mplb_server_kind kind,
					 const char *name, const char *value)
{
	struct mplb_server_item *item = &plan->item[plan->n++];

	item->kind = (__u8)kind;
	snprintf(item->name, sizeof(item->name), "%s", name);
	snprintf(item->value, sizeof(item->value), "%s", value);
	return item;
}

static bool has_ipv4(const struct server_addresses *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->ip[i].family == MPLB_FAMILY_4)
			return true;
	return false;
}

static void plan_sysctls(struct plan *plan, const struct server_config *config)
{
	struct item_sysctl s;

	/* First, so that no connection begins under the other one once the rest is there. */
	if (item_sysctl_manager(config->manager, &s))
		plan_add(plan, MPLB_SERVER_SYSCTL, s.name, s.value);
	item_sysctl_c_flag(config->join_vip, &s);
	plan_add(plan, MPLB_SERVER_SYSCTL, s.name, s.value);
	for (size_t i = 0; item_sysctl(i, &s); i++)
		if (!s.ipv4_only || has_ipv4(&config->vips))
			plan_add(plan, MPLB_SERVER_SYSCTL, s.name, s.value);
}

static void plan_limits(struct plan *plan, const struct server_config *config)
{
	struct announced list[MPTCP_PM_MAX_ENDPOINTS];
	size_t subflows = announce_list(config, true, list) * SUBFLOWS_PER_ADDRESS;
	char value[8];

	if (subflows < DEFAULT_SUBFLOWS)
		subflows = DEFAULT_SUBFLOWS;
	if (subflows > MPTCP_PM_MAX_LIMIT)
		subflows = MPTCP_PM_MAX_LIMIT;
	snprintf(value, sizeof(value), "%zu", subflows);
	plan_add(plan, MPLB_SERVER_LIMIT, "subflows", value);
}

static void plan_addresses(struct plan *plan, enum mplb_server_kind kind, const char *name,
			   const char *value, __u32 endpoint_flags,
			   const struct server_addresses *list)
{
	for (size_t i = 0; i < list->n; i++) {
		struct mplb_server_item *item = plan_add(plan, kind, name, value);

		item->addr = list->ip[i].addr;
		item->family = list->ip[i].family;
		item->endpoint_flags = endpoint_flags;
	}
}

/* In this order: what XDP marks for another backend, a program must be there to send. */
static void plan_device(struct plan *plan, const struct server_config *config)
{
	char value[MPLB_SERVER_VALUE_LEN];

	plan_add(plan, MPLB_SERVER_PASS_ON, config->device, "on ingress");
	if (config->mtu == SERVER_MTU_DEVICE)
		plan_add(plan, MPLB_SERVER_MSS, config->device, "by the device's MTU");
	if (config->mtu > 0) {
		snprintf(value, sizeof(value), "by MTU %d", config->mtu);
		plan_add(plan, MPLB_SERVER_MSS, config->device, value);
	}
	if (config->first_flight && !server_tc_obstacle(SERVER_TC_FIRST_FLIGHT)) {
		snprintf(value, sizeof(value), "of %u segments", config->first_flight);
		plan_add(plan, MPLB_SERVER_FIRST_FLIGHT, config->device, value);
	}
	plan_add(plan, MPLB_SERVER_XDP, config->device, server_mode_name(config->mode));
}

static void plan_signal(struct plan *plan, const struct announced *address)
{
	char value[MPLB_SERVER_VALUE_LEN] = "signal";
	struct mplb_server_item *item;

	if (address->port)
		snprintf(value, sizeof(value), "port %u signal", address->port);
	item = plan_add(plan, MPLB_SERVER_ENDPOINT, "", value);
	item->addr = address->addr.addr;
	item->family = address->addr.family;
	item->port = address->port;
	item->endpoint_flags = MPTCP_PM_ADDR_FLAG_SIGNAL;
}

/* The route behind the guard: without it, the whole prefix would be open for a moment. */
static void plan_guard(struct plan *plan, const struct server_config *config)
{
	struct mplb_server_item *item;

	for (size_t i = 0; i < config->guard.n_devices; i++)
		plan_add(plan, MPLB_SERVER_GUARD, config->guard.device[i], "on ingress");
	if (!config->guard.prefix.family)
		return;
	item = plan_add(plan, MPLB_SERVER_ROUTE, "lo", "/64 local on lo");
	item->addr = config->guard.prefix.addr;
	item->family = config->guard.prefix.family;
}

static void plan_endpoints(struct plan *plan, const struct server_config *config)
{
	struct announced list[MPTCP_PM_MAX_ENDPOINTS];
	size_t n = announce_list(config, announce_port_fits_ipv6(), list);

	for (size_t i = 0; i < n; i++)
		plan_signal(plan, &list[i]);
	/* Without a dedicated address there is nothing to prefer to the VIP's subflow. */
	if (config->initial == SERVER_INITIAL_BACKUP && config->dedicated.n)
		plan_addresses(plan, MPLB_SERVER_ENDPOINT, "", "backup", MPTCP_PM_ADDR_FLAG_BACKUP,
			       &config->vips);
}

int item_plan(const struct server_config *config, struct mplb_server_item **out)
{
	/* Each VIP may be an address and two endpoints; a few sysctls, a limit, the decapsulation.
	 */
	size_t room = 3 * config->vips.n + config->dedicated.n + config->guard.n_devices + 16;
	struct plan plan = { .item = calloc(room, sizeof(*plan.item)) };

	if (!plan.item)
		return log_err_r(-ENOMEM, "out of memory; free some");
	plan_sysctls(&plan, config);
	plan_limits(&plan, config);
	plan_addresses(&plan, MPLB_SERVER_ADDRESS, "lo", "on lo", 0, &config->vips);
	if (config->manager == SERVER_MANAGER_KERNEL)
		plan_endpoints(&plan, config);
	if (config->device)
		plan_device(&plan, config);
	plan_guard(&plan, config);
	*out = plan.item;
	return plan.n;
}
