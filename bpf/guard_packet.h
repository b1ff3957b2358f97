/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_BPF_GUARD_PACKET_H
#define MPLB_BPF_GUARD_PACKET_H

/*
 * From a frame to what the guard wants to know of it. Frames are those of Ethernet; a VLAN tag has
 * been taken off by the kernel, behind a second one nothing is looked at.
 */
#include "bpf/guard_maps.h"
#include "bpf/packet.h"

#define GUARD_L4_MAX	  (ETH_LEN + 60) /* IPv4 with options; IPv6 and a fragment header are less */
#define IPV6_FRAGMENT_LEN 8

/* struct guarded, fragment */
#define GUARDED_WHOLE 0
#define GUARDED_FIRST 1
#define GUARDED_LATER 2

struct guarded {
	struct mplb_server_addr dst;
	__be32 saddr[4];
	struct bpf_sock_tuple tuple;
	__u32 tuple_len;
	__u32 l4_off; /* in the frame */
	__be16 dport;
	__u8 proto;
	__u8 fragment; /* GUARDED_... */
	__u8 derived; /* 1: an address of one connection */
	__u8 malformed;
};

/* Makes sure that the first bytes of the frame can be read; pointers into it are void then. */
static __always_inline int guard_have(struct __sk_buff *skb, __u32 len)
{
	const void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	return data + len <= end || !bpf_skb_pull_data(skb, len);
}

static __always_inline __u8 guarded_icmp(const struct guarded *g)
{
	return g->dst.family == MPLB_FAMILY_4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
}

static __always_inline void guarded_set_ports(struct guarded *g, __be16 sport, __be16 dport)
{
	g->dport = dport;
	if (g->dst.family == MPLB_FAMILY_4) {
		g->tuple.ipv4.saddr = g->saddr[0];
		g->tuple.ipv4.daddr = g->dst.addr.word[0];
		g->tuple.ipv4.sport = sport;
		g->tuple.ipv4.dport = dport;
		g->tuple_len = sizeof(g->tuple.ipv4);
		return;
	}
	__builtin_memcpy(g->tuple.ipv6.saddr, g->saddr, sizeof(g->saddr));
	__builtin_memcpy(g->tuple.ipv6.daddr, &g->dst.addr, sizeof(g->dst.addr));
	g->tuple.ipv6.sport = sport;
	g->tuple.ipv6.dport = dport;
	g->tuple_len = sizeof(g->tuple.ipv6);
}

/* True for an IPv4 packet to a guarded address. */
static __always_inline int guarded_ipv4(struct __sk_buff *skb, struct guarded *g)
{
	const struct iphdr *ip;
	__u16 frag;

	if (!guard_have(skb, ETH_LEN + IPV4_LEN))
		return 0;
	ip = (void *)(long)skb->data + ETH_LEN;
	if ((const void *)(ip + 1) > (void *)(long)skb->data_end)
		return 0;
	g->dst.family = MPLB_FAMILY_4;
	g->dst.addr.word[0] = ip->daddr;
	if (!bpf_map_lookup_elem(&guard_addresses, &g->dst))
		return 0;
	g->saddr[0] = ip->saddr;
	g->proto = ip->protocol;
	g->l4_off = ETH_LEN + ip->ihl * 4;
	g->malformed = ip->version != 4 || ip->ihl < IPV4_LEN / 4;
	frag = ip->frag_off & bpf_htons(IPV4_FRAGMENT);
	if (frag)
		g->fragment = frag == bpf_htons(0x2000) ? GUARDED_FIRST : GUARDED_LATER;
	return 1;
}

/* What is behind a fragment header. The other extension headers are protocols that nobody allows:
 * a SYN cannot hide behind them. */
static __always_inline void guarded_ipv6_fragment(struct __sk_buff *skb, struct guarded *g)
{
	const __u8 *next;

	g->l4_off = ETH_LEN + IPV6_LEN + IPV6_FRAGMENT_LEN;
	g->malformed = 1;
	if (!guard_have(skb, ETH_LEN + IPV6_LEN + IPV6_FRAGMENT_LEN))
		return;
	next = (void *)(long)skb->data + ETH_LEN + IPV6_LEN;
	if (next + IPV6_FRAGMENT_LEN > (const __u8 *)(long)skb->data_end)
		return;
	g->malformed = 0;
	g->proto = next[0];
	/* The offset is in all but the low three bits (RFC 8200, 4.5). */
	g->fragment = next[2] || next[3] & 0xf8 ? GUARDED_LATER : GUARDED_FIRST;
}

/* True for an IPv6 packet to a guarded address. */
static __always_inline int guarded_ipv6(struct __sk_buff *skb, const struct mplb_guard *guard,
					struct guarded *g)
{
	const struct ipv6hdr *ip6;

	if (!guard_have(skb, ETH_LEN + IPV6_LEN))
		return 0;
	ip6 = (void *)(long)skb->data + ETH_LEN;
	if ((const void *)(ip6 + 1) > (void *)(long)skb->data_end)
		return 0;
	g->dst.family = MPLB_FAMILY_6;
	__builtin_memcpy(&g->dst.addr, &ip6->daddr, sizeof(g->dst.addr));
	g->derived = guard->flags & MPLB_GUARD_F_PREFIX &&
		     g->dst.addr.word[0] == guard->prefix[0] &&
		     g->dst.addr.word[1] == guard->prefix[1];
	if (!g->derived && !bpf_map_lookup_elem(&guard_addresses, &g->dst))
		return 0;
	__builtin_memcpy(g->saddr, &ip6->saddr, sizeof(g->saddr));
	g->proto = ip6->nexthdr;
	g->l4_off = ETH_LEN + IPV6_LEN;
	g->malformed = ip6->version != 6;
	if (g->proto == IPPROTO_FRAGMENT)
		guarded_ipv6_fragment(skb, g);
	return 1;
}

#endif
