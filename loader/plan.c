/* SPDX-License-Identifier: GPL-2.0-only */
#include "plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
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

/* Nothing is under way. */
static void follow(struct state_pool *pool)
{
	for (size_t i = 0; i < pool->n_members; i++) {
		pool->members[i].base = member_owner(&pool->members[i]);
		pool->members[i].prev = 0;
	}
}

/* What members' weights were, member by member of a pool. */
struct eras {
	bool is_new; /* as they are now */
	bool is_base;
	bool is_prev;
};

/* Compares the weights that the pool had last with those that it has, and has had. */
static struct eras compare(const struct state_pool *pool, const __u32 *last)
{
	struct eras same = { true, true, true };

	for (size_t i = 0; i < pool->n_members; i++) {
		same.is_new &= last[i] == member_owner(&pool->members[i]);
		same.is_base &= last[i] == pool->members[i].base;
		same.is_prev &= last[i] == pool->members[i].prev;
	}
	return same;
}

/* Warns of connections that neither owner nor fallback knows: a slot has one fallback. */
static void warn_of_loss(const struct state_pool *pool, bool overwritten)
{
	bool is_base = true, is_prev = true, had_prev = false, prev_is_base = true;

	for (size_t i = 0; i < pool->n_members; i++) {
		const struct state_member *m = &pool->members[i];

		is_base &= member_owner(m) == m->base;
		is_prev &= member_owner(m) == m->prev;
		prev_is_base &= m->prev == m->base;
		had_prev |= m->prev > 0;
	}
	if (overwritten)
		log_warn("pool %s: other changes are under way: connections made between them "
			 "break where this one moves them; settle between changes to keep them",
			 pool->name);
	else if (had_prev && !is_base && !is_prev && !prev_is_base)
		log_warn("pool %s: other changes are under way: connections made since they began "
			 "break on the few slots that move each time; settle between changes to "
			 "keep them",
			 pool->name);
}

/* Remembers, for the fallback table, who had the slots until this change. */
static int remember(const struct state_pool *before, struct state_pool *pool)
{
	__u32 *last = calloc(pool->n_members + 1, sizeof(*last));
	bool had_prev = false, back = true;
	struct eras same;

	if (!last)
		return -ENOMEM;
	for (size_t i = 0; i < pool->n_members; i++) {
		struct state_member *m = &pool->members[i];
		const struct state_member *was = state_find_member(before, m->id, &m->addr);

		last[i] = was ? member_owner(was) : 0;
		had_prev |= m->prev > 0;
		back &= m->prev == member_owner(m);
	}
	same = compare(pool, last);
	if (!same.is_new) {
		bool forget = !same.is_base && !same.is_prev;

		for (size_t i = 0; forget && i < pool->n_members; i++)
			pool->members[i].prev = last[i];
		warn_of_loss(pool, forget && had_prev && !back);
	}
	free(last);
	return 0;
}

