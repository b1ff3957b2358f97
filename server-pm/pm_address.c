/* SPDX-License-Identifier: GPL-2.0-only */
/* Announced addresses: their ids, and what happens when they come and go. */
#include "pm_engine_priv.h"

__u8 pm_address_hash(const struct ip *ip)
{
	struct pm_flow flow = { .local = *ip };

	return (__u8)(pm_flow_tag(&flow) % 254 + 1);
}

/* Two addresses with one hash: the later one gets the next id that is free. */
void pm_choose_ids(struct pm_engine *e)
{
	for (size_t i = 0; i < e->n_announced; i++) {
		e->id[i] = pm_address_hash(&e->announced[i].addr);
		for (size_t j = 0; j < i; j++) {
			if (e->id[j] != e->id[i])
				continue;
			e->id[i] = (__u8)(e->id[i] % 254 + 1);
			j = (size_t)-1;
		}
	}
}

struct address_change {
	struct pm_engine *engine;
	size_t i;
	__u64 now;
};

static void on_address_gone(struct pm_conn *conn, void *data)
{
	const struct address_change *change = data;
	struct pm_engine *e = change->engine;
	__u8 bit = (__u8)(1 << change->i);

	if (!(conn->announced & bit))
		return;
	conn->announced &= (__u8)~bit;
	if (!e->ops.withdraw(e->ctx, conn->token, e->id[change->i]))
		e->stats.withdrawn++;
}

static void on_address_come(struct pm_conn *conn, void *data)
{
	const struct address_change *change = data;
	struct pm_engine *e = change->engine;

	if (conn->state == PM_STATE_UNMANAGED)
		return;
	if (conn->state == PM_STATE_GIVEN_UP)
		pm_set_state(e, conn, PM_STATE_VIP);
	if (conn->state == PM_STATE_VIP) {
		conn->since = (__u32)change->now;
		conn->flags |= PM_CONN_F_COUNTED;
	} else {
		conn->flags |= PM_CONN_F_EXTRA;
	}
	conn->tries = 0;
	pm_announce_soon(e, conn, change->now);
}

bool pm_engine_address(struct pm_engine *engine, size_t i, bool there, __u64 now)
{
	struct address_change change = { engine, i, now };
	__u8 bit = (__u8)(1 << i);

	if (!(engine->there & bit) == !there)
		return false;
	engine->there ^= bit;
	pm_table_each(engine->table, there ? on_address_come : on_address_gone, &change);
	return true;
}

bool pm_engine_is_stale(const struct pm_engine *engine, const struct pm_subflow *subflow)
{
	const struct pm_conn *conn = pm_table_find(engine->table, subflow->token);

	if (!conn || subflow->initial || conn->flags & PM_CONN_F_GONE)
		return false;
	for (size_t i = 0; i < engine->n_announced; i++)
		if (!(engine->there & 1 << i) &&
		    ip_equal(&engine->announced[i].addr, &subflow->flow.local))
			return true;
	return false;
}

__u8 pm_engine_address_id(const struct pm_engine *engine, size_t i)
{
	return engine->id[i];
}
