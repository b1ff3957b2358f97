/* SPDX-License-Identifier: GPL-2.0-only */
#include "pm_engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/mptcp.h>
#include "pm_table.h"

#define PM_NO_VIP 0xffff

#define PM_CONN_F_BACKUP  0x01 /* the initial subflow was told to be a backup */
#define PM_CONN_F_GONE	  0x02 /* the initial subflow is closed */
#define PM_CONN_F_SEEN	  0x04 /* in the resync that goes on */
#define PM_CONN_F_MAPPED  0x08 /* the initial subflow's socket is an IPv6 one with IPv4 in it */
#define PM_CONN_F_COUNTED 0x10 /* the first join went into the histogram, or is not to */
#define PM_CONN_F_EXTRA	  0x20 /* joined, and is told of an address that came later */
#define PM_CONN_F_INITIAL 0x40 /* the resync that goes on saw the initial subflow */
#define PM_CONN_F_MANAGED 0x80 /* the kernel has taken a command for it */

/* When to announce again. Ticks are 100 ms. */
#define QUICK_TRIES   3 /* 2, 4, 8 ticks after the one before */
#define EXTRA_TRIES   3 /* for an address that came later, on top of a join */
#define OTHER_FAMILY  (30 * SECOND)
#define SECOND	      (1000 / PM_TICK)
#define MINUTE	      (60 * SECOND)
#define GIVE_UP	      (10 * MINUTE)
#define MAX_PAUSE     (64 * SECOND)
#define SOON_PER_TICK 1000
#define MAX_FAILURES  5

struct pm_engine {
	struct ip *vip;
	size_t n_vip;
	struct announced announced[PM_MAX_ANNOUNCED];
	__u8 id[PM_MAX_ANNOUNCED];
	size_t n_announced;
	__u8 there; /* a bit per announced address */
	bool wants_sync;
	enum pm_initial initial;
	struct pm_ops ops;
	void *ctx;
	struct pm_table *table;
	struct pm_stats stats;
};

/* ---- small things ---- */

static __u32 tick_of(__u64 now)
{
	return (__u32)(now / PM_TICK);
}

static __u8 address_hash(const struct ip *ip)
{
	struct pm_flow flow = { .local = *ip };

	return (__u8)(pm_flow_tag(&flow) % 254 + 1);
}

/* Two addresses with one hash: the later one gets the next id that is free. */
static void choose_ids(struct pm_engine *e)
{
	for (size_t i = 0; i < e->n_announced; i++) {
		e->id[i] = address_hash(&e->announced[i].addr);
		for (size_t j = 0; j < i; j++) {
			if (e->id[j] != e->id[i])
				continue;
			e->id[i] = (__u8)(e->id[i] % 254 + 1);
			j = (size_t)-1;
		}
	}
}

static __u16 find_vip(const struct pm_engine *e, const struct ip *ip)
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

static void set_state(struct pm_engine *e, struct pm_conn *conn, enum pm_state state)
{
	e->stats.state[conn->state]--;
	e->stats.state[state]++;
	conn->state = (__u8)state;
}

static void forget(struct pm_engine *e, struct pm_conn *conn)
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

static bool sub_any(const struct pm_conn *conn)
{
	for (size_t i = 0; i < PM_MAX_SUBS; i++)
		if (conn->sub[i])
			return true;
	return false;
}

/* A joined subflow is up. True where that is news. */
static bool sub_up(const struct pm_engine *e, struct pm_conn *conn, const struct pm_flow *flow)
{
	bool vip = find_vip(e, &flow->local) != PM_NO_VIP;

	if ((vip && !is_join_port(e, flow)) || !sub_add(conn, pm_flow_tag(flow)))
		return false;
	conn->around += !vip;
	return true;
}

static bool sub_down(const struct pm_engine *e, struct pm_conn *conn, const struct pm_flow *flow)
{
	if (!sub_remove(conn, pm_flow_tag(flow)))
		return false;
	conn->around -= find_vip(e, &flow->local) == PM_NO_VIP;
	return true;
}

/* ---- announcing ---- */

/*
 * The addresses to announce, as bits: those of the initial subflow's family, if there are any, and
 * the others half a minute later. A Linux client whose first ADD_ADDR is of a family that it cannot
 * join from uses up its `subflow` endpoints for it, and ignores all that follow (net/mptcp/
 * pm_kernel.c, fill_local_addresses_vec_c_flag()); the kernel's path manager gets by as it waits
 * for the echo of one before it sends the next.
 */
static __u8 addresses_for(const struct pm_engine *e, const struct pm_conn *conn, __u32 waited)
{
	__u8 same = 0;

	for (size_t i = 0; i < e->n_announced; i++)
		if (e->announced[i].addr.family == conn->family)
			same |= (__u8)(1 << i);
	same &= e->there;
	return same && waited < OTHER_FAMILY ? same : e->there;
}

