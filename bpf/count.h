/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_BPF_COUNT_H
#define MPLB_BPF_COUNT_H

/* Counters, the trace of an explained packet, and the action that belongs to a reason. */
#include "bpf/maps.h"

#define GO_ON (-1) /* no XDP action yet */

/* The trace that `lbctl explain` put in front of this packet, or NULL: any other packet. */
static __always_inline struct mplb_trace *trace_of(const struct xdp_md *ctx)
{
	struct mplb_trace *trace = (void *)(long)ctx->data_meta;

	if ((void *)(trace + 1) > (void *)(long)ctx->data || trace->magic != MPLB_TRACE_MAGIC)
		return NULL;
	return trace;
}

/* The XDP action of a reason: two bits each in a word, so that no table has to be looked up. */
#define X(number, NAME, name, action, text) | (__u64)XDP_##action << 2 * (number)
#define REASON_ACTIONS			    (0ULL MPLB_REASONS(X))
_Static_assert(MPLB_R_MAX <= 32 && XDP_TX < 4 && XDP_DROP < 4 && XDP_PASS < 4, "two bits each");

static __always_inline int action_of(__u32 reason)
{
	return (int)(REASON_ACTIONS >> 2 * reason) & 3;
}

/* Ends the path of a packet that is not forwarded: counts the reason (or notes it in the trace)
 * and returns its XDP action. */
static __always_inline int finish(struct xdp_md *ctx, __u32 reason)
{
	struct mplb_trace *trace = trace_of(ctx);
	__u32 key = reason;
	__u64 *count;

	if (trace) {
		trace->reason = (__u16)reason;
	} else {
		count = bpf_map_lookup_elem(&mplb_reasons, &key);
		if (count)
			*count += 1;
	}
	return action_of(reason);
}

static __always_inline void count_vip(__u32 vip, enum mplb_vip_counter counter)
{
	struct mplb_vip_stats *stats = bpf_map_lookup_elem(&mplb_vip_stats, &vip);

	if (stats)
		stats->counter[counter] += 1;
}

/* A packet with an IP length of bytes goes to a backend. */
static __always_inline void count_forwarded(__u32 vip, __u32 backend, __u32 bytes)
{
	struct mplb_vip_stats *v = bpf_map_lookup_elem(&mplb_vip_stats, &vip);
	struct mplb_backend_stats *b = bpf_map_lookup_elem(&mplb_backend_stats, &backend);

	if (v) {
		v->counter[MPLB_VIP_C_PACKETS] += 1;
		v->counter[MPLB_VIP_C_BYTES] += bytes;
	}
	if (b) {
		b->packets += 1;
		b->bytes += bytes;
	}
}

#endif
