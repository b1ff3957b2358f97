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
	__u8 dmac[6];
	__u8 smac[6];
};

/* Asks the FIB and the neighbour table. ip_len: of the packet as it will be sent. Returns
 * MPLB_R_FORWARDED with *hop filled in, or the reason why not. Out of line: the path of a backend
 * without a resolved next hop must not cost the others registers. */
static __noinline int nexthop_from_fib(struct xdp_md *ctx, const struct mplb_backend *b,
				       __u32 ip_len, struct nexthop *hop)
{
	struct bpf_fib_lookup fib = { .ifindex = ctx->ingress_ifindex, .tot_len = (__u16)ip_len };

	if (!b || !hop)
		return MPLB_R_TABLE_INCONSISTENT;
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
	__builtin_memcpy(hop->dmac, fib.dmac, 6);
	__builtin_memcpy(hop->smac, fib.smac, 6);
	return MPLB_R_FORWARDED;
}

#endif
