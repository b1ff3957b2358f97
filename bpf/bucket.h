/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_BPF_BUCKET_H
#define MPLB_BPF_BUCKET_H

/*
 * The tables of include/mplb/steer.h. CPUs share them without a lock: an entry is replaced only if
 * it is still what was read, and who loses does without.
 */
#include "bpf/maps.h"

static __always_inline __u32 tick_now(void)
{
	return (__u32)(bpf_ktime_get_coarse_ns() >> MPLB_TICK_SHIFT) & MPLB_TICK_MASK;
}

/* The entry with this tag and where it is; 0: there is none. */
static __always_inline __u64 bucket_find(const struct mplb_bucket *bucket, __u32 tag, __u32 *at)
{
	__u64 found = 0;

#pragma clang loop unroll(full)
	for (__u32 i = 0; i < MPLB_BUCKET_ENTRIES; i++) {
		__u64 entry = bucket->entry[i];

		if (mplb_entry_tag(entry) == tag && mplb_entry_state(entry)) {
			found = entry;
			*at = i;
			break;
		}
	}
	return found;
}

/* Replaces the entry, unless somebody else has meanwhile. True: done. */
static __always_inline int bucket_swap(struct mplb_bucket *bucket, __u32 at, __u64 old, __u64 entry)
{
	at &= MPLB_BUCKET_ENTRIES - 1;
	barrier_var(at);
	return __sync_val_compare_and_swap(&bucket->entry[at], old, entry) == old;
}

/* How long entries are kept, in ticks: 16 bits by state, that of a free one 0. */
#define KEEP(one, two, three) ((__u64)(one) << 16 | (__u64)(two) << 32 | (__u64)(three) << 48)
#define KEEP_ALWAYS	      0xffff /* more than MPLB_TICK_MASK */

/* What an entry took the place of. */
enum bucket_room { BUCKET_FREE, BUCKET_EVICTED, BUCKET_FULL };

/* Puts a new entry in: where one is free, else in the place of the one of lowest state, oldest
 * first, among those that need not be kept. Returns an enum bucket_room. Global: the loop is
 * verified by itself. */
__noinline int bucket_place(struct mplb_bucket *bucket, __u64 entry, __u32 now, __u64 keep)
{
	__u32 best = 0, at = 0;
	__u64 victim = 0;

	if (!bucket)
		return BUCKET_FULL;
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < MPLB_BUCKET_ENTRIES; i++) {
		__u64 old = bucket->entry[i & (MPLB_BUCKET_ENTRIES - 1)];
		__u32 state = mplb_entry_state(old), age = mplb_entry_age(old, now);
		__u32 worth = (4 - state) << 14 | age;

		if (age >= (keep >> 16 * state & 0xffff) && worth > best) {
			best = worth;
			victim = old;
			at = i;
		}
	}
	if (!best || !bucket_swap(bucket, at, victim, entry))
		return BUCKET_FULL;
	return victim ? BUCKET_EVICTED : BUCKET_FREE;
}

#endif
