/* SPDX-License-Identifier: GPL-2.0-only */
#include <netinet/in.h>
#include <string.h>
#include "gen.h"

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* TCP options */

struct option {
	uint8_t len;
	uint8_t at[24];
};

#define JOIN 30, 12, 0x10, 1, 0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4

/* Both keys, and joins with the tokens of these. */
#define KEYS(len, key)                                                                             \
	30, len, 0x01, 0x01, 9, 9, 9, 9, 9, 9, 9, 9, key, key, key, key, key, key, key, key
#define TOKEN(a, b, c, d) 30, 12, 0x10, 1, a, b, c, d, 1, 2, 3, 4

static const struct option options[] = {
	{ 4, { 2, 4, 5, 0xb4 } },
	{ 2, { 4, 2 } },
	{ 10, { 8, 10, 1, 2, 3, 4 } },
	{ 3, { 3, 3, 7 } },
	{ 1, { 1 } },
	{ 1, { 1 } },
	{ 1, { 0 } },
	{ 4, { 30, 4, 1, 1 } }, /* MP_CAPABLE */
	{ 12, { JOIN } },
	{ 12, { JOIN } },
	{ 12, { JOIN } },
	{ 16, { 30, 16, 0x10 } }, /* MP_JOIN of a SYN/ACK */
	{ 3, { 30, 3, 0x1f } },
	{ 2, { 30, 2 } },
	{ 3, { 30, 2, 0x10 } }, /* a subtype that is outside of its option */
	{ 1, { 30 } },
	{ 12, { 30, 13, 0x10 } }, /* longer than it looks */
	{ 18, { 34, 18, 9, 9 } }, /* fast open */
	{ 2, { 254, 2 } },
	{ 2, { 254, 0 } },
	{ 2, { 254, 1 } },
	{ 6, { 253, 6, JOIN } },
	/* What Linux begins with; with a join right behind it, and not quite what Linux does. */
	{ 20, { 2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7 } },
	{ 20, { 2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7 } },
	{ 20, { 2, 4, 5, 0xb4, 4, 2, 8, 10, JOIN } },
	{ 20, { 2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 4, 7 } },
	{ 20, { KEYS(20, 0xa1) } },
	{ 20, { KEYS(20, 0xa2) } },
	{ 22, { KEYS(22, 0xa2) } },
	{ 24, { KEYS(24, 0xa3) } },
	{ 23, { KEYS(23, 0xa3) } },
	{ 20, { 30, 20, 0x00, 0x01 } },
	{ 12, { TOKEN(0x09, 0x8a, 0xc7, 0xe0) } },
	{ 12, { TOKEN(0x4c, 0x40, 0x49, 0xc7) } },
	{ 12, { TOKEN(0xa1, 0xdc, 0xfe, 0xaf) } },
	{ 12, { 1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8 } },
	{ 8, { 30, 8, 0x20, 0x01 } },
};

/* What belongs together: a SYN with a join, an ACK with keys. */
static const uint8_t syn_likes[] = { 8, 32, 33, 34 }, ack_likes[] = { 26, 27, 28, 29, 31 };

/* Up to 40 bytes, filled to a word with zeroes; returns how many. */
static size_t gen_options(struct rng *rng, bool syn, uint8_t out[44])
{
	size_t len = 0, most = rng_below(rng, 41);
	bool first = true;

	memset(out, 0, 44);
	if (rng_chance(rng, 12)) {
		len = rng_below(rng, 39);
		memset(out, 1, len);
		most = len + 1;
	}
	while (len < most) {
		const struct option *o =
			first && rng_chance(rng, 3) ? &options[22] : &RNG_PICK(rng, options);

		if (first && rng_chance(rng, 3))
			o = &options[syn ? RNG_PICK(rng, syn_likes) : RNG_PICK(rng, ack_likes)];

		first = false;
		for (uint8_t i = 0; i < o->len && len < 40; i++)
			out[len++] = o->at[i];
	}
	if (rng_chance(rng, 8))
		for (size_t i = 0; i < len; i++)
			if (rng_chance(rng, 8))
				out[i] = (uint8_t)rng_next(rng);
	return (len + 3) & ~(size_t)3;
}

