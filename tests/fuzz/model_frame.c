/* SPDX-License-Identifier: GPL-2.0-only */
#include "model_frame.h"

#include <netinet/in.h>
#include <string.h>
#include "mplb/gue.h"

/* What an answer to a packet too big quotes of it. */
#define QUOTE_4 28
#define QUOTE_6 128

uint16_t model_get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

uint32_t model_get32(const uint8_t *at)
{
	return (uint32_t)model_get16(at) << 16 | model_get16(at + 2);
}

void model_put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

void model_put32(uint8_t *at, uint32_t value)
{
	model_put16(at, value >> 16);
	model_put16(at + 2, value & 0xffff);
}

const uint8_t *walk_src(const struct walk *w)
{
	return w->frame + w->l3 + (w->family == MPLB_FAMILY_4 ? 12 : 8);
}

const uint8_t *walk_dst(const struct walk *w)
{
	return w->frame + w->l3 + (w->family == MPLB_FAMILY_4 ? 16 : 24);
}

/* Checksums (RFC 1071) */

static uint32_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint32_t)sum;
}

static uint64_t add_bytes(uint64_t sum, const uint8_t *at, size_t len)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += model_get16(at + i);
	return len & 1 ? sum + (uint64_t)(at[len - 1] << 8) : sum;
}

/* Of what stands behind an IP header, its pseudo header included (RFC 9293, 3.1; RFC 8200, 8.1). */
static uint16_t l4_checksum(const uint8_t *ip, uint8_t family, uint8_t proto, const uint8_t *l4,
			    size_t len)
{
	uint64_t sum = len + proto;

	if (family == MPLB_FAMILY_4)
		sum = add_bytes(sum, ip + 12, 8);
	else
		sum = add_bytes(sum, ip + 8, 32);
	return (uint16_t)~fold(add_bytes(sum, l4, len));
}

/* Checksum old with one word changed (RFC 1624, 3, equation 3). */
static uint32_t checksum_change(uint32_t old, uint32_t from, uint32_t to)
{
	return ~fold((uint64_t)(~old & 0xffff) + (~from & 0xffff) + to) & 0xffff;
}

/* Headers. Each returns its length. */

static size_t put_ipv4(uint8_t *ip, uint8_t tos, size_t len, uint8_t proto, const void *src,
		       const void *dst)
{
	memset(ip, 0, IPV4_HEAD);
	ip[0] = 0x45;
	ip[1] = tos;
	model_put16(ip + 2, (uint32_t)len);
	ip[6] = 0x40;
	ip[8] = 64;
	ip[9] = proto;
	memcpy(ip + 12, src, 4);
	memcpy(ip + 16, dst, 4);
	model_put16(ip + 10, ~fold(add_bytes(0, ip, IPV4_HEAD)) & 0xffff);
	return IPV4_HEAD;
}

static size_t put_ipv6(uint8_t *ip, uint8_t class, uint32_t label, size_t payload, uint8_t next,
		       const void *src, const void *dst)
{
	model_put32(ip, 6u << 28 | (uint32_t) class << 20 | (label & 0xfffff));
	model_put16(ip + 4, (uint32_t)payload);
	ip[6] = next;
	ip[7] = 64;
	memcpy(ip + 8, src, 16);
	memcpy(ip + 24, dst, 16);
	return IPV6_HEAD;
}

static size_t put_gue(uint8_t *at, const struct mplb_backend *b, uint8_t inner,
		      const struct mplb_backend *fallback, uint32_t hash, size_t payload)
{
	size_t gue = b->family == MPLB_FAMILY_4 ? MPLB_GUE_LEN_4 : MPLB_GUE_LEN_6;

	memset(at, 0, UDP_HEAD + gue);
	model_put16(at, 49152 + hash % 16384);
	model_put16(at + 2, 6080);
	model_put16(at + 4, (uint32_t)(UDP_HEAD + gue + payload));
	at += UDP_HEAD;
	at[0] = (uint8_t)(gue / 4 - 1);
	at[1] = inner;
	at[4] = MPLB_GUE_VERSION;
	if (fallback) {
		at[6] = fallback->family;
		memcpy(at + 8, &fallback->dst, IP_KEYLEN(b->family));
	}
	return UDP_HEAD + gue;
}

/* What stands between the Ethernet header and the inner packet. */
static size_t put_outer(uint8_t *at, const struct walk *w, const struct mplb_backend *b,
			const struct mplb_backend *fallback, uint32_t hash)
{
	bool gue = b->forward == MPLB_FORWARD_GUE, four = b->family == MPLB_FAMILY_4;
	uint8_t inner = w->family == MPLB_FAMILY_4 ? IPPROTO_IPIP : IPPROTO_IPV6;
	const uint8_t *ip = w->frame + w->l3;
	uint8_t tos = w->family == MPLB_FAMILY_4 ? ip[1] : (uint8_t)(ip[0] << 4 | ip[1] >> 4);
	size_t head = four ? IPV4_HEAD : IPV6_HEAD, middle = 0;

	if (b->forward == MPLB_FORWARD_L2)
		return 0;
	if (gue)
		middle = put_gue(at + head, b, inner, fallback, hash, w->ip_len);
	if (four)
		put_ipv4(at, tos, head + middle + w->ip_len, gue ? IPPROTO_UDP : inner, &b->src,
			 &b->dst);
	else
		put_ipv6(at, tos, hash, middle + w->ip_len, gue ? IPPROTO_UDP : inner, &b->src,
			 &b->dst);
	return head + middle;
}

