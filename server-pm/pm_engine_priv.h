/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_SERVER_PM_ENGINE_PRIV_H
#define MPLB_SERVER_PM_ENGINE_PRIV_H

#include "pm_engine.h"
#include "pm_table.h"

/*
 * What the files of the engine share: pm_engine.c follows connections and their initial subflow,
 * pm_announce.c announces, pm_address.c has addresses come and go, pm_change.c takes another setup,
 * pm_sync.c compares with the sockets there are.
 */

#define PM_NO_VIP 0xffff

#define PM_CONN_F_BACKUP  0x01 /* the initial subflow was told to be a backup */
#define PM_CONN_F_GONE	  0x02 /* the initial subflow is closed */
#define PM_CONN_F_SEEN	  0x04 /* in the resync that goes on */
#define PM_CONN_F_MAPPED  0x08 /* the initial subflow's socket is an IPv6 one with IPv4 in it */
#define PM_CONN_F_COUNTED 0x10 /* the first join went into the histogram, or is not to */
#define PM_CONN_F_EXTRA	  0x20 /* joined, and is told of an address that came later */
#define PM_CONN_F_INITIAL 0x40 /* the resync that goes on saw the initial subflow */
#define PM_CONN_F_MANAGED 0x80 /* the kernel has taken a command for it */

#define PM_SECOND (1000 / PM_TICK) /* in ticks */

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

static inline __u32 pm_tick_of(__u64 now)
{
	return (__u32)(now / PM_TICK);
}

/* The address's place among the VIPs, or PM_NO_VIP. */
__u16 pm_find_vip(const struct pm_engine *e, const struct ip *ip);
void pm_set_state(struct pm_engine *e, struct pm_conn *conn, enum pm_state state);
/* A connection whose initial subflow is this one, or not known yet (NULL). NULL: no room. */
struct pm_conn *pm_begin(struct pm_engine *e, __u32 token, const struct pm_flow *initial);
void pm_forget(struct pm_engine *e, struct pm_conn *conn);

/* A joined subflow is up; true where that is news. Whether any is. */
bool pm_sub_up(const struct pm_engine *e, struct pm_conn *conn, const struct pm_flow *flow);
bool pm_sub_any(const struct pm_conn *conn);

/* A dedicated subflow is up: `up`, or, where that is NULL, one that was seen by a resync just now.
 */
void pm_on_joined(struct pm_engine *e, struct pm_conn *conn, const struct pm_flow *up, __u64 now);
/* The last dedicated one has closed. */
void pm_return_to_vip(struct pm_engine *e, struct pm_conn *conn, __u64 now);

/* Begins to announce, the first time at once. */
void pm_announce_begin(struct pm_engine *e, struct pm_conn *conn, __u64 now);
/* What is due for a connection on the VIP, and for one that is told of an address that came later.
 */
void pm_announce_again(struct pm_engine *e, struct pm_conn *conn, __u64 now);
void pm_announce_extra(struct pm_engine *e, struct pm_conn *conn, __u64 now);
/* The id that an announced address would like to have; gives each its id. */
__u8 pm_address_hash(const struct ip *ip);
void pm_choose_ids(struct pm_engine *e);

/* Has every connection of many come due soon, a thousand of them per tick, so that events are not
 * kept waiting. */
void pm_announce_soon(struct pm_engine *e, struct pm_conn *conn, __u64 now);

#endif
