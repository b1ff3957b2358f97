/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_BPF_FORWARD_H
#define MPLB_BPF_FORWARD_H

/* Sending a packet to its backend: new Ethernet header, an outer header if the
 * pool has one, out of the right device. docs/packet-walk.md, 5. */
#include "bpf/count.h"
#include "bpf/icmp.h"
#include "bpf/nexthop.h"
#include "mplb/gue.h"

#define GUE_OUTER_4 (IPV4_LEN + UDP_LEN + MPLB_GUE_LEN_4)
#define GUE_OUTER_6 (IPV6_LEN + UDP_LEN + MPLB_GUE_LEN_6)

/* A packet on its way out. */
struct departure {
	const struct mplb_backend *backend;
	__u32 vip, owner; /* indexes, for the counters */
	__u32 ip_len;
	__u32 hash;
	__u32 fallback; /* index, or MPLB_NO_BACKEND */
	struct nexthop hop;
};

static __always_inline __u8 inner_proto(const struct packet *p)
{
	return p->family == MPLB_FAMILY_4 ? IPPROTO_IPIP : IPPROTO_IPV6;
}

/* Outer IPv4 header. The sum over its constant words comes with the backend;
 * TOS, length and protocol are added here. DF is set: a fragmented tunnel loses
 * silently. */
static __always_inline void write_outer_ipv4(struct iphdr *ip, const struct mplb_backend *b,
					     const struct packet *p, __u8 proto, __u32 overhead)
{
	__be16 tot_len = bpf_htons((__u16)(p->ip_len + overhead));
	__u32 sum = b->csum + (__u32)tot_len + bpf_htons(p->tos) + bpf_htons(proto);

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	ip->version = 4;
	ip->ihl = 5;
	ip->tos = p->tos;
	ip->tot_len = tot_len;
	ip->id = 0;
	ip->frag_off = bpf_htons(IPV4_DF);
	ip->ttl = FRESH_TTL;
	ip->protocol = proto;
	ip->check = (__sum16)~sum;
	ip->saddr = b->src.word[0];
	ip->daddr = b->dst.word[0];
}

/* Outer IPv6 header (RFC 2473). The flow label spreads flows over equal paths
 * (RFC 6438). */
static __always_inline void write_outer_ipv6(struct ipv6hdr *ip6, const struct mplb_backend *b,
					     const struct packet *p, __u8 proto, __u32 overhead,
					     __u32 hash)
{
	*(__be32 *)ip6 = bpf_htonl(6u << 28 | (__u32)p->tos << 20 | (hash & 0xfffff));
	ip6->payload_len = bpf_htons((__u16)(p->ip_len + overhead - IPV6_LEN));
	ip6->nexthdr = proto;
	ip6->hop_limit = FRESH_TTL;
	__builtin_memcpy(&ip6->saddr, &b->src, 16);
	__builtin_memcpy(&ip6->daddr, &b->dst, 16);
}

/* UDP and GUE headers with the fallback's address; include/mplb/gue.h. len: of
 * the UDP datagram. */
static __always_inline void write_gue(struct udphdr *udp, const struct departure *d, __u8 proto,
				      __u32 len, __u32 address)
{
	struct mplb_gue *gue = (void *)(udp + 1);
	const struct mplb_backend *fallback = NULL;
	__u32 index = d->fallback;

	udp->source = bpf_htons((__u16)(MPLB_GUE_SPORT_BASE + (d->hash & MPLB_GUE_SPORT_MASK)));
	udp->dest = bpf_htons(MPLB_GUE_PORT);
	udp->len = bpf_htons((__u16)len);
	udp->check = 0;
	*gue = (struct mplb_gue){
		.hlen = (__u8)((sizeof(*gue) - 4 + address) / 4),
		.proto = proto,
		.version = MPLB_GUE_VERSION,
	};
	if (index != MPLB_NO_BACKEND)
		fallback = bpf_map_lookup_elem(&mplb_backends, &index);
	if (fallback) {
		gue->family = fallback->family;
		__builtin_memcpy(gue + 1, &fallback->dst, address);
	} else {
		__builtin_memset(gue + 1, 0, address);
	}
}