void frame_forward(const struct walk *w, const struct mplb_backend *b,
		   const struct mplb_backend *fallback, const struct model_exit *exit,
		   uint32_t hash, struct model_result *out)
{
	bool four = (b->forward == MPLB_FORWARD_L2 ? w->family : b->family) == MPLB_FAMILY_4;
	uint8_t *at = out->frame;

	memcpy(at, exit->dmac, 6);
	memcpy(at + 6, exit->smac, 6);
	at += 12;
	if (exit->vlan) {
		model_put16(at, 0x8100);
		model_put16(at + 2, exit->vlan);
		at += VLAN_TAG;
	}
	model_put16(at, four ? 0x0800 : 0x86dd);
	at += 2;
	at += put_outer(at, w, b, fallback, hash);
	memcpy(at, w->frame + w->l3, w->len - w->l3);
	out->len = (size_t)(at - out->frame) + w->len - w->l3;
}

/* Ethernet header of an answer: addresses swapped, tags kept. Returns where the IP header goes. */
static uint8_t *answer_ethernet(const struct walk *w, struct model_result *out)
{
	memcpy(out->frame, w->frame, w->l3);
	memcpy(out->frame, w->frame + 6, 6);
	memcpy(out->frame + 6, w->frame, 6);
	return out->frame + w->l3;
}

static uint8_t *answer_ip(const struct walk *w, uint8_t proto, size_t payload,
			  struct model_result *out)
{
	uint8_t *ip = answer_ethernet(w, out);
	size_t head;

	if (w->family == MPLB_FAMILY_4)
		head = put_ipv4(ip, 0, IPV4_HEAD + payload, proto, walk_dst(w), walk_src(w));
	else
		head = put_ipv6(ip, 0, 0, payload, proto, walk_dst(w), walk_src(w));
	out->len = w->l3 + head + payload;
	return ip + head;
}

static void put_reset(const struct walk *w, const uint8_t *options, size_t len,
		      struct model_result *out)
{
	const uint8_t *syn = w->frame + w->l4;
	uint8_t *tcp = answer_ip(w, IPPROTO_TCP, TCP_HEAD + len, out);

	memset(tcp, 0, TCP_HEAD);
	memcpy(tcp, syn + 2, 2);
	memcpy(tcp + 2, syn, 2);
	model_put32(tcp + 8, model_get32(syn + 4) + 1);
	tcp[12] = (uint8_t)((TCP_HEAD + len) / 4 << 4);
	tcp[13] = 0x14;
	if (len)
		memcpy(tcp + TCP_HEAD, options, len);
	model_put16(tcp + 16,
		    l4_checksum(out->frame + w->l3, w->family, IPPROTO_TCP, tcp, TCP_HEAD + len));
}

void frame_plain_reset(const struct walk *w, struct model_result *out)
{
	put_reset(w, NULL, 0, out);
}

void frame_reset(const struct walk *w, struct model_result *out)
{
	static const uint8_t rst[] = { 30, 4, 8 << 4, 3 }; /* MP_TCPRST (RFC 8684, 3.6) */

	put_reset(w, rst, sizeof(rst), out);
}

void frame_echo(const struct walk *w, struct model_result *out)
{
	size_t addr = IP_KEYLEN(w->family), at = w->family == MPLB_FAMILY_4 ? 12 : 8;
	uint8_t *ip = answer_ethernet(w, out), *icmp = out->frame + w->l4;
	uint32_t was, is;

	memcpy(ip, w->frame + w->l3, w->len - w->l3);
	memcpy(ip + at, walk_dst(w), addr);
	memcpy(ip + at + addr, walk_src(w), addr);
	if (w->family == MPLB_FAMILY_4) {
		ip[8] = 64;
		model_put16(ip + 10, 0);
		model_put16(ip + 10, ~fold(add_bytes(0, ip, IPV4_HEAD)) & 0xffff);
	} else {
		ip[7] = 64;
	}
	was = model_get16(icmp);
	icmp[0] = w->family == MPLB_FAMILY_4 ? 0 : 129;
	is = model_get16(icmp);
	model_put16(icmp + 2, checksum_change(model_get16(icmp + 2), was, is));
}

void frame_too_big(const struct walk *w, uint32_t mtu, struct model_result *out)
{
	bool four = w->family == MPLB_FAMILY_4;
	size_t quote = four ? QUOTE_4 : QUOTE_6;
	uint8_t proto = four ? MODEL_ICMP4 : MODEL_ICMP6;
	uint8_t *icmp = answer_ip(w, proto, ICMP_HEAD + quote, out);

	memset(icmp, 0, ICMP_HEAD);
	icmp[0] = four ? 3 : 2;
	icmp[1] = four ? 4 : 0;
	if (four)
		model_put16(icmp + 6, mtu);
	else
		model_put32(icmp + 4, mtu);
	memcpy(icmp + ICMP_HEAD, w->frame + w->l3, quote);
	if (four)
		model_put16(icmp + 2, ~fold(add_bytes(0, icmp, ICMP_HEAD + quote)) & 0xffff);
	else
		model_put16(icmp + 2, l4_checksum(out->frame + w->l3, w->family, proto, icmp,
						  ICMP_HEAD + quote));
}
