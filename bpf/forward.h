/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_BPF_FORWARD_H
#define MPLB_BPF_FORWARD_H

/* Sending a packet to its backend: MAC rewrite or an outer header, then out of the right device. */
#include "bpf/count.h"
#include "bpf/nexthop.h"

#define OUTER_TTL 64

static __always_inline void write_ethernet(struct ethhdr *eth, const struct nexthop *hop,
					   __be16 proto)
{
	__builtin_memcpy(eth->h_dest, hop->dmac, 6);
	__builtin_memcpy(eth->h_source, hop->smac, 6);
	eth->h_proto = proto;
}

/* Outer IPv4 header (RFC 2003; 6in4: RFC 4213). The sum over its constant words comes with the
 * backend; TOS, length and protocol are added here. DF is set: a fragmented tunnel loses silently.
 */
static __always_inline void write_outer_ipv4(struct iphdr *ip, const struct mplb_backend *b,
					     const struct packet *p)
{
	__be16 tot_len = bpf_htons((__u16)(p->ip_len + IPV4_LEN));
	__u8 proto = p->family == MPLB_FAMILY_4 ? IPPROTO_IPIP : IPPROTO_IPV6;
	__u32 sum = b->csum + (__u32)tot_len + bpf_htons(p->tos) + bpf_htons(proto);

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	ip->version = 4;
	ip->ihl = 5;
	ip->tos = p->tos;
	ip->tot_len = tot_len;
	ip->id = 0;
	ip->frag_off = bpf_htons(0x4000);
	ip->ttl = OUTER_TTL;
	ip->protocol = proto;
	ip->check = (__sum16)~sum;
	ip->saddr = b->src.word[0];
	ip->daddr = b->dst.word[0];
}

/* Outer IPv6 header (RFC 2473). The flow label spreads flows over equal paths (RFC 6438). */
static __always_inline void write_outer_ipv6(struct ipv6hdr *ip6, const struct mplb_backend *b,
					     const struct packet *p, __u32 hash)
{
	__u8 next = p->family == MPLB_FAMILY_4 ? IPPROTO_IPIP : IPPROTO_IPV6;

	*(__be32 *)ip6 = bpf_htonl(6u << 28 | (__u32)p->tos << 20 | (hash & 0xfffff));
	ip6->payload_len = bpf_htons((__u16)p->ip_len);
	ip6->nexthdr = next;
	ip6->hop_limit = OUTER_TTL;
	__builtin_memcpy(&ip6->saddr, &b->src, 16);
	__builtin_memcpy(&ip6->daddr, &b->dst, 16);
}

static __always_inline int leave(const struct xdp_md *ctx, __u32 ifindex)
{
	if (ifindex == ctx->ingress_ifindex)
		return XDP_TX;
	return (int)bpf_redirect(ifindex, 0);
}

static __always_inline int forward_l2(struct xdp_md *ctx, const struct nexthop *hop)
{
	struct ethhdr *eth = (void *)(long)ctx->data;

	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return finish(ctx, MPLB_R_LENGTH_MISMATCH);
	write_ethernet(eth, hop, eth->h_proto);
	return leave(ctx, hop->ifindex);
}

static __always_inline int forward_ipip4(struct xdp_md *ctx, const struct mplb_backend *b,
					 const struct packet *p, const struct nexthop *hop)
{
	void *data;

	if (bpf_xdp_adjust_head(ctx, -IPV4_LEN))
		return finish(ctx, MPLB_R_NO_HEADROOM);
	data = (void *)(long)ctx->data;
	if (data + ETH_LEN + IPV4_LEN > (void *)(long)ctx->data_end)
		return finish(ctx, MPLB_R_LENGTH_MISMATCH);
	write_ethernet(data, hop, bpf_htons(ETH_P_IP));
	write_outer_ipv4(data + ETH_LEN, b, p);
	return leave(ctx, hop->ifindex);
}

static __always_inline int forward_ipip6(struct xdp_md *ctx, const struct mplb_backend *b,
					 const struct packet *p, const struct nexthop *hop,
					 __u32 hash)
{
	void *data;

	if (bpf_xdp_adjust_head(ctx, -IPV6_LEN))
		return finish(ctx, MPLB_R_NO_HEADROOM);
	data = (void *)(long)ctx->data;
	if (data + ETH_LEN + IPV6_LEN > (void *)(long)ctx->data_end)
		return finish(ctx, MPLB_R_LENGTH_MISMATCH);
	write_ethernet(data, hop, bpf_htons(ETH_P_IPV6));
	write_outer_ipv6(data + ETH_LEN, b, p, hash);
	return leave(ctx, hop->ifindex);
}

/* Counts the packet (unless it is a made-up one) and sends it to backend number index. */
static __always_inline int forward(struct xdp_md *ctx, const struct packet *p, __u32 hash,
				   __u32 vip, __u32 index)
{
	const struct mplb_backend *b = bpf_map_lookup_elem(&mplb_backends, &index);
	struct mplb_trace *trace;
	struct nexthop hop;
	__u32 outer, resolved;

	if (!b)
		return finish(ctx, MPLB_R_TABLE_INCONSISTENT);
	outer = b->forward == MPLB_FORWARD_L2 ? 0
		: b->family == MPLB_FAMILY_4  ? IPV4_LEN
					      : IPV6_LEN;
	if (p->ip_len + outer > b->mtu)
		return finish(ctx, MPLB_R_TOO_BIG);
	resolved = b->flags & MPLB_BACKEND_F_RESOLVED;
	if (resolved) {
		hop.ifindex = b->ifindex;
		__builtin_memcpy(hop.dmac, b->dmac, 6);
		__builtin_memcpy(hop.smac, b->smac, 6);
	} else {
		int reason = nexthop_from_fib(ctx, b, p->ip_len + outer, &hop);

		/* A reason must be a constant for finish(). */
		switch (reason) {
		case MPLB_R_FORWARDED:
			break;
		case MPLB_R_NO_NEIGHBOUR:
			return finish(ctx, MPLB_R_NO_NEIGHBOUR);
		case MPLB_R_FORWARDING_OFF:
			return finish(ctx, MPLB_R_FORWARDING_OFF);
		case MPLB_R_TOO_BIG:
			return finish(ctx, MPLB_R_TOO_BIG);
		default:
			return finish(ctx, MPLB_R_NO_ROUTE);
		}
	}
	trace = trace_of(ctx);
	if (trace) {
		trace->reason = MPLB_R_FORWARDED;
		trace->fib = !resolved;
		trace->ifindex = hop.ifindex;
	} else {
		count_forwarded(vip, index, p->ip_len);
	}
	if (!outer)
		return forward_l2(ctx, &hop);
	if (outer == IPV4_LEN)
		return forward_ipip4(ctx, b, p, &hop);
	return forward_ipip6(ctx, b, p, &hop, hash);
}

#endif
