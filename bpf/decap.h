/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_BPF_DECAP_H
#define MPLB_BPF_DECAP_H

/*
 * Parsing of tunnel packets: outer IP header (RFC 2003, 2473, 4213), inner IP header, ECN. Every
 * function reads from a bounded position and returns an enum mplb_server_reason, DECAPSULATED for
 * "go on".
 */
#include "bpf/packet.h"
#include "mplb/gue.h"
#include "mplb/server.h"

#define IPV4_OFFSET 0x1fff /* of a later fragment */

/* ECN codepoints (RFC 3168, 5). */
#define ECN_MASK    0x3
#define ECN_NOT_ECT 0x0
#define ECN_ECT_1   0x1
#define ECN_CE	    0x3

/* What is known of a tunnel packet. */
struct tunnel {
	struct mplb_server_addr src; /* of the outer header */
	struct mplb_server_addr dst; /* of the inner header */
	__u32 outer_len; /* bytes in front of the inner header, Ethernet not counted */
	__u32 payload; /* bytes of the inner packet by the outer header's word */
	__u8 outer; /* MPLB_FAMILY_4, MPLB_FAMILY_6 */
	__u8 inner; /* as outer; 0 while it is not known: GUE says it itself */
	__u8 outer_ecn, inner_ecn; /* codepoints */
	__u8 gue; /* 1: UDP and GUE behind the outer header */
	__u8 hops; /* how many backends have passed it on, by the GUE header's word */
	__u8 fallback; /* 1: may be passed on to the fallback that the GUE header names */
};

/* True for UDP to the port of GUE, at this place in the frame, as far as it can be seen. */
static __always_inline int is_gue(const struct udphdr *udp, const void *end)
{
	return (const void *)&udp->len <= end && udp->dest == bpf_htons(MPLB_GUE_PORT);
}

/* The inner family that an IP protocol number stands for, 0 if the payload is not an IP packet. */
static __always_inline __u8 tunnel_family(__u8 proto)
{
	if (proto == IPPROTO_IPIP)
		return MPLB_FAMILY_4;
	return proto == IPPROTO_IPV6 ? MPLB_FAMILY_6 : 0;
}

static __always_inline __u8 ip6_tos(const struct ipv6hdr *ip6)
{
	return (__u8)(bpf_ntohs(*(const __be16 *)ip6) >> 4);
}

/* True where the checksum over a header without options is right (RFC 1071). */
static __always_inline int ip4_checksum_ok(const struct iphdr *ip)
{
	const __u16 *word = (const __u16 *)ip;
	__u32 sum = 0;

#pragma unroll
	for (int i = 0; i < IPV4_LEN / 2; i++)
		sum += word[i];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

/* UDP to the port of GUE; a later fragment has no port. */
static __always_inline int outer_ipv4_is_gue(const struct iphdr *ip, const void *end)
{
	if (ip->protocol != IPPROTO_UDP || ip->frag_off & bpf_htons(IPV4_OFFSET))
		return 0;
	return is_gue((const void *)ip + ip->ihl * 4, end);
}

/*
 * The stack never sees the outer header of what is decapsulated, so all that it would have checked
 * is checked here, the checksum included (RFC 1812, 5.2.2).
 */
static __always_inline int outer_ipv4(const void *data, const void *end, struct tunnel *t)
{
	const struct iphdr *ip = data + ETH_LEN;
	__u32 len;

	if ((const void *)(ip + 1) > end)
		return MPLB_SERVER_R_IP_TRUNCATED;
	t->inner = tunnel_family(ip->protocol);
	t->gue = outer_ipv4_is_gue(ip, end);
	if (!t->inner && !t->gue)
		return MPLB_SERVER_R_NOT_TUNNEL;
	if (ip->version != 4 || ip->ihl < 5)
		return MPLB_SERVER_R_IP_MALFORMED;
	if (ip->frag_off & bpf_htons(IPV4_FRAGMENT))
		return MPLB_SERVER_R_FRAGMENT;
	if (ip->ihl != 5)
		return MPLB_SERVER_R_IP_OPTIONS;
	len = bpf_ntohs(ip->tot_len);
	if (len < IPV4_LEN || !ip4_checksum_ok(ip))
		return MPLB_SERVER_R_IP_MALFORMED;
	if (len > end - data - ETH_LEN)
		return MPLB_SERVER_R_INNER_TRUNCATED;
	t->outer = MPLB_FAMILY_4;
	t->src.family = MPLB_FAMILY_4;
	t->src.addr.word[0] = ip->saddr;
	t->outer_len = IPV4_LEN;
	t->payload = len - IPV4_LEN;
	t->outer_ecn = ip->tos & ECN_MASK;
	return MPLB_SERVER_R_DECAPSULATED;
}

/* An extension header in front of a tunnelled packet; anything else is not for us. All of those
 * asked about begin with the next header's number (RFC 8200, 4). */
static __always_inline int outer_ipv6_extension(const struct ipv6hdr *ip6, const void *end)
{
	const __u8 *next = (const __u8 *)(ip6 + 1);

	switch (ip6->nexthdr) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_DSTOPTS:
	case IPPROTO_FRAGMENT:
		break;
	default:
		return MPLB_SERVER_R_NOT_TUNNEL;
	}
	if ((const void *)(next + 1) > end)
		return MPLB_SERVER_R_IP_TRUNCATED;
	if (!tunnel_family(*next))
		return MPLB_SERVER_R_NOT_TUNNEL;
	return ip6->nexthdr == IPPROTO_FRAGMENT ? MPLB_SERVER_R_FRAGMENT : MPLB_SERVER_R_IP_OPTIONS;
}

