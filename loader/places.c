/* SPDX-License-Identifier: GPL-2.0-only */
#include "places.h"

#include <errno.h>

#include "lib/log.h"

/* First index that is neither in force now nor taken. STATE_NO_PLACE: all are. */
static __u32 take_free(const bool *now, bool *next, __u32 max)
{
	for (__u32 i = 0; i < max; i++) {
		if (!now[i] && !next[i]) {
			next[i] = true;
			return i;
		}
	}
	return STATE_NO_PLACE;
}

static int give_members(const struct state_pool *old, struct state_pool *pool,
			struct places *places)
{
	for (size_t i = 0; i < pool->n_members; i++) {
		struct state_member *m = &pool->members[i];
		const struct state_member *before = NULL;

		if (old && old->forward == pool->forward)
			before = state_find_member(old, m->id, &m->addr);
		m->index = before ? before->index
				  : take_free(places->now.backend, places->next.backend,
					      MPLB_MAX_BACKENDS);
		if (m->index == STATE_NO_PLACE)
			return log_err_r(-ENOSPC,
					 "pool %s: no room for backend %s: old and new backends "
					 "together may be %d; apply in two steps, or settle first",
					 pool->name, m->name, MPLB_MAX_BACKENDS);
		places->next.backend[m->index] = true;
	}
	return 0;
}

/* Does the table of old hold exactly the members of pool, with their weights and the seed? */
static bool is_same_table(const struct state_pool *old, const struct state_pool *pool)
{
	if (old->torn || old->hash_seed != pool->hash_seed || old->n_members != pool->n_members)
		return false;
	for (size_t i = 0; i < pool->n_members; i++) {
		const struct state_member *m = &pool->members[i];
		const struct state_member *before = state_find_member(old, m->id, &m->addr);

		if (!before || before->index != m->index || before->base != m->base ||
		    before->prev != m->prev || member_owner(before) != member_owner(m))
			return false;
	}
	return true;
}

static int give_pools(const struct state *was, struct state *want, struct places *places)
{
	for (size_t p = 0; p < want->n_pools; p++) {
		struct state_pool *pool = &want->pools[p];
		const struct state_pool *old = state_find_pool(was, pool->name);
		int err = give_members(old, pool, places);

		if (err)
			return err;
		places->keeps_table[p] = old && is_same_table(old, pool);
		pool->table =
			places->keeps_table[p]
				? old->table
				: take_free(places->now.table, places->next.table, MPLB_MAX_POOLS);
		if (pool->table == STATE_NO_PLACE)
			return log_err_r(-ENOSPC,
					 "pool %s: no room: old and new tables together may be %d; "
					 "change fewer pools at once",
					 pool->name, MPLB_MAX_POOLS);
		places->next.table[pool->table] = true;
	}
	return 0;
}

static const struct state_vip *find_vip(const struct state *was, const struct state_vip *vip)
{
	for (size_t v = 0; v < was->n_vips; v++) {
		const struct state_vip *old = &was->vips[v];

		if (ip_equal(&old->addr, &vip->addr) && old->port == vip->port &&
		    old->protocol == vip->protocol)
			return old;
	}
	return NULL;
}

static int give_vips(const struct state *was, struct state *want, struct places *places)
{
	for (size_t v = 0; v < want->n_vips; v++) {
		struct state_vip *vip = &want->vips[v];
		const struct state_vip *old = find_vip(was, vip);

		vip->index = old ? old->index
				 : take_free(places->now.vip, places->next.vip, MPLB_MAX_VIPS);
		if (vip->index == STATE_NO_PLACE)
			return log_err_r(-ENOSPC,
					 "vip %s: no room: old and new VIPs together may be %d; "
					 "change fewer VIPs at once",
					 vip->name, MPLB_MAX_VIPS);
		places->next.vip[vip->index] = true;
	}
	return 0;
}

int places_give(const struct state *was, struct state *want, struct places *places)
{
	int err = give_pools(was, want, places);

	return err ? err : give_vips(was, want, places);
}
