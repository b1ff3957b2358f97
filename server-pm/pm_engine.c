/* SPDX-License-Identifier: GPL-2.0-only */
#include "pm_engine_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/mptcp.h>

#define MAX_FAILURES 5

/* ---- small things ---- */

__u16 pm_find_vip(const struct pm_engine *e, const struct ip *ip)
{
	for (size_t i = 0; i < e->n_vip; i++)
		if (ip_equal(&e->vip[i], ip))
			return (__u16)i;
	return PM_NO_VIP;
}

/* The client joins here because it was told to, not because it connected here. */
static bool is_join_port(const struct pm_engine *e, const struct pm_flow *flow)
{
	for (size_t i = 0; i < e->n_announced; i++)
		if (e->announced[i].port == flow->local_port &&
		    ip_equal(&e->announced[i].addr, &flow->local))
			return true;
	return false;
}

static struct pm_flow initial_flow(const struct pm_engine *e, const struct pm_conn *conn)
{
	return (struct pm_flow){
		.local = e->vip[conn->vip],
		.remote = { .addr = conn->remote, .family = conn->family },
		.local_port = conn->local_port,
		.remote_port = conn->remote_port,
		.mapped = conn->flags & PM_CONN_F_MAPPED,
	};
}

static bool is_initial(const struct pm_engine *e, const struct pm_conn *conn,
		       const struct pm_flow *flow)
{
	struct pm_flow initial;

	if (conn->vip == PM_NO_VIP)
		return false;
	initial = initial_flow(e, conn);
	return pm_flow_equal(&initial, flow);
}

void pm_set_state(struct pm_engine *e, struct pm_conn *conn, enum pm_state state)
{
	e->stats.state[conn->state]--;
	e->stats.state[state]++;
	conn->state = (__u8)state;
}

void pm_forget(struct pm_engine *e, struct pm_conn *conn)
{
	e->stats.ended++;
	e->stats.state[conn->state]--;
	pm_table_remove(e->table, conn);
}

/* ---- the dedicated subflows of a connection, as a set ---- */

static bool sub_add(struct pm_conn *conn, __u16 tag)
{
	__u16 *unused = NULL;

	for (size_t i = 0; i < PM_MAX_SUBS; i++) {
		if (conn->sub[i] == tag)
			return false;
		if (!conn->sub[i] && !unused)
			unused = &conn->sub[i];
	}
	if (unused)
		*unused = tag;
	return unused;
}

static bool sub_remove(struct pm_conn *conn, __u16 tag)
{
	for (size_t i = 0; i < PM_MAX_SUBS; i++) {
		if (conn->sub[i] != tag)
			continue;
		conn->sub[i] = 0;
		return true;
	}
	return false;
}

bool pm_sub_any(const struct pm_conn *conn)
{
	for (size_t i = 0; i < PM_MAX_SUBS; i++)
		if (conn->sub[i])
			return true;
	return false;
}

/* A joined subflow is up. True where that is news. */
bool pm_sub_up(const struct pm_engine *e, struct pm_conn *conn, const struct pm_flow *flow)
{
	bool vip = pm_find_vip(e, &flow->local) != PM_NO_VIP;

	if ((vip && !is_join_port(e, flow)) || !sub_add(conn, pm_flow_tag(flow)))
		return false;
	conn->around += !vip;
	return true;
}

static bool sub_down(const struct pm_engine *e, struct pm_conn *conn, const struct pm_flow *flow)
{
	if (!sub_remove(conn, pm_flow_tag(flow)))
		return false;
	conn->around -= pm_find_vip(e, &flow->local) == PM_NO_VIP;
	return true;
}

/* ---- what becomes of the initial subflow ---- */

static void action_failed(struct pm_engine *e, struct pm_conn *conn, __u64 now)
{
	e->stats.action_failed++;
	if (++conn->failures < MAX_FAILURES)
		pm_table_schedule(e->table, conn, pm_tick_of(now) + PM_SECOND);
}

static void off_path(struct pm_engine *e, struct pm_conn *conn, __u64 *counter)
{
	conn->failures = 0;
	++*counter;
	pm_set_state(e, conn, PM_STATE_OFF_PATH);
}