static __always_inline int outer_ipv6(const void *data, const void *end, struct tunnel *t)
{
	const struct ipv6hdr *ip6 = data + ETH_LEN;
	__u32 len;

	if ((const void *)(ip6 + 1) > end)
		return MPLB_SERVER_R_IP_TRUNCATED;
	t->inner = tunnel_family(ip6->nexthdr);
	t->gue = ip6->nexthdr == IPPROTO_UDP && is_gue((const void *)(ip6 + 1), end);
	if (!t->inner && !t->gue)
		return outer_ipv6_extension(ip6, end);
	len = bpf_ntohs(ip6->payload_len);
	if (ip6->version != 6 || !len)
		return MPLB_SERVER_R_IP_MALFORMED;
	if (len > end - data - ETH_LEN - IPV6_LEN)
		return MPLB_SERVER_R_INNER_TRUNCATED;
	t->outer = MPLB_FAMILY_6;
	t->src.family = MPLB_FAMILY_6;
	__builtin_memcpy(&t->src.addr, &ip6->saddr, sizeof(t->src.addr));
	t->outer_len = IPV6_LEN;
	t->payload = len;
	t->outer_ecn = ip6_tos(ip6) & ECN_MASK;
	return MPLB_SERVER_R_DECAPSULATED;
}

/* Only what a balancer could have taken for a packet to a VIP: the rest of the inner packet is
 * checked by the stack. */
static __always_inline int inner_ipv4(const struct iphdr *ip, const void *end, struct tunnel *t)
{
	__u32 len, header;

	if ((const void *)(ip + 1) > end || t->payload < IPV4_LEN)
		return MPLB_SERVER_R_INNER_TRUNCATED;
	len = bpf_ntohs(ip->tot_len);
	header = ip->ihl * 4;
	if (ip->version != 4 || header < IPV4_LEN || len < header || len > t->payload)
		return MPLB_SERVER_R_INNER_MALFORMED;
	t->dst.family = MPLB_FAMILY_4;
	t->dst.addr.word[0] = ip->daddr;
	t->inner_ecn = ip->tos & ECN_MASK;
	return MPLB_SERVER_R_DECAPSULATED;
}

static __always_inline int inner_ipv6(const struct ipv6hdr *ip6, const void *end, struct tunnel *t)
{
	if ((const void *)(ip6 + 1) > end || t->payload < IPV6_LEN)
		return MPLB_SERVER_R_INNER_TRUNCATED;
	if (ip6->version != 6 || bpf_ntohs(ip6->payload_len) + IPV6_LEN > t->payload)
		return MPLB_SERVER_R_INNER_MALFORMED;
	t->dst.family = MPLB_FAMILY_6;
	__builtin_memcpy(&t->dst.addr, &ip6->daddr, sizeof(t->dst.addr));
	t->inner_ecn = ip6_tos(ip6) & ECN_MASK;
	return MPLB_SERVER_R_DECAPSULATED;
}

/*
 * The inner packet's codepoint after decapsulation (RFC 6040, figure 4): congestion seen on the way
 * from the balancer is kept for the endpoints. The one case that asks for a drop is the caller's.
 */
static __always_inline __u8 ecn_merged(const struct tunnel *t)
{
	if (t->inner_ecn == ECN_NOT_ECT)
		return ECN_NOT_ECT;
	if (t->outer_ecn == ECN_CE)
		return ECN_CE;
	if (t->outer_ecn == ECN_ECT_1 && t->inner_ecn != ECN_CE)
		return ECN_ECT_1;
	return t->inner_ecn;
}

/* Sets the codepoint of an IPv4 header and mends its checksum (RFC 1624, equation 3). */
static __always_inline void ip4_set_ecn(struct iphdr *ip, __u8 ecn)
{
	__u16 *word = (__u16 *)ip;
	__u16 old = *word;
	__u32 sum;

	ip->tos = (ip->tos & ~ECN_MASK) | ecn;
	sum = (__u16)~ip->check + (__u16)~old + (__u32)*word;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	ip->check = (__u16)~sum;
}

/* The codepoint is in bits 4 and 5 of an IPv6 header's second byte (RFC 8200, 3). */
static __always_inline void ip6_set_ecn(struct ipv6hdr *ip6, __u8 ecn)
{
	__u8 *second = (__u8 *)ip6 + 1;

	*second = (__u8)((*second & ~(ECN_MASK << 4)) | ecn << 4);
}

#endif
