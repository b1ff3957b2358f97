/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_BPF_LB_H
#define MPLB_BPF_LB_H

/*
 * The path of a packet: parse, VIP, MPTCP step, slot, backend, out. One instance per family is
 * inlined into lb(), so that addresses of one family never cost the other anything.
 */
#include "bpf/forward.h"
#include "bpf/reject.h"
#include "bpf/vip.h"

/* Ends the path of a packet whose ports cannot be read or trusted: where reason is about a VIP's
 * packet and the address is no VIP's, the packet is not for us. */
static __always_inline int stop(struct xdp_md *ctx, const struct packet *p, int reason)
{
	if (action_of(reason) == XDP_DROP &&
	    !vip_has_address(p->dst.first, p->dst.second, p->family))
		reason = MPLB_R_NOT_VIP;
	return finish(ctx, reason);
}

/* The MPTCP subtypes in the options of a TCP header at l4_off; doff its length, both in bytes. A
 * global function, so that the verifier walks the options once and by themselves. */
__noinline __u32 syn_subtypes(struct xdp_md *ctx, __u32 l4_off, __u32 doff)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	const __u8 *options;

	if (l4_off > ETH_LEN + 60 || doff < sizeof(struct tcphdr) || doff > 60)
		return 0;
	options = data + l4_off + sizeof(struct tcphdr);
	return mptcp_subtypes(options, doff - (__u32)sizeof(struct tcphdr), end);
}

/* Counts a SYN by its MPTCP options. Returns 1 for a join that must be answered with a reset. */
static __always_inline int syn_is_rejected(struct xdp_md *ctx, const struct packet *p, __u32 doff,
					   const struct mplb_vip_slot *vip)
{
	enum mplb_vip_counter counter = MPLB_VIP_C_SYN_PLAIN;
	__u32 seen = 0;

	if (doff > sizeof(struct tcphdr))
		seen = syn_subtypes(ctx, p->l4_off, doff);
	if (seen & MPTCP_SAW(MPTCP_SUB_MP_JOIN))
		counter = vip->mp_join == MPLB_MP_JOIN_REJECT ? MPLB_VIP_C_JOIN_REJECTED
							      : MPLB_VIP_C_JOIN_HASHED;
	else if (seen & MPTCP_SAW(MPTCP_SUB_MP_CAPABLE))
		counter = MPLB_VIP_C_SYN_CAPABLE;
	if (!trace_of(ctx))
		count_vip(vip->vip, counter);
	return counter == MPLB_VIP_C_JOIN_REJECTED;
}

/* The packet is for this VIP: which slot, which backend, and off it goes. */
static __always_inline int balance(struct xdp_md *ctx, const struct packet *p,
				   const struct mplb_vip_slot *vip, __u32 hash)
{
	__u32 number = mplb_slot_of(hash), line_key = number / MPLB_TABLE_LINE;
	__u32 table_key = vip->table;
	void *table = bpf_map_lookup_elem(&mplb_tables, &table_key);
	const struct mplb_table_line *line;
	const struct mplb_table_slot *slot;
	struct mplb_trace *trace;

	if (!table)
		return finish(ctx, MPLB_R_TABLE_INCONSISTENT);
	line = bpf_map_lookup_elem(table, &line_key);
	if (!line)
		return finish(ctx, MPLB_R_TABLE_INCONSISTENT);
	slot = &line->slot[number % MPLB_TABLE_LINE];
	trace = trace_of(ctx);
	if (trace) {
		trace->hash = hash;
		trace->slot = number;
		trace->owner = slot->owner;
		trace->fallback = slot->fallback;
	}
	if (slot->owner == MPLB_NO_BACKEND)
		return finish(ctx, MPLB_R_NO_BACKEND);
	return forward(ctx, p, hash, vip->vip, slot->owner);
}

/* From the transport header on. p holds all but the ports; l4 is where the header begins, ip_header
 * the length of what is before it in the IP packet. */
