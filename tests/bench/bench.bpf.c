/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the data plane costs per packet. Each program here makes the packet anew
 * (Ethernet header, source address and port of one of `flows` flows), does one
 * thing with it, and takes back what that did to its length, so that
 * BPF_PROG_TEST_RUN can repeat it: a program that encapsulates would else see a
 * packet that grows until it gives up.
 */
#include "bpf/lb.h"

/* Set by the benchmark before loading. */
const volatile __u32 flow_mask; /* flows - 1, a power of two less one */
const volatile __u32 bench_len;
const volatile __u8 family; /* 4 or 6 */

const volatile __u32 key_off; /* of a server's key in the frame, to be made anew; 0: none */

__u32 packets; /* made so far */

#define FRAME_MIN 54

struct frame4 {
	struct ethhdr eth;
	struct iphdr ip;
	struct tcphdr tcp;
} __attribute__((packed));

struct frame6 {
	struct ethhdr eth;
	struct ipv6hdr ip6;
	struct tcphdr tcp;
} __attribute__((packed));

/* Writes the Ethernet header and the source of the next flow. Flows follow each
 * other in no order: an odd multiplier runs through all residues of a power of
 * two. */
static __always_inline int make_packet(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 flow = (packets++ * 2654435761u >> 7) & flow_mask;
	struct frame4 *f4 = data;
	struct frame6 *f6 = data;

	if (data + FRAME_MIN > end)
		return -1;
	*(__u64 *)data = 0x0200000000000002ULL;
	*(__u32 *)(data + 8) = 0x02000000;
	if (key_off && key_off < 128) {
		if (data + key_off + 4 > end)
			return -1;
		*(__u32 *)(data + key_off) = packets;
	}
	if (family == 4) {
		f4->eth.h_proto = bpf_htons(ETH_P_IP);
		f4->ip.saddr = bpf_htonl(0xcb007100 + (flow >> 4));
		f4->tcp.source = bpf_htons((__u16)(1024 + (flow & 15)));
		return 0;
	}
	if (data + sizeof(*f6) > end)
		return -1;
	f6->eth.h_proto = bpf_htons(ETH_P_IPV6);
	f6->ip6.saddr.in6_u.u6_addr32[3] = bpf_htonl(flow >> 4);
	f6->tcp.source = bpf_htons((__u16)(1024 + (flow & 15)));
	return 0;
}

/* Takes an outer header off again. */
static __always_inline int restore(struct xdp_md *ctx, int verdict)
{
	__u32 len = frame_len(ctx);

	if (len > bench_len && bpf_xdp_adjust_head(ctx, (int)(len - bench_len)))
		return XDP_ABORTED;
	return verdict;
}

/* What running a program at all costs here. */
SEC("xdp")
int bench_empty(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}

/* The wrapper alone. */
SEC("xdp")
int bench_wrapper(struct xdp_md *ctx)
{
	if (make_packet(ctx))
		return XDP_ABORTED;
	return restore(ctx, XDP_PASS);
}

/* The wrapper and swapped MAC addresses: the least that any program does which
 * sends a packet. */
SEC("xdp")
int bench_swap(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;

	if (make_packet(ctx))
		return XDP_ABORTED;
	if (data + ETH_LEN > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	swap_ethernet(data);
	return restore(ctx, XDP_TX);
}

/* The wrapper, swapped MAC addresses and 20 bytes pushed: the least of any
 * IP-in-IP. */
SEC("xdp")
int bench_push(struct xdp_md *ctx)
{
	void *data;

	if (make_packet(ctx) || bpf_xdp_adjust_head(ctx, -IPV4_LEN))
		return XDP_ABORTED;
	data = (void *)(long)ctx->data;
	if (data + ETH_LEN + IPV4_LEN > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	__builtin_memset(data, 2, ETH_LEN + IPV4_LEN);
	return restore(ctx, XDP_TX);
}

/* The balancer. */
SEC("xdp")
int bench_lb(struct xdp_md *ctx)
{
	if (make_packet(ctx))
		return XDP_ABORTED;
	return restore(ctx, lb(ctx));
}

/* Live frames: the kernel sends what these return XDP_TX for, so nothing is restored. */
SEC("xdp")
int live_swap(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;

	if (make_packet(ctx) || data + ETH_LEN > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	swap_ethernet(data);
	return XDP_TX;
}

SEC("xdp")
int live_lb(struct xdp_md *ctx)
{
	if (make_packet(ctx))
		return XDP_ABORTED;
	return lb(ctx);
}

/* The far end of the link: counts what arrives. */
__u64 arrived;

SEC("xdp")
int live_sink(struct xdp_md *ctx)
{
	(void)ctx;
	__sync_fetch_and_add(&arrived, 1);
	return XDP_DROP;
}

char _license[] SEC("license") = "GPL";
