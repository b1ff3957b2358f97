/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_BPF_STEER_H
#define MPLB_BPF_STEER_H

/*
 * VIPs with `mp_join: steer`: which backend a token or a joined subflow belongs to
 * (docs/packet-walk.md, 7). In global functions, apart from the path of VIPs that do not steer, and
 * each verified by itself.
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

/* Learning */

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

/* SYNs */

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
