/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_STEER_H
#define MPLB_STEER_H

/*
 * The two tables behind `mp_join: steer`: token -> backend and joined subflow -> backend. Both are
 * arrays of buckets of one cache line; an entry is one word, so that a reader sees all of it or
 * nothing and a writer replaces exactly what it has looked at. 0: free.
 *
 *   bits 63..32  tag: the token; of a subflow, a hash of its 5-tuple
 *   bits 31..18  tick of its last use, 0 .. MPLB_TICK_MASK
 *   bits 17..16  state
 *   bits 15..0   index into mplb_backends
 */
#include "mplb/abi.h"
#include "mplb/maps.h"

#define MPLB_BUCKET_ENTRIES 8

struct mplb_bucket {
	__u64 entry[MPLB_BUCKET_ENTRIES];
};
_Static_assert(sizeof(struct mplb_bucket) == 64, "a bucket is one cache line");

/* States; the higher is kept longer. 0: a free entry. */
enum mplb_token_state {
	MPLB_TOKEN_LEARNT = 1,
	MPLB_TOKEN_COLLIDED = 2, /* two backends came with it: nobody's */
	MPLB_TOKEN_JOINED = 3, /* a join was seen */
};

enum mplb_subflow_state {
	MPLB_SUBFLOW_OPENED = 1, /* no join: an MP_CAPABLE SYN went to this backend */
	MPLB_SUBFLOW_JOINING = 2, /* an MP_JOIN SYN did */
	MPLB_SUBFLOW_JOINED = 3, /* and the client went on */
};

#define MPLB_TICK_SHIFT 33 /* ns of CLOCK_MONOTONIC (coarse) to ticks: 8.6 s */
#define MPLB_TICK_MASK	0x3fff /* they come round after 39 h */

/* An entry may be given up for another one after so many ticks without use, by state. */
#define MPLB_TOKEN_KEEP_LEARNT	  2
#define MPLB_TOKEN_KEEP_COLLIDED  8
#define MPLB_TOKEN_KEEP_JOINED	  420 /* an hour */
#define MPLB_SUBFLOW_KEEP_OPENED  8 /* SYN/ACKs are repeated for a minute */
#define MPLB_SUBFLOW_KEEP_JOINING 8
#define MPLB_SUBFLOW_KEEP_JOINED  35 /* five minutes */

#define MPLB_STEER_FN static inline __attribute__((always_inline))

MPLB_STEER_FN __u64 mplb_entry(__u32 tag, __u32 tick, __u32 state, __u32 index)
{
	return (__u64)tag << 32 | (tick & MPLB_TICK_MASK) << 18 | state << 16 | index;
}

MPLB_STEER_FN __u32 mplb_entry_tag(__u64 entry)
{
	return (__u32)(entry >> 32);
}

MPLB_STEER_FN __u32 mplb_entry_tick(__u64 entry)
{
	return (__u32)entry >> 18;
}

MPLB_STEER_FN __u32 mplb_entry_state(__u64 entry)
{
	return (__u32)entry >> 16 & 3;
}

MPLB_STEER_FN __u32 mplb_entry_index(__u64 entry)
{
	return (__u32)entry & 0xffff;
}

/* Ticks since an entry was last used. */
MPLB_STEER_FN __u32 mplb_entry_age(__u64 entry, __u32 now)
{
	return (now - mplb_entry_tick(entry)) & MPLB_TICK_MASK;
}

/* The bucket of a token; of a flow, and its tag, from mplb_flow_name(). */
MPLB_STEER_FN __u32 mplb_token_bucket(__u32 token)
{
	return (token * 0x9e3779b1u) >> 15 & (MPLB_TOKEN_BUCKETS - 1);
}

MPLB_STEER_FN __u32 mplb_subflow_bucket(__u64 name)
{
	return (__u32)name >> 15 & (MPLB_SUBFLOW_BUCKETS - 1);
}

MPLB_STEER_FN __u32 mplb_subflow_tag(__u64 name)
{
	return (__u32)(name >> 32);
}

#endif
