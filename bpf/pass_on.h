/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_BPF_PASS_ON_H
#define MPLB_BPF_PASS_ON_H

/*
 * Passing a GUE packet on to its fallback, in two steps. XDP writes what is to change, one datagram
 * at a time, so that nothing the kernel merges later can mix changed and unchanged ones: hops,
 * outer destination, TTL, checksum; and marks the frame. tc knows it by the mark and sends it,
 * since only there a route and a neighbour can be had without forwarding being enabled on the host.
 *
 * The mark is the frame's source address, which nobody downstream looks at. A marked packet that
 * meets no tc program goes to the stack, which drops it: its destination is not this host.
 */
#include "bpf/decap.h"

#define PASS_ON_MARK	 bpf_htonl(0x026d706c) /* a locally administered address: 02, "mplb", 01 */
#define PASS_ON_MARK_END bpf_htons(0x6201)
#define PASS_ON_TTL_MIN	 2 /* what a router would still forward */

static __always_inline void pass_on_set_mark(struct ethhdr *eth)
{
	__be32 mark = PASS_ON_MARK;
	__be16 end = PASS_ON_MARK_END;

	__builtin_memcpy(eth->h_source, &mark, sizeof(mark));
	__builtin_memcpy(eth->h_source + sizeof(mark), &end, sizeof(end));
}

static __always_inline int pass_on_is_marked(const struct ethhdr *eth)
{
	const __be16 *half = (const __be16 *)eth->h_source;

	return half[2] == PASS_ON_MARK_END && half[1] == (__be16)(PASS_ON_MARK >> 16) &&
	       half[0] == (__be16)PASS_ON_MARK;
}

/* The GUE header of a packet whose outer header has neither options nor extension headers. */
static __always_inline struct mplb_gue *pass_on_gue(void *data, __u8 outer)
{
	return data + ETH_LEN + (outer == MPLB_FAMILY_4 ? IPV4_LEN : IPV6_LEN) + UDP_LEN;
}

/* The UDP checksum is left out: RFC 768 lets IPv4 do so, and the inner packet has its own. */
static __always_inline int redirect_ipv4(void *data, void *end)
{
	struct mplb_gue *gue = pass_on_gue(data, MPLB_FAMILY_4);
	struct iphdr *ip = data + ETH_LEN;
	struct udphdr *udp = (void *)(ip + 1);

	if ((void *)gue + MPLB_GUE_LEN_4 > end || ip->ttl < PASS_ON_TTL_MIN)
		return -1;
	gue->hops = 1;
	udp->check = 0;
	ip->daddr = *(__be32 *)(gue + 1);
	ip->ttl -= 1;
	ip->check = 0;
	ip->check = (__sum16)~fold(sum_words(ip, IPV4_LEN));
	return 0;
}

static __always_inline int redirect_ipv6(void *data, void *end)
{
	struct mplb_gue *gue = pass_on_gue(data, MPLB_FAMILY_6);
	struct ipv6hdr *ip6 = data + ETH_LEN;

	if ((void *)gue + MPLB_GUE_LEN_6 > end || ip6->hop_limit < PASS_ON_TTL_MIN)
		return -1;
	gue->hops = 1;
	__builtin_memcpy(&ip6->daddr, gue + 1, sizeof(ip6->daddr));
	ip6->hop_limit -= 1;
	return 0;
}

/* Makes the packet one for its fallback, and marks it. 0, or -1 where its TTL is used up. */
static __always_inline int pass_on(struct xdp_md *ctx, const struct tunnel *t)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;

	if ((void *)(eth + 1) > end)
		return -1;
	if (t->outer == MPLB_FAMILY_4 ? redirect_ipv4(data, end) : redirect_ipv6(data, end))
		return -1;
	pass_on_set_mark(eth);
	return 0;
}

/* True for the frame that pass_on() has made. The mark alone could be forged by a neighbour: the
 * headers must be what they are behind it. */
static __always_inline int is_passed_on_ipv4(const void *data, const void *end,
					     struct mplb_server_addr *src)
{
	const struct mplb_gue *gue = pass_on_gue((void *)data, MPLB_FAMILY_4);
	const struct iphdr *ip = data + ETH_LEN;

	if ((const void *)gue + MPLB_GUE_LEN_4 > end || *(const __u8 *)ip != 0x45 ||
	    ip->protocol != IPPROTO_UDP || !is_gue((const void *)(ip + 1), end))
		return 0;
	src->family = MPLB_FAMILY_4;
	src->addr.word[0] = ip->saddr;
	return gue->version == MPLB_GUE_VERSION && gue->hops == 1;
}

static __always_inline int is_passed_on_ipv6(const void *data, const void *end,
					     struct mplb_server_addr *src)
{
	const struct mplb_gue *gue = pass_on_gue((void *)data, MPLB_FAMILY_6);
	const struct ipv6hdr *ip6 = data + ETH_LEN;

	if ((const void *)gue + MPLB_GUE_LEN_6 > end || ip6->version != 6 ||
	    ip6->nexthdr != IPPROTO_UDP || !is_gue((const void *)(ip6 + 1), end))
		return 0;
	src->family = MPLB_FAMILY_6;
	__builtin_memcpy(&src->addr, &ip6->saddr, sizeof(src->addr));
	return gue->version == MPLB_GUE_VERSION && gue->hops == 1;
}

#endif
