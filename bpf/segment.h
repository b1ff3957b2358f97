/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_BPF_SEGMENT_H
#define MPLB_BPF_SEGMENT_H

/*
 * TCP segments as the tc programs see them: frames of Ethernet, a VLAN tag taken off by the kernel.
 * What stands behind IPv6 extension headers, and fragments, are no segments here.
 */
#include "bpf/packet.h"

/* The header of the segment in an IPv4 packet, and where it begins in *off; NULL: there is none, or
 * not in the part of the frame that ends at end. */
static __always_inline const struct tcphdr *segment_ipv4(const void *data, const void *end,
							 __u32 *off)
{
	const struct iphdr *ip = data + ETH_LEN;
	const struct tcphdr *tcp;

	if ((const void *)(ip + 1) > end || ip->protocol != IPPROTO_TCP ||
	    ip->frag_off & bpf_htons(IPV4_FRAGMENT) || ip->ihl < 5)
		return NULL;
	*off = ETH_LEN + ip->ihl * 4;
	tcp = data + *off;
	barrier_var(tcp); /* or clang makes it a second time, of which nothing has been checked */
	return (const void *)(tcp + 1) > end ? NULL : tcp;
}

/* The same of an IPv6 packet. */
static __always_inline const struct tcphdr *segment_ipv6(const void *data, const void *end,
							 __u32 *off)
{
	const struct ipv6hdr *ip6 = data + ETH_LEN;
	const struct tcphdr *tcp = (const void *)(ip6 + 1);

	if ((const void *)(tcp + 1) > end || ip6->nexthdr != IPPROTO_TCP)
		return NULL;
	*off = ETH_LEN + IPV6_LEN;
	return tcp;
}

#endif
