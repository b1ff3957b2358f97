/* SPDX-License-Identifier: GPL-2.0-only */
#include "report.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply.h"
#include "lib/ip.h"
#include "lib/log.h"
#include "pooltable.h"

static const char *const mp_join_names[] = { "reject", "hash" };
static const char *const forward_names[] = { "l2", "ipip" };
static const char *const state_names[] = { "joining", "active", "draining", "down" };

struct reason {
	const char *name, *action, *text;
};

#define X(number, NAME, name, action, text) [number] = { name, #action, text },
static const struct reason reasons[MPLB_R_MAX] = { MPLB_REASONS(X) };
#undef X

const char *report_reason_name(unsigned int reason)
{
	return reason < MPLB_R_MAX ? reasons[reason].name : "?";
}

const char *report_reason_text(unsigned int reason)
{
	return reason < MPLB_R_MAX ? reasons[reason].text : "?";
}

const char *report_reason_action(unsigned int reason)
{
	if (reason >= MPLB_R_MAX)
		return "?";
	return !strcmp(reasons[reason].action, "PASS")	 ? "pass"
	       : !strcmp(reasons[reason].action, "DROP") ? "drop"
							 : "tx";
}

static json_t *failed(const char *what, int err)
{
	log_error("cannot read %s: %s%s", what, strerror(-err),
		  err == -EPERM ? "; run as root" : "");
	return NULL;
}

static json_t *text_of(const struct mplb_ip *addr, __u8 family)
{
	struct ip ip = { .addr = *addr, .family = family };
	char buf[IP_STRLEN];

	return json_string(ip_format(&ip, buf));
}

json_t *report_nics(const struct datapath *dp)
{
	struct datapath_nic *nics;
	json_t *rows;
	size_t n;
	int err;

	err = datapath_nics(dp, &nics, &n);
	if (err)
		return failed("the NICs", err);
	rows = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(
			rows, json_pack("{s:s, s:i, s:s, s:i, s:b}", "device", nics[i].name,
					"ifindex", (int)nics[i].ifindex, "mode",
					nics[i].generic ? "generic" : "native", "program",
					(int)nics[i].program, "shared", (int)nics[i].shared));
	free(nics);
	return rows;
}

/* Reads what is in force into memory to be freed. NULL on failure, logged. */
static struct in_force *read_in_force(const struct datapath *dp)
{
	struct in_force *now = malloc(sizeof(*now));
	int err = now ? in_force_read(dp, now) : -ENOMEM;

	if (!err)
		return now;
	free(now);
	failed("what is in force", err);
	return NULL;
}

json_t *report_vips(const struct datapath *dp)
{
	struct in_force *now = read_in_force(dp);
	json_t *rows = now ? json_array() : NULL;

	for (size_t i = 0; now && i < MPLB_MAX_VIPS; i++) {
		const struct mplb_vip_info *v = &dp->vip_info[i];

		if (!now->vip[i])
			continue;
		json_array_append_new(rows,
				      json_pack("{s:s, s:o, s:i, s:s, s:s, s:s}", "name", v->name,
						"address", text_of(&v->addr, v->family), "port",
						(int)ntohs(v->port), "protocol",
						v->proto == IPPROTO_TCP ? "tcp" : "udp", "pool",
						v->pool, "mp_join", mp_join_names[v->mp_join & 1]));
	}
	free(now);
	return rows;
}

/* Counts, for each index of a backend, its slots in a table. */
static int count_slots(const struct datapath *dp, __u32 table, __u32 *owner, __u32 *fallback)
{
	const struct mplb_table_slot *slots = pooltable_live(dp, table);

	if (!slots)
		return -errno;
	for (size_t i = 0; i < MPLB_TABLE_SLOTS; i++) {
		if (slots[i].owner < MPLB_MAX_BACKENDS)
			owner[slots[i].owner]++;
		if (slots[i].fallback < MPLB_MAX_BACKENDS)
			fallback[slots[i].fallback]++;
	}
	pooltable_unmap(slots);
	return 0;
}

/* Slots of every backend in the tables in force: owner in the first half of the result, fallback
 * in the second. To be freed; NULL on failure, logged. */
static __u32 *slots_in_force(const struct datapath *dp, const struct in_force *now)
{
	__u32 *count = calloc(2 * MPLB_MAX_BACKENDS, sizeof(*count));
	int err = count ? 0 : -ENOMEM;

	for (__u32 t = 0; !err && t < MPLB_MAX_POOLS; t++)
		if (now->table[t])
			err = count_slots(dp, t, count, count + MPLB_MAX_BACKENDS);
	if (!err)
		return count;
	free(count);
	failed("the pools' tables", err);
	return NULL;
}

