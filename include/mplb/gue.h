/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_GUE_H
#define MPLB_GUE_H

/*
 * The encapsulation of `forward: gue`: UDP to port 6080, then GUE variant 0
 * (draft-ietf-intarea-gue-09, section 3) with no flags, whose private data carries the second
 * chance. A receiver that does not know the private data (Linux's fou module) skips it by hlen.
 *
 * The header has the same length whether there is a fallback or not, so that the MTU of a path does
 * not depend on it. All backends of a pool are of one family, that of the outer header.
 */
#include "mplb/abi.h"

#define MPLB_GUE_PORT	    6080 /* IANA: gue */
#define MPLB_GUE_SPORT_BASE 49152 /* source port: this plus the low 14 bits of the flow's hash */
#define MPLB_GUE_SPORT_MASK 0x3fff

struct mplb_gue {
	__u8 hlen; /* version 0, C = 0, length of what follows the first 4 bytes, in words */
	__u8 proto; /* of the inner packet: IPPROTO_IPIP, IPPROTO_IPV6 */
	__be16 flags; /* 0 */
	/* private data */
	__u8 version; /* MPLB_GUE_VERSION; anything else: no second chance known here */
	__u8 hops; /* 0 from a balancer; 1 from a backend that passed the packet on */
	__u8 family; /* of fallback: MPLB_FAMILY_4, MPLB_FAMILY_6; 0: there is none */
	__u8 reserved; /* 0 */
	/* then the fallback's address: 4 or 16 bytes, as the outer header's family; 0 where none */
};
_Static_assert(sizeof(struct mplb_gue) == 8, "no padding on the wire");

#define MPLB_GUE_VERSION 1
#define MPLB_GUE_LEN_4	 (sizeof(struct mplb_gue) + 4) /* 12: hlen 2 */
#define MPLB_GUE_LEN_6	 (sizeof(struct mplb_gue) + 16) /* 24: hlen 5 */

#endif
