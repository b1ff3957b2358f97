/* SPDX-License-Identifier: GPL-2.0-only */
#include "plan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/log.h"

/* Warns where orders leave nobody to take new connections. (Of a config with all weights 0 the
 * check has said so.) */
static void warn_if_empty(const struct state_pool *pool)
{
	bool configured = false;

	for (size_t i = 0; i < pool->n_members; i++) {
		if (member_owner(&pool->members[i]))
			return;
		configured |= pool->members[i].config_weight > 0;
	}
	if (!configured)
		return;
	log_warn("pool %s: no backend takes new connections: they are dropped (no_backend)",
		 pool->name);
}

static void follow(struct state_pool *pool)
{
	for (size_t i = 0; i < pool->n_members; i++)
		pool->members[i].base = member_owner(&pool->members[i]);
}

static bool has_same_owners(const struct state_pool *old, const struct state_pool *pool)
{
	size_t common = 0;

	for (size_t i = 0; i < pool->n_members; i++) {
		const struct state_member *m = &pool->members[i];
		const struct state_member *before = state_find_member(old, m->id, &m->addr);

		if ((before ? member_owner(before) : 0) != member_owner(m))
			return false;
		common += before != NULL;
	}
	for (size_t i = 0; common < old->n_members && i < old->n_members; i++)
		if (member_owner(&old->members[i]) &&
		    !state_find_member(pool, old->members[i].id, &old->members[i].addr))
			return false;
	return true;
}

/* The fallback table knows the pool as it was before the first of several changes: what came
 * between two of them it does not know. */
static void warn_if_again(const struct state_pool *old, const struct state_pool *pool)
{
	if (pool_is_unsettled(old) && !has_same_owners(old, pool))
		log_warn("pool %s: other changes are under way: connections made since they began "
			 "break where this one moves them; settle between changes to keep them",
			 pool->name);
}

/* Config */

static bool is_used(const struct lb_config *config, const struct lb_pool *pool)
{
	for (size_t v = 0; v < config->n_vips; v++)
		if (config->vips[v].pool == pool)
			return true;
	return false;
}

static struct state_member member_of(const struct lb_backend *b, const struct state_member *before)
{
	struct state_member m = {
		.addr = b->addr,
		.id = b->id,
		.config_weight = (__u16)b->weight,
		.weight = b->weight,
		.index = STATE_NO_PLACE,
	};

	snprintf(m.name, sizeof(m.name), "%s", b->name);
	if (before) {
		m.base = before->base;
		m.flags = before->flags & (__u8)~MPLB_MEMBER_F_GONE;
		if (m.flags & MPLB_MEMBER_F_WEIGHT)
			m.weight = before->weight;
	}
	return m;
}

/* Do connections of the pool as it was find their slot, and can their backend be a fallback? If
 * not, there is nothing to keep. */
static bool is_continued(const struct state_pool *before, const struct state_pool *pool)
{
	const char *what = NULL;

	if (before->hash_seed != pool->hash_seed)
		what = "hash_seed";
	else if (before->hash_addresses != pool->hash_addresses)
		what = "hash";
	else if (pool_has_second_chance(pool) && before->n_members &&
		 before->members[0].addr.family != pool->members[0].addr.family)
		what = "the address family of its backends";
	if (what)
		log_warn("pool %s: %s changes: established connections move to other backends and "
			 "break",
			 pool->name, what);
	return !what;
}

/* Keeps the members that the config no longer has, for the fallback table. */
static void keep_gone(const struct state_pool *before, struct state_pool *pool)
{
	size_t n = pool->n_members;

	for (size_t i = 0; i < before->n_members; i++) {
		const struct state_member *m = &before->members[i];
		struct state_member *to = &pool->members[n];

		if (!m->base || state_find_member(pool, m->id, &m->addr))
			continue;
		*to = *m;
		to->flags |= MPLB_MEMBER_F_GONE;
		to->index = STATE_NO_PLACE;
		n++;
	}
	pool->n_members = n;
}

static int plan_pool(const struct lb_config *config, size_t at, const struct state_pool *before,
		     struct state_pool *pool)
{
	const struct lb_pool *from = &config->pools[at];

	snprintf(pool->name, sizeof(pool->name), "%s", from->name);
	pool->forward = from->forward;
	pool->hash_addresses = from->hash_addresses;
	pool->hash_seed = config->hash_seed;
	pool->table = STATE_NO_PLACE;
	pool->at = at;
	if (state_room(pool, from->n_backends + (before ? before->n_members : 0)))
		return -ENOMEM;
	for (size_t i = 0; i < from->n_backends; i++) {
		const struct lb_backend *b = &from->backends[i];

		pool->members[i] =
			member_of(b, before ? state_find_member(before, b->id, &b->addr) : NULL);
		pool->members[i].at = i;
	}
	pool->n_members = from->n_backends;
	if (before && is_continued(before, pool) && pool_has_second_chance(pool)) {
		keep_gone(before, pool);
		warn_if_again(before, pool);
	} else {
		follow(pool);
	}
	warn_if_empty(pool);
	return 0;
}

static void plan_vip(const struct lb_vip *from, const struct state *state, struct state_vip *vip)
{
	*vip = (struct state_vip){
		.addr = from->addr,
		.port = from->port,
		.protocol = from->protocol,
		.mp_join = from->mp_join,
		.join_base = from->join_base,
		.pool = (size_t)(state_find_pool(state, from->pool->name) - state->pools),
		.index = STATE_NO_PLACE,
	};
	snprintf(vip->name, sizeof(vip->name), "%s", from->name);
}