static json_t *backend_row(const struct datapath *dp, size_t i, __u32 owner)
{
	const struct mplb_backend_info *info = &dp->backend_info[i];
	const struct mplb_backend *b = &dp->backends[i];
	char dev[IF_NAMESIZE] = "", mac[18] = "";
	bool resolved = b->flags & MPLB_BACKEND_F_RESOLVED;

	if (b->ifindex && !if_indextoname(b->ifindex, dev))
		snprintf(dev, sizeof(dev), "%u", b->ifindex);
	if (resolved)
		snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", b->dmac[0], b->dmac[1],
			 b->dmac[2], b->dmac[3], b->dmac[4], b->dmac[5]);
	return json_pack("{s:s, s:s, s:o, s:i, s:i, s:s, s:s, s:f, s:s*, s:s*, s:i, s:b}", "name",
			 info->name, "pool", info->pool, "address",
			 text_of(&info->addr, info->family), "id", info->id, "weight",
			 (int)info->weight, "state", state_names[info->state & 3], "forward",
			 forward_names[info->forward & 1], "share",
			 (double)owner / MPLB_TABLE_SLOTS, "device", *dev ? dev : NULL, "next_hop",
			 resolved ? mac : NULL, "mtu", b->mtu, "resolved", (int)resolved);
}

json_t *report_backends(const struct datapath *dp)
{
	struct in_force *now = read_in_force(dp);
	__u32 *count = now ? slots_in_force(dp, now) : NULL;
	json_t *rows = count ? json_array() : NULL;

	for (size_t i = 0; rows && i < MPLB_MAX_BACKENDS; i++)
		if (now->backend[i])
			json_array_append_new(rows, backend_row(dp, i, count[i]));
	free(count);
	free(now);
	return rows;
}

json_t *report_tables(const struct datapath *dp)
{
	struct in_force *now = read_in_force(dp);
	__u32 *count = now ? slots_in_force(dp, now) : NULL;
	json_t *rows = count ? json_array() : NULL;

	for (size_t i = 0; rows && i < MPLB_MAX_BACKENDS; i++) {
		const struct mplb_backend_info *info = &dp->backend_info[i];

		if (!now->backend[i])
			continue;
		json_array_append_new(
			rows, json_pack("{s:s, s:i, s:s, s:i, s:i, s:i, s:f}", "pool", info->pool,
					"table", (int)info->table, "backend", info->name, "weight",
					(int)info->weight, "owner", (int)count[i], "fallback",
					(int)count[MPLB_MAX_BACKENDS + i], "share",
					(double)count[i] / MPLB_TABLE_SLOTS));
	}
	free(count);
	free(now);
	return rows;
}

json_t *report_vip_stats(const struct datapath *dp)
{
#define X(NAME, name, text) name,
	static const char *const names[] = { MPLB_VIP_COUNTERS(X) };
#undef X
	struct in_force *now = read_in_force(dp);
	json_t *rows = now ? json_array() : NULL;
	int err = 0;

	for (__u32 i = 0; now && !err && i < MPLB_MAX_VIPS; i++) {
		__u64 counter[MPLB_VIP_C_MAX];
		json_t *row;

		if (!now->vip[i])
			continue;
		err = datapath_sum(dp->vip_stats, i, counter, MPLB_VIP_C_MAX);
		if (err)
			break;
		row = json_pack("{s:s}", "name", dp->vip_info[i].name);
		for (size_t c = 0; c < MPLB_VIP_C_MAX; c++)
			json_object_set_new(row, names[c], json_integer((json_int_t)counter[c]));
		json_array_append_new(rows, row);
	}
	free(now);
	if (!err)
		return rows;
	json_decref(rows);
	return failed("the VIPs' counters", err);
}

json_t *report_backend_stats(const struct datapath *dp)
{
	struct in_force *now = read_in_force(dp);
	json_t *rows = now ? json_array() : NULL;
	int err = 0;

	for (__u32 i = 0; now && !err && i < MPLB_MAX_BACKENDS; i++) {
		const struct mplb_backend_info *info = &dp->backend_info[i];
		struct mplb_backend_stats sum;

		if (!now->backend[i])
			continue;
		err = datapath_sum(dp->backend_stats, i, (__u64 *)&sum, sizeof(sum) / 8);
		if (!err)
			json_array_append_new(rows, json_pack("{s:s, s:s, s:I, s:I}", "name",
							      info->name, "pool", info->pool,
							      "packets", (json_int_t)sum.packets,
							      "bytes", (json_int_t)sum.bytes));
	}
	free(now);
	if (!err)
		return rows;
	json_decref(rows);
	return failed("the backends' counters", err);
}

json_t *report_reasons(const struct datapath *dp)
{
	json_t *rows = json_array();

	/* Forwarded packets are counted by VIP and backend. */
	for (__u32 r = 1; r < MPLB_R_MAX; r++) {
		__u64 packets;
		int err = datapath_sum(dp->reasons, r, &packets, 1);

		if (err) {
			json_decref(rows);
			return failed("the reasons", err);
		}
		json_array_append_new(rows,
				      json_pack("{s:s, s:s, s:I, s:s}", "reason", reasons[r].name,
						"action", report_reason_action(r), "packets",
						(json_int_t)packets, "text", reasons[r].text));
	}
	return rows;
}
