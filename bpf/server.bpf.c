/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The backend's programs. XDP takes the outer header off packets that a balancer sent, or makes
 * them packets for another backend (second chance), and leaves everything else to the stack, so
 * that the kernel's own tunnel devices go on working. tc sends on what is for another backend,
 * lowers the MSS that VIPs announce, keeps the first flight of an answer small, and guards the
 * dedicated addresses.
 *
 * Limits: VLAN tags in the frame are not looked behind (attach to a device that has them stripped).
 * The outer destination is not compared with the host's addresses: a machine that routes or bridges
 * tunnel packets to other backends of the same VIP must not decapsulate on that device.
 */
#include "bpf/decap.h"
#include "bpf/decap_gue.h"
#include "bpf/first_flight.h"
#include "bpf/guard.h"
#include "bpf/mss.h"
#include "bpf/pass_on.h"
#include "bpf/second.h"
#include "bpf/server_maps.h"
#include <linux/if_packet.h>
#include <linux/pkt_cls.h>

/* The XDP action that belongs to a reason. */
static __always_inline int action_of(enum mplb_server_reason reason)
{
	switch (reason) {
#define X(number, NAME, name, action, text)                                                        \
	case MPLB_SERVER_R_##NAME:                                                                 \
		return XDP_##action;
		MPLB_SERVER_REASONS(X)
#undef X
	default:
		return XDP_PASS;
	}
}

/* Counts the frame, bytes long as it came, and returns the reason's XDP action. */
static __always_inline int finish(enum mplb_server_reason reason, __u32 bytes)
{
	server_count(reason, bytes);
	return action_of(reason);
}

/* Is this frame a tunnel packet for us? Fills *t as far as it got. */
static __always_inline int judge(const void *data, const void *end, struct tunnel *t)
{
	const struct ethhdr *eth = data;
	int reason;

	if ((const void *)(eth + 1) > end)
		return MPLB_SERVER_R_NOT_IP;
	if (eth->h_proto == bpf_htons(ETH_P_IP))
		reason = outer_ipv4(data, end, t);
	else if (eth->h_proto == bpf_htons(ETH_P_IPV6))
		reason = outer_ipv6(data, end, t);
	else
		return MPLB_SERVER_R_NOT_IP;
	if (reason)
		return reason;
	if (eth->h_dest[0] & 1)
		return MPLB_SERVER_R_MULTICAST;
	if (!bpf_map_lookup_elem(&server_balancers, &t->src))
		return MPLB_SERVER_R_NOT_BALANCER;
	if (t->gue)
		reason = gue_headers(data + ETH_LEN, end, t);
	if (reason)
		return reason;
	data += ETH_LEN + t->outer_len;
	reason = t->inner == MPLB_FAMILY_4 ? inner_ipv4(data, end, t) : inner_ipv6(data, end, t);
	if (reason)
		return reason;
	if (!bpf_map_lookup_elem(&server_vips, &t->dst))
		return MPLB_SERVER_R_NOT_VIP;
	if (t->inner_ecn == ECN_NOT_ECT && t->outer_ecn == ECN_CE)
		return MPLB_SERVER_R_ECN_CONGESTION;
	return MPLB_SERVER_R_DECAPSULATED;
}

/* Writes the Ethernet header in front of the inner packet and carries the outer ECN over. */
static __always_inline void finish_inner(struct xdp_md *ctx, const struct ethhdr *eth,
					 const struct tunnel *t)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	void *ip = data + ETH_LEN;
	__u8 ecn = ecn_merged(t);

	if (ip + IPV4_LEN > end)
		return;
	__builtin_memcpy(data, eth, ETH_LEN);
	if (ecn == t->inner_ecn)
		return;
	if (t->inner == MPLB_FAMILY_4)
		ip4_set_ecn(ip, ecn);
	else
		ip6_set_ecn(ip, ecn);
}

/* Takes the outer headers off. 0 or -1. */
static __always_inline int decapsulate(struct xdp_md *ctx, const struct tunnel *t)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr eth;

	if (data + sizeof(eth) > end)
		return -1;
	__builtin_memcpy(&eth, data, sizeof(eth));
	eth.h_proto = t->inner == MPLB_FAMILY_4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
	if (bpf_xdp_adjust_head(ctx, (int)t->outer_len))
		return -1;
	finish_inner(ctx, &eth, t);
	return 0;
}