/*
 * Moves the start of the frame so that overhead bytes fit between the Ethernet
 * header (and a VLAN tag, if the next hop has one) and the IP header, and
 * writes the former. Returns where the outer header begins, checked for
 * overhead bytes; NULL where the driver left no room.
 */
static __always_inline void *open_for(struct xdp_md *ctx, const struct packet *p,
				      const struct nexthop *hop, __be16 proto, __u32 overhead)
{
	int delta = (int)p->l3_off - ETH_LEN - (int)overhead;
	struct ethhdr *eth;
	void *l3;

	if (hop->vlan)
		delta -= VLAN_LEN;
	if (delta && bpf_xdp_adjust_head(ctx, delta))
		return NULL;
	eth = (void *)(long)ctx->data;
	l3 = eth + 1;
	if (l3 + VLAN_LEN + overhead > (void *)(long)ctx->data_end)
		return NULL;
	write_macs(eth, &hop->macs);
	eth->h_proto = proto;
	if (hop->vlan) {
		__be16 *tag = l3;

		eth->h_proto = bpf_htons(ETH_P_8021Q);
		tag[0] = bpf_htons(hop->vlan);
		tag[1] = proto;
		l3 += VLAN_LEN;
	}
	return l3;
}

/* Counts the packet, unless it is a made-up one, and sends it out by the next hop's device. */
static __always_inline int leave(struct xdp_md *ctx, const struct departure *d)
{
	__u32 ifindex = d->hop.ifindex;

	if (!trace_of(ctx))
		count_forwarded(d->vip, d->owner, d->ip_len);
	if (ifindex == ctx->ingress_ifindex)
		return XDP_TX;
	/* The map sends in bulk; it holds what userspace knows, the FIB may know others. */
	if (bpf_redirect_map(&mplb_ports, ifindex, XDP_ABORTED) == XDP_REDIRECT)
		return XDP_REDIRECT;
	return (int)bpf_redirect(ifindex, 0);
}

static __always_inline int send_l2(struct xdp_md *ctx, const struct packet *p,
				   const struct departure *d)
{
	__be16 proto = p->family == MPLB_FAMILY_4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);

	if (!open_for(ctx, p, &d->hop, proto, 0))
		return finish(ctx, MPLB_R_NO_HEADROOM);
	return leave(ctx, d);
}

static __always_inline int send_ipip4(struct xdp_md *ctx, const struct packet *p,
				      const struct departure *d)
{
	struct iphdr *ip = open_for(ctx, p, &d->hop, bpf_htons(ETH_P_IP), IPV4_LEN);

	if (!ip)
		return finish(ctx, MPLB_R_NO_HEADROOM);
	write_outer_ipv4(ip, d->backend, p, inner_proto(p), IPV4_LEN);
	return leave(ctx, d);
}

static __always_inline int send_ipip6(struct xdp_md *ctx, const struct packet *p,
				      const struct departure *d)
{
	struct ipv6hdr *ip6 = open_for(ctx, p, &d->hop, bpf_htons(ETH_P_IPV6), IPV6_LEN);

	if (!ip6)
		return finish(ctx, MPLB_R_NO_HEADROOM);
	write_outer_ipv6(ip6, d->backend, p, inner_proto(p), IPV6_LEN, d->hash);
	return leave(ctx, d);
}

static __always_inline int send_gue4(struct xdp_md *ctx, const struct packet *p,
				     const struct departure *d)
{
	struct iphdr *ip = open_for(ctx, p, &d->hop, bpf_htons(ETH_P_IP), GUE_OUTER_4);

	if (!ip)
		return finish(ctx, MPLB_R_NO_HEADROOM);
	write_outer_ipv4(ip, d->backend, p, IPPROTO_UDP, GUE_OUTER_4);
	write_gue((void *)(ip + 1), d, inner_proto(p), p->ip_len + GUE_OUTER_4 - IPV4_LEN, 4);
	return leave(ctx, d);
}

