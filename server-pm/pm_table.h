/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_SERVER_PM_TABLE_H
#define MPLB_SERVER_PM_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include "pm_flow.h"

/*
 * The live connections by token, and which of them is due when. Entries stay where they are while
 * they are in the table. A wheel of lists does for timers: a connection is in at most one.
 */

#define PM_MAX_CONNS (1u << 20) /* bounds the memory to 80 MiB */
#define PM_MAX_SUBS  8 /* dedicated subflows of a connection that are told apart */
#define PM_TICK	     100 /* ms: how exact a time is */
#define PM_NONE	     0 /* no entry: indexes count from 1 */

struct pm_conn {
	__u32 token;
	__u32 index; /* this entry's own */
	__u32 chain; /* next in the bucket, or of the unused */
	__u32 before, after; /* neighbours in a list of the wheel */
	__u32 due; /* tick; 0: not in the wheel */
	__u32 since; /* ms: when the present wait for a join began */
	__u16 sub[PM_MAX_SUBS]; /* tags of the joined subflows that are up; 0: unused */
	struct mplb_ip remote; /* the initial subflow's ends */
	__u16 local_port, remote_port;
	__u16 vip; /* its local address, by its place in the config; PM_NO_VIP: not known */
	__u8 flags; /* PM_CONN_F_* */
	__u8 tries; /* of announcing, since the present wait began */
	__u8 announced; /* a bit per announced address, by its place in the config */
	__u8 state; /* enum pm_state */
	__u8 family; /* of the initial subflow */
	__u8 around; /* subflows that are up and go around the balancer */
	__u8 failures; /* in a row, of what is to become of the initial subflow */
};
_Static_assert(sizeof(struct pm_conn) <= 80, "a connection is to cost little memory");

struct pm_table;

struct pm_table *pm_table_new(void);
void pm_table_free(struct pm_table *table);

size_t pm_table_count(const struct pm_table *table);
struct pm_conn *pm_table_find(const struct pm_table *table, __u32 token);
/* A new entry, all zero but for token and index. NULL where there are PM_MAX_CONNS, or no memory.
 */
struct pm_conn *pm_table_add(struct pm_table *table, __u32 token);
void pm_table_remove(struct pm_table *table, struct pm_conn *conn);

/* Calls cb for every entry; it may remove the one that it is called for. */
void pm_table_each(struct pm_table *table, void (*cb)(struct pm_conn *conn, void *data),
		   void *data);

/* Has the entry come due at the tick (not 0), instead of whenever it was to. */
void pm_table_schedule(struct pm_table *table, struct pm_conn *conn, __u32 tick);
void pm_table_cancel(struct pm_table *table, struct pm_conn *conn);
/* The next entry that is due at or before the tick, taken out of the wheel; NULL: none is. */
struct pm_conn *pm_table_due(struct pm_table *table, __u32 tick);
/* True while any entry is scheduled. */
bool pm_table_waiting(const struct pm_table *table);

#endif
