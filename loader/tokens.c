/* SPDX-License-Identifier: GPL-2.0-only */
#include "tokens.h"

#include <string.h>

#include "mplb/steer.h"

void tokens_count(const struct datapath *dp, __u32 *tokens)
{
	memset(tokens, 0, MPLB_MAX_BACKENDS * sizeof(*tokens));
	for (size_t b = 0; b < MPLB_TOKEN_BUCKETS; b++) {
		for (size_t i = 0; i < MPLB_BUCKET_ENTRIES; i++) {
			__u64 entry = __atomic_load_n(&dp->tokens[b].entry[i], __ATOMIC_RELAXED);
			__u32 state = mplb_entry_state(entry), index = mplb_entry_index(entry);

			if (state && state != MPLB_TOKEN_COLLIDED && index < MPLB_MAX_BACKENDS)
				tokens[index]++;
		}
	}
}

static bool is_any(const bool *backends)
{
	return memchr(backends, true, MPLB_MAX_BACKENDS * sizeof(*backends)) != NULL;
}

/* Entries are replaced by the program at any time, and freed only as they were read. */
static void forget(struct mplb_bucket *buckets, size_t n, const bool *backends)
{
	for (size_t b = 0; b < n; b++) {
		for (size_t i = 0; i < MPLB_BUCKET_ENTRIES; i++) {
			__u64 *at = &buckets[b].entry[i];
			__u64 entry = __atomic_load_n(at, __ATOMIC_RELAXED);

			if (mplb_entry_state(entry) &&
			    mplb_entry_index(entry) < MPLB_MAX_BACKENDS &&
			    backends[mplb_entry_index(entry)])
				__atomic_compare_exchange_n(at, &entry, 0, false, __ATOMIC_RELAXED,
							    __ATOMIC_RELAXED);
		}
	}
}

void tokens_forget_subflows(const struct datapath *dp, const bool *backends)
{
	if (is_any(backends))
		forget(dp->subflows, MPLB_SUBFLOW_BUCKETS, backends);
}

void tokens_forget(const struct datapath *dp, const bool *backends)
{
	if (!is_any(backends))
		return;
	forget(dp->tokens, MPLB_TOKEN_BUCKETS, backends);
	forget(dp->subflows, MPLB_SUBFLOW_BUCKETS, backends);
}
