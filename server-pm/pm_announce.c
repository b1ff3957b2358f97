/* SPDX-License-Identifier: GPL-2.0-only */
/* Announcing: which addresses, and when again. */
#include "pm_engine_priv.h"

#include <errno.h>

/* When to announce again. Ticks are 100 ms. */
#define QUICK_TRIES   3 /* 2, 4, 8 ticks after the one before */
#define EXTRA_TRIES   3 /* for an address that came later, on top of a join */
#define OTHER_FAMILY  (30 * PM_SECOND)
#define MINUTE	      (60 * PM_SECOND)
#define GIVE_UP	      (10 * MINUTE)
#define MAX_PAUSE     (64 * PM_SECOND)
#define SOON_PER_TICK 1000

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
	__u32 pause = 2 * PM_SECOND;

	if (conn->tries <= QUICK_TRIES)
		return 1u << conn->tries;
	if (waited < MINUTE)
		return PM_SECOND;
	/* 2 s after the minute, then as long again as since the minute: 4, 8, ... */
	while (pause < MAX_PAUSE && pause <= waited - MINUTE)
		pause *= 2;
	return pause;
}

void pm_announce_begin(struct pm_engine *e, struct pm_conn *conn, __u64 now)
{
	conn->since = (__u32)now;
	conn->tries = 0;
	if (!announce(e, conn, 0))
		pm_set_state(e, conn, PM_STATE_UNMANAGED);
	else if (e->n_announced)
		pm_table_schedule(e->table, conn, pm_tick_of(now) + pause_after(conn, 0));
}

void pm_announce_again(struct pm_engine *e, struct pm_conn *conn, __u64 now)
{
	__u32 waited = ((__u32)now - conn->since) / PM_TICK;

	if (waited >= GIVE_UP) {
		pm_set_state(e, conn, PM_STATE_GIVEN_UP);
		e->stats.given_up++;
		return;
	}
	if (!announce(e, conn, waited))
		pm_set_state(e, conn, PM_STATE_UNMANAGED);
	else
		pm_table_schedule(e->table, conn, pm_tick_of(now) + pause_after(conn, waited));
}

void pm_announce_extra(struct pm_engine *e, struct pm_conn *conn, __u64 now)
{
	if (announce(e, conn, 0) && conn->tries <= EXTRA_TRIES)
		pm_table_schedule(e->table, conn, pm_tick_of(now) + pause_after(conn, 0));
	else
		conn->flags &= (__u8)~PM_CONN_F_EXTRA;
}

void pm_announce_soon(struct pm_engine *e, struct pm_conn *conn, __u64 now)
{
	__u32 ticks = (__u32)(pm_table_count(e->table) / SOON_PER_TICK) + 1;

	pm_table_schedule(e->table, conn, pm_tick_of(now) + 1 + conn->index % ticks);
}