int plan_config(const struct lb_config *config, const struct state *now, struct state **out)
{
	struct state *state = state_new(config->n_vips, config->n_pools);

	if (!state)
		return -ENOMEM;
	state->conf = config->conf;
	for (size_t p = 0; p < config->n_pools; p++) {
		struct state_pool *pool = &state->pools[state->n_pools];
		int err;

		if (!is_used(config, &config->pools[p]))
			continue;
		err = plan_pool(config, p, state_find_pool(now, config->pools[p].name), pool);
		state->n_pools++;
		if (err) {
			state_free(state);
			return err;
		}
	}
	for (; state->n_vips < config->n_vips; state->n_vips++)
		plan_vip(&config->vips[state->n_vips], state, &state->vips[state->n_vips]);
	*out = state;
	return 0;
}

/* Orders */

/* Does text name this member: NAME, or POOL/NAME? */
static bool is_named(const struct state_pool *pool, const struct state_member *m, const char *text)
{
	size_t len = strlen(pool->name);

	if (!strncmp(text, pool->name, len) && text[len] == '/')
		return !strcmp(text + len + 1, m->name);
	return !strcmp(text, m->name);
}

static int several(const struct state *state, const char *text)
{
	char list[512] = "";
	size_t len = 0;

	for (size_t p = 0; p < state->n_pools; p++) {
		const struct state_pool *pool = &state->pools[p];

		for (size_t i = 0; i < pool->n_members; i++) {
			const struct state_member *m = &pool->members[i];

			if (m->flags & MPLB_MEMBER_F_GONE || !is_named(pool, m, text))
				continue;
			if (len + strlen(pool->name) + strlen(m->name) + 8 > sizeof(list)) {
				strcpy(list + len, ", ...");
				goto out;
			}
			len += (size_t)sprintf(list + len, "%s%s/%s", len ? ", " : "", pool->name,
					       m->name);
		}
	}
out:
	return log_err_r(-EINVAL, "%s: several backends are called this; say which: %s", text,
			 list);
}

/* The one member that text names. 0 or -EINVAL, logged. */
static int find_one(const struct state *state, const char *text, struct state_pool **in,
		    struct state_member **out)
{
	unsigned int found = 0, gone = 0;

	for (size_t p = 0; p < state->n_pools; p++) {
		struct state_pool *pool = &state->pools[p];

		for (size_t i = 0; i < pool->n_members; i++) {
			struct state_member *m = &pool->members[i];

			if (!is_named(pool, m, text))
				continue;
			if (m->flags & MPLB_MEMBER_F_GONE) {
				gone++;
				continue;
			}
			*in = pool;
			*out = m;
			found++;
		}
	}
	if (found > 1)
		return several(state, text);
	if (!found && gone)
		return log_err_r(-EINVAL,
				 "%s: this backend is no longer in the config, and takes no new "
				 "connections; put it back into the config and apply",
				 text);
	if (!found)
		return log_err_r(-EINVAL, "%s: no backend is called this; see: lbctl show backend",
				 text);
	return 0;
}

static int order_member(const struct order *order, const struct state *now,
			const struct state *state)
{
	struct state_member *m = NULL;
	struct state_pool *pool = NULL;
	__u32 before;
	int err = find_one(state, order->name, &pool, &m);

	if (err || !m)
		return err;
	before = member_owner(m);
	switch (order->verb) {
	case ORDER_DRAIN:
		m->flags |= MPLB_MEMBER_F_DRAIN;
		break;
	case ORDER_UNDRAIN:
		m->flags &= (__u8)~MPLB_MEMBER_F_DRAIN;
		break;
	case ORDER_WEIGHT:
		m->flags |= MPLB_MEMBER_F_WEIGHT;
		m->weight = order->weight;
		break;
	default:
		m->flags &= (__u8)~MPLB_MEMBER_F_WEIGHT;
		m->weight = m->config_weight;
		break;
	}
	if (before == member_owner(m))
		return 0;
	if (pool_has_second_chance(pool)) {
		warn_if_again(&now->pools[pool - state->pools], pool);
	} else {
		follow(pool);
		log_warn("pool %s: established connections whose backend changes break: only "
			 "forward: gue keeps them",
			 pool->name);
	}
	warn_if_empty(pool);
	return 0;
}

static void settle_pool(struct state_pool *pool)
{
	size_t n = 0;

	for (size_t i = 0; i < pool->n_members; i++)
		if (!(pool->members[i].flags & MPLB_MEMBER_F_GONE))
			pool->members[n++] = pool->members[i];
	pool->n_members = n;
	follow(pool);
}

static int order_settle(const char *name, const struct state *state)
{
	struct state_pool *only = name ? state_find_pool(state, name) : NULL;

	if (name && !only)
		return log_err_r(-EINVAL, "%s: no pool is called this; see: lbctl show pool", name);
	for (size_t p = 0; p < state->n_pools; p++)
		if (!only || only == &state->pools[p])
			settle_pool(&state->pools[p]);
	return 0;
}

int plan_order(const struct order *order, const struct state *now, struct state **out)
{
	struct state *state = state_copy(now);
	int err;

	if (!state)
		return -ENOMEM;
	err = order->verb == ORDER_SETTLE ? order_settle(order->name, state)
					  : order_member(order, now, state);
	if (err) {
		state_free(state);
		return err;
	}
	*out = state;
	return 0;
}
