/* SPDX-License-Identifier: GPL-2.0-only */
#include "describe.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static void describe_member(struct mplb_backend_info *at, const struct state_pool *pool,
			    const struct state_member *m)
{
	struct mplb_backend_info info = {
		.addr = m->addr.addr,
		.family = m->addr.family,
		.table = at->table,
		.weight = m->weight,
		.base_weight = m->base,
		.prev_weight = m->prev,
		.config_weight = m->config_weight,
		.id = m->id,
		.state = (__u8)member_state(m),
		.forward = (__u8)pool->forward,
		.flags = m->flags,
	};

	snprintf(info.name, sizeof(info.name), "%s", m->name);
	snprintf(info.pool, sizeof(info.pool), "%s", pool->name);
	*at = info;
	/* Last: until then the description counts as one of before. */
	__atomic_store_n(&at->table, pool->table, __ATOMIC_SEQ_CST);
}

/* Where nothing counts yet. */
static void describe_anew(struct mplb_backend_info *at, const struct state_pool *pool,
			  const struct state_member *m)
{
	__atomic_store_n(&at->table, MPLB_MAX_POOLS, __ATOMIC_SEQ_CST);
	describe_member(at, pool, m);
}

static void describe_members(const struct datapath *dp, const struct state *want,
			     const struct places *places)
{
	for (size_t p = 0; p < want->n_pools; p++) {
		const struct state_pool *pool = &want->pools[p];

		for (size_t i = 0; i < pool->n_members; i++) {
			const struct state_member *m = &pool->members[i];

			if (!places->now.backend[m->index])
				describe_anew(&dp->backend_info[m->index], pool, m);
			else if (!places->keeps_table[p])
				describe_anew(&dp->backend_next[m->index], pool, m);
		}
	}
}

/* Of tables that stay: names, and orders that change no slot. */
static void describe_unmoved(const struct datapath *dp, const struct state *want,
			     const struct places *places)
{
	for (size_t p = 0; p < want->n_pools; p++) {
		const struct state_pool *pool = &want->pools[p];

		for (size_t i = 0; places->keeps_table[p] && i < pool->n_members; i++)
			describe_member(&dp->backend_info[pool->members[i].index], pool,
					&pool->members[i]);
	}
}

bool describe_finish(const struct datapath *dp, const struct in_force *now)
{
	bool taken = false;

	for (size_t i = 0; i < MPLB_MAX_BACKENDS; i++) {
		struct mplb_backend_info *next = &dp->backend_next[i];

		if (!next->name[0])
			continue;
		if (next->table < MPLB_MAX_POOLS && now->table[next->table]) {
			dp->backend_info[i] = *next;
			taken = true;
		}
		/* Not before it is taken: whoever dies in between leaves it to the next. */
		__atomic_store_n(&next->table, MPLB_MAX_POOLS, __ATOMIC_SEQ_CST);
		next->name[0] = '\0';
	}
	return taken;
}

static void describe_pools(const struct datapath *dp, const struct state *want,
			   const struct places *places, bool kept)
{
	for (size_t p = 0; p < want->n_pools; p++) {
		const struct state_pool *pool = &want->pools[p];
		struct mplb_pool_info info = {
			.hash_seed = pool->hash_seed,
			.forward = (__u8)pool->forward,
			.hash_addresses = pool->hash_addresses,
			.all_down = (__u8)pool->all_down,
		};

		if (places->now.table[pool->table] != kept)
			continue;
		snprintf(info.name, sizeof(info.name), "%s", pool->name);
		dp->pool_info[pool->table] = info;
	}
}

static void describe_vips(const struct datapath *dp, const struct state *want,
			  const struct places *places, bool kept)
{
	for (size_t v = 0; v < want->n_vips; v++) {
		const struct state_vip *vip = &want->vips[v];
		struct mplb_vip_info info = {
			.addr = vip->addr.addr,
			.port = htons(vip->port),
			.proto = vip->protocol,
			.family = vip->addr.family,
			.mp_join = (__u8)vip->mp_join,
			.join_base = vip->join_base,
		};

		if (places->now.vip[vip->index] != kept)
			continue;
		snprintf(info.name, sizeof(info.name), "%s", vip->name);
		snprintf(info.pool, sizeof(info.pool), "%s", want->pools[vip->pool].name);
		dp->vip_info[vip->index] = info;
	}
}

void describe_new(const struct datapath *dp, const struct state *want, const struct places *places)
{
	describe_pools(dp, want, places, false);
	describe_members(dp, want, places);
	describe_vips(dp, want, places, false);
}

void describe_kept(const struct datapath *dp, const struct state *want, const struct places *places)
{
	describe_pools(dp, want, places, true);
	describe_finish(dp, &places->next);
	describe_unmoved(dp, want, places);
	describe_vips(dp, want, places, true);
}

void describe_forget(const struct datapath *dp, const struct places *places)
{
	for (size_t i = 0; i < MPLB_MAX_VIPS; i++)
		if (!places->next.vip[i])
			dp->vip_info[i] = (struct mplb_vip_info){ 0 };
	for (size_t i = 0; i < MPLB_MAX_BACKENDS; i++)
		if (!places->next.backend[i])
			dp->backend_info[i] = (struct mplb_backend_info){ 0 };
}
