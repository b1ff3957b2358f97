/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_BPF_GUARD_H
#define MPLB_BPF_GUARD_H

/*
 * The guard of the dedicated addresses: what belongs to a socket of this host gets in, and what
 * asks to join one of its MPTCP connections; the rest is dropped before the stack keeps anything
 * for it. docs/guard.md has the rules. Each function that judges returns a MPLB_SERVER_R_GUARD_....
 *
 * In tc and not in XDP: the bulk of the data comes by dedicated addresses, and here it comes merged
 * by GRO, one look-up to dozens of segments; and every device and kernel has room for it.
 */
#include "bpf/guard_maps.h"
#include "bpf/guard_packet.h"
#include "bpf/server_maps.h"
#include "mplb/mptcp_join.h"

#define ICMP_ECHO      8
#define ICMP_TIMESTAMP 13
#define ICMP_INFO      15
#define ICMP_MASK      17
#define ICMP6_ECHO     128
#define ICMP6_NODE     139

/* Listed under guard_allow. Nothing is at the address of one connection. */
static __always_inline int guard_allows(const struct guarded *g, __u8 proto, __be16 port)
{
	struct mplb_guard_allow key = { .port = port, .proto = proto };

	return !g->derived && bpf_map_lookup_elem(&guard_allow, &key);
}

/* ---- joins ---- */

/* Takes one from this CPU's budget. */
static __always_inline int guard_is_early(__u64 now)
{
	__u32 zero = 0;
	struct mplb_guard_budget *budget = bpf_map_lookup_elem(&guard_budget, &zero);
	__u64 fresh;

	if (!budget)
		return 0;
	fresh = (now - budget->last_ns) / (1000000000ULL / MPLB_GUARD_EARLY_RATE);
	if (fresh) {
		budget->tokens += fresh;
		if (fresh > MPLB_GUARD_EARLY_BURST || budget->tokens > MPLB_GUARD_EARLY_BURST)
			budget->tokens = MPLB_GUARD_EARLY_BURST;
		budget->last_ns = now;
	}
	if (!budget->tokens)
		return 0;
	budget->tokens -= 1;
	return 1;
}

/* Does the token let the join in? */
static __always_inline int guard_judge_token(const struct mplb_guard *guard,
					     const struct guarded *g, __u32 token)
{
	__u64 now = bpf_ktime_get_coarse_ns();
	struct mplb_ip address;
	__u32 zero = 0;
	__u64 *beat;

	if (g->derived) {
		mplb_guard_address(guard, token, &address);
		if (address.word[2] != g->dst.addr.word[2] ||
		    address.word[3] != g->dst.addr.word[3])
			return MPLB_SERVER_R_GUARD_ADDRESS;
	}
	if (bpf_map_lookup_elem(&guard_tokens, &token))
		return MPLB_SERVER_R_GUARD_JOIN;
	beat = bpf_map_lookup_elem(&guard_beat, &zero);
	if (!beat || (now > *beat && now - *beat > MPLB_GUARD_STALE_NS))
		return guard->flags & MPLB_GUARD_F_CLOSED ? MPLB_SERVER_R_GUARD_TOKEN
							  : MPLB_SERVER_R_GUARD_STALE;
	return guard_is_early(now) ? MPLB_SERVER_R_GUARD_EARLY : MPLB_SERVER_R_GUARD_TOKEN;
}

/*
 * Would the SYN reach a socket that knows MPTCP? A listener that does not would take it for a SYN
 * of plain TCP, whatever its token. A flow that is there already (a connection in TIME_WAIT) is the
 * stack's matter. With assign, a listener gets the SYN, whatever address it is to.
 */
static __always_inline int guard_has_listener(struct __sk_buff *skb, struct bpf_sock_tuple *tuple,
					      __u32 len, int assign)
{
	struct bpf_sock *sk = bpf_skc_lookup_tcp(skb, tuple, len, BPF_F_CURRENT_NETNS, 0);
	int has = 1;

	if (!sk)
		return 0;
	if (sk->state == BPF_TCP_LISTEN) {
		has = bpf_skc_to_mptcp_sock(sk) != NULL;
		if (has && assign)
			has = !bpf_sk_assign(skb, sk, 0);
	}
	bpf_sk_release(sk);
	return has;
}

/* server-pm listens at one address of the prefix where the application does not at all of them. */
static __always_inline int guard_has_common_listener(struct __sk_buff *skb,
						     const struct mplb_guard *guard,
						     const struct guarded *g)
{
	struct bpf_sock_tuple tuple = g->tuple;
	struct mplb_ip common;

	mplb_guard_address(guard, 0, &common);
	__builtin_memcpy(tuple.ipv6.daddr, &common, sizeof(common));
	return guard_has_listener(skb, &tuple, sizeof(tuple.ipv6), 1);
}

