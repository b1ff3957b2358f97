/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_BPF_VIP_H
#define MPLB_BPF_VIP_H

/* Is it for a VIP, and for which? */
#include "bpf/maps.h"
#include "bpf/packet.h"
#include "mplb/hash.h"

static __always_inline int vip_matches(const struct mplb_vip_slot *slot, const struct address *dst,
				       __u32 service)
{
	const __u64 *addr = (const __u64 *)&slot->addr;

	/* One branch for all three: for speed, and so that the verifier sees one path, not three.
	 */
	return !((addr[0] ^ dst->first) | (addr[1] ^ dst->second) | (slot->service ^ service));
}

/*
 * The slot with this key; NULL where there is none, and then *others says whether the table has
 * VIPs of port 0 and join ports (MPLB_VIP_F_WILDCARD, MPLB_VIP_F_RANGES). service:
 * mplb_vip_service().
 */
static __always_inline const struct mplb_vip_slot *vip_probe(void *table, const struct address *dst,
							     __u32 service, int *others)
{
	__u32 home = mplb_vip_hash(dst->first, dst->second, service, MPLB_VIP_SLOTS);

#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < MPLB_VIP_PROBES; i++) {
		__u32 key = (home + i) & (MPLB_VIP_SLOTS - 1);
		const struct mplb_vip_slot *slot = bpf_map_lookup_elem(table, &key);

		if (!slot)
			return NULL;
		if (vip_matches(slot, dst, service))
			return slot;
		if (!slot->service) {
			*others = slot->flags & (MPLB_VIP_F_WILDCARD | MPLB_VIP_F_RANGES);
			return NULL;
		}
	}
	/* Userspace builds no chain this long, but for one that ends here: look at all. */
	*others = MPLB_VIP_F_WILDCARD | MPLB_VIP_F_RANGES;
	return NULL;
}

static __always_inline void *vip_table(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&mplb_vips, &zero);
}

/* The block of join ports that this one is in. Out of line, as it is asked for last. */
static __noinline const struct mplb_vip_slot *vip_find_join_port(__u64 first, __u64 second,
								 __be16 port, __u8 family)
{
	const struct address dst = { .first = first, .second = second };
	const struct mplb_vip_slot *slot;
	void *table = vip_table();
	int others;

	if (!table)
		return NULL;
	slot = vip_probe(table, &dst,
			 mplb_vip_service(port & bpf_htons((__u16) ~(MPLB_JOIN_BLOCK - 1)),
					  MPLB_JOIN_PROTO, family),
			 &others);
	return slot && bpf_ntohs(port) > slot->join_base ? slot : NULL;
}

/* The VIP of a packet to (dst, port, proto): that very port first, then any port. */
static __always_inline const struct mplb_vip_slot *vip_find(const struct address *dst, __be16 port,
							    __u8 proto, __u8 family)
{
	const struct mplb_vip_slot *slot;
	void *table = vip_table();
	int others = 0;

	if (!table)
		return NULL;
	slot = vip_probe(table, dst, mplb_vip_service(port, proto, family), &others);
	if (!slot && others & MPLB_VIP_F_RANGES && proto == IPPROTO_TCP)
		slot = vip_find_join_port(dst->first, dst->second, port, family);
	if (!slot && others & MPLB_VIP_F_WILDCARD)
		slot = vip_probe(table, dst, mplb_vip_service(0, proto, family), &others);
	return slot;
}

/* Is this address a VIP's, whatever the port? For packets whose ports cannot be read. Out of line:
 * the main path does without. */
static __noinline int vip_has_address(__u64 first, __u64 second, __u8 family)
{
	const struct address dst = { .first = first, .second = second };
	void *table = vip_table();
	int others;

	return table && vip_probe(table, &dst, mplb_vip_service(0, 0, family), &others);
}

#endif
