/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the backend's program costs per packet. As in bench.bpf.c, each program here makes the
 * packet anew, does one thing with it, and gives back the length that this took.
 */
#include "bpf/server.bpf.c"

/* Set by the benchmark before loading. */
const volatile __u32 bench_len;
const volatile __u32 flow_mask; /* flows - 1, a power of two less one */
const volatile __u32 port_off; /* of the inner source port in the frame */
const volatile __u16 port_base; /* of the first flow */
const volatile __u8 outer_six; /* the outer header is IPv6 */

__u8 frame[192]; /* the packet: its first bytes, as many as anything here writes to */
__u32 packets; /* made so far */

/* The frame up to the inner TCP header's ports, in words of eight: 14 + 20 + 8 + 12 + 20 + 4 for
 * IPv4 in gue over IPv4, 14 + 40 + 8 + 24 + 40 + 4 for IPv6. */
#define HEAD_4 10
#define HEAD_6 17

static __always_inline int write_head(void *data, const void *end, int words)
{
	if (data + words * 8 > end)
		return -1;
#pragma unroll
	for (int i = 0; i < words; i++)
		((__u64 *)data)[i] = ((const __u64 *)frame)[i];
	return 0;
}

static __always_inline int make_packet(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 flow = (packets++ * 2654435761u >> 7) & flow_mask;

	if (outer_six ? write_head(data, end, HEAD_6) : write_head(data, end, HEAD_4))
		return -1;
	if (data + port_off + 2 > end)
		return -1;
	*(__be16 *)(data + port_off) = bpf_htons((__u16)(port_base + flow));
	return 0;
}

/* Puts back what was taken off. */
static __always_inline int restore(struct xdp_md *ctx, int verdict)
{
	__u32 len = frame_len(ctx);

	if (len < bench_len && bpf_xdp_adjust_head(ctx, (int)(len - bench_len)))
		return XDP_ABORTED;
	return verdict;
}

/* The wrapper and swapped MAC addresses: the floor. */
SEC("xdp")
int bench_swap(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	__u8 mac[6];

	if (make_packet(ctx) || data + ETH_LEN > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	__builtin_memcpy(mac, data, 6);
	__builtin_memmove(data, data + 6, 6);
	__builtin_memcpy(data + 6, mac, 6);
	return restore(ctx, XDP_PASS);
}

/* The wrapper and 20 bytes taken off: the least of any decapsulation. */
SEC("xdp")
int bench_strip(struct xdp_md *ctx)
{
	if (make_packet(ctx) || bpf_xdp_adjust_head(ctx, IPV4_LEN))
		return XDP_ABORTED;
	return restore(ctx, XDP_PASS);
}

/* The backend's program. */
SEC("xdp")
int bench_server(struct xdp_md *ctx)
{
	if (make_packet(ctx))
		return XDP_ABORTED;
	return restore(ctx, server(ctx));
}