static __always_inline int lb_transport(struct xdp_md *ctx, struct packet *p, const __u8 *l4,
					__u32 ip_header)
{
	const void *end = (void *)(long)ctx->data_end;
	const struct mplb_vip_slot *vip;
	struct mplb_trace *trace;
	__u32 hash;

	if ((const void *)(l4 + sizeof(struct udphdr)) > end)
		return stop(ctx, p, MPLB_R_L4_TRUNCATED);
	p->ports = *(const __u32 *)l4;
	vip = vip_find(&p->dst, packet_dport(p), p->proto, p->family);
	if (!vip)
		return finish(ctx, MPLB_R_NOT_VIP);
	trace = trace_of(ctx);
	if (trace)
		trace->vip = vip->vip;
	if (p->ip_len < ip_header + sizeof(struct udphdr) ||
	    p->ip_len > ctx->data_end - ctx->data - ETH_LEN)
		return finish(ctx, MPLB_R_LENGTH_MISMATCH);
	if (p->proto == IPPROTO_TCP) {
		__u32 doff;

		if ((const void *)(l4 + sizeof(struct tcphdr)) > end)
			return finish(ctx, MPLB_R_L4_TRUNCATED);
		doff = (__u32)(l4[12] >> 4) * 4;
		if (doff < sizeof(struct tcphdr) || ip_header + doff > p->ip_len)
			return finish(ctx, MPLB_R_TCP_MALFORMED);
		if ((l4[13] & (TCP_SYN | TCP_ACK)) == TCP_SYN && syn_is_rejected(ctx, p, doff, vip))
			return reject_join(ctx, p->family, p->l4_off);
	}
	hash = p->family == MPLB_FAMILY_4
		       ? mplb_flow_hash4(vip->hash_key, (__be32)p->src.first, p->ports)
		       : mplb_flow_hash6(vip->hash_key, p->src.first, p->src.second, p->ports);
	return balance(ctx, p, vip, hash);
}

/* Reads an IPv4 header into *p. Returns 0, or the reason why the packet ends here. */
static __always_inline int parse_ipv4(const void *data, const void *end, struct packet *p)
{
	const struct iphdr *ip = data + ETH_LEN;

	if ((const void *)(ip + 1) > end)
		return MPLB_R_IP_TRUNCATED;
	p->family = MPLB_FAMILY_4;
	p->src.first = mplb_ipv4_word(ip->saddr);
	p->dst.first = mplb_ipv4_word(ip->daddr);
	p->ip_len = bpf_ntohs(ip->tot_len);
	p->proto = ip->protocol;
	p->tos = ip->tos;
	p->l4_off = ETH_LEN + IPV4_LEN;
	if (*(const __u8 *)ip != 0x45) {
		if (ip->version != 4 || ip->ihl < 5)
			return MPLB_R_IP_MALFORMED;
		p->l4_off = ETH_LEN + ip->ihl * 4;
	}
	return ip->frag_off & bpf_htons(IPV4_FRAGMENT) ? MPLB_R_FRAGMENT : 0;
}

/* Reads an IPv6 header into *p. Returns 0, or the reason why the packet ends here. */
static __always_inline int parse_ipv6(const void *data, const void *end, struct packet *p)
{
	const struct ipv6hdr *ip6 = data + ETH_LEN;

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
	p->l4_off = ETH_LEN + IPV6_LEN;
	switch (p->proto) {
	case IPPROTO_FRAGMENT:
		return MPLB_R_FRAGMENT;
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_DSTOPTS:
		return MPLB_R_IPV6_EXTENSION;
	default:
		return 0;
	}
}

/* Decides about one frame. Returns an XDP action. */
static __always_inline int lb(struct xdp_md *ctx)
{
	const void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	const struct ethhdr *eth = data;
	struct packet p = { 0 };
	int reason;

	if ((const void *)(eth + 1) > end)
		return finish(ctx, MPLB_R_NOT_IP);
	if (eth->h_proto == bpf_htons(ETH_P_IP))
		reason = parse_ipv4(data, end, &p);
	else if (eth->h_proto == bpf_htons(ETH_P_IPV6))
		reason = parse_ipv6(data, end, &p);
	else
		reason = MPLB_R_NOT_IP;
	if (reason)
		return stop(ctx, &p, reason);
	if (p.proto != IPPROTO_TCP && p.proto != IPPROTO_UDP)
		return finish(ctx, MPLB_R_NOT_VIP);
	return lb_transport(ctx, &p, data + p.l4_off, p.l4_off - ETH_LEN);
}

#endif
