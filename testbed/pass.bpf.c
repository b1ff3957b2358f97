// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lets every packet pass. A veth delivers frames that the other end sends by XDP_TX or redirect
 * only while it has an XDP program of its own (drivers/net/veth.c, veth_xdp_xmit).
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int pass(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