/* Announces. False where the kernel takes no commands for the connection. */
static bool announce(struct pm_engine *e, struct pm_conn *conn, __u32 waited)
{
	__u8 set = addresses_for(e, conn, waited);
	bool taken = true;

	for (size_t i = 0; i < e->n_announced; i++) {
		__u8 bit = (__u8)(1 << i);
		int err;

		if (!(set & bit))
			continue;
		err = e->ops.announce(e->ctx, conn->token, &e->announced[i], e->id[i]);
		if (err) {
			e->stats.announce_failed++;
			taken = taken && err != -EINVAL;
		} else {
			conn->announced |= bit;
			conn->flags |= PM_CONN_F_MANAGED;
			e->stats.announced++;
		}
	}
	if (conn->tries < UINT8_MAX)
		conn->tries++;
	return taken || conn->flags & PM_CONN_F_MANAGED;
}

/* Ticks until the next try. */
static __u32 pause_after(const struct pm_conn *conn, __u32 waited)
{
	__u32 pause = 2 * SECOND;

	if (conn->tries <= QUICK_TRIES)
		return 1u << conn->tries;
	if (waited < MINUTE)
		return SECOND;
	/* 2 s after the minute, then as long again as since the minute: 4, 8, ... */
	while (pause < MAX_PAUSE && pause <= waited - MINUTE)
		pause *= 2;
	return pause;
}

/* Begins to announce, the first time at once. */
static void wait_for_join(struct pm_engine *e, struct pm_conn *conn, __u64 now)
{
	conn->since = (__u32)now;
	conn->tries = 0;
	if (!announce(e, conn, 0))
		set_state(e, conn, PM_STATE_UNMANAGED);
	else if (e->n_announced)
		pm_table_schedule(e->table, conn, tick_of(now) + pause_after(conn, 0));
}

static void announce_again(struct pm_engine *e, struct pm_conn *conn, __u64 now)
{
	__u32 waited = ((__u32)now - conn->since) / PM_TICK;

	if (waited >= GIVE_UP) {
		set_state(e, conn, PM_STATE_GIVEN_UP);
		e->stats.given_up++;
		return;
	}
	if (!announce(e, conn, waited))
		set_state(e, conn, PM_STATE_UNMANAGED);
	else
		pm_table_schedule(e->table, conn, tick_of(now) + pause_after(conn, waited));
}

/* ---- what becomes of the initial subflow ---- */

static void action_failed(struct pm_engine *e, struct pm_conn *conn, __u64 now)
{
	e->stats.action_failed++;
	if (++conn->failures < MAX_FAILURES)
		pm_table_schedule(e->table, conn, tick_of(now) + SECOND);
}

static void off_path(struct pm_engine *e, struct pm_conn *conn, __u64 *counter)
{
	conn->failures = 0;
	++*counter;
	set_state(e, conn, PM_STATE_OFF_PATH);
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
		set_state(e, conn, PM_STATE_OFF_PATH);
	else if (e->initial == PM_INITIAL_BACKUP)
		back_up_initial(e, conn, now);
	else if (e->initial == PM_INITIAL_CLOSE)
		close_initial(e, conn, up, now);
}

static void return_to_vip(struct pm_engine *e, struct pm_conn *conn, __u64 now)
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
	set_state(e, conn, PM_STATE_VIP);
	conn->flags &= (__u8)~PM_CONN_F_EXTRA;
	wait_for_join(e, conn, now);
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

static void on_joined(struct pm_engine *e, struct pm_conn *conn, const struct pm_flow *up,
		      __u64 now)
{
	if (conn->state == PM_STATE_OFF_PATH || conn->state == PM_STATE_UNMANAGED)
		return;
	if (conn->state != PM_STATE_JOINED) {
		count_join(e, conn, now);
		pm_table_cancel(e->table, conn);
		conn->failures = 0;
		set_state(e, conn, PM_STATE_JOINED);
	}
	if (conn->around)
		leave_vip(e, conn, up, now);
}

static struct pm_conn *begin(struct pm_engine *e, __u32 token, const struct pm_flow *initial)
{
	struct pm_conn *conn = pm_table_add(e->table, token);

