/* SPDX-License-Identifier: GPL-2.0-only */
#include "state.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "viptable.h"

struct state *state_new(size_t vips, size_t pools)
{
	struct state *state = calloc(1, sizeof(*state));

	if (!state)
		return NULL;
	state->vips = calloc(vips + 1, sizeof(*state->vips));
	state->pools = calloc(pools + 1, sizeof(*state->pools));
	if (!state->vips || !state->pools) {
		state_free(state);
		return NULL;
	}
	return state;
}

void state_free(struct state *state)
{
	if (!state)
		return;
	for (size_t p = 0; state->pools && p < state->n_pools; p++)
		free(state->pools[p].members);
	free(state->pools);
	free(state->vips);
	free(state);
}

int state_room(struct state_pool *pool, size_t n)
{
	struct state_member *members = calloc(n + 1, sizeof(*members));

	if (!members)
		return -ENOMEM;
	free(pool->members);
	pool->members = members;
	return 0;
}

static int copy_pool(const struct state_pool *from, struct state_pool *to)
{
	*to = *from;
	to->members = NULL;
	if (state_room(to, from->n_members))
		return -ENOMEM;
	memcpy(to->members, from->members, from->n_members * sizeof(*from->members));
	return 0;
}

struct state *state_copy(const struct state *from)
{
	struct state *to = state_new(from->n_vips, from->n_pools);

	if (!to)
		return NULL;
	to->conf = from->conf;
	to->n_vips = from->n_vips;
	memcpy(to->vips, from->vips, from->n_vips * sizeof(*from->vips));
	for (; to->n_pools < from->n_pools; to->n_pools++) {
		if (copy_pool(&from->pools[to->n_pools], &to->pools[to->n_pools])) {
			state_free(to);
			return NULL;
		}
	}
	return to;
}

struct state_pool *state_find_pool(const struct state *state, const char *name)
{
	for (size_t p = 0; p < state->n_pools; p++)
		if (!strcmp(state->pools[p].name, name))
			return &state->pools[p];
	return NULL;
}

struct state_member *state_find_member(const struct state_pool *pool, __u16 id,
				       const struct ip *addr)
{
	for (size_t i = 0; i < pool->n_members; i++)
		if (pool->members[i].id == id && ip_equal(&pool->members[i].addr, addr))
			return &pool->members[i];
	return NULL;
}

__u32 member_owner(const struct state_member *m)
{
	if (m->flags & (MPLB_MEMBER_F_DRAIN | MPLB_MEMBER_F_GONE))
		return 0;
	return m->flags & MPLB_MEMBER_F_DOWN && !(m->flags & MPLB_MEMBER_F_KEPT) ? 0 : m->weight;
}

enum mplb_member_state member_state(const struct state_member *m)
{
	if (!member_owner(m))
		return m->flags & (MPLB_MEMBER_F_GONE | MPLB_MEMBER_F_DOWN) ? MPLB_MEMBER_DOWN
									    : MPLB_MEMBER_DRAINING;
	return m->base ? MPLB_MEMBER_ACTIVE : MPLB_MEMBER_JOINING;
}

bool pool_has_second_chance(const struct state_pool *pool)
{
	return pool->forward == MPLB_FORWARD_GUE;
}

bool pool_is_unsettled(const struct state_pool *pool)
{
	for (size_t i = 0; i < pool->n_members; i++)
		if (member_owner(&pool->members[i]) != pool->members[i].base ||
		    pool->members[i].prev)
			return true;
	return false;
}

/* Reading back */

static struct state_member read_member(const struct mplb_backend_info *info, __u32 index)
{
	struct state_member m = {
		.addr = { .addr = info->addr, .family = info->family },
		.id = info->id,
		.config_weight = info->config_weight,
		.weight = info->weight,
		.base = info->base_weight,
		.prev = info->prev_weight,
		.flags = info->flags,
		.index = index,
	};

	snprintf(m.name, sizeof(m.name), "%s", info->name);
	if (!(m.flags & MPLB_MEMBER_F_WEIGHT))
		m.config_weight = (__u16)m.weight;
	return m;
}

