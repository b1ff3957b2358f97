/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_BPF_LB_H
#define MPLB_BPF_LB_H

/* The path of a packet: parse, VIP, MPTCP step, slot, backend, out.
 * docs/packet-walk.md */
#include "bpf/forward.h"
#include "bpf/icmp.h"
#include "bpf/parse.h"
#include "bpf/reject.h"
#include "bpf/steer.h"
#include "bpf/vip.h"

/* Ends the path of a packet whose ports cannot be read or trusted: where reason
 * drops but the address is no VIP's, the packet is not for us. */
static __always_inline int stop(struct xdp_md *ctx, const struct packet *p, int reason)
{
	if (action_of((__u32)reason) == XDP_DROP &&
	    !vip_has_address(p->dst.first, p->dst.second, p->family))
		reason = MPLB_R_NOT_VIP;
	return finish(ctx, (__u32)reason);
}

/* Sent to a group: never forwarded. */
static __always_inline int is_multicast(const struct xdp_md *ctx)
{
	const __u8 *eth = (void *)(long)ctx->data;

	return (const void *)(eth + ETH_LEN) <= (void *)(long)ctx->data_end && eth[0] & 1;
}

/* Does the IP length leave room for at least `least` bytes, and does the frame
 * hold it? */
static __always_inline int length_is_wrong(const struct xdp_md *ctx, const struct packet *p,
					   __u32 least)
{
	return p->ip_len < least || p->ip_len > frame_len(ctx) - p->l3_off;
}

/* Counts a SYN by its MPTCP options. Returns 1 for a join that must be answered
 * with a reset. */