	if (!conn) {
		e->stats.untracked++;
		return NULL;
	}
	conn->vip = PM_NO_VIP;
	if (initial) {
		conn->vip = find_vip(e, &initial->local);
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

	if (!event->server_side || find_vip(e, &event->flow.local) == PM_NO_VIP ||
	    pm_table_find(e->table, event->token))
		return;
	conn = begin(e, event->token, &event->flow);
	if (!conn)
		return;
	e->stats.established++;
	wait_for_join(e, conn, now);
}

static void on_sub_closed(struct pm_engine *e, struct pm_conn *conn, const struct pm_flow *flow,
			  __u64 now)
{
	if (is_initial(e, conn, flow)) {
		conn->flags |= PM_CONN_F_GONE;
		if (conn->state == PM_STATE_JOINED)
			set_state(e, conn, PM_STATE_OFF_PATH);
	} else if (sub_down(e, conn, flow) && !sub_any(conn)) {
		return_to_vip(e, conn, now);
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
		if (sub_up(engine, conn, &event->flow))
			on_joined(engine, conn, &event->flow, now);
		break;
	case MPTCP_EVENT_SUB_CLOSED:
		on_sub_closed(engine, conn, &event->flow, now);
		break;
	case MPTCP_EVENT_CLOSED:
		forget(engine, conn);
		break;
	}
}

/* ---- time ---- */

static void extra(struct pm_engine *e, struct pm_conn *conn, __u64 now)
{
	if (announce(e, conn, 0) && conn->tries <= EXTRA_TRIES)
		pm_table_schedule(e->table, conn, tick_of(now) + pause_after(conn, 0));
	else
		conn->flags &= (__u8)~PM_CONN_F_EXTRA;
}

static void on_due(struct pm_engine *e, struct pm_conn *conn, __u64 now)
{
	if (conn->state == PM_STATE_VIP)
		announce_again(e, conn, now);
	else if (conn->flags & PM_CONN_F_EXTRA)
		extra(e, conn, now);
	else if (conn->state == PM_STATE_JOINED && e->initial == PM_INITIAL_BACKUP)
		back_up_initial(e, conn, now);
	else if (conn->state == PM_STATE_JOINED)
		e->wants_sync = true;
}

void pm_engine_tick(struct pm_engine *engine, __u64 now)
{
	struct pm_conn *conn;

	while ((conn = pm_table_due(engine->table, tick_of(now))))
		on_due(engine, conn, now);
}

bool pm_engine_waiting(const struct pm_engine *engine)
{
	return pm_table_waiting(engine->table);
}

/* Has every connection of many come due soon, a thousand of them per tick, so that events are not
 * kept waiting. */
static void schedule_soon(struct pm_engine *e, struct pm_conn *conn, __u64 now)
{
	__u32 ticks = (__u32)(pm_table_count(e->table) / SOON_PER_TICK) + 1;

	pm_table_schedule(e->table, conn, tick_of(now) + 1 + conn->index % ticks);
}

/* ---- addresses come and go ---- */

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
		set_state(e, conn, PM_STATE_VIP);
	if (conn->state == PM_STATE_VIP) {
		conn->since = (__u32)change->now;
		conn->flags |= PM_CONN_F_COUNTED;
	} else {
		conn->flags |= PM_CONN_F_EXTRA;
	}
	conn->tries = 0;
	schedule_soon(e, conn, change->now);
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

/* ---- resync ---- */

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
	conn->vip = find_vip(e, &s->flow.local);
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
	bool to_vip = find_vip(engine, &subflow->flow.local) != PM_NO_VIP;
	struct pm_conn *conn = pm_table_find(engine->table, subflow->token);

	if (!subflow->server_side || !subflow->up || (subflow->initial && !to_vip))
		return;
	if (!conn) {
		conn = begin(engine, subflow->token, NULL);
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
		sub_up(engine, conn, &subflow->flow);
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
		set_state(e, conn, PM_STATE_OFF_PATH);
		return;
	}
	if (conn->state == PM_STATE_OFF_PATH)
		set_state(e, conn, PM_STATE_JOINED);
	on_joined(e, conn, NULL, now);
}

static void settle(struct pm_conn *conn, void *data)
{
	const struct sync_end *end = data;
	struct pm_engine *e = end->engine;

	if (!(conn->flags & PM_CONN_F_SEEN)) {
		forget(e, conn);
		return;
	}
	if (!(conn->flags & PM_CONN_F_INITIAL))
		conn->flags |= PM_CONN_F_GONE;
	if (conn->state == PM_STATE_UNMANAGED)
		return;
	if (sub_any(conn))
		settle_joined(e, conn, end->now);
	else if (conn->state == PM_STATE_JOINED || conn->state == PM_STATE_OFF_PATH)
		return_to_vip(e, conn, end->now);
	else if (conn->state == PM_STATE_VIP && !conn->due && e->n_announced)
		schedule_soon(e, conn, end->now);
}

void pm_engine_sync_end(struct pm_engine *engine, __u64 now)
{
	struct sync_end end = { engine, now };

	pm_table_each(engine->table, settle, &end);
	engine->stats.resyncs++;
}

/* ---- the rest ---- */

bool pm_engine_wants_sync(struct pm_engine *engine)
{
	bool wants = engine->wants_sync;

	engine->wants_sync = false;
	return wants;
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

const struct pm_stats *pm_engine_stats(const struct pm_engine *engine)
{
	return &engine->stats;
}

__u8 pm_engine_address_id(const struct pm_engine *engine, size_t i)
{
	return engine->id[i];
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
	choose_ids(e);
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