static void back_up_initial(struct pm_engine *e, struct pm_conn *conn, __u64 now)
{
	struct pm_flow initial = initial_flow(e, conn);

	if (e->ops.backup(e->ctx, conn->token, &initial, true)) {
		action_failed(e, conn, now);
		return;
	}
	conn->flags |= PM_CONN_F_BACKUP;
	off_path(e, conn, &e->stats.backed_up);
}

/* A subflow that an event told of may be closed by now, as the next event will say. */
static void close_initial(struct pm_engine *e, struct pm_conn *conn, const struct pm_flow *up,
			  __u64 now)
{
	struct pm_flow initial = initial_flow(e, conn);
	int err;

	if (up && !e->ops.alive(e->ctx, up))
		return;
	err = e->ops.close(e->ctx, conn->token, &initial);
	if (err && err != -ESRCH) {
		action_failed(e, conn, now);
		return;
	}
	conn->flags |= PM_CONN_F_GONE;
	off_path(e, conn, &e->stats.closed);
}

/* A dedicated subflow is up: `up`, or, where that is NULL, one that was seen by a resync just now.
 */
static void leave_vip(struct pm_engine *e, struct pm_conn *conn, const struct pm_flow *up,
		      __u64 now)
{
	if (conn->flags & PM_CONN_F_GONE || conn->vip == PM_NO_VIP)
		pm_set_state(e, conn, PM_STATE_OFF_PATH);
	else if (e->initial == PM_INITIAL_BACKUP)
		back_up_initial(e, conn, now);
	else if (e->initial == PM_INITIAL_CLOSE)
		close_initial(e, conn, up, now);
}

void pm_return_to_vip(struct pm_engine *e, struct pm_conn *conn, __u64 now)
{
	struct pm_flow initial;

	/* Without any subflow there is nothing to be moved: the connection is about to end. */
	if (conn->flags & PM_CONN_F_GONE || conn->vip == PM_NO_VIP ||
	    conn->state == PM_STATE_UNMANAGED)
		return;
	initial = initial_flow(e, conn);
	if (conn->flags & PM_CONN_F_BACKUP) {
		if (e->ops.backup(e->ctx, conn->token, &initial, false))
			e->stats.action_failed++;
		else
			e->stats.restored++;
		conn->flags &= (__u8)~PM_CONN_F_BACKUP;
	}
	pm_set_state(e, conn, PM_STATE_VIP);
	conn->flags &= (__u8)~PM_CONN_F_EXTRA;
	pm_announce_begin(e, conn, now);
}

/* ---- events ---- */

static void count_join(struct pm_engine *e, struct pm_conn *conn, __u64 now)
{
	static const double bucket[PM_JOIN_N] = PM_JOIN_BUCKETS;
	__u32 ms = (__u32)now - conn->since;
	size_t i = 0;

	e->stats.joined++;
	if (conn->flags & PM_CONN_F_COUNTED)
		return;
	conn->flags |= PM_CONN_F_COUNTED;
	while (i < PM_JOIN_N && (double)ms > bucket[i] * 1000)
		i++;
	e->stats.join[i]++;
	e->stats.join_ms += ms;
}

void pm_on_joined(struct pm_engine *e, struct pm_conn *conn, const struct pm_flow *up, __u64 now)
{
	if (conn->state == PM_STATE_OFF_PATH || conn->state == PM_STATE_UNMANAGED)
		return;
	if (conn->state != PM_STATE_JOINED) {
		count_join(e, conn, now);
		pm_table_cancel(e->table, conn);
		conn->failures = 0;
		pm_set_state(e, conn, PM_STATE_JOINED);
	}
	if (conn->around)
		leave_vip(e, conn, up, now);
}

struct pm_conn *pm_begin(struct pm_engine *e, __u32 token, const struct pm_flow *initial)
{
	struct pm_conn *conn = pm_table_add(e->table, token);

	if (!conn) {
		e->stats.untracked++;
		return NULL;
	}
	conn->vip = PM_NO_VIP;
	if (initial) {
		conn->vip = pm_find_vip(e, &initial->local);
		conn->remote = initial->remote.addr;
		conn->family = initial->remote.family;
		conn->local_port = initial->local_port;
		conn->remote_port = initial->remote_port;
		conn->flags = initial->mapped ? PM_CONN_F_MAPPED : 0;
	}
	e->stats.state[PM_STATE_VIP]++;
	return conn;
}

