/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_BPF_PROBE_H
#define MPLB_BPF_PROBE_H

/*
 * Health probes: a packet that this machine sends, and whose mark names a backend, goes to that
 * backend as a client's packet would, whichever the tables would pick. tc egress on lo, where the
 * agent's rule and route lead such packets (lb-agent/probe_path.h).
 */
#include "bpf/forward.h"
#include <linux/pkt_cls.h>

/* Set when the program is loaded: the mark of backend 0. */
const volatile __u32 probe_mark = MPLB_PROBE_MARK;

/* Checks the frame as far as it is read here. 0, or -1: not an IP packet that a probe sends. */
static __always_inline int probe_read(struct __sk_buff *skb, struct packet *p, __u32 *hash)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	const struct ethhdr *eth = data;
	const struct iphdr *ip = data + ETH_LEN;
	const struct ipv6hdr *ip6 = data + ETH_LEN;
	const __u32 *ports = data + ETH_LEN + IPV4_LEN;

	p->l3_off = ETH_LEN;
	if ((void *)(ports + 1) > end)
		return -1;
	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		p->family = MPLB_FAMILY_4;
		p->tos = ip->tos;
		p->ip_len = bpf_ntohs(ip->tot_len);
	} else if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
		ports = data + ETH_LEN + IPV6_LEN;
		if ((void *)(ports + 1) > end)
			return -1;
		p->family = MPLB_FAMILY_6;
		p->tos = (__u8)(bpf_ntohl(*(const __be32 *)ip6) >> 20);
		p->ip_len = bpf_ntohs(ip6->payload_len) + IPV6_LEN;
	} else {
		return -1;
	}
	/* Spreads probes over equal paths as flows are spread. */
	*hash = mplb_flow_mix(0, *ports);
	return 0;
}

/* Makes room for the outer header. The flags tell the stack that there is an inner packet, whose
 * checksum may still be to be made. */
static __always_inline int probe_open(struct __sk_buff *skb, const struct mplb_backend *b,
				      __u32 overhead)
{
	__u64 flags = b->family == MPLB_FAMILY_4 ? BPF_F_ADJ_ROOM_ENCAP_L3_IPV4
						 : BPF_F_ADJ_ROOM_ENCAP_L3_IPV6;

	if (b->forward == MPLB_FORWARD_GUE)
		flags |= BPF_F_ADJ_ROOM_ENCAP_L4_UDP;
	return (int)bpf_skb_adjust_room(skb, (__s32)overhead, BPF_ADJ_ROOM_MAC, flags);
}

/* Writes the Ethernet header, and where there is one, the outer header. Without a fallback: if the
 * backend does not know the connection, that is the probe's result. */
static __always_inline int probe_write(struct __sk_buff *skb, const struct packet *p,
				       const struct departure *d, __u32 overhead)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	const struct mplb_backend *b = d->backend;
	struct ethhdr *eth = data;
	void *l3 = data + ETH_LEN;
	__u8 proto = b->forward == MPLB_FORWARD_GUE ? IPPROTO_UDP : inner_proto(p);

	if (l3 + IPV4_LEN > end)
		return -1;
	write_macs(eth, (const struct macs *)b->dmac);
	if (!overhead)
		return 0;
	if (b->family == MPLB_FAMILY_4) {
		eth->h_proto = bpf_htons(ETH_P_IP);
		write_outer_ipv4(l3, b, p, proto, overhead);
		l3 += IPV4_LEN;
	} else {
		if (l3 + IPV6_LEN > end)
			return -1;
		eth->h_proto = bpf_htons(ETH_P_IPV6);
		write_outer_ipv6(l3, b, p, proto, overhead, d->hash);
		l3 += IPV6_LEN;
	}
	if (b->forward != MPLB_FORWARD_GUE)
		return 0;
	if (b->family == MPLB_FAMILY_4) {
		if (l3 + UDP_LEN + MPLB_GUE_LEN_4 > end)
			return -1;
		write_gue(l3, d, inner_proto(p), p->ip_len + GUE_OUTER_4 - IPV4_LEN, 4);
	} else {
		if (l3 + UDP_LEN + MPLB_GUE_LEN_6 > end)
			return -1;
		write_gue(l3, d, inner_proto(p), p->ip_len + GUE_OUTER_6 - IPV6_LEN, 16);
	}
	return 0;
}

/* A tc action. Where clients' packets could not be sent, neither are probes: they are dropped, and
 * time out. */
static __always_inline int probe(struct __sk_buff *skb)
{
	struct departure d = { .fallback = MPLB_NO_BACKEND };
	__u32 index = skb->mark - probe_mark, overhead;
	const struct mplb_backend *b;
	struct packet p = { 0 };

	if (index > MPLB_PROBE_INDEX)
		return TC_ACT_UNSPEC;
	b = bpf_map_lookup_elem(&mplb_backends, &index);
	if (!b || !(b->flags & MPLB_BACKEND_F_RESOLVED) || probe_read(skb, &p, &d.hash))
		return TC_ACT_SHOT;
	d.backend = b;
	overhead = overhead_of(b);
	if (p.ip_len + overhead > b->mtu)
		return TC_ACT_SHOT;
	if ((overhead && probe_open(skb, b, overhead)) || probe_write(skb, &p, &d, overhead))
		return TC_ACT_SHOT;
	if (b->vlan && bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), b->vlan))
		return TC_ACT_SHOT;
	return (int)bpf_redirect(b->ifindex, 0);
}

#endif
