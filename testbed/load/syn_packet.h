/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_LOAD_SYN_PACKET_H
#define MPLB_LOAD_SYN_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "endpoint.h"

#define SYN_PACKET_MAX (40 + 20 + 32) /* bytes: IPv6, TCP, its options with MP_JOIN */

/* What SYNs are to be made. */
struct syn_plan {
	struct endpoint to;
	struct endpoint from; /* len 0: made-up addresses */
	bool join; /* with MP_JOIN */
	bool random_token;
	uint32_t token;
	uint64_t state; /* of the generator, not 0 */
};

/* Makes the next one, with its IP header, from a random port; the packet's length. The options are
 * those that Linux sends, and MP_JOIN (RFC 8684, 3.2). Made-up addresses are of 198.18.0.0/15 and
 * 2001:2::/48, which are for this (RFC 2544, RFC 5180). */
size_t syn_packet(struct syn_plan *plan, uint8_t packet[static SYN_PACKET_MAX]);

#endif
