/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_BPF_STEER_LEARN_H
#define MPLB_BPF_STEER_LEARN_H

/* Segments of connections with a VIP that steers: the tokens that they bring, and where those of
 * joined subflows go (docs/packet-walk.md, 7). */
#include "bpf/steer_common.h"

/* Somebody else than owner came with this token before. */
static __always_inline void learn_again(struct steer *s, struct mplb_bucket *bucket, __u64 old,
					__u32 at, __u64 entry)
{
	__u32 before = mplb_entry_index(old), *same;

	/* Since then the slot has moved: the same connection. */
	if (before == s->fallback)
		return;
	/* The same server, in another pool: a new connection. */
	same = member_of(s->table, before);
	if (!same || *same != s->owner) {
		count_vip(s->vip, MPLB_VIP_C_TOKEN_COLLISIONS);
		entry = mplb_entry(mplb_entry_tag(entry), mplb_entry_tick(entry),
				   MPLB_TOKEN_COLLIDED, before);
	}
	bucket_swap(bucket, at, old, entry);
}

/* A client's segment brings a token. sure: its backend is the owner; else it may be the fallback.
 */
static __always_inline void learn(struct steer *s, __u32 token, int sure,
				  enum mplb_vip_counter counter)
{
	__u32 now = tick_now(), at = 0;
	__u64 entry = mplb_entry(token, now, MPLB_TOKEN_LEARNT, s->owner), old;
	struct mplb_bucket *bucket = token_bucket(token);
	int room;

	if (!bucket)
		return;
	old = bucket_find(bucket, token, &at);
	if (old) {
		/* Known, as when data follow the third ACK. */
		if (mplb_entry_state(old) != MPLB_TOKEN_COLLIDED &&
		    mplb_entry_index(old) != s->owner)
			learn_again(s, bucket, old, at, entry);
		return;
	}
	if (!sure) {
		count_vip(s->vip, MPLB_VIP_C_LEARN_UNSURE);
		return;
	}
	room = bucket_place(bucket, entry, now, TOKEN_KEEP);
	count_vip(s->vip, room == BUCKET_FULL ? MPLB_VIP_C_LEARN_FULL : counter);
	if (room == BUCKET_EVICTED)
		count_vip(s->vip, MPLB_VIP_C_TOKENS_EVICTED);
}

/* Do the options of a segment that has joined nothing have keys? The offset of their option from
 * the start of the TCP header; 0: none. */
static __always_inline __u32 find_keys(struct xdp_md *ctx, __u32 l4_off)
{
	const __u8 *tcp = steer_tcp(ctx, l4_off);

	if (!tcp || mptcp_is_dss(tcp + TCP_LEN, options_len(tcp), (void *)(long)ctx->data_end))
		return 0;
	return find_option(ctx, l4_off, MPTCP_SUB_MP_CAPABLE, MPTCP_KEYS_LENS);
}

/* The token of a key. Global: two thousand instructions, verified by themselves. */
__noinline __u32 token_of(__u32 high, __u32 low)
{
	return mplb_token(high, low);
}

/* Looks for keys in a segment of a flow that no join has made known, and learns its token.
 * opened: the subflow's entry, if its SYN was noted. */
static __always_inline void learn_from(struct xdp_md *ctx, struct steer *s, __u64 opened)
{
	__u32 at = find_keys(ctx, s->l4_off), l4_off = s->l4_off, off;
	struct mplb_vip_budget *budget;
	const __u8 *option;
	int sure;

	if (!at || at > TCP_LEN + MPTCP_OPTIONS_MAX || s->owner == MPLB_NO_BACKEND ||
	    l4_off > L4_MAX)
		return;
	off = l4_off + at;
	barrier_var(off);
	option = (void *)(long)ctx->data + off;
	if ((void *)(option + MPTCP_CAPABLE_ACK_LEN) > (void *)(long)ctx->data_end ||
	    (option[2] & 15) != MPTCP_VERSION)
		return;
	budget = budget_of(s->vip);
	if (!budget || !budget_take(&budget->learn, bpf_ktime_get_coarse_ns(), MPLB_LEARN_RATE,
				    MPLB_LEARN_BURST)) {
		count_vip(s->vip, MPLB_VIP_C_LEARN_LIMITED);
		return;
	}
	/* With a fallback the SYN may have come before the slot moved. */
	sure = s->fallback == s->owner || s->fallback == MPLB_NO_BACKEND ||
	       (mplb_entry_state(opened) == MPLB_SUBFLOW_OPENED &&
		mplb_entry_index(opened) == s->owner);
	learn(s,
	      token_of(bpf_ntohl(*(const __be32 *)(option + MPTCP_CAPABLE_KEY)),
		       bpf_ntohl(*(const __be32 *)(option + MPTCP_CAPABLE_KEY + 4))),
	      sure,
	      option[1] == MPTCP_CAPABLE_ACK_LEN ? MPLB_VIP_C_LEARNT_ACK : MPLB_VIP_C_LEARNT_DATA);
}

/* Anything but a SYN to a VIP that steers: to its subflow's backend, if it has joined; else it may
 * bring a token. Returns 0. */
__noinline int steer_segment(struct xdp_md *ctx, struct steer *s)
{
	struct mplb_bucket *bucket;
	const __u8 *tcp;
	__u32 at = 0;
	__u64 entry;

	if (!s)
		return 0;
	bucket = subflow_bucket(s->name);
	if (!bucket)
		return 0;
	entry = bucket_find(bucket, mplb_subflow_tag(s->name), &at);
	tcp = s->error || trace_of(ctx) ? NULL : steer_tcp(ctx, s->l4_off);
	if (mplb_entry_state(entry) < MPLB_SUBFLOW_JOINING) {
		if (tcp && options_len(tcp) >= MPTCP_CAPABLE_ACK_LEN &&
		    (tcp[13] & (TCP_SYN | TCP_RST | TCP_ACK)) == TCP_ACK)
			learn_from(ctx, s, entry);
		return 0;
	}
	if (mplb_entry_index(entry) != s->owner) {
		s->fallback = s->owner;
		s->owner = (__u16)mplb_entry_index(entry);
	}
	s->via = MPLB_VIA_SUBFLOW;
	if (tcp && (tcp[13] & (TCP_RST | TCP_ACK)) == TCP_ACK) {
		__u64 fresh = mplb_entry(mplb_subflow_tag(s->name), tick_now(), MPLB_SUBFLOW_JOINED,
					 mplb_entry_index(entry));

		if (fresh != entry)
			bucket_swap(bucket, at, entry, fresh);
	}
	steer_done(ctx, s);
	return 0;
}

#endif
