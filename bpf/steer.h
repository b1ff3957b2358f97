/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_BPF_STEER_H
#define MPLB_BPF_STEER_H

/*
 * VIPs with `mp_join: steer`: which backend a token or a joined subflow belongs to
 * (docs/packet-walk.md, 7). In global functions, apart from the path of VIPs that do not steer, and
 * each verified by itself.
 */
#include "bpf/steer_common.h"
#include "bpf/steer_learn.h"

/* A new connection: what its 5-tuple was before is over. Where the slot has a fallback, notes that
 * the SYN has gone to the owner: then so does the third ACK, whatever it brings. */
static __always_inline void open_connection(struct steer *s, int capable)
{
	struct mplb_bucket *bucket = subflow_bucket(s->name);
	__u32 tag = mplb_subflow_tag(s->name), now = tick_now(), at = 0;
	__u64 entry = 0, old;

	if (!bucket)
		return;
	if (capable && s->owner != s->fallback && s->owner != MPLB_NO_BACKEND &&
	    s->fallback != MPLB_NO_BACKEND)
		entry = mplb_entry(tag, now, MPLB_SUBFLOW_OPENED, s->owner);
	old = bucket_find(bucket, tag, &at);
	if (old)
		bucket_swap(bucket, at, old, entry);
	else if (entry)
		bucket_place(bucket, entry, now, OPENED_KEEP);
}

/* Notes that the subflow is of this backend. False: there is no room for it. */
static __always_inline int note_subflow(const struct steer *s, __u32 index)
{
	struct mplb_bucket *bucket = subflow_bucket(s->name);
	__u32 tag = mplb_subflow_tag(s->name), now = tick_now(), at = 0;
	__u64 entry = mplb_entry(tag, now, MPLB_SUBFLOW_JOINING, index), old;
	int room;

	if (!bucket)
		return 0;
	old = bucket_find(bucket, tag, &at);
	if (old)
		return bucket_swap(bucket, at, old, entry);
	room = bucket_place(bucket, entry, now, SUBFLOW_KEEP);
	if (room == BUCKET_EVICTED)
		count_vip(s->vip, MPLB_VIP_C_SUBFLOWS_EVICTED);
	return room != BUCKET_FULL;
}

/* A SYN with MP_JOIN and s->token: to the token's backend. Returns 0, or the reason why not. */
static __always_inline int steer_join(struct xdp_md *ctx, struct steer *s)
{
	struct mplb_bucket *bucket = token_bucket(s->token);
	__u32 at = 0, *index;
	__u64 entry, fresh;

	if (!bucket)
		return MPLB_R_JOIN_UNKNOWN;
	entry = bucket_find(bucket, s->token, &at);
	if (!entry)
		return MPLB_R_JOIN_UNKNOWN;
	if (mplb_entry_state(entry) == MPLB_TOKEN_COLLIDED)
		return MPLB_R_JOIN_COLLISION;
	index = member_of(s->table, mplb_entry_index(entry));
	if (!index)
		return MPLB_R_JOIN_GONE;
	if (!trace_of(ctx)) {
		if (!note_subflow(s, *index))
			return MPLB_R_JOIN_FULL;
		fresh = mplb_entry(s->token, tick_now(), MPLB_TOKEN_JOINED,
				   mplb_entry_index(entry));
		if (fresh != entry)
			bucket_swap(bucket, at, entry, fresh);
		count_vip(s->vip, MPLB_VIP_C_JOIN_STEERED);
	}
	s->owner = (__u16)*index;
	s->fallback = MPLB_NO_BACKEND;
	s->via = MPLB_VIA_TOKEN;
	return 0;
}

#define READ_TOKEN MPTCP_SAW(31) /* no subtype: there is a token */

/* What a SYN at l4_off is: a set of MPTCP_SAW() bits, and the token of its join in *token, where it
 * has one of the right length: READ_TOKEN. */
static __always_inline __u32 read_syn(struct xdp_md *ctx, __u32 l4_off, __u32 *token)
{
	const __u8 *tcp = steer_tcp(ctx, l4_off);
	__u32 seen, at;

	if (!tcp)
		return 0;
	seen = syn_subtypes(ctx, l4_off, (__u32)(tcp[12] >> 4) * 4);
	if (!(seen & MPTCP_SAW(MPTCP_SUB_MP_JOIN)))
		return seen;
	/* Of another length, Linux does not take it for a join; nor is it for any backend. */
	at = find_option(ctx, l4_off, MPTCP_SUB_MP_JOIN, MPTCP_JOIN_LENS);
	if (!at || at > TCP_LEN + MPTCP_OPTIONS_MAX || l4_off > L4_MAX)
		return seen;
	at += l4_off + MPTCP_JOIN_TOKEN;
	barrier_var(at);
	tcp = (void *)(long)ctx->data + at;
	if ((const void *)(tcp + 4) > (void *)(long)ctx->data_end)
		return seen;
	*token = bpf_ntohl(*(const __be32 *)tcp);
	return seen | READ_TOKEN;
}

/* A SYN to a VIP that steers: sets s->owner and s->fallback, or s->reason. Returns 0. */
__noinline int steer_syn(struct xdp_md *ctx, struct steer *s)
{
	__u32 seen, token = 0;

	if (!s)
		return 0;
	seen = read_syn(ctx, s->l4_off, &token);
	if (seen & MPTCP_SAW(MPTCP_SUB_MP_JOIN)) {
		s->token = token;
		s->reason = MPLB_R_JOIN_UNKNOWN;
		if (seen & READ_TOKEN)
			s->reason = (__u8)steer_join(ctx, s);
	} else if (!trace_of(ctx)) {
		int capable = !!(seen & MPTCP_SAW(MPTCP_SUB_MP_CAPABLE));

		count_vip(s->vip, capable ? MPLB_VIP_C_SYN_CAPABLE : MPLB_VIP_C_SYN_PLAIN);
		open_connection(s, capable);
	}
	if (!s->reason)
		steer_done(ctx, s);
	return 0;
}

/* A packet to the join port of this id. As steer_syn(). */
__noinline int steer_port(struct xdp_md *ctx, struct steer *s, __u32 id, __u32 syn)
{
	__u32 token = 0, *index;

	if (!s)
		return 0;
	if (syn && !(read_syn(ctx, s->l4_off, &token) & MPTCP_SAW(MPTCP_SUB_MP_JOIN))) {
		s->reason = MPLB_R_JOIN_PORT_PLAIN;
		return 0;
	}
	index = member_of(s->table, MPLB_MEMBER_ID | id);
	if (!index) {
		s->reason = syn ? MPLB_R_JOIN_GONE : MPLB_R_JOIN_PORT_LOST;
		return 0;
	}
	if (syn && !trace_of(ctx))
		count_vip(s->vip, MPLB_VIP_C_JOIN_BY_PORT);
	s->owner = (__u16)*index;
	s->fallback = MPLB_NO_BACKEND;
	s->via = MPLB_VIA_PORT;
	steer_done(ctx, s);
	return 0;
}

/* Is this a SYN, and neither an error about one? */
static __always_inline int is_syn(const struct xdp_md *ctx, const struct packet *p)
{
	const __u8 *tcp = p->error ? NULL : steer_tcp(ctx, p->l4_off);

	return tcp && (tcp[13] & (TCP_SYN | TCP_RST | TCP_ACK)) == TCP_SYN;
}

#endif
