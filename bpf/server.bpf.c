/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The backend's XDP program: takes the outer header off packets that a balancer sent, and leaves
 * everything else to the stack, so that the kernel's own tunnel devices go on working.
 *
 * Limits: VLAN tags in the frame are not looked behind (attach to a device that has them stripped).
 * The outer destination is not compared with the host's addresses: a machine that routes or bridges
 * tunnel packets to other backends of the same VIP must not decapsulate on that device.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "bpf/decap.h"

/* Address -> 1: outer sources that are decapsulated. Written by server-pm, read by the program. A
 * fleet has few balancers; MPLB_MAX_BALANCERS is room for one per rack of a large site. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MPLB_MAX_BALANCERS);
	__type(key, struct mplb_server_addr);
	__type(value, __u8);
} server_balancers SEC(".maps");

/* Address -> 1: the VIPs that this backend serves. Written by server-pm, read by the program. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MPLB_MAX_SERVER_VIPS);
	__type(key, struct mplb_server_addr);
	__type(value, __u8);
} server_vips SEC(".maps");

/* enum mplb_server_reason -> packets and bytes. Written by the program, read by server-pm. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MPLB_SERVER_R_MAX);
	__type(key, __u32);
	__type(value, struct mplb_server_count);
} server_counts SEC(".maps");

/* Entry -> what server-pm keeps in place and how it was before. Written and read by server-pm only;
 * a map because it lives exactly as long as sysctls, addresses and endpoints: until the reboot. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MPLB_SERVER_MAX_ITEMS);
	__type(key, __u32);
	__type(value, struct mplb_server_item);
} server_state SEC(".maps");

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
	__u32 key = reason;
	struct mplb_server_count *count = bpf_map_lookup_elem(&server_counts, &key);

	if (count) {
		count->packets += 1;
		count->bytes += bytes;
	}
	return action_of(reason);
}

/* Is this frame to be decapsulated? Fills *t as far as it got. */
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

SEC("xdp")
int mplb_server(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 bytes = (__u32)(end - data);
	struct tunnel t = { 0 };
	struct ethhdr eth;
	int reason;

	reason = judge(data, end, &t);
	if (reason)
		return finish(reason, bytes);
	if (data + sizeof(eth) > end)
		return finish(MPLB_SERVER_R_NOT_IP, bytes);
	__builtin_memcpy(&eth, data, sizeof(eth));
	eth.h_proto = t.inner == MPLB_FAMILY_4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
	if (bpf_xdp_adjust_head(ctx, (int)t.outer_len))
		return finish(MPLB_SERVER_R_STRIP_FAILED, bytes);
	finish_inner(ctx, &eth, &t);
	return finish(MPLB_SERVER_R_DECAPSULATED, bytes);
}

char LICENSE[] SEC("license") = "GPL";
