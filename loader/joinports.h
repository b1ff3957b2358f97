/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_JOINPORTS_H
#define MPLB_JOINPORTS_H

#include <stddef.h>
#include "mplb/abi.h"

/*
 * Join ports (`join_ports: {base: N}` of a VIP): port base + id belongs to the member with that id.
 * A VIP has those from base + 1 to the end of the block (MPLB_JOIN_BLOCK) that the greatest id is
 * in, so that a member that has left is still known for one.
 */
struct joinports {
	__u32 first, last; /* ports; first 0: none */
};

/* The ports for ids up to max_id. base 0: none. */
static inline struct joinports joinports_of(__u16 base, __u16 max_id)
{
	struct joinports ports = { 0 };

	if (base && max_id) {
		ports.first = base + 1u;
		ports.last = (base + max_id) | (MPLB_JOIN_BLOCK - 1);
	}
	return ports;
}

/* How many blocks they are in. */
static inline __u32 joinports_blocks(struct joinports ports)
{
	return ports.first ? ports.last / MPLB_JOIN_BLOCK - ports.first / MPLB_JOIN_BLOCK + 1 : 0;
}

#endif