/* The pool that a backend in force is in. Its description may be older than the table. */
static struct state_pool *pool_of(const struct state *state, const __u32 *by_table,
				  const struct mplb_backend_info *info)
{
	if (info->table < MPLB_MAX_POOLS && by_table[info->table] != STATE_NO_PLACE)
		return &state->pools[by_table[info->table]];
	return state_find_pool(state, info->pool);
}

static int read_members(const struct datapath *dp, const struct in_force *now,
			const __u32 *by_table, struct state *state)
{
	for (int fill = 0; fill < 2; fill++) {
		for (__u32 i = 0; i < MPLB_MAX_BACKENDS; i++) {
			const struct mplb_backend_info *info = &dp->backend_info[i];
			struct state_pool *pool;

			pool = now->backend[i] ? pool_of(state, by_table, info) : NULL;
			if (!pool)
				continue;
			if (fill)
				pool->members[pool->n_members] = read_member(info, i);
			pool->n_members++;
			pool->torn |= info->table != pool->table;
		}
		for (size_t p = 0; !fill && p < state->n_pools; p++) {
			if (state_room(&state->pools[p], state->pools[p].n_members))
				return -ENOMEM;
			state->pools[p].n_members = 0;
		}
	}
	return 0;
}

static int read_pools(const struct datapath *dp, const struct in_force *now, struct state *state)
{
	__u32 by_table[MPLB_MAX_POOLS];

	for (__u32 t = 0; t < MPLB_MAX_POOLS; t++) {
		const struct mplb_pool_info *info = &dp->pool_info[t];
		struct state_pool *pool = &state->pools[state->n_pools];

		by_table[t] = now->table[t] ? (__u32)state->n_pools : STATE_NO_PLACE;
		if (!now->table[t])
			continue;
		snprintf(pool->name, sizeof(pool->name), "%s", info->name);
		pool->forward = (enum mplb_forward)info->forward;
		pool->hash_addresses = info->hash_addresses;
		pool->all_down = (enum mplb_all_down)info->all_down;
		pool->hash_seed = info->hash_seed;
		pool->table = t;
		state->n_pools++;
	}
	return read_members(dp, now, by_table, state);
}

static void read_vip(const struct datapath *dp, const struct mplb_vip_slot *slot,
		     struct state *state)
{
	struct state_vip *vip = &state->vips[state->n_vips];
	__u8 protocol = slot->service >> 16 & 0xff;

	if (!protocol || slot->flags & MPLB_VIP_F_PORTS || slot->vip >= MPLB_MAX_VIPS ||
	    state->n_vips == MPLB_MAX_VIPS)
		return;
	for (size_t p = 0; p < state->n_pools; p++) {
		if (state->pools[p].table != slot->table)
			continue;
		snprintf(vip->name, sizeof(vip->name), "%s", dp->vip_info[slot->vip].name);
		vip->addr = (struct ip){ slot->addr, (__u8)(slot->service >> 24) };
		vip->port = ntohs((__u16)slot->service);
		vip->protocol = protocol;
		vip->mp_join = (enum mplb_mp_join)slot->mp_join;
		vip->join_base = slot->join_base;
		vip->pool = p;
		vip->index = slot->vip;
		state->n_vips++;
		return;
	}
}

/* From the table itself: what an order leaves alone must not depend on descriptions. */
static int read_vips(const struct datapath *dp, struct state *state)
{
	const struct mplb_vip_slot *slots = viptable_live(dp);

	if (!slots)
		return errno == ENOENT ? 0 : -errno;
	for (size_t i = 0; i < MPLB_VIP_SLOTS; i++)
		read_vip(dp, &slots[i], state);
	munmap((void *)slots, VIPTABLE_BYTES);
	return 0;
}

int state_read(const struct datapath *dp, const struct in_force *now, struct state **out)
{
	struct state *state = state_new(MPLB_MAX_VIPS, MPLB_MAX_POOLS);
	int err = state ? read_pools(dp, now, state) : -ENOMEM;

	if (!err)
		err = read_vips(dp, state);
	if (err) {
		state_free(state);
		return err;
	}
	*out = state;
	return 0;
}
