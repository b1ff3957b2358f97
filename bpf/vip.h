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
 * The slot with this key; NULL where there is none, and then *wildcards says whether the table has
 * VIPs of port 0. service: mplb_vip_service().
 */
static __always_inline const struct mplb_vip_slot *vip_probe(void *table, const struct address *dst,
							     __u32 service, int *wildcards)
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
			*wildcards = slot->flags & MPLB_VIP_F_WILDCARD;
			return NULL;
		}
	}
	/* Userspace builds no chain this long, but for one that ends here: look at all. */
	*wildcards = 1;
	return NULL;
}

static __always_inline void *vip_table(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&mplb_vips, &zero);
}

/* The VIP of a packet to (dst, port, proto): that very port first, then any port. */
static __always_inline const struct mplb_vip_slot *vip_find(const struct address *dst, __be16 port,
							    __u8 proto, __u8 family)
{
	const struct mplb_vip_slot *slot;
	void *table = vip_table();
	int wildcards = 0;

	if (!table)
		return NULL;
	slot = vip_probe(table, dst, mplb_vip_service(port, proto, family), &wildcards);
	if (!slot && wildcards)
		slot = vip_probe(table, dst, mplb_vip_service(0, proto, family), &wildcards);
	return slot;
}

/* Is this address a VIP's, whatever the port? For packets whose ports cannot be read. Out of line:
 * the main path does without. */
static __noinline int vip_has_address(__u64 first, __u64 second, __u8 family)
{
	const struct address dst = { .first = first, .second = second };
	void *table = vip_table();
	int wildcards;

	return table && vip_probe(table, &dst, mplb_vip_service(0, 0, family), &wildcards);
}

#endif
