/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_BPF_REJECT_H
#define MPLB_BPF_REJECT_H

/*
 * The answer to a SYN that must not go to any server: RST, made of the SYN
 * itself; to a join with MP_TCPRST (RFC 8684, 3.6): the client keeps its
 * connection and uses the address that the server advertises.
 */
#include "bpf/count.h"
#include "bpf/packet.h"
#include "mplb/mptcp.h"

struct reset {
	struct tcphdr tcp;
	__u8 kind, len, subtype, reason; /* MP_TCPRST, no flags */
};
_Static_assert(sizeof(struct reset) == 24, "a TCP header and a word of options");

/* len: of the reset that is sent, with its option or without. */
static __always_inline struct reset make_reset(const struct tcphdr *syn, __u32 len)
{
	struct reset r = {
		.tcp = { .source = syn->dest,
			 .dest = syn->source,
			 .ack_seq = bpf_htonl(bpf_ntohl(syn->seq) + 1),
			 .rst = 1,
			 .ack = 1, },
	};

	r.tcp.doff = (__u16)(len / 4) & 15;
	if (len == sizeof(r)) {
		r.kind = MPTCP_KIND;
		r.len = 4;
		r.subtype = MPTCP_SUB_MP_TCPRST << 4;
		r.reason = MPTCP_RST_PROHIBITED;
	}
	return r;
}

/* Puts the reset behind the IP header at l3, which loses its options; addresses
 * swapped. What is beyond len is 0, for the checksum's sake. */
static __always_inline void answer_ipv4(struct iphdr *ip, struct reset *r, __u32 len)
{
	__u64 pseudo = (__u64)ip->saddr + ip->daddr + bpf_htonl(IPPROTO_TCP << 16 | len);

	r->tcp.check = (__sum16)~fold(pseudo + sum_words(r, sizeof(*r)));
	make_ipv4(ip, ip->daddr, ip->saddr, IPPROTO_TCP, IPV4_LEN + len);
	__builtin_memcpy(ip + 1, r, TCP_LEN);
	if (len == sizeof(*r))
		__builtin_memcpy((void *)(ip + 1) + TCP_LEN, &r->kind, 4);
}

static __always_inline void answer_ipv6(struct ipv6hdr *ip6, struct reset *r, __u32 len)
{
	struct in6_addr src = ip6->saddr;
	__u64 pseudo = sum_words(&ip6->saddr, 32) + bpf_htonl(len) + bpf_htonl(IPPROTO_TCP);

	r->tcp.check = (__sum16)~fold(pseudo + sum_words(r, sizeof(*r)));
	*(__be32 *)ip6 = bpf_htonl(6u << 28);
	ip6->payload_len = bpf_htons((__u16)len);
	ip6->nexthdr = IPPROTO_TCP;
	ip6->hop_limit = FRESH_TTL;
	ip6->saddr = ip6->daddr;
	ip6->daddr = src;
	__builtin_memcpy(ip6 + 1, r, TCP_LEN);
	if (len == sizeof(*r))
		__builtin_memcpy((void *)(ip6 + 1) + TCP_LEN, &r->kind, 4);
}

/* Answers the SYN in ctx, for a reason whose action is TX; a join's options take
 * at least 4 bytes, so the answer always fits. Returns an XDP action. A global
 * function: rare, large, and verified by itself. */
__noinline int reset_syn(struct xdp_md *ctx, __u32 family, __u32 l3_off, __u32 l4_off, __u32 reason)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end, *l3;
	__u32 header = family == MPLB_FAMILY_4 ? IPV4_LEN : IPV6_LEN;
	__u32 len = reason == MPLB_R_JOIN_PORT_PLAIN ? TCP_LEN : sizeof(struct reset);
	const struct tcphdr *syn;
	struct reset r;

	if (reason >= MPLB_R_MAX || l3_off > L3_MAX || l4_off > L4_MAX || data + L3_MAX > end)
		return finish(ctx, MPLB_R_L4_TRUNCATED);
	l3 = data + l3_off;
	syn = data + l4_off;
	if ((void *)(syn + 1) > end)
		return finish(ctx, MPLB_R_L4_TRUNCATED);
	r = make_reset(syn, len);
	if (family == MPLB_FAMILY_4 && l3 + IPV4_LEN + len <= end)
		answer_ipv4(l3, &r, len);
	else if (family == MPLB_FAMILY_6 && l3 + IPV6_LEN + len <= end)
		answer_ipv6(l3, &r, len);
	else
		return finish(ctx, MPLB_R_L4_TRUNCATED);
	swap_ethernet(data);
	if (bpf_xdp_adjust_tail(ctx, (int)(l3_off + header + len) - (int)frame_len(ctx)))
		return finish(ctx, MPLB_R_L4_TRUNCATED);
	return finish(ctx, reason);
}

#endif
