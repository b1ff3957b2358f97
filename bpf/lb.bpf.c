/* SPDX-License-Identifier: GPL-2.0-only */
/* The balancer's entry point. bpf/lb.h has the path of a packet. */
#include "bpf/lb.h"

#include <xdp/xdp_helpers.h>

/* Where libxdp chains programs: after filters (which run below 20), before what sees only packets
 * that we pass on. */
struct {
	__uint(priority, 20);
	__uint(XDP_PASS, 1);
} XDP_RUN_CONFIG(mplb_lb);

SEC("xdp")
int mplb_lb(struct xdp_md *ctx)
{
	return lb(ctx);
}

char _license[] SEC("license") = "GPL";
