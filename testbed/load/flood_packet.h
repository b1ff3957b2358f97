/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_LOAD_FLOOD_PACKET_H
#define MPLB_LOAD_FLOOD_PACKET_H

#include <stdint.h>

#include "endpoint.h"

/* A SYN with MP_JOIN (RFC 8684, 3.2) as Linux makes it: MSS, SACK, timestamps, window scale, join.
 */
#define FLOOD_PACKET_LEN 52

struct flood_packet {
	uint8_t tcp[FLOOD_PACKET_LEN];
	uint32_t sum; /* of the pseudo-header and of all that never changes */
};

/* Prepares SYNs from one address to an address and port. */
void flood_packet_init(struct flood_packet *packet, const struct endpoint *from,
		       const struct endpoint *to);
/* Makes the next one: its port, its token, and a right checksum. */
void flood_packet_set(struct flood_packet *packet, uint16_t port, uint32_t token, uint32_t nonce);

#endif