static __always_inline int syn_is_rejected(struct xdp_md *ctx, const struct packet *p, __u32 doff,
					   const struct mplb_vip_slot *vip)
{
	enum mplb_vip_counter counter = MPLB_VIP_C_SYN_PLAIN;
	__u32 seen = 0;

	/* Read and counted by those who steer. */
	if (vip->flags & (MPLB_VIP_F_STEER | MPLB_VIP_F_PORTS))
		return 0;
	if (doff > TCP_LEN)
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

/* Hash of the packet's flow, all of it. */
static __always_inline __u64 flow_mix(const struct packet *p, const struct mplb_vip_slot *vip,
				      __u32 ports)
{
	return p->family == MPLB_FAMILY_4
		       ? mplb_flow_mix4(vip->hash_key, (__be32)p->src.first, ports)
		       : mplb_flow_mix6(vip->hash_key, p->src.first, p->src.second, ports);
}

/* The pair of backends that a packet goes to. */
struct pair {
	__u32 owner, fallback;
};

/* Of a VIP that steers, or has join ports: not the slot alone decides. *to: the
 * slot's. Returns GO_ON, or an XDP action. */
static __always_inline int steer_packet(struct xdp_md *ctx, const struct packet *p,
					const struct mplb_vip_slot *vip, struct pair *to)
{
	struct steer s = {
		.name = mplb_flow_name(flow_mix(p, vip, p->ports)),
		.vip = vip->vip,
		.table = vip->table,
		.l3_off = (__u8)p->l3_off,
		.l4_off = (__u16)p->l4_off,
		.owner = (__u16)to->owner,
		.fallback = (__u16)to->fallback,
		.family = p->family,
		.error = p->error,
	};
	__u32 syn = (__u32)is_syn(ctx, p);

	if (vip->flags & MPLB_VIP_F_PORTS)
		steer_port(ctx, &s, (__u16)(bpf_ntohs(packet_dport(p)) - vip->join_base), syn);
	else if (syn)
		steer_syn(ctx, &s);
	else
		steer_segment(ctx, &s);
	if (s.reason)
		return steer_reject(ctx, &s);
	to->owner = s.owner;
	to->fallback = s.fallback;
	return GO_ON;
}

/* The packet is for this VIP: which slot, which backend, and off it goes. */
static __always_inline int balance(struct xdp_md *ctx, const struct packet *p,
				   const struct mplb_vip_slot *vip)
{
	__u32 ports = vip->flags & MPLB_VIP_F_ADDRESSES ? 0 : p->ports;
	__u32 hash = (__u32)(flow_mix(p, vip, ports) >> 32);
	__u32 number = mplb_slot_of(hash), line_key = number / MPLB_TABLE_LINE;
	__u32 table_key = vip->table;
	void *table = bpf_map_lookup_elem(&mplb_tables, &table_key);
	const struct mplb_table_line *line;
	const struct mplb_table_slot *slot;
	struct mplb_trace *trace;
	struct pair to;

	if (!table)
		return finish(ctx, MPLB_R_TABLE_INCONSISTENT);
	line = bpf_map_lookup_elem(table, &line_key);
	if (!line)
		return finish(ctx, MPLB_R_TABLE_INCONSISTENT);
	slot = &line->slot[number % MPLB_TABLE_LINE];
	to.owner = slot->owner;
	to.fallback = slot->fallback;
	trace = trace_of(ctx);
	if (trace) {
		trace->vip = vip->vip;
		trace->hash = hash;
		trace->slot = number;
		trace->owner = slot->owner;
		trace->fallback = slot->fallback;
	}
	/* Unlikely, for the sake of those who do not steer. */
	if (__builtin_expect(vip->flags & (MPLB_VIP_F_STEER | MPLB_VIP_F_PORTS), 0) &&
	    !p->fragment) {
		int action = steer_packet(ctx, p, vip, &to);

		if (action != GO_ON)
			return action;
	}
	if (to.owner == MPLB_NO_BACKEND)
		return finish(ctx, MPLB_R_NO_BACKEND);
	return forward(ctx, p, hash, vip->vip, to.owner, to.fallback);
}

/* A fragment: a VIP that takes any port and hashes addresses only can have it,
 * no other. Returns GO_ON with the VIP in *out, or an XDP action; so does
 * admit_flow(). */
static __always_inline int admit_fragment(struct xdp_md *ctx, struct packet *p,
					  const struct mplb_vip_slot **out)
{
	const struct mplb_vip_slot *vip = vip_find(&p->dst, 0, p->proto, p->family);

	if (!vip || !(vip->flags & MPLB_VIP_F_ADDRESSES))
		return stop(ctx, p, MPLB_R_FRAGMENT);
	if (is_multicast(ctx))
		return finish(ctx, MPLB_R_MULTICAST);
	if (length_is_wrong(ctx, p, p->l4_off - p->l3_off))
		return finish(ctx, MPLB_R_LENGTH_MISMATCH);
	p->ports = 0;
	*out = vip;
	return GO_ON;
}

/* TCP or UDP; or the flow that an ICMP error is about, whose headers are not
 * here. */
static __always_inline int admit_flow(struct xdp_md *ctx, struct packet *p,
				      const struct mplb_vip_slot **out)
{
	const void *end = (void *)(long)ctx->data_end;
	__u32 off = p->l4_off, header = off - p->l3_off;
	const struct mplb_vip_slot *vip;
	struct mplb_trace *trace;
	const __u8 *l4;

	if (off > L4_MAX)
		return stop(ctx, p, MPLB_R_L4_TRUNCATED);
	barrier_var(off); /* or clang forms the pointer before the verifier knows the bound */
	l4 = (void *)(long)ctx->data + off;
	if (!p->error) {
		if ((const void *)(l4 + UDP_LEN) > end)
			return stop(ctx, p, MPLB_R_L4_TRUNCATED);
		p->ports = *(const __u32 *)l4;
	}
	vip = vip_find(&p->dst, packet_dport(p), p->proto, p->family);
	if (!vip)
		return finish(ctx, p->error ? MPLB_R_ICMP_UNRELATED : MPLB_R_NOT_VIP);
	trace = trace_of(ctx);
	if (trace)
		trace->vip = vip->vip;
	*out = vip;
	if (p->error)
		return GO_ON;
	if (is_multicast(ctx))
		return finish(ctx, MPLB_R_MULTICAST);
	if (length_is_wrong(ctx, p, header + UDP_LEN))
		return finish(ctx, MPLB_R_LENGTH_MISMATCH);
	if (p->proto == IPPROTO_TCP) {
		__u32 doff;

		if ((const void *)(l4 + TCP_LEN) > end)
			return finish(ctx, MPLB_R_L4_TRUNCATED);
		doff = (__u32)(l4[12] >> 4) * 4;
		if (doff < TCP_LEN || header + doff > p->ip_len)
			return finish(ctx, MPLB_R_TCP_MALFORMED);
		if ((l4[13] & (TCP_SYN | TCP_RST | TCP_ACK)) == TCP_SYN &&
		    syn_is_rejected(ctx, p, doff, vip))
			return reset_syn(ctx, p->family, p->l3_off, p->l4_off,
					 MPLB_R_JOIN_REJECTED);
	}
	return GO_ON;
}

/* Is this ICMP message an error? */
static __always_inline int is_icmp_error(const struct packet *p, __u8 type)
{
	if (p->family == MPLB_FAMILY_4)
		return type == ICMP_UNREACHABLE || type == ICMP_TIME_EXCEEDED ||
		       type == ICMP_PARAMETER;
	return type >= 1 && type <= ICMP6_ERROR_LAST;
}

/* ICMP to a VIP's address. Returns an XDP action, or GO_ON: *p is now the flow
 * that it is about. A global function: with it out of line, the common path
 * keeps its packet in registers. */
__noinline int lb_icmp(struct xdp_md *ctx, struct packet *p)
{
	const void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	const __u8 *icmp;
	__u32 off;
	int reason;

	if (!p)
		return finish(ctx, MPLB_R_L4_TRUNCATED);
	off = p->l4_off;
	if (off > L4_MAX)
		return finish(ctx, MPLB_R_L4_TRUNCATED);
	barrier_var(off);
	if (!vip_has_address(p->dst.first, p->dst.second, p->family))
		return finish(ctx, MPLB_R_NOT_VIP);
	if (p->fragment)
		return finish(ctx, MPLB_R_FRAGMENT);
	if (is_multicast(ctx))
		return finish(ctx, MPLB_R_MULTICAST);
	icmp = data + off;
	if ((const void *)(icmp + ICMP_LEN) > end)
		return finish(ctx, MPLB_R_L4_TRUNCATED);
	if (length_is_wrong(ctx, p, p->l4_off - p->l3_off + ICMP_LEN))
		return finish(ctx, MPLB_R_LENGTH_MISMATCH);
	if (is_icmp_error(p, icmp[0])) {
		reason = read_quoted(ctx, p);
		return reason ? finish(ctx, (__u32)reason) : GO_ON;
	}
	if (icmp[0] == (p->family == MPLB_FAMILY_4 ? ICMP_ECHO : ICMP6_ECHO) && !icmp[1] &&
	    p->l4_off - p->l3_off == (p->family == MPLB_FAMILY_4 ? IPV4_LEN : IPV6_LEN))
		return answer_echo(ctx, p->family, p->l3_off);
	return finish(ctx, MPLB_R_ICMP_OTHER);
}

/* Decides about one frame. Returns an XDP action. */
static __always_inline int lb(struct xdp_md *ctx)
{
	const void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	const struct ethhdr *eth = data;
	const struct mplb_vip_slot *vip = NULL;
	struct packet p = { .l3_off = ETH_LEN };
	int reason, action;
	__be16 proto;

	if ((const void *)(eth + 1) > end)
		return finish(ctx, MPLB_R_NOT_IP);
	proto = eth->h_proto;
	if (proto == bpf_htons(ETH_P_8021Q) || proto == bpf_htons(ETH_P_8021AD))
		p.l3_off = skip_vlan(data, end, &proto);
	if (proto == bpf_htons(ETH_P_IP))
		reason = parse_ipv4(data + p.l3_off, end, &p);
	else if (proto == bpf_htons(ETH_P_IPV6))
		reason = parse_ipv6(ctx, data + p.l3_off, end, &p);
	else
		reason = MPLB_R_NOT_IP;
	if (reason)
		return stop(ctx, &p, reason);
	if (p.proto == (p.family == MPLB_FAMILY_4 ? IPPROTO_ICMP : IPPROTO_ICMPV6)) {
		struct packet flow = p;

		action = lb_icmp(ctx, &flow);
		if (action != GO_ON)
			return action;
		p = flow;
	} else if (p.proto != IPPROTO_TCP && p.proto != IPPROTO_UDP) {
		return finish(ctx, MPLB_R_NOT_VIP);
	}
	action = p.fragment ? admit_fragment(ctx, &p, &vip) : admit_flow(ctx, &p, &vip);
	if (action != GO_ON || !vip)
		return action;
	return balance(ctx, &p, vip);
}

#endif