/* What a SYN's options are, len bytes at off: MPTCP subtypes, as mptcp_subtypes(). Walks are global
 * functions, so that the verifier follows each once and by itself. */
__noinline int guard_subtypes(struct __sk_buff *skb, __u32 off, __u32 len)
{
	const void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	if (off > GUARD_L4_MAX + TCP_LEN || len > MPTCP_OPTIONS_MAX)
		return 0;
	barrier_var(off);
	return (int)mptcp_subtypes(data + off, len, end);
}

/* Where among them MP_JOIN of a SYN begins; -1: there is none. */
__noinline int guard_join(struct __sk_buff *skb, __u32 off, __u32 len)
{
	const void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	if (off > GUARD_L4_MAX + TCP_LEN || len > MPTCP_OPTIONS_MAX)
		return -1;
	barrier_var(off);
	return mptcp_find(data + off, len, end, MPTCP_SUB_MP_JOIN, MPTCP_JOIN_LENS);
}

/* 1 where the SYN is a join, with its token in *token, else 0. */
static __always_inline int guard_find_token(struct __sk_buff *skb, __u32 off, __u32 len,
					    __u32 *token)
{
	__u32 join;

	if (!mptcp_may_join((__u32)guard_subtypes(skb, off, len)))
		return 0;
	join = (__u32)guard_join(skb, off, len);
	if (join >= MPTCP_OPTIONS_MAX ||
	    bpf_skb_load_bytes(skb, off + join + MPTCP_JOIN_TOKEN, token, sizeof(*token)))
		return 0;
	*token = bpf_ntohl(*token);
	return 1;
}

static __always_inline int guard_judge_syn(struct __sk_buff *skb, const struct mplb_guard *guard,
					   struct guarded *g, __u32 options)
{
	__u32 off = g->l4_off + TCP_LEN, token = 0;
	int reason;

	if (!guard_have(skb, off + options))
		return MPLB_SERVER_R_GUARD_MALFORMED;
	if (!guard_find_token(skb, off, options, &token))
		return MPLB_SERVER_R_GUARD_SYN;
	reason = guard_judge_token(guard, g, token);
	if (reason == MPLB_SERVER_R_GUARD_ADDRESS || reason == MPLB_SERVER_R_GUARD_TOKEN)
		return reason;
	if (guard_has_listener(skb, &g->tuple, g->tuple_len, 0))
		return reason;
	if (g->derived && guard_has_common_listener(skb, guard, g))
		return reason;
	return MPLB_SERVER_R_GUARD_LISTENER;
}

/* ---- the rest of TCP ---- */

/* True where the segment carries a SYN cookie that this listener made. */
static __always_inline int guard_has_cookie(struct __sk_buff *skb, struct bpf_sock *sk,
					    const struct guarded *g)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	__u32 len = g->dst.family == MPLB_FAMILY_4 ? IPV4_LEN : IPV6_LEN, off = g->l4_off;
	void *ip = data + ETH_LEN;
	struct tcphdr *tcp;

	if (off > GUARD_L4_MAX)
		return 0;
	tcp = data + off;
	/* Of IPv4, too, there are as many bytes: 20 and a TCP header. */
	if (ip + IPV6_LEN > end || (void *)(tcp + 1) > end)
		return 0;
	return !bpf_tcp_check_syncookie(sk, ip, len, tcp, sizeof(*tcp));
}

static __always_inline int guard_judge_segment(struct __sk_buff *skb, struct guarded *g)
{
	struct bpf_sock *sk =
		bpf_skc_lookup_tcp(skb, &g->tuple, g->tuple_len, BPF_F_CURRENT_NETNS, 0);
	int reason = MPLB_SERVER_R_GUARD_UNKNOWN;

	if (sk) {
		if (sk->state != BPF_TCP_LISTEN)
			reason = MPLB_SERVER_R_GUARD_SOCKET;
		else if (guard_has_cookie(skb, sk, g))
			reason = MPLB_SERVER_R_GUARD_COOKIE;
		bpf_sk_release(sk);
	}
	if (reason == MPLB_SERVER_R_GUARD_UNKNOWN && guard_allows(g, IPPROTO_TCP, g->dport))
		return MPLB_SERVER_R_GUARD_ALLOWED;
	return reason;
}

static __always_inline int guard_judge_tcp(struct __sk_buff *skb, const struct mplb_guard *guard,
					   struct guarded *g)
{
	__u32 off = g->l4_off, header;
	const struct tcphdr *tcp;
	int opens;

