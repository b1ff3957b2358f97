/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_SERVER_PM_ENGINE_H
#define MPLB_SERVER_PM_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include "announce.h"
#include "pm_diag.h"
#include "pm_event.h"

/*
 * What is decided per connection in userspace mode: announce addresses until the client joins one,
 * then move the traffic off the VIP, and back if need be. A join to a VIP at a port of its own is
 * a join, and leaves the initial subflow as it is: both cross the balancer. Knows neither sockets
 * nor clocks: what happens comes in as calls, with the time; what is to be done goes out through
 * struct pm_ops.
 *
 * A connection is followed from ESTABLISHED to CLOSED, if the client opened it, to a VIP:
 */
/* clang-format off */
/*
 *	           announced at 0, 0.2, 0.6, 1.4 s, then every second of the first minute; then
 *	on VIP     after 2, 4, ... 64 s; given up after ten minutes
 *	 │   ▲
 *	 │   │     the last dedicated subflow has closed: the initial one gets its priority back
 *	 ▼   │
 *	JOINED     a subflow to another address than a VIP is up
 *	 │   ▲
 *	 ▼   │     the initial subflow is told to be a backup, or closed (not before the other one is
 *	OFF_PATH   seen to be up)
 */
/* clang-format on */

#define PM_MAX_ANNOUNCED 8

/* What becomes of the subflow through the VIP once a dedicated one is up. */
enum pm_initial { PM_INITIAL_KEEP, PM_INITIAL_BACKUP, PM_INITIAL_CLOSE };

/* Commands to the kernel: 0 or -errno, -EINVAL where it takes none for the connection. */
struct pm_ops {
	int (*announce)(void *ctx, __u32 token, const struct announced *address, __u8 id);
	int (*withdraw)(void *ctx, __u32 token, __u8 id);
	int (*backup)(void *ctx, __u32 token, const struct pm_flow *flow, bool backup);
	int (*close)(void *ctx, __u32 token, const struct pm_flow *flow);
	bool (*alive)(void *ctx, const struct pm_flow *flow);
};

/* The addresses are copied. */
struct pm_setup {
	const struct ip *vip;
	const struct announced *announced; /* what to announce */
	size_t n_vip, n_announced; /* of the latter at most PM_MAX_ANNOUNCED */
	enum pm_initial initial;
	const struct pm_ops *ops;
	void *ctx;
};

enum pm_state {
	PM_STATE_VIP, /* on the VIP only, announcing */
	PM_STATE_GIVEN_UP, /* on the VIP only, for good unless the client joins after all */
	PM_STATE_JOINED, /* a dedicated subflow is up, and the initial one in use */
	PM_STATE_OFF_PATH, /* the initial one is a backup, or closed */
	PM_STATE_UNMANAGED, /* the kernel takes no commands: begun under its own path manager */
	PM_STATE_MAX
};

/* In seconds, beginning with the ESTABLISHED event. */
/* clang-format off */
#define PM_JOIN_BUCKETS { 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300 }
/* clang-format on */
#define PM_JOIN_N 11

struct pm_stats {
	size_t state[PM_STATE_MAX]; /* connections now */
	__u64 established, taken_over; /* connections begun; found by a resync */
	__u64 ended;
	__u64 announced, announce_failed, given_up;
	__u64 joined, backed_up, closed, restored, action_failed;
	__u64 withdrawn, resyncs, untracked;
	__u64 join[PM_JOIN_N + 1]; /* joins per bucket; the last: later than all */
	__u64 join_ms; /* the sum */
};

struct pm_engine;

/* 0 with *out to be freed, or -ENOMEM. */
int pm_engine_new(const struct pm_setup *setup, struct pm_engine **out);
void pm_engine_free(struct pm_engine *engine);

/* All times are in milliseconds, from any beginning but 0, and never go back. */
void pm_engine_event(struct pm_engine *engine, const struct pm_event *event, __u64 now);

/* Does what is due. */
void pm_engine_tick(struct pm_engine *engine, __u64 now);
/* True where there is something to be done at some time: pm_engine_tick() is wanted. */
bool pm_engine_waiting(const struct pm_engine *engine);

/* An announced address has come to the machine, or gone from it. Unless said otherwise it is there.
 * True where that is news. */
bool pm_engine_address(struct pm_engine *engine, size_t i, bool there, __u64 now);

/* The place of an announced address, or the number of them where it is none. */
size_t pm_engine_find(const struct pm_engine *engine, const struct announced *address);

/*
 * Another setup (whose ops and ctx are not looked at) for connections that live and those to come.
 * Addresses that are new are announced to live connections; those that are left out the caller has
 * had go before (pm_engine_address()). Connections to what is no VIP any more are left to
 * themselves. What becomes of initial subflows is decided anew at the next resync. 0, or -ENOMEM
 * with nothing changed.
 */
int pm_engine_change(struct pm_engine *engine, const struct pm_setup *setup, __u64 now);

/*
 * Compares with what sockets there are: begin, each subflow, end. Connections not known are taken
 * over, those without a subflow forgotten, missed joins and ends made up for.
 */
void pm_engine_sync_begin(struct pm_engine *engine);
void pm_engine_sync_subflow(struct pm_engine *engine, const struct pm_subflow *subflow, __u64 now);
void pm_engine_sync_end(struct pm_engine *engine, __u64 now);

/* True once after something failed that only a resync can repair. */
bool pm_engine_wants_sync(struct pm_engine *engine);

/* True where a subflow is to be closed because its address has gone and another one is up. */
bool pm_engine_is_stale(const struct pm_engine *engine, const struct pm_subflow *subflow);

const struct pm_stats *pm_engine_stats(const struct pm_engine *engine);

/* The id with which the i-th address is announced. It depends on the address, so that a
 * change of the config's order leaves it, and 1 .. 254. */
__u8 pm_engine_address_id(const struct pm_engine *engine, size_t i);

#endif
