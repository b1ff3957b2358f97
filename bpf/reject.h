/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_BPF_REJECT_H
#define MPLB_BPF_REJECT_H

/*
 * The answer to a join that must not go to any server: RST with MP_TCPRST (RFC
 * 8684, 3.6), made of the SYN itself. The client keeps its connection and uses
 * the address that the server advertises.
 */
#include "bpf/count.h"
#include "bpf/packet.h"
#include "mplb/mptcp.h"

struct reset {
	struct tcphdr tcp;
	__u8 kind, len, subtype, reason; /* MP_TCPRST, no flags */
};
_Static_assert(sizeof(struct reset) == 24, "a TCP header and a word of options");

static __always_inline struct reset make_reset(const struct tcphdr *syn)
{
	return (struct reset){
      .tcp =
          {
              .source = syn->dest,
              .dest = syn->source,
              .ack_seq = bpf_htonl(bpf_ntohl(syn->seq) + 1),
              .doff = sizeof(struct reset) / 4,
              .rst = 1,
              .ack = 1,
          },
      .kind = MPTCP_KIND,
      .len = 4,
      .subtype = MPTCP_SUB_MP_TCPRST << 4,
      .reason = MPTCP_RST_PROHIBITED,
  };
}

/* Puts the reset behind the IP header at l3, which loses its options; addresses
 * swapped. */
static __always_inline void answer_ipv4(struct iphdr *ip, struct reset *r)
{
	__u64 pseudo = (__u64)ip->saddr + ip->daddr + bpf_htonl(IPPROTO_TCP << 16 | sizeof(*r));

	r->tcp.check = (__sum16)~fold(pseudo + sum_words(r, sizeof(*r)));
	make_ipv4(ip, ip->daddr, ip->saddr, IPPROTO_TCP, IPV4_LEN + sizeof(*r));
	*(struct reset *)(ip + 1) = *r;
}

static __always_inline void answer_ipv6(struct ipv6hdr *ip6, struct reset *r)
{
	struct in6_addr src = ip6->saddr;
	__u64 pseudo = sum_words(&ip6->saddr, 32) + bpf_htonl(sizeof(*r)) + bpf_htonl(IPPROTO_TCP);

	r->tcp.check = (__sum16)~fold(pseudo + sum_words(r, sizeof(*r)));
	*(__be32 *)ip6 = bpf_htonl(6u << 28);
	ip6->payload_len = bpf_htons(sizeof(*r));
	ip6->nexthdr = IPPROTO_TCP;
	ip6->hop_limit = FRESH_TTL;
	ip6->saddr = ip6->daddr;
	ip6->daddr = src;
	*(struct reset *)(ip6 + 1) = *r;
}

/* Answers the SYN+MP_JOIN in ctx; its options take at least 4 bytes, so the
 * answer always fits. Returns an XDP action. A global function: rare, large,
 * and verified by itself. */
__noinline int reject_join(struct xdp_md *ctx, __u32 family, __u32 l3_off, __u32 l4_off)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end, *l3;
	__u32 header = family == MPLB_FAMILY_4 ? IPV4_LEN : IPV6_LEN;
	const struct tcphdr *syn;
	struct reset r;

	if (l3_off > L3_MAX || l4_off > L4_MAX || data + L3_MAX > end)
		return finish(ctx, MPLB_R_L4_TRUNCATED);
	l3 = data + l3_off;
	syn = data + l4_off;
	if ((void *)(syn + 1) > end)
		return finish(ctx, MPLB_R_L4_TRUNCATED);
	r = make_reset(syn);
	if (family == MPLB_FAMILY_4 && l3 + IPV4_LEN + sizeof(r) <= end)
		answer_ipv4(l3, &r);
	else if (family == MPLB_FAMILY_6 && l3 + IPV6_LEN + sizeof(r) <= end)
		answer_ipv6(l3, &r);
	else
		return finish(ctx, MPLB_R_L4_TRUNCATED);
	swap_ethernet(data);
	if (bpf_xdp_adjust_tail(ctx,
				(int)(l3_off + header + (__u32)sizeof(r)) - (int)frame_len(ctx)))
		return finish(ctx, MPLB_R_L4_TRUNCATED);
	return finish(ctx, MPLB_R_JOIN_REJECTED);
}

#endif