void gen_tcp(struct rng *rng, struct gen_frame *f)
{
	static const uint8_t flags[] = { 0x02, 0x02, 0x02, 0xc2, 0x12, 0x10, 0x10, 0x18,
					 0x11, 0x04, 0x06, 0x03, 0x00, 0x2a, 0xff };
	uint64_t salt = rng_next(rng);
	uint8_t bytes[44], *tcp, flag = RNG_PICK(rng, flags);
	size_t len = rng_chance(rng, 4) ? 0 : gen_options(rng, flag & 2, bytes);

	tcp = gen_room(f, 20 + len);
	put16(tcp, rng_chance(rng, 2) ? 40000 + (salt & 3) : salt & 0xffff);
	put16(tcp + 2, gen_vip_port(rng));
	memcpy(tcp + 4, &salt, 8);
	tcp[12] = (uint8_t)((5 + len / 4) << 4 | (salt >> 60));
	tcp[13] = flag;
	if (rng_chance(rng, 30))
		tcp[12] = (uint8_t)(salt >> 16);
	if (rng_chance(rng, 30))
		memset(tcp + 4, 0xff, 4);
	memcpy(tcp + 20, bytes, len);
}

/* ICMP */

/* A packet from the VIP to a client, as a router quotes it. */
static void gen_quote(struct rng *rng, struct gen_frame *f, const uint8_t *vip)
{
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_TCP, IPPROTO_TCP, IPPROTO_TCP,
					  IPPROTO_UDP, IPPROTO_UDP, IPPROTO_UDP, 1,
					  47,	       44,	    58 };
	static const uint16_t frags[] = { 0x4000, 0x4000, 0x4000, 0, 0x2000, 0x0001, 0x3fff };
	bool four = f->family == MPLB_FAMILY_4;
	uint32_t words = four && rng_chance(rng, 5) ? 1 + rng_below(rng, 10) : 0;
	uint8_t *ip = gen_room(f, (four ? 20 : 40) + words * 4), *ports = gen_room(f, 8);
	uint64_t salt = rng_next(rng);

	ip[0] = (uint8_t)(four ? 0x40 | (5 + words) : 0x60);
	put16(ip + (four ? 2 : 4), salt & 0x7ff);
	ip[four ? 9 : 6] = RNG_PICK(rng, protos);
	if (four)
		put16(ip + 6, RNG_PICK(rng, frags));
	memcpy(ip + (four ? 12 : 8), vip, four ? 4 : 16);
	memcpy(ip + (four ? 16 : 24), &salt, four ? 4 : 8);
	if (rng_chance(rng, 20))
		gen_vip_address(rng, f->family, ip + (four ? 12 : 8));
	if (rng_chance(rng, 40))
		ip[0] = (uint8_t)salt;
	put16(ports, gen_vip_port(rng));
	put16(ports + 2, rng_chance(rng, 2) ? 40000 + (salt >> 62) : salt >> 48);
	memcpy(ports + 4, &salt, 4);
	if (rng_chance(rng, 12))
		f->len -= rng_below(rng, 40);
}

void gen_icmp(struct rng *rng, struct gen_frame *f, const uint8_t *vip)
{
	static const uint8_t errors4[] = { 3, 3, 3, 11, 12 }, errors6[] = { 1, 2, 2, 3, 4 };
	static const uint8_t others[] = { 0, 4, 5, 8, 13, 17, 127, 128, 129, 133, 134, 135, 136 };
	bool four = f->family == MPLB_FAMILY_4;
	uint8_t *icmp = gen_room(f, 8);
	uint32_t kind = rng_below(rng, 8);
	uint64_t salt = rng_next(rng);

	memcpy(icmp + 4, &salt, 4);
	if (kind < 3) {
		icmp[0] = four ? 8 : 128;
		icmp[1] = rng_chance(rng, 12) ? (uint8_t)salt : 0;
	} else if (kind < 7) {
		icmp[0] = four ? RNG_PICK(rng, errors4) : RNG_PICK(rng, errors6);
		icmp[1] = (uint8_t)(salt & 7);
		gen_quote(rng, f, vip);
	} else {
		icmp[0] = RNG_PICK(rng, others);
	}
}
