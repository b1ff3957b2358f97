// SPDX-License-Identifier: GPL-2.0-only
#include "flood_packet.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

/* Where the parts that change stand. */
#define AT_PORT	 0
#define AT_SEQ	 4
#define AT_SUM	 16
#define AT_TOKEN 44
#define AT_NONCE 48

/* Adds an even number of bytes as 16-bit words (RFC 1071). */
static uint32_t sum_of(uint32_t sum, const void *data, size_t len)
{
	const uint8_t *byte = data;

	for (size_t i = 0; i < len; i += 2)
		sum += (uint32_t)byte[i] << 8 | byte[i + 1];
	return sum;
}

static uint32_t sum_of_address(uint32_t sum, const struct endpoint *at)
{
	const struct sockaddr_in6 *six = (const void *)&at->addr;
	const struct sockaddr_in *four = (const void *)&at->addr;

	if (at->addr.ss_family == AF_INET6)
		return sum_of(sum, &six->sin6_addr, sizeof(six->sin6_addr));
	return sum_of(sum, &four->sin_addr, sizeof(four->sin_addr));
}

static void put16(struct flood_packet *packet, size_t at, uint16_t value)
{
	packet->tcp[at] = (uint8_t)(value >> 8);
	packet->tcp[at + 1] = (uint8_t)value;
}

static void put32(struct flood_packet *packet, size_t at, uint32_t value)
{
	put16(packet, at, (uint16_t)(value >> 16));
	put16(packet, at + 2, (uint16_t)value);
}

void flood_packet_init(struct flood_packet *packet, const struct endpoint *from,
		       const struct endpoint *to)
{
	static const uint8_t options[] = {
		2,  4,	5,    0xb4, /* MSS 1460 */
		4,  2, /* SACK permitted */
		8,  10, 0,    0,    0, 1, 0, 0, 0, 0, /* timestamps */
		1,  3,	3,    7, /* NOP, window scale */
		30, 12, 0x10, 1,    0, 0, 0, 0, 0, 0,
		0,  0, /* MP_JOIN, address id 1, token, nonce */
	};

	_Static_assert(20 + sizeof(options) == FLOOD_PACKET_LEN, "the data offset says so");
	*packet = (struct flood_packet){ 0 };
	put16(packet, 2, endpoint_port(to));
	packet->tcp[12] = FLOOD_PACKET_LEN / 4 << 4;
	packet->tcp[13] = 2; /* SYN */
	put16(packet, 14, 64240);
	memcpy(packet->tcp + 20, options, sizeof(options));
	packet->sum = sum_of(IPPROTO_TCP + FLOOD_PACKET_LEN, packet->tcp, FLOOD_PACKET_LEN);
	packet->sum = sum_of_address(sum_of_address(packet->sum, from), to);
}

void flood_packet_set(struct flood_packet *packet, uint16_t port, uint32_t token, uint32_t nonce)
{
	uint32_t sum = packet->sum + port;

	put16(packet, AT_PORT, port);
	put32(packet, AT_SEQ, nonce);
	put32(packet, AT_TOKEN, token);
	put32(packet, AT_NONCE, nonce);
	sum += (token >> 16) + (token & 0xffff) + 2 * ((nonce >> 16) + (nonce & 0xffff));
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	put16(packet, AT_SUM, (uint16_t)~sum);
}
