/* SPDX-License-Identifier: GPL-2.0-only */
/* Comparing what is known of connections with what sockets there are. */
#include "pm_engine_priv.h"

#include <string.h>

static void unsee(struct pm_conn *conn, void *data)
{
	(void)data;
	conn->flags &= (__u8) ~(PM_CONN_F_SEEN | PM_CONN_F_INITIAL);
	memset(conn->sub, 0, sizeof(conn->sub));
	conn->around = 0;
}

void pm_engine_sync_begin(struct pm_engine *engine)
{
	pm_table_each(engine->table, unsee, NULL);
}

/* A join may be seen before the initial subflow, or without it. */
static void see_initial(struct pm_engine *e, struct pm_conn *conn, const struct pm_subflow *s)
{
	conn->vip = pm_find_vip(e, &s->flow.local);
	conn->remote = s->flow.remote.addr;
	conn->family = s->flow.remote.family;
	conn->local_port = s->flow.local_port;
	conn->remote_port = s->flow.remote_port;
	conn->flags &= (__u8) ~(PM_CONN_F_MAPPED | PM_CONN_F_BACKUP);
	conn->flags |= (__u8)(PM_CONN_F_INITIAL | (s->flow.mapped ? PM_CONN_F_MAPPED : 0) |
			      (s->backup ? PM_CONN_F_BACKUP : 0));
}

void pm_engine_sync_subflow(struct pm_engine *engine, const struct pm_subflow *subflow, __u64 now)
{
	bool to_vip = pm_find_vip(engine, &subflow->flow.local) != PM_NO_VIP;
	struct pm_conn *conn = pm_table_find(engine->table, subflow->token);

	if (!subflow->server_side || !subflow->up || (subflow->initial && !to_vip))
		return;
	if (!conn) {
		conn = pm_begin(engine, subflow->token, NULL);
		if (!conn)
			return;
		/* When it was established, and what was announced, nobody knows. */
		conn->flags |= PM_CONN_F_COUNTED;
		conn->announced = (__u8)~0;
		conn->since = (__u32)now;
		engine->stats.taken_over++;
	}
	conn->flags |= PM_CONN_F_SEEN;
	if (subflow->initial)
		see_initial(engine, conn, subflow);
	else
		pm_sub_up(engine, conn, &subflow->flow);
}

struct sync_end {
	struct pm_engine *engine;
	__u64 now;
};

/* What the initial subflow is the sockets tell better than what is remembered. */
static void settle_joined(struct pm_engine *e, struct pm_conn *conn, __u64 now)
{
	bool off = conn->flags & PM_CONN_F_GONE ||
		   (conn->flags & PM_CONN_F_BACKUP && e->initial != PM_INITIAL_CLOSE);

	if (off && conn->state < PM_STATE_JOINED)
		pm_table_cancel(e->table, conn);
	if (off) {
		pm_set_state(e, conn, PM_STATE_OFF_PATH);
		return;
	}
	if (conn->state == PM_STATE_OFF_PATH)
		pm_set_state(e, conn, PM_STATE_JOINED);
	pm_on_joined(e, conn, NULL, now);
}

static void settle(struct pm_conn *conn, void *data)
{
	const struct sync_end *end = data;
	struct pm_engine *e = end->engine;

	if (!(conn->flags & PM_CONN_F_SEEN)) {
		pm_forget(e, conn);
		return;
	}
	if (!(conn->flags & PM_CONN_F_INITIAL))
		conn->flags |= PM_CONN_F_GONE;
	if (conn->state == PM_STATE_UNMANAGED)
		return;
	if (pm_sub_any(conn))
		settle_joined(e, conn, end->now);
	else if (conn->state == PM_STATE_JOINED || conn->state == PM_STATE_OFF_PATH)
		pm_return_to_vip(e, conn, end->now);
	else if (conn->state == PM_STATE_VIP && !conn->due && e->n_announced)
		pm_announce_soon(e, conn, end->now);
}

void pm_engine_sync_end(struct pm_engine *engine, __u64 now)
{
	struct sync_end end = { engine, now };

	pm_table_each(engine->table, settle, &end);
	engine->stats.resyncs++;
}
