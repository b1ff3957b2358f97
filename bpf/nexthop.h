/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_BPF_NEXTHOP_H
#define MPLB_BPF_NEXTHOP_H

/* Where a packet leaves: from the backend's entry, or from the kernel's FIB. */
#include "bpf/maps.h"
#include "bpf/packet.h"

#ifndef AF_INET
#define AF_INET	 2
#define AF_INET6 10
#endif

struct nexthop {
	__u32 ifindex;
	__u16 vlan; /* id, 0: untagged */
	struct macs macs;
};

/* Asks the FIB and the neighbour table. ip_len: of the packet as it will be
 * sent. Returns 0 with *hop filled in, or the reason why not. Out of line: the
 * path of a backend without a resolved next hop must not cost the others
 * registers. */
static __noinline int nexthop_from_fib(struct xdp_md *ctx, const struct mplb_backend *b,
				       __u32 ip_len, struct nexthop *hop)
{
	struct bpf_fib_lookup fib = { .ifindex = ctx->ingress_ifindex, .tot_len = (__u16)ip_len };

	if (!b || !hop)
		return MPLB_R_TABLE_INCONSISTENT;
	/* Without a source of our own there was no route when userspace looked. */
	if (!b->src.word[0] && !b->src.word[3])
		return MPLB_R_NO_ROUTE;
	if (b->family == MPLB_FAMILY_4) {
		fib.family = AF_INET;
		fib.ipv4_src = b->src.word[0];
		fib.ipv4_dst = b->dst.word[0];
	} else {
		fib.family = AF_INET6;
		__builtin_memcpy(fib.ipv6_src, &b->src, 16);
		__builtin_memcpy(fib.ipv6_dst, &b->dst, 16);
	}
	switch (bpf_fib_lookup(ctx, &fib, sizeof(fib), 0)) {
	case BPF_FIB_LKUP_RET_SUCCESS:
		break;
	case BPF_FIB_LKUP_RET_NO_NEIGH:
		return MPLB_R_NO_NEIGHBOUR;
	case BPF_FIB_LKUP_RET_FWD_DISABLED:
		return MPLB_R_FORWARDING_OFF;
	case BPF_FIB_LKUP_RET_FRAG_NEEDED:
		return MPLB_R_TOO_BIG;
	default:
		return MPLB_R_NO_ROUTE;
	}
	hop->ifindex = fib.ifindex;
	__builtin_memcpy(&hop->macs, fib.dmac, 6);
	__builtin_memcpy((__u8 *)&hop->macs + 6, fib.smac, 6);
	return 0;
}

#endif
