/* SPDX-License-Identifier: GPL-2.0-only */
#include "gen.h"

#include <netinet/in.h>
#include <string.h>

uint64_t rng_next(struct rng *rng)
{
	rng->state ^= rng->state >> 12;
	rng->state ^= rng->state << 25;
	rng->state ^= rng->state >> 27;
	return rng->state * 0x2545f4914f6cdd1dULL;
}

uint32_t rng_below(struct rng *rng, uint32_t n)
{
	return (uint32_t)((rng_next(rng) >> 32) * n >> 32);
}

bool rng_chance(struct rng *rng, uint32_t n)
{
	return !rng_below(rng, n);
}

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* Room for len bytes at the end, as much of it as there is; zeroed. */
uint8_t *gen_room(struct gen_frame *f, size_t len)
{
	static uint8_t beyond[WORLD_FRAME_MAX + 128];
	uint8_t *at = f->at + f->len;

	if (f->len + len > sizeof(f->at))
		return beyond;
	memset(at, 0, len);
	f->len += len;
	return at;
}

static uint16_t checksum(const uint8_t *at, size_t len)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? at[i] : (uint32_t)at[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

uint16_t gen_vip_port(struct rng *rng)
{
	static const uint16_t ports[] = { 443,	443,  443,   443,   80,	   53,	  0,	 8443, 8443,
					  8443, 8443, 20001, 20002, 20003, 20000, 20223, 20224 };

	return rng_chance(rng, 12) ? (uint16_t)rng_next(rng) : RNG_PICK(rng, ports);
}

/* Addresses */

void gen_vip_address(struct rng *rng, uint8_t family, uint8_t out[16])
{
	uint8_t pool = (uint8_t)(1 + rng_below(rng, WORLD_POOLS - 1));
	uint8_t address = (uint8_t)rng_below(rng, 2);

	/* One more often, so that flows have a second packet and tokens a join. */
	if (rng_chance(rng, 4)) {
		pool = WORLD_GUE4;
		address = 0;
	}
	if (rng_chance(rng, 24))
		pool = 200; /* nobody's */
	if (family == MPLB_FAMILY_4) {
		memcpy(out, (uint8_t[]){ 198, 51, (uint8_t)(100 + address), pool }, 4);
		return;
	}
	memcpy(out, (uint8_t[16]){ 0x20, 1, 0x0d, 0xb8, 1, address, [15] = pool }, 16);
}

static void gen_client(struct rng *rng, uint8_t family, uint8_t out[16])
{
	uint64_t host = rng_next(rng);

	/* Few, so that flows have more than one packet. */
	if (rng_chance(rng, 2))
		host &= 0x0100000000000001ULL;
	if (rng_chance(rng, 16))
		gen_vip_address(rng, family, out);
	else if (family == MPLB_FAMILY_4)
		memcpy(out, &host, 4);
	else
		memcpy(out, (uint8_t[8]){ 0x20, 1, 0x0d, 0xb8, 0, 0x0c }, 8);
	if (family == MPLB_FAMILY_6 && host & 3)
		memcpy(out + 8, &host, 8);
}

/* Ethernet */

static void gen_ethernet(struct rng *rng, struct gen_frame *f)
{
	static const uint8_t tags_of[] = { 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 3 };
	static const uint16_t types[] = { 0x8100, 0x8100, 0x88a8, 0x9100 };
	uint32_t tags = RNG_PICK(rng, tags_of), type = f->family == MPLB_FAMILY_4 ? 0x0800 : 0x86dd;
	uint8_t *at = gen_room(f, 12);
	uint64_t salt = rng_next(rng);

	memcpy(at, (uint8_t[12]){ 2, 0, 0, 0, 0, 1, 2, 0, 0, (uint8_t)salt, 0, 2 }, 12);
	if (rng_chance(rng, 40))
		memset(at, 0xff, rng_chance(rng, 2) ? 6 : 1);
	for (; tags; tags--) {
		uint16_t tag = rng_chance(rng, 30) ? types[3] : types[rng_below(rng, 3)];

		at = gen_room(f, 4);
		put16(at, tag);
		put16(at + 2, (uint16_t)rng_next(rng));
	}
	put16(gen_room(f, 2), rng_chance(rng, 100) ? (uint32_t)salt & 0xffff : type);
	f->l3 = f->len;
}

/* IP. The lengths are put in when the packet is complete. */

static void gen_ipv4(struct rng *rng, struct gen_frame *f, uint8_t proto)
{
	static const uint16_t frags[] = { 0x2000, 0x0001, 0x2001, 0x1fff,
					  0x8000, 0x6000, 0x4001, 0xc000 };
	uint32_t words = rng_chance(rng, 8) ? 1 + rng_below(rng, 10) : 0;
	uint8_t *ip = gen_room(f, 20 + words * 4);
	uint64_t salt = rng_next(rng);

	ip[0] = (uint8_t)(0x40 | (5 + words));
	ip[1] = (uint8_t)salt;
	put16(ip + 4, salt >> 8 & 0xffff);
	put16(ip + 6, salt & 1 << 24 ? 0x4000 : 0);
	if (rng_chance(rng, 12))
		put16(ip + 6, RNG_PICK(rng, frags));
	ip[8] = (uint8_t)(salt >> 32);
	ip[9] = proto;
	gen_client(rng, f->family, ip + 12);
	gen_vip_address(rng, f->family, ip + 16);
	for (uint32_t i = 20; i < 20 + words * 4; i++)
		ip[i] = (uint8_t)rng_next(rng);
	put16(ip + 10, checksum(ip, 20 + words * 4));
	if (rng_chance(rng, 50))
		put16(ip + 10, (uint16_t)rng_next(rng));
}

/* An extension header of this type in front of one of type next. */
static void gen_extension(struct rng *rng, struct gen_frame *f, uint8_t type, uint8_t next)
{
	uint32_t units = rng_chance(rng, 3) ? rng_below(rng, rng_chance(rng, 8) ? 180 : 4) : 0;
	uint64_t salt = rng_next(rng);
	uint8_t *ext;

	if (type == 44)
		units = 0;
	ext = gen_room(f, 8 + units * 8);
	ext[0] = next;
	ext[1] = (uint8_t)units;
	if (type == 43 && rng_chance(rng, 4))
		ext[3] = (uint8_t)salt;
	if (type == 44) {
		ext[1] = salt & 1 ? (uint8_t)(salt >> 8) : 0; /* reserved */
		put16(ext + 2, salt >> 16 & (rng_chance(rng, 3) ? 0xffff : 0x0006));
		put16(ext + 4, salt >> 32 & 0xffff);
	}
	if (rng_chance(rng, 40))
		ext[1] = (uint8_t)salt;
}

static void gen_ipv6(struct rng *rng, struct gen_frame *f, uint8_t proto)
{
	static const uint8_t types[] = { 0, 43, 60, 44 };
	uint32_t n = rng_chance(rng, 4) ? 1 + rng_below(rng, 6) : 0;
	uint64_t salt = rng_next(rng);
	uint8_t *ip = gen_room(f, 40), type[6];

	ip[0] = (uint8_t)(0x60 | (salt & 15));
	memcpy(ip + 1, (uint8_t *)&salt + 1, 3);
	ip[7] = (uint8_t)(salt >> 40);
	gen_client(rng, f->family, ip + 8);
	gen_vip_address(rng, f->family, ip + 24);
	for (uint32_t i = 0; i < n; i++)
		type[i] = RNG_PICK(rng, types);
	ip[6] = n ? type[0] : proto;
	for (uint32_t i = 0; i < n; i++)
		gen_extension(rng, f, type[i], i + 1 < n ? type[i + 1] : proto);
}

static void set_ip_len(struct gen_frame *f, uint32_t len)
{
	uint8_t *ip = f->at + f->l3;
	bool four = f->family == MPLB_FAMILY_4;
	uint32_t sum = 0;

	if (!four) {
		put16(ip + 4, len - 40);
		return;
	}
	/* The checksum follows, so that one that was right stays right. */
	sum = (uint32_t)(ip[10] << 8 | ip[11]);
	sum = (~sum & 0xffff) + len;
	sum = (sum & 0xffff) + (sum >> 16);
	put16(ip + 2, len);
	put16(ip + 10, ~sum & 0xffff);
}

/* How long the IP packet shall be: often as long as some MTU just allows, or one more. */
static uint32_t gen_ip_len(struct rng *rng)
{
	static const uint16_t mtus[] = { 68, 128, 576, 600, 1280, 1300, 1500, 1501, 1280, 576 };
	static const uint8_t overheads[] = { 0, 20, 40, 72 };
	uint32_t kind = rng_below(rng, 16);

	if (kind < 8)
		return 20 + rng_below(rng, 120);
	if (kind < 13)
		return RNG_PICK(rng, mtus) - RNG_PICK(rng, overheads) + rng_below(rng, 4) - 1u;
	return rng_below(rng, kind < 15 ? 1600 : 3300);
}

static uint8_t gen_proto(struct rng *rng, uint8_t family)
{
	static const uint8_t others[] = { 47, 50, 4, 41, 59, 132, 0, 43, 44, 60, 1, 58 };
	uint32_t kind = rng_below(rng, 20);

	if (kind < 10)
		return IPPROTO_TCP;
	if (kind < 14)
		return IPPROTO_UDP;
	if (kind < 19)
		return family == MPLB_FAMILY_4 ? 1 : 58;
	return RNG_PICK(rng, others);
}

static void gen_transport(struct rng *rng, struct gen_frame *f, uint8_t proto)
{
	uint8_t vip[16];

	f->l4 = f->len;
	memcpy(vip, f->at + f->l3 + (f->family == MPLB_FAMILY_4 ? 16 : 24), 16);
	if (proto == IPPROTO_TCP) {
		gen_tcp(rng, f);
	} else if (proto == 1 || proto == 58) {
		gen_icmp(rng, f, vip);
	} else {
		uint8_t *udp = gen_room(f, 8);

		put16(udp, (uint16_t)rng_next(rng));
		put16(udp + 2, gen_vip_port(rng));
		put16(udp + 6, (uint16_t)rng_next(rng));
	}
}

static void gen_payload(struct rng *rng, struct gen_frame *f, uint32_t ip_len)
{
	size_t have = f->len - f->l3, n = ip_len > have ? ip_len - have : 0;
	uint64_t salt = rng_next(rng);
	uint8_t *at;

	if (n > sizeof(f->at) - f->len)
		n = sizeof(f->at) - f->len;
	at = gen_room(f, n);
	for (size_t i = 0; i < n; i++)
		at[i] = (uint8_t)(salt >> i % 57);
}

/* An echo request's checksum is right as long as nobody changes the packet. */
static void gen_icmp_checksum(struct rng *rng, struct gen_frame *f)
{
	uint8_t *icmp = f->at + f->l4;
	uint32_t sum = checksum(icmp, f->len - f->l4);

	if (rng_chance(rng, 4))
		sum = rng_chance(rng, 2) ? rng_below(rng, 3) - 1u : (uint32_t)rng_next(rng);
	put16(icmp + 2, sum & 0xffff);
}

void gen_packet(struct rng *rng, struct gen_frame *f)
{
	uint8_t proto;
	uint32_t len;

	f->len = 0;
	f->family = rng_chance(rng, 2) ? MPLB_FAMILY_4 : MPLB_FAMILY_6;
	proto = gen_proto(rng, f->family);
	gen_ethernet(rng, f);
	if (f->family == MPLB_FAMILY_4)
		gen_ipv4(rng, f, proto);
	else
		gen_ipv6(rng, f, proto);
	gen_transport(rng, f, proto);
	gen_payload(rng, f, gen_ip_len(rng));
	if ((proto == 1 || proto == 58) && f->len >= f->l4 + 8)
		gen_icmp_checksum(rng, f);
	len = (uint32_t)(f->len - f->l3);
	if (rng_chance(rng, 40))
		len = rng_chance(rng, 2) ? len - 12 + rng_below(rng, 24) : (uint16_t)rng_next(rng);
	set_ip_len(f, len);
	if (f->len < 60 && rng_chance(rng, 2))
		gen_room(f, 60 - f->len);
	if (rng_chance(rng, 8))
		gen_room(f, rng_below(rng, 40));
	if (rng_chance(rng, 20))
		f->len = 14 + rng_below(rng, (uint32_t)f->len - 13);
}
