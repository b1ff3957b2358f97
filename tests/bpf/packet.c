/* SPDX-License-Identifier: GPL-2.0-only */
#include "packet.h"

#include <stdlib.h>
#include <string.h>

#define ETHERTYPE_4   0x0800
#define ETHERTYPE_6   0x86dd
#define ETHERTYPE_Q   0x8100
#define ETHERTYPE_AD  0x88a8
#define DEFAULT_TTL   57
#define DEFAULT_PORT  443
#define DEFAULT_SPORT 40000

static const uint8_t balancer_mac[6] = { 2, 0, 0, 0, 0, 1 };
static const uint8_t router_mac[6] = { 2, 0, 0, 0, 0, 2 };

/* Appending, in network byte order */

static uint8_t *grow(struct frame *f, size_t n)
{
	uint8_t *at = f->at + f->len;

	if (f->len + n > FRAME_MAX)
		abort();
	f->len += n;
	return at;
}

static void set16(uint8_t *at, uint32_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static void put(struct frame *f, const void *from, size_t n)
{
	uint8_t *at = grow(f, n);

	if (n)
		memcpy(at, from, n);
}

static void put8(struct frame *f, uint32_t v)
{
	*grow(f, 1) = (uint8_t)v;
}

static void put16(struct frame *f, uint32_t v)
{
	set16(grow(f, 2), v);
}

static void put32(struct frame *f, uint32_t v)
{
	put16(f, v >> 16);
	put16(f, v);
}

/* Bytes that tell at which place they belong. */
static void put_pattern(struct frame *f, size_t n)
{
	for (size_t i = 0; i < n; i++)
		put8(f, (uint32_t)(i * 7 + 3));
}

static void put_payload(struct frame *f, const struct packet *p)
{
	put(f, p->body.at, p->body.len);
	put_pattern(f, p->payload);
}

static void put_addr(struct frame *f, const struct ip *ip)
{
	put(f, &ip->addr, IP_KEYLEN(ip->family));
}

/* Checksums */

uint16_t inet_sum(const uint8_t *at, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? at[i] : (uint32_t)at[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

bool ipv4_checksum_ok(const uint8_t *ip)
{
	return inet_sum(ip, (size_t)(ip[0] & 15) * 4) == 0xffff;
}

/* Sum over the pseudo-header (RFC 793, 3.1; RFC 8200, 8.1) and the segment behind it. */
static uint16_t l4_sum(const uint8_t *addrs, size_t addrs_len, uint8_t proto, const uint8_t *l4,
		       size_t len)
{
	uint32_t sum = inet_sum(addrs, addrs_len) + proto + (uint32_t)len + inet_sum(l4, len);

	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

bool l4_checksum_ok(const struct frame *f)
{
	const uint8_t *ip = f->at + frame_l3(f);
	size_t ip_len = frame_ip_len(f), header;

	if (ip[0] >> 4 == 4) {
		header = (size_t)(ip[0] & 15) * 4;
		return l4_sum(ip + 12, 8, ip[9], ip + header, ip_len - header) == 0xffff;
	}
	return l4_sum(ip + 8, 32, ip[6], ip + 40, ip_len - 40) == 0xffff;
}

/* Layers */

/* A field of a description, or what it is where it was left out. */
static uint32_t given_or(uint32_t given, uint32_t truth)
{
	return given ? given & 0xffff : truth;
}

static void put_ethernet(struct frame *f, const struct packet *p, uint16_t ethertype)
{
	put(f, p->dmac ? p->dmac : balancer_mac, 6);
	put(f, p->smac ? p->smac : router_mac, 6);
	for (unsigned int i = p->vlans; i > 0; i--) {
		put16(f, i > 1 ? ETHERTYPE_AD : ETHERTYPE_Q);
		put16(f, 100 + i);
	}
	put16(f, p->ethertype ? p->ethertype : ethertype);
}

static void put_ipv4(struct frame *f, const struct packet *p, const struct ip *src,
		     const struct ip *dst)
{
	size_t at = f->len;
	uint32_t words = (uint32_t)(20 + p->ip_options.len) / 4;

	put8(f, given_or(p->version, 4) << 4 | given_or(p->ihl, words));
	put8(f, p->tos);
	put16(f, 0); /* total length */
	put16(f, p->id);
	put16(f, p->frag);
	put8(f, p->ttl ? p->ttl : DEFAULT_TTL);
	put8(f, p->proto);
	put16(f, 0); /* checksum */
	put_addr(f, src);
	put_addr(f, dst);
	put(f, p->ip_options.at, p->ip_options.len);
	if (f->len - at != words * 4)
		abort();
}

static void put_ipv6(struct frame *f, const struct packet *p, const struct ip *src,
		     const struct ip *dst)
{
	put32(f, given_or(p->version, 6) << 28 | (uint32_t)p->tos << 20 | p->label);
	put16(f, 0); /* payload length */
	put8(f, p->ext.len ? p->ext_type : p->proto);
	put8(f, p->ttl ? p->ttl : DEFAULT_TTL);
	put_addr(f, src);
	put_addr(f, dst);
	put(f, p->ext.at, p->ext.len);
}

static void put_tcp(struct frame *f, const struct packet *p)
{
	size_t fill = (4 - p->options.len % 4) % 4;
	uint32_t words = (uint32_t)(20 + p->options.len + fill) / 4;

	put32(f, p->seq);
	put32(f, p->ack);
	put8(f, given_or(p->doff, words) << 4);
	put8(f, p->flags ? p->flags : FLAG_ACK);
	put16(f, p->window);
	put32(f, 0); /* checksum, urgent pointer */
	put(f, p->options.at, p->options.len);
	memset(grow(f, fill), 0, fill);
}

/* Appends transport header and payload. Returns the checksum's place in the header, 0: none. */
static size_t put_transport(struct frame *f, const struct packet *p)
{
	if (p->headless) {
		put_payload(f, p);
		return 0;
	}
	if (p->proto == IPPROTO_ICMP || p->proto == IPPROTO_ICMPV6) {
		put8(f, given_or(p->icmp_type, p->proto == IPPROTO_ICMP ? 8 : 128));
		put8(f, p->icmp_code);
		put16(f, 0);
		put32(f, p->icmp_rest ? p->icmp_rest : 0x12340001);
		put_payload(f, p);
		return 2;
	}
	put16(f, given_or(p->sport, DEFAULT_SPORT));
	put16(f, given_or(p->dport, DEFAULT_PORT));
	if (p->proto == IPPROTO_TCP) {
		put_tcp(f, p);
	} else if (p->proto == IPPROTO_UDP) {
		put16(f, (uint32_t)(8 + p->body.len + p->payload));
		put16(f, 0);
	} else {
		put32(f, 0);
		put32(f, 0);
	}
	put_payload(f, p);
	return p->proto == IPPROTO_TCP ? 16 : p->proto == IPPROTO_UDP ? 6 : 0;
}

/* Writes what depends on the rest: lengths and checksums. ip, l4: offsets in the frame. */
static void finish_ip(struct frame *f, const struct packet *p, uint8_t family, size_t ip, size_t l4,
		      size_t check)
{
	uint8_t *at = f->at + ip;
	const uint8_t *addrs = at + (family == MPLB_FAMILY_4 ? 12 : 8);
	size_t len = f->len - ip;
	uint16_t sum;

	if (check) {
		bool pseudo = p->proto != IPPROTO_ICMP;

		sum = pseudo ? l4_sum(addrs, family == MPLB_FAMILY_4 ? 8 : 32, p->proto, f->at + l4,
				      f->len - l4)
			     : inet_sum(f->at + l4, f->len - l4);
		sum = (uint16_t)~sum;
		if (!sum && p->proto == IPPROTO_UDP)
			sum = 0xffff; /* 0 would mean "none" (RFC 768) */
		set16(f->at + l4 + check, sum);
	}
	if (family == MPLB_FAMILY_6) {
		set16(at + 4, given_or(p->ip_len, (uint32_t)len - 40));
		return;
	}
	set16(at + 2, given_or(p->ip_len, (uint32_t)len));
	set16(at + 10, (uint16_t)~inet_sum(at, 20 + p->ip_options.len));
}

static void put_ip(struct frame *f, const struct packet *given, const struct ip *dst)
{
	struct packet p = *given;
	size_t ip = f->len, l4, check;
	struct ip src;

	if (!p.src)
		p.src = dst->family == MPLB_FAMILY_4 ? CLIENT_4 : CLIENT_6;
	if (ip_parse(p.src, &src) || src.family != dst->family)
		abort();
	if (!p.proto)
		p.proto = IPPROTO_TCP;
	if (dst->family == MPLB_FAMILY_4)
		put_ipv4(f, &p, &src, dst);
	else
		put_ipv6(f, &p, &src, dst);
	l4 = f->len;
	check = put_transport(f, &p);
	finish_ip(f, &p, dst->family, ip, l4, check);
}

void packet_build(const struct packet *p, struct frame *out)
{
	struct ip dst = { 0 };

	if (p->dst && ip_parse(p->dst, &dst))
		abort();
	out->len = 0;
	put_ethernet(out, p, dst.family == MPLB_FAMILY_6 ? ETHERTYPE_6 : ETHERTYPE_4);
	if (p->dst)
		put_ip(out, p, &dst);
	else
		put_payload(out, p);
	put_pattern(out, p->padding);
	if (p->cut && p->cut < out->len)
		out->len = p->cut;
}

size_t frame_l3(const struct frame *f)
{
	size_t l3 = ETH_HEAD;

	for (int i = 0; i < 2; i++) {
		uint16_t type = get16(f->at + l3 - 2);

		if (type == ETHERTYPE_Q || type == ETHERTYPE_AD)
			l3 += 4;
	}
	return l3;
}

size_t frame_ip_len(const struct frame *f)
{
	const uint8_t *ip = f->at + frame_l3(f);

	return ip[0] >> 4 == 4 ? get16(ip + 2) : get16(ip + 4) + 40u;
}

/* UDP and GUE in front of an inner packet (include/mplb/gue.h). */
static void put_gue(struct frame *f, const struct outer *outer, uint8_t proto, uint32_t inner_len)
{
	uint32_t addr_len = IP_KEYLEN(outer->dst.family);

	put16(f, 49152 + outer->hash % 16384);
	put16(f, 6080);
	put16(f, 8 + 8 + addr_len + inner_len);
	put16(f, 0); /* checksum: none */
	put8(f, (4 + addr_len) / 4); /* version 0, no control message */
	put8(f, proto);
	put16(f, 0); /* flags */
	put8(f, 1); /* version of the private data */
	put8(f, 0); /* hops */
	put8(f, outer->fallback.family);
	put8(f, 0);
	put(f, &outer->fallback.addr, addr_len);
}

static void put_outer(struct frame *f, const struct outer *outer, const uint8_t *inner,
		      uint32_t inner_len)
{
	bool four = inner[0] >> 4 == 4;
	uint8_t inner_proto = four ? IPPROTO_IPIP : IPPROTO_IPV6;
	struct packet head = {
		.proto = outer->gue ? IPPROTO_UDP : inner_proto,
		.tos = four ? inner[1] : (uint8_t)(inner[0] << 4 | inner[1] >> 4),
		.ttl = 64,
		.frag = FRAG_DF,
		.label = outer->hash & 0xfffff,
	};
	size_t ip = f->len;

	if (outer->dst.family == MPLB_FAMILY_4)
		put_ipv4(f, &head, &outer->src, &outer->dst);
	else
		put_ipv6(f, &head, &outer->src, &outer->dst);
	if (outer->gue)
		put_gue(f, outer, inner_proto, inner_len);
	if (outer->dst.family == MPLB_FAMILY_4) {
		set16(f->at + ip + 2, (uint32_t)(f->len - ip) + inner_len);
		set16(f->at + ip + 10, (uint16_t)~inet_sum(f->at + ip, 20));
	} else {
		set16(f->at + ip + 4, (uint32_t)(f->len - ip) - 40 + inner_len);
	}
}

void frame_encapsulate(const struct frame *in, const struct outer *outer, struct frame *out)
{
	size_t l3 = frame_l3(in);
	const uint8_t *ip = in->at + l3;
	uint8_t family = outer->dst.family ? outer->dst.family : ip[0] >> 4;

	out->len = 0;
	put(out, outer->dmac, 6);
	put(out, outer->smac, 6);
	if (outer->vlan) {
		put16(out, ETHERTYPE_Q);
		put16(out, outer->vlan);
	}
	put16(out, family == MPLB_FAMILY_4 ? ETHERTYPE_4 : ETHERTYPE_6);
	if (outer->dst.family)
		put_outer(out, outer, ip, (uint32_t)frame_ip_len(in));
	put(out, ip, in->len - l3);
}

void frame_set_ports(struct frame *f, uint16_t sport, uint16_t dport)
{
	uint8_t *l4 = f->at + ETH_HEAD + (f->at[ETH_HEAD] >> 4 == 4 ? 20 : 40);

	set16(l4, sport);
	set16(l4 + 2, dport);
}

void frame_set_src(struct frame *f, const void *addr)
{
	if (f->at[ETH_HEAD] >> 4 == 4)
		memcpy(f->at + ETH_HEAD + 12, addr, 4);
	else
		memcpy(f->at + ETH_HEAD + 8, addr, 16);
}

int frame_diff(const struct frame *a, const struct frame *b)
{
	size_t shorter = a->len < b->len ? a->len : b->len;

	for (size_t i = 0; i < shorter; i++)
		if (a->at[i] != b->at[i])
			return (int)i;
	return a->len == b->len ? -1 : (int)shorter;
}
