/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_BPF_STEER_COMMON_H
#define MPLB_BPF_STEER_COMMON_H

/* What both halves of steering need: options, tables, and how a packet's path ends (bpf/steer.h).
 */
#include "bpf/bucket.h"
#include "bpf/budget.h"
#include "bpf/count.h"
#include "bpf/packet.h"
#include "bpf/reject.h"
#include "mplb/hash.h"
#include "mplb/mptcp.h"
#include "mplb/sha256.h"

#define TOKEN_KEEP KEEP(MPLB_TOKEN_KEEP_LEARNT, MPLB_TOKEN_KEEP_COLLIDED, MPLB_TOKEN_KEEP_JOINED)
#define SUBFLOW_KEEP                                                                               \
	KEEP(MPLB_SUBFLOW_KEEP_OPENED, MPLB_SUBFLOW_KEEP_JOINING, MPLB_SUBFLOW_KEEP_JOINED)
/* What only says that a connection was opened takes no joined subflow's place. */
#define OPENED_KEEP KEEP(MPLB_SUBFLOW_KEEP_OPENED, MPLB_SUBFLOW_KEEP_JOINING, KEEP_ALWAYS)

/* A packet of a VIP that steers. Small: it lies on the stack of the main program. */
struct steer {
	__u64 name; /* mplb_flow_name() */
	__u32 vip; /* index, for the counters */
	__u32 table; /* of its pool */
	__u32 token; /* of a join */
	__u16 owner, fallback; /* indexes: of its slot, then where it goes */
	__u16 l4_off;
	__u8 l3_off;
	__u8 family;
	__u8 error; /* an ICMP error about the flow */
	__u8 via; /* enum mplb_via: what picked the owner */
	__u8 reason; /* enum mplb_reason why it is not forwarded; 0: it is */
	__u8 pad;
};
_Static_assert(sizeof(struct steer) == 32, "four words");

/* The TCP header, checked for its first 20 bytes; NULL: it is not there. */
static __always_inline const __u8 *steer_tcp(const struct xdp_md *ctx, __u32 l4_off)
{
	const __u8 *tcp;

	/* Else clang may compare one copy of it and add another, which it takes from the stack:
	 * Linux 6.1 knows the bound of the first only. */
	barrier_var(l4_off);
	if (l4_off > L4_MAX)
		return NULL;
	barrier_var(l4_off);
	tcp = (void *)(long)ctx->data + l4_off;
	return (const void *)(tcp + TCP_LEN) <= (void *)(long)ctx->data_end ? tcp : NULL;
}

static __always_inline __u32 options_len(const __u8 *tcp)
{
	__u32 doff = (__u32)(tcp[12] >> 4) * 4;

	return doff < TCP_LEN ? 0 : doff - TCP_LEN;
}

/* The MPTCP subtypes in the options of a TCP header at l4_off; doff its length,
 * both in bytes. A global function, so that the verifier walks the options once
 * and by themselves. */
__noinline __u32 syn_subtypes(struct xdp_md *ctx, __u32 l4_off, __u32 doff)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	const __u8 *options;

	if (l4_off > L4_MAX || doff < TCP_LEN || doff > TCP_LEN + MPTCP_OPTIONS_MAX)
		return 0;
	options = data + l4_off + TCP_LEN;
	return mptcp_subtypes(options, doff - TCP_LEN, end);
}

/* The last MPTCP option of this subtype and one of these lengths, from the start of the TCP header
 * at l4_off; 0: it has none. Global: the walk is verified by itself. */
__noinline __u32 find_option(struct xdp_md *ctx, __u32 l4_off, __u32 subtype, __u32 lens)
{
	const __u8 *tcp = steer_tcp(ctx, l4_off);
	int off;

	if (!tcp)
		return 0;
	off = mptcp_find(tcp + TCP_LEN, options_len(tcp), (void *)(long)ctx->data_end, subtype,
			 lens);
	return off < 0 ? 0 : TCP_LEN + ((__u32)off & 63);
}

static __always_inline struct mplb_bucket *token_bucket(__u32 token)
{
	__u32 key = mplb_token_bucket(token);

	return bpf_map_lookup_elem(&mplb_tokens, &key);
}

static __always_inline struct mplb_bucket *subflow_bucket(__u64 name)
{
	__u32 key = mplb_subflow_bucket(name);

	return bpf_map_lookup_elem(&mplb_subflows, &key);
}

/* The member of the pool that is the same server as backend `which`, or has the id in it. */
static __always_inline __u32 *member_of(__u32 table, __u32 which)
{
	struct mplb_member_key key = { .table = table, .which = which };

	return bpf_map_lookup_elem(&mplb_members, &key);
}

static __always_inline struct mplb_vip_budget *budget_of(__u32 vip)
{
	return bpf_map_lookup_elem(&mplb_vip_budget, &vip);
}

/* What is counted of the VIP for a SYN that is rejected. */
static __always_inline enum mplb_vip_counter counter_of(__u8 reason)
{
	switch (reason) {
	case MPLB_R_JOIN_UNKNOWN:
		return MPLB_VIP_C_JOIN_UNKNOWN;
	case MPLB_R_JOIN_COLLISION:
		return MPLB_VIP_C_JOIN_COLLISION;
	case MPLB_R_JOIN_GONE:
		return MPLB_VIP_C_JOIN_GONE;
	case MPLB_R_JOIN_FULL:
		return MPLB_VIP_C_JOIN_FULL;
	default:
		return MPLB_VIP_C_SYN_PLAIN;
	}
}

/* Ends the path of a packet with s->reason: answers a SYN with a reset, or, beyond the rate, drops
 * it. Returns an XDP action. */
__noinline int steer_reject(struct xdp_md *ctx, const struct steer *s)
{
	struct mplb_trace *trace = trace_of(ctx);
	struct mplb_vip_budget *budget;

	if (!s || !s->reason)
		return XDP_DROP;
	if (trace) {
		trace->owner = MPLB_NO_BACKEND;
		trace->fallback = MPLB_NO_BACKEND;
	}
	if (s->reason == MPLB_R_JOIN_PORT_LOST)
		return finish(ctx, s->reason);
	if (!trace) {
		budget = budget_of(s->vip);
		if (!budget || !budget_take(&budget->reset, bpf_ktime_get_coarse_ns(),
					    MPLB_RESET_RATE, MPLB_RESET_BURST)) {
			count_vip(s->vip, MPLB_VIP_C_JOIN_LIMITED);
			return finish(ctx, MPLB_R_JOIN_LIMITED);
		}
		count_vip(s->vip, counter_of(s->reason));
	}
	return reset_syn(ctx, s->family, s->l3_off, s->l4_off, s->reason);
}

/* Notes in the trace where the packet goes. */
static __always_inline void steer_done(struct xdp_md *ctx, const struct steer *s)
{
	struct mplb_trace *trace = trace_of(ctx);

	if (trace) {
		trace->owner = s->owner;
		trace->fallback = s->fallback;
		trace->via = s->via;
	}
}

#endif
