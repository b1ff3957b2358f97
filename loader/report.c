/* SPDX-License-Identifier: GPL-2.0-only */
/* Reports of what is in force. */
#include "report.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/ip.h"
#include "notes.h"
#include "pooltable.h"
#include "problems.h"
#include "report_lib.h"
#include "tokens.h"

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

	err = datapath_nics(dp->vips, &nics, &n);
	if (err)
		return report_failed("the NICs", err);
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

json_t *report_vips(const struct datapath *dp)
{
	struct in_force *now = report_in_force(dp);
	json_t *rows = now ? json_array() : NULL;

	for (size_t i = 0; now && i < MPLB_MAX_VIPS; i++) {
		const struct mplb_vip_info *v = &dp->vip_info[i];

		if (!now->vip[i])
			continue;
		json_array_append_new(
			rows,
			json_pack("{s:s, s:o, s:i, s:s, s:s, s:s, s:o}", "name", v->name, "address",
				  text_of(&v->addr, v->family), "port", (int)ntohs(v->port),
				  "protocol", v->proto == IPPROTO_TCP ? "tcp" : "udp", "pool",
				  v->pool, "mp_join", mp_join_word((enum mplb_mp_join)v->mp_join),
				  "join_ports",
				  v->join_base ? json_integer(v->join_base) : json_null()));
	}
	free(now);
	return rows;
}

json_t *report_pools(const struct datapath *dp)
{
	struct in_force *now = report_in_force(dp);
	struct state *state = NULL;
	json_t *rows = NULL;
	int err = now ? state_read(dp, now, &state) : 0;

	free(now);
	if (err)
		return report_failed("the pools", err);
	if (state)
		rows = json_array();
	for (size_t p = 0; state && p < state->n_pools; p++) {
		const struct state_pool *pool = &state->pools[p];
		bool settled = !pool_is_unsettled(pool);
		char seed[24];

		snprintf(seed, sizeof(seed), "%#llx", pool->hash_seed);
		json_array_append_new(
			rows, json_pack("{s:s, s:s, s:s, s:s, s:i, s:b, s:s*}", "name", pool->name,
					"forward", forward_word(pool->forward), "hash",
					pool->hash_addresses ? "addresses" : "flow", "hash_seed",
					seed, "backends", (int)pool->n_members, "settled",
					(int)settled, "note", settled ? NULL : NOTES_UNSETTLED));
	}
	state_free(state);
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
	__u32 *count = calloc(2 * (size_t)MPLB_MAX_BACKENDS, sizeof(*count));
	int err = count ? 0 : -ENOMEM;

	for (__u32 t = 0; !err && t < MPLB_MAX_POOLS; t++)
		if (now->table[t])
			err = count_slots(dp, t, count, count + MPLB_MAX_BACKENDS);
	if (!err)
		return count;
	free(count);
	report_failed("the pools' tables", err);
	return NULL;
}

static json_t *marks_of(const struct mplb_backend_info *info)
{
	static const struct {
		__u8 flag;
		const char *word;
	} marks[] = { { MPLB_MEMBER_F_DRAIN, "drain" },
		      { MPLB_MEMBER_F_WEIGHT, "weight" },
		      { MPLB_MEMBER_F_GONE, "gone" },
		      { MPLB_MEMBER_F_DOWN, "down" },
		      { MPLB_MEMBER_F_KEPT, "kept" } };
	json_t *list = json_array();

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (info->flags & marks[i].flag)
			json_array_append_new(list, json_string(marks[i].word));
	return list;
}

/* Adds how its packets leave. */
static void add_way(json_t *row, const struct mplb_backend *b, const char *device,
		    const char *problem)
{
	bool resolved = b->flags & MPLB_BACKEND_F_RESOLVED;
	char egress[IF_NAMESIZE] = "", mac[18];

	if (b->ifindex && !if_indextoname(b->ifindex, egress))
		snprintf(egress, sizeof(egress), "%u", b->ifindex);
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", b->dmac[0], b->dmac[1],
		 b->dmac[2], b->dmac[3], b->dmac[4], b->dmac[5]);
	json_object_set_new(row, "device", *egress ? json_string(egress) : json_null());
	json_object_set_new(row, "route_device", *device ? json_string(device) : json_null());
	json_object_set_new(row, "vlan", b->vlan ? json_integer(b->vlan) : json_null());
	json_object_set_new(row, "next_hop", resolved ? json_string(mac) : json_null());
	json_object_set_new(row, "mtu", b->ifindex ? json_integer(b->mtu) : json_null());
	json_object_set_new(row, "resolved", json_boolean(resolved));
	json_object_set_new(row, "problem", *problem ? json_string(problem) : json_null());
}

static json_t *backend_row(const struct mplb_backend_info *info, __u32 owner, __u32 fallback)
{
	return json_pack(
		"{s:s, s:s, s:o, s:i, s:i, s:i, s:i, s:s, s:o, s:s, s:f, s:f}", "name", info->name,
		"pool", info->pool, "address", text_of(&info->addr, info->family), "id", info->id,
		"weight", (int)info->weight, "base_weight", (int)info->base_weight, "prev_weight",
		(int)info->prev_weight, "state", state_word((enum mplb_member_state)info->state),
		"marks", marks_of(info), "forward", forward_word((enum mplb_forward)info->forward),
		"share", (double)owner / MPLB_TABLE_SLOTS, "fallback_share",
		(double)fallback / MPLB_TABLE_SLOTS);
}

json_t *report_backends(const struct datapath *dp)
{
	struct in_force *now = report_in_force(dp);
	struct problems *problems = malloc(sizeof(*problems));
	__u32 *count = now ? slots_in_force(dp, now) : NULL;
	__u32 tokens[MPLB_MAX_BACKENDS];
	json_t *rows = NULL;

	if (count && problems && !problems_find(dp, now, problems))
		rows = json_array();
	tokens_count(dp, tokens);
	for (size_t i = 0; rows && i < MPLB_MAX_BACKENDS; i++) {
		json_t *row;

		if (!now->backend[i])
			continue;
		row = backend_row(&dp->backend_info[i], count[i], count[MPLB_MAX_BACKENDS + i]);
		json_object_set_new(row, "tokens", json_integer(tokens[i]));
		add_way(row, &dp->backends[i], problems->device[i], problems->text[i]);
		json_array_append_new(rows, row);
	}
	free(count);
	free(problems);
	free(now);
	return rows;
}

json_t *report_tables(const struct datapath *dp)
{
	struct in_force *now = report_in_force(dp);
	__u32 *count = now ? slots_in_force(dp, now) : NULL;
	json_t *rows = count ? json_array() : NULL;

	for (size_t i = 0; rows && i < MPLB_MAX_BACKENDS; i++) {
		const struct mplb_backend_info *info = &dp->backend_info[i];

		if (!now->backend[i])
			continue;
		json_array_append_new(
			rows,
			json_pack("{s:s, s:i, s:s, s:i, s:i, s:i, s:i, s:f}", "pool", info->pool,
				  "table", (int)info->table, "backend", info->name, "weight",
				  (int)info->weight, "base_weight", (int)info->base_weight, "owner",
				  (int)count[i], "fallback", (int)count[MPLB_MAX_BACKENDS + i],
				  "share", (double)count[i] / MPLB_TABLE_SLOTS));
	}
	free(count);
	free(now);
	return rows;
}
