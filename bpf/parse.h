/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_BPF_PARSE_H
#define MPLB_BPF_PARSE_H

/* From a frame to a struct packet: docs/packet-walk.md, 1 and 2. */
#include "bpf/packet.h"
#include "mplb/drop.h"
#include "mplb/hash.h"

#define IPV6_EXTENSIONS 4 /* headers that are skipped */

/* What came of a walk over extension headers. */
struct extensions {
	__u32 l4_off;
	__u8 proto;
	__u8 fragment;
	__u8 reason; /* enum mplb_reason, 0: go on */
	__u8 pad;
};

/* Offset of the IP header behind up to two VLAN tags, its Ethernet type in
 * *proto. */
static __always_inline __u32 skip_vlan(const void *data, const void *end, __be16 *proto)
{
	__u32 off = ETH_LEN;

	for (int i = 0; i < 2; i++) {
		const __be16 *tag = data + off; /* TCI, then the type of what follows */

		if (*proto != bpf_htons(ETH_P_8021Q) && *proto != bpf_htons(ETH_P_8021AD))
			break;
		if ((const void *)(tag + 2) > end) {
			*proto = 0;
			break;
		}
		*proto = tag[1];
		off += VLAN_LEN;
	}
	return off;
}

/* Reads an IPv4 header into *p. Returns 0, or the reason why the packet ends
 * here. */
static __always_inline int parse_ipv4(const void *l3, const void *end, struct packet *p)
{
	const struct iphdr *ip = l3;

	if ((const void *)(ip + 1) > end)
		return MPLB_R_IP_TRUNCATED;
	p->family = MPLB_FAMILY_4;
	p->src.first = mplb_ipv4_word(ip->saddr);
	p->dst.first = mplb_ipv4_word(ip->daddr);
	p->ip_len = bpf_ntohs(ip->tot_len);
	p->proto = ip->protocol;
	p->tos = ip->tos;
	p->l4_off = p->l3_off + IPV4_LEN;
	p->dont_fragment = !!(ip->frag_off & bpf_htons(IPV4_DF));
	p->fragment = !!(ip->frag_off & bpf_htons(IPV4_FRAGMENT));
	if (*(const __u8 *)ip != 0x45) {
		if (ip->version != 4 || ip->ihl < 5)
			return MPLB_R_IP_MALFORMED;
		p->l4_off = p->l3_off + ip->ihl * 4;
		p->dont_fragment &= ip->ihl == 5;
	}
	return 0;
}

/* Walks the extension headers of an IPv6 packet, the first of kind proto at
 * off. A global function, so that the verifier walks it once and by itself.
 * Returns 0 and fills in *out. */
__noinline int skip_extensions(struct xdp_md *ctx, __u32 off, __u8 proto, struct extensions *out)
{
	const void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u8 fragment = 0;

	if (!out)
		return 0;
	out->reason = MPLB_R_IPV6_EXTENSION;
	for (int i = 0; i <= IPV6_EXTENSIONS; i++) {
		const __u8 *at;

		if (proto != IPPROTO_HOPOPTS && proto != IPPROTO_ROUTING &&
		    proto != IPPROTO_DSTOPTS && proto != IPPROTO_FRAGMENT) {
			out->l4_off = off;
			out->proto = proto;
			out->fragment = fragment;
			out->reason = 0;
			return 0;
		}
		if (i == IPV6_EXTENSIONS || off > L4_MAX)
			return 0;
		at = data + off;
		if ((const void *)(at + 8) > end)
			return 0;
		if (proto == IPPROTO_ROUTING && at[3])
			return 0;
		if (proto == IPPROTO_FRAGMENT) {
			off += 8;
			if (*(const __be16 *)(at + 2) & bpf_htons(IPV6_FRAGMENT))
				fragment = 1;
		} else {
			off += 8 + at[1] * 8;
			if (data + off > end)
				return 0;
		}
		proto = at[0];
		/* What follows a fragment header of a later fragment is no header. */
		if (fragment) {
			out->l4_off = off;
			out->proto = proto;
			out->fragment = 1;
			out->reason = 0;
			return 0;
		}
	}
	return 0;
}

/* Reads an IPv6 header into *p. Returns 0, or the reason why the packet ends
 * here. */
static __always_inline int parse_ipv6(struct xdp_md *ctx, const void *l3, const void *end,
				      struct packet *p)
{
	const struct ipv6hdr *ip6 = l3;
	struct extensions x = { 0 };

	if ((const void *)(ip6 + 1) > end)
		return MPLB_R_IP_TRUNCATED;
	if (ip6->version != 6)
		return MPLB_R_IP_MALFORMED;
	p->family = MPLB_FAMILY_6;
	__builtin_memcpy(&p->src, &ip6->saddr, 16);
	__builtin_memcpy(&p->dst, &ip6->daddr, 16);
	p->ip_len = IPV6_LEN + bpf_ntohs(ip6->payload_len);
	p->proto = ip6->nexthdr;
	p->tos = (__u8)(bpf_ntohs(*(const __be16 *)ip6) >> 4);
	p->l4_off = p->l3_off + IPV6_LEN;
	p->dont_fragment = 1;
	switch (p->proto) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_DSTOPTS:
	case IPPROTO_FRAGMENT:
		skip_extensions(ctx, p->l4_off, p->proto, &x);
		p->l4_off = x.l4_off;
		p->proto = x.proto;
		p->fragment = x.fragment;
		p->dont_fragment = 0;
		return x.reason;
	default:
		return 0;
	}
}

#endif
