/* SPDX-License-Identifier: GPL-2.0-only */
/* The balancer's entry points. bpf/lb.h has the path of a packet, bpf/probe.h that of a health
 * probe. */
#include "bpf/lb.h"
#include "bpf/probe.h"

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

/* Loaded by itself: datapath_load_probe(). */
SEC("?tc")
int mplb_probe(struct __sk_buff *skb)
{
	return probe(skb);
}

char _license[] SEC("license") = "GPL";