static __always_inline int server(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 bytes = frame_len(ctx);
	struct tunnel t = { 0 };
	int reason = judge(data, end, &t);

	if (reason)
		return finish(reason, bytes);
	if (t.gue)
		reason = judge_flow(ctx, &t);
	if (reason == MPLB_SERVER_R_PASSED_ON) {
		if (!pass_on(ctx, &t))
			return finish(reason, bytes);
		reason = MPLB_SERVER_R_GUE_UNKNOWN;
	}
	if (decapsulate(ctx, &t))
		reason = MPLB_SERVER_R_STRIP_FAILED;
	return finish(reason, bytes);
}

SEC("xdp")
int mplb_server(struct xdp_md *ctx)
{
	return server(ctx);
}

/* Is this the frame that pass_on() made? Asked of every frame that comes in: the mark first. */
static __always_inline int is_passed_on(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct mplb_server_addr src = { 0 };
	int known;

	if (skb->protocol == bpf_htons(ETH_P_IP))
		known = is_passed_on_ipv4(data, end, &src);
	else
		known = skb->protocol == bpf_htons(ETH_P_IPV6) &&
			is_passed_on_ipv6(data, end, &src);
	return known && bpf_map_lookup_elem(&server_balancers, &src);
}

static __always_inline int is_marked(struct __sk_buff *skb)
{
	const void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	const struct ethhdr *eth = data;

	return (const void *)(eth + 1) <= end && pass_on_is_marked(eth);
}

/* Ingress: sends on what XDP has made a packet for another backend. XDP sees every frame on the
 * wire; one for another host, which a switch has flooded, is that host's to pass on. */
SEC("tc")
int mplb_pass_on(struct __sk_buff *skb)
{
	if (!is_marked(skb) || skb->pkt_type != PACKET_HOST)
		return TC_ACT_UNSPEC;
	/* A driver may have left all but the first bytes in pages. */
	if (bpf_skb_pull_data(skb, ETH_LEN + IPV6_LEN + UDP_LEN + MPLB_GUE_LEN_6) &&
	    bpf_skb_pull_data(skb, ETH_LEN + IPV4_LEN + UDP_LEN + MPLB_GUE_LEN_4))
		return TC_ACT_UNSPEC;
	if (!is_passed_on(skb))
		return TC_ACT_UNSPEC;
	return (int)bpf_redirect_neigh(skb->ifindex, NULL, 0, 0);
}

/* Egress: lowers the MSS in SYN/ACKs of VIPs. */
SEC("tc")
int mplb_mss(struct __sk_buff *skb)
{
	struct syn_ack s = { 0 };
	__u32 limit;

	if (!find_syn_ack(skb, &s))
		return TC_ACT_UNSPEC;
	limit = mss_limit(skb, &s);
	if (limit && lower_mss(skb, &s, limit))
		server_count(MPLB_SERVER_R_MSS_LOWERED, skb->len);
	return TC_ACT_UNSPEC;
}

/* Ingress: lowers the window of the third ACKs of MPTCP connections to VIPs. */
SEC("tc")
int mplb_first_flight(struct __sk_buff *skb)
{
	struct mplb_server_settings *settings;
	struct third_ack a = { 0 };
	__u32 zero = 0, limit;

	if (!find_third_ack(skb, &a))
		return TC_ACT_UNSPEC;
	settings = bpf_map_lookup_elem(&server_settings, &zero);
	if (!settings || !settings->first_flight)
		return TC_ACT_UNSPEC;
	limit = first_flight_window(skb, &a, settings->first_flight);
	if (lower_window(skb, &a, limit))
		server_count(MPLB_SERVER_R_FIRST_FLIGHT, skb->len);
	return TC_ACT_UNSPEC;
}

/* Ingress: the guard of the dedicated addresses. */
SEC("tc")
int mplb_guard(struct __sk_buff *skb)
{
	struct guarded g = { 0 };
	struct mplb_guard *guard;
	int guarded = 0, reason;
	__u32 zero = 0;

	guard = bpf_map_lookup_elem(&guard_settings, &zero);
	if (!guard)
		return TC_ACT_UNSPEC;
	if (skb->protocol == bpf_htons(ETH_P_IP))
		guarded = guarded_ipv4(skb, &g);
	else if (skb->protocol == bpf_htons(ETH_P_IPV6))
		guarded = guarded_ipv6(skb, guard, &g);
	if (!guarded)
		return TC_ACT_UNSPEC;
	reason = guard_judge(skb, guard, &g);
	server_count(reason, skb->len);
	return action_of(reason) == XDP_DROP ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

char LICENSE[] SEC("license") = "GPL";
