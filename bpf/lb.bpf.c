/* SPDX-License-Identifier: GPL-2.0-only */
/* The balancer's entry point. bpf/lb.h has the path of a packet. */
#include "bpf/lb.h"

SEC("xdp")
int mplb_lb(struct xdp_md *ctx)
{
	return lb(ctx);
}

char _license[] SEC("license") = "GPL";