/* Forgets members that are gone and that no table needs. */
static void drop_forgotten(struct state_pool *pool)
{
	size_t n = 0;

	for (size_t i = 0; i < pool->n_members; i++) {
		const struct state_member *m = &pool->members[i];

		if (!(m->flags & MPLB_MEMBER_F_GONE) || m->base || m->prev)
			pool->members[n++] = *m;
	}
	pool->n_members = n;
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
		m.prev = before->prev;
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
static int keep_gone(const struct state_pool *before, struct state_pool *pool)
{
	size_t n = pool->n_members;
	struct state_member *all =
		reallocarray(pool->members, n + before->n_members + 1, sizeof(*all));

	if (!all)
		return -ENOMEM;
	pool->members = all;
	for (size_t i = 0; i < before->n_members; i++) {
		const struct state_member *m = &before->members[i];

		if (state_find_member(pool, m->id, &m->addr))
			continue;
		all[n] = *m;
		all[n].flags |= MPLB_MEMBER_F_GONE;
		all[n].index = STATE_NO_PLACE;
		n++;
	}
	pool->n_members = n;
	return 0;
}

static int plan_pool(const struct lb_config *config, size_t at, const struct state_pool *before,
		     struct state_pool *pool)
{
	const struct lb_pool *from = &config->pools[at];

	snprintf(pool->name, sizeof(pool->name), "%s", from->name);
	pool->forward = from->forward;
	pool->hash_addresses = from->hash_addresses;
	pool->all_down = from->health.all_down;
	pool->hash_seed = config->hash_seed;
	pool->table = STATE_NO_PLACE;
	pool->at = at;
	if (state_room(pool, from->n_backends))
		return -ENOMEM;
	for (size_t i = 0; i < from->n_backends; i++) {
		const struct lb_backend *b = &from->backends[i];

		pool->members[i] =
			member_of(b, before ? state_find_member(before, b->id, &b->addr) : NULL);
		pool->members[i].at = i;
	}
	pool->n_members = from->n_backends;
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

static int plan_config(const struct lb_config *config, const struct state *now, struct state *state)
{
	state->conf = config->conf;
	for (size_t p = 0; p < config->n_pools; p++) {
		struct state_pool *pool = &state->pools[state->n_pools];
		int err;

		if (!is_used(config, &config->pools[p]))
			continue;
		err = plan_pool(config, p, state_find_pool(now, config->pools[p].name), pool);
		state->n_pools++;
		if (err)
			return err;
	}
	for (; state->n_vips < config->n_vips; state->n_vips++)
		plan_vip(&config->vips[state->n_vips], state, &state->vips[state->n_vips]);
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

static int order_member(const struct order *order, const struct state *state)
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
	if (before != member_owner(m) && !pool_has_second_chance(pool))
		log_warn("pool %s: established connections whose backend changes break: only "
			 "forward: gue keeps them",
			 pool->name);
	return 0;
}

static void settle_pool(struct state_pool *pool)
{
	follow(pool);
	drop_forgotten(pool);
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

/* Those to settle, or the others. */
static int plan_orders(const struct demand *demand, const struct state *state, bool settle)
{
	int err = 0;

	for (size_t i = 0; !err && i < demand->n_orders; i++) {
		const struct order *order = &demand->orders[i];

		if ((order->verb == ORDER_SETTLE) == settle)
			err = settle ? order_settle(order->name, state)
				     : order_member(order, state);
	}
	return err;
}

/* Health */

static void plan_verdicts(const struct demand *demand, const struct state *state)
{
	for (size_t i = 0; i < demand->n_verdicts; i++) {
		const struct verdict *v = &demand->verdicts[i];
		const struct state_pool *pool = state_find_pool(state, v->pool);
		struct state_member *m = pool ? state_find_member(pool, v->id, &v->addr) : NULL;

		if (m && v->down)
			m->flags |= MPLB_MEMBER_F_DOWN;
		else if (m)
			m->flags &= (__u8)~MPLB_MEMBER_F_DOWN;
	}
}

/* Nobody is down where the config has no health checks any more, whatever was found before. */
static void forget_verdicts(const struct lb_config *config, const struct state *state)
{
	for (size_t p = 0; p < state->n_pools; p++) {
		const struct state_pool *pool = &state->pools[p];

		if (config->pools[pool->at].health.type != LB_HEALTH_NONE)
			continue;
		for (size_t i = 0; i < pool->n_members; i++)
			pool->members[i].flags &= (__u8)~MPLB_MEMBER_F_DOWN;
	}
}

/* Could it take new connections, were it healthy? */
static bool is_willing(const struct state_member *m)
{
	return m->weight && !(m->flags & (MPLB_MEMBER_F_DRAIN | MPLB_MEMBER_F_GONE));
}

/* Where all that could take connections are down, the pool may want them all the same. */
static void keep_if_all_down(struct state_pool *pool)
{
	bool keep = pool->all_down == MPLB_ALL_DOWN_KEEP;

	for (size_t i = 0; i < pool->n_members; i++)
		keep &= !is_willing(&pool->members[i]) ||
			pool->members[i].flags & MPLB_MEMBER_F_DOWN;
	for (size_t i = 0; i < pool->n_members; i++) {
		struct state_member *m = &pool->members[i];

		m->flags &= (__u8)~MPLB_MEMBER_F_KEPT;
		if (keep && m->flags & MPLB_MEMBER_F_DOWN)
			m->flags |= MPLB_MEMBER_F_KEPT;
	}
}

/* All together */

static int finish_pool(const struct state_pool *before, struct state_pool *pool)
{
	int err = 0;

	keep_if_all_down(pool);
	if (before && is_continued(before, pool) && pool_has_second_chance(pool)) {
		err = keep_gone(before, pool);
		err = err ? err : remember(before, pool);
		drop_forgotten(pool);
	} else {
		follow(pool);
	}
	warn_if_empty(pool);
	return err;
}

int plan(const struct demand *demand, const struct state *now, struct state **out)
{
	const struct lb_config *config = demand->config;
	struct state *state = config ? state_new(config->n_vips, config->n_pools) : state_copy(now);
	int err = state ? 0 : -ENOMEM;

	if (!err && config)
		err = plan_config(config, now, state);
	if (!err)
		err = plan_orders(demand, state, false);
	if (!err)
		plan_verdicts(demand, state);
	if (!err && config)
		forget_verdicts(config, state);
	for (size_t p = 0; !err && p < state->n_pools; p++)
		err = finish_pool(state_find_pool(now, state->pools[p].name), &state->pools[p]);
	if (!err)
		err = plan_orders(demand, state, true);
	if (err) {
		state_free(state);
		return err;
	}
	*out = state;
	return 0;
}
