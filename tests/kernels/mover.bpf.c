// SPDX-License-Identifier: GPL-2.0-only
/*
 * The least program that moves a packet's head, as a balancer's does that adds a header. libxdp
 * before 1.5.5 cannot chain such a program on a kernel that tells them from others ("bpf: check
 * changes_pkt_data property for extension programs", 6.13, in stable 6.12 too): whether it can here
 * is asked with this one, not with the program under test.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int mover(struct xdp_md *ctx)
{
	if (!bpf_xdp_adjust_head(ctx, -4))
		bpf_xdp_adjust_head(ctx, 4);
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