static void on_established(struct pm_engine *e, const struct pm_event *event, __u64 now)
{
	struct pm_conn *conn;

	if (!event->server_side || pm_find_vip(e, &event->flow.local) == PM_NO_VIP ||
	    pm_table_find(e->table, event->token))
		return;
	conn = pm_begin(e, event->token, &event->flow);
	if (!conn)
		return;
	e->stats.established++;
	pm_announce_begin(e, conn, now);
}

static void on_sub_closed(struct pm_engine *e, struct pm_conn *conn, const struct pm_flow *flow,
			  __u64 now)
{
	if (is_initial(e, conn, flow)) {
		conn->flags |= PM_CONN_F_GONE;
		if (conn->state == PM_STATE_JOINED)
			pm_set_state(e, conn, PM_STATE_OFF_PATH);
	} else if (sub_down(e, conn, flow) && !pm_sub_any(conn)) {
		pm_return_to_vip(e, conn, now);
	}
}

void pm_engine_event(struct pm_engine *engine, const struct pm_event *event, __u64 now)
{
	struct pm_conn *conn;

	if (event->type == MPTCP_EVENT_ESTABLISHED) {
		on_established(engine, event, now);
		return;
	}
	conn = pm_table_find(engine->table, event->token);
	if (!conn)
		return;
	switch (event->type) {
	case MPTCP_EVENT_SUB_ESTABLISHED:
		if (pm_sub_up(engine, conn, &event->flow))
			pm_on_joined(engine, conn, &event->flow, now);
		break;
	case MPTCP_EVENT_SUB_CLOSED:
		on_sub_closed(engine, conn, &event->flow, now);
		break;
	case MPTCP_EVENT_CLOSED:
		pm_forget(engine, conn);
		break;
	}
}

/* ---- time ---- */

static void on_due(struct pm_engine *e, struct pm_conn *conn, __u64 now)
{
	if (conn->state == PM_STATE_VIP)
		pm_announce_again(e, conn, now);
	else if (conn->flags & PM_CONN_F_EXTRA)
		pm_announce_extra(e, conn, now);
	else if (conn->state == PM_STATE_JOINED && e->initial == PM_INITIAL_BACKUP)
		back_up_initial(e, conn, now);
	else if (conn->state == PM_STATE_JOINED)
		e->wants_sync = true;
}

void pm_engine_tick(struct pm_engine *engine, __u64 now)
{
	struct pm_conn *conn;

	while ((conn = pm_table_due(engine->table, pm_tick_of(now))))
		on_due(engine, conn, now);
}

bool pm_engine_waiting(const struct pm_engine *engine)
{
	return pm_table_waiting(engine->table);
}

/* ---- the rest ---- */

bool pm_engine_wants_sync(struct pm_engine *engine)
{
	bool wants = engine->wants_sync;

	engine->wants_sync = false;
	return wants;
}

const struct pm_stats *pm_engine_stats(const struct pm_engine *engine)
{
	return &engine->stats;
}

int pm_engine_new(const struct pm_setup *setup, struct pm_engine **out)
{
	struct pm_engine *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->table = pm_table_new();
	e->vip = calloc(setup->n_vip ? setup->n_vip : 1, sizeof(*e->vip));
	if (!e->table || !e->vip) {
		pm_engine_free(e);
		return -ENOMEM;
	}
	for (size_t i = 0; i < setup->n_vip; i++)
		e->vip[i] = setup->vip[i];
	e->n_vip = setup->n_vip;
	e->n_announced = setup->n_announced;
	for (size_t i = 0; i < setup->n_announced; i++) {
		e->announced[i] = setup->announced[i];
		e->there |= (__u8)(1 << i);
	}
	pm_choose_ids(e);
	e->initial = setup->initial;
	e->ops = *setup->ops;
	e->ctx = setup->ctx;
	*out = e;
	return 0;
}

void pm_engine_free(struct pm_engine *engine)
{
	if (!engine)
		return;
	pm_table_free(engine->table);
	free(engine->vip);
	free(engine);
}