static __always_inline int send_gue6(struct xdp_md *ctx, const struct packet *p,
				     const struct departure *d)
{
	struct ipv6hdr *ip6 = open_for(ctx, p, &d->hop, bpf_htons(ETH_P_IPV6), GUE_OUTER_6);

	if (!ip6)
		return finish(ctx, MPLB_R_NO_HEADROOM);
	write_outer_ipv6(ip6, d->backend, p, IPPROTO_UDP, GUE_OUTER_6, d->hash);
	write_gue((void *)(ip6 + 1), d, inner_proto(p), p->ip_len + GUE_OUTER_6 - IPV6_LEN, 16);
	return leave(ctx, d);
}

/* Bytes that the outer header takes. */
static __always_inline __u32 overhead_of(const struct mplb_backend *b)
{
	if (b->forward == MPLB_FORWARD_L2)
		return 0;
	if (b->forward == MPLB_FORWARD_GUE)
		return b->family == MPLB_FAMILY_4 ? GUE_OUTER_4 : GUE_OUTER_6;
	return b->family == MPLB_FAMILY_4 ? IPV4_LEN : IPV6_LEN;
}

/* The next hop from the backend's entry, else from the FIB. 0, or the reason
 * why there is none. */
static __always_inline int find_nexthop(struct xdp_md *ctx, const struct mplb_backend *b,
					__u32 ip_len, struct nexthop *hop)
{
	if (!(b->flags & MPLB_BACKEND_F_RESOLVED)) {
		struct nexthop found = { 0 };
		int reason = nexthop_from_fib(ctx, b, ip_len, &found);

		*hop = found;
		return reason;
	}
	hop->ifindex = b->ifindex;
	hop->vlan = b->vlan;
	hop->macs = *(const struct macs *)b->dmac;
	return 0;
}

static __always_inline int send(struct xdp_md *ctx, const struct packet *p,
				const struct departure *d, __u32 overhead)
{
	switch (overhead) {
	case 0:
		return send_l2(ctx, p, d);
	case IPV4_LEN:
		return send_ipip4(ctx, p, d);
	case IPV6_LEN:
		/* Also the length of a gue header over IPv4. */
		if (d->backend->forward == MPLB_FORWARD_IPIP)
			return send_ipip6(ctx, p, d);
		return send_gue4(ctx, p, d);
	default:
		return send_gue6(ctx, p, d);
	}
}

/* Counts the packet (unless it is a made-up one) and sends it to the owner of
 * its slot. */
static __always_inline int forward(struct xdp_md *ctx, const struct packet *p, __u32 hash,
				   __u32 vip, __u32 owner, __u32 fallback)
{
	struct departure d = { .hash = hash, .vip = vip, .owner = owner, .ip_len = p->ip_len };
	struct mplb_trace *trace;
	__u32 overhead;
	int reason;

	d.backend = bpf_map_lookup_elem(&mplb_backends, &owner);
	if (!d.backend)
		return finish(ctx, MPLB_R_TABLE_INCONSISTENT);
	d.fallback = owner == fallback ? MPLB_NO_BACKEND : fallback;
	overhead = overhead_of(d.backend);
	if (p->ip_len + overhead > d.backend->mtu) {
		/* No error about an error or a fragment (RFC 1122, 3.2.2; RFC 4443, 2.4). */
		if (!p->dont_fragment || p->fragment || p->error || p->ip_len < QUOTE_6)
			return finish(ctx, MPLB_R_TOO_BIG);
		return answer_too_big(ctx, p->family, p->l3_off, d.backend->mtu - overhead);
	}
	reason = find_nexthop(ctx, d.backend, p->ip_len + overhead, &d.hop);
	if (reason)
		return finish(ctx, (__u32)reason);
	trace = trace_of(ctx);
	if (trace) {
		trace->reason = MPLB_R_FORWARDED;
		trace->fib = !(d.backend->flags & MPLB_BACKEND_F_RESOLVED);
		trace->ifindex = d.hop.ifindex;
	}
	return send(ctx, p, &d, overhead);
}

#endif