	if (off > GUARD_L4_MAX || !guard_have(skb, off + TCP_LEN))
		return MPLB_SERVER_R_GUARD_MALFORMED;
	tcp = (void *)(long)skb->data + off;
	if ((const void *)(tcp + 1) > (void *)(long)skb->data_end || tcp->doff < TCP_LEN / 4)
		return MPLB_SERVER_R_GUARD_MALFORMED;
	guarded_set_ports(g, tcp->source, tcp->dest);
	header = tcp->doff * 4;
	opens = tcp->syn && !tcp->ack;
	if (!opens)
		return guard_judge_segment(skb, g);
	if (guard_allows(g, IPPROTO_TCP, g->dport))
		return MPLB_SERVER_R_GUARD_ALLOWED;
	return guard_judge_syn(skb, guard, g, header - TCP_LEN);
}

/* ---- other protocols ---- */

/* A socket that is connected has asked; so, by its port, has one that no service could have. */
static __always_inline int guard_judge_udp(struct __sk_buff *skb, const struct mplb_guard *guard,
					   struct guarded *g)
{
	int reason = MPLB_SERVER_R_GUARD_OTHER;
	__u32 off = g->l4_off;
	const struct udphdr *udp;
	struct bpf_sock *sk;

	if (off > GUARD_L4_MAX || !guard_have(skb, off + UDP_LEN))
		return MPLB_SERVER_R_GUARD_MALFORMED;
	udp = (void *)(long)skb->data + off;
	if ((const void *)(udp + 1) > (void *)(long)skb->data_end)
		return MPLB_SERVER_R_GUARD_MALFORMED;
	guarded_set_ports(g, udp->source, udp->dest);
	if (g->derived)
		return reason;
	if (guard_allows(g, IPPROTO_UDP, g->dport))
		return MPLB_SERVER_R_GUARD_ALLOWED;
	sk = bpf_sk_lookup_udp(skb, &g->tuple, g->tuple_len, BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return reason;
	if (sk->state == BPF_TCP_ESTABLISHED || bpf_ntohs(g->dport) >= guard->ephemeral)
		reason = MPLB_SERVER_R_GUARD_ANSWER;
	bpf_sk_release(sk);
	return reason;
}

static __always_inline int guard_judge_icmp(struct __sk_buff *skb, const struct guarded *g)
{
	__u32 off = g->l4_off;
	const __u8 *type;
	int asks;

	if (off > GUARD_L4_MAX || !guard_have(skb, off + ICMP_LEN))
		return MPLB_SERVER_R_GUARD_MALFORMED;
	type = (void *)(long)skb->data + off;
	if ((const void *)(type + 1) > (void *)(long)skb->data_end)
		return MPLB_SERVER_R_GUARD_MALFORMED;
	if (g->dst.family == MPLB_FAMILY_4)
		asks = *type == ICMP_ECHO || *type == ICMP_TIMESTAMP || *type == ICMP_INFO ||
		       *type == ICMP_MASK;
	else
		asks = *type == ICMP6_ECHO || *type == ICMP6_NODE;
	if (!asks)
		return MPLB_SERVER_R_GUARD_ICMP;
	return guard_allows(g, g->proto, 0) ? MPLB_SERVER_R_GUARD_ALLOWED
					    : MPLB_SERVER_R_GUARD_REQUEST;
}

static __always_inline int guard_judge_fragment(const struct guarded *g)
{
	if (g->proto == IPPROTO_TCP)
		return MPLB_SERVER_R_GUARD_TCP_FRAGMENT;
	if (g->proto == IPPROTO_UDP || g->proto == guarded_icmp(g))
		return MPLB_SERVER_R_GUARD_FRAGMENT;
	return guard_allows(g, g->proto, 0) ? MPLB_SERVER_R_GUARD_ALLOWED
					    : MPLB_SERVER_R_GUARD_OTHER;
}

/* What becomes of a packet to a guarded address. */
static __always_inline int guard_judge(struct __sk_buff *skb, const struct mplb_guard *guard,
				       struct guarded *g)
{
	if (g->malformed)
		return MPLB_SERVER_R_GUARD_MALFORMED;
	if (g->fragment && (g->proto == IPPROTO_TCP || g->fragment == GUARDED_LATER))
		return guard_judge_fragment(g);
	if (g->proto == IPPROTO_TCP)
		return guard_judge_tcp(skb, guard, g);
	if (g->proto == IPPROTO_UDP)
		return guard_judge_udp(skb, guard, g);
	if (g->proto == guarded_icmp(g))
		return guard_judge_icmp(skb, g);
	return guard_allows(g, g->proto, 0) ? MPLB_SERVER_R_GUARD_ALLOWED
					    : MPLB_SERVER_R_GUARD_OTHER;
}

#endif
