/* SPDX-License-Identifier: GPL-2.0-only */
/* Frame and IP header: sections 1 and 2 of docs/packet-walk.md. */
#include <string.h>
#include "model_frame.h"

#define VLAN_TAGS  2
#define EXTENSIONS 4

/* IPv6 extension headers (RFC 8200, 4). */
#define EXT_HOP_BY_HOP 0
#define EXT_ROUTING    43
#define EXT_FRAGMENT   44
#define EXT_DEST       60

bool walk_same_address(const struct walk *w, const struct ip *ip, const uint8_t *addr)
{
	return ip->family == w->family && !memcmp(&ip->addr, addr, IP_KEYLEN(ip->family));
}

bool walk_is_vip(const struct walk *w, const uint8_t *addr)
{
	for (size_t i = 0; i < w->model->n_vips; i++)
		if (walk_same_address(w, &w->model->vips[i].addr, addr))
			return true;
	return false;
}

/* 2: a reason that drops is for packets to a VIP's address only. */
enum mplb_reason walk_end_if_vip(const struct walk *w, enum mplb_reason reason)
{
	return walk_is_vip(w, walk_dst(w)) ? reason : MPLB_R_NOT_VIP;
}

static enum mplb_reason walk_ethernet(struct walk *w)
{
	uint16_t type;

	if (w->len < ETH_HEAD)
		return MPLB_R_NOT_IP;
	type = model_get16(w->frame + 12);
	w->l3 = ETH_HEAD;
	for (int tags = 0; tags < VLAN_TAGS && (type == 0x8100 || type == 0x88a8); tags++) {
		if (w->len < w->l3 + VLAN_TAG)
			return MPLB_R_NOT_IP;
		type = model_get16(w->frame + w->l3 + 2);
		w->l3 += VLAN_TAG;
	}
	if (type == 0x0800)
		w->family = MPLB_FAMILY_4;
	else if (type == 0x86dd)
		w->family = MPLB_FAMILY_6;
	return w->family ? GO_ON : MPLB_R_NOT_IP;
}

static enum mplb_reason walk_ipv4(struct walk *w)
{
	const uint8_t *ip = w->frame + w->l3;
	size_t head;

	if (w->len - w->l3 < IPV4_HEAD)
		return MPLB_R_IP_TRUNCATED;
	head = (ip[0] & 15) * 4u;
	if (ip[0] >> 4 != 4 || head < IPV4_HEAD)
		return MPLB_R_IP_MALFORMED;
	w->options = head > IPV4_HEAD;
	w->l4 = w->l3 + head;
	w->ip_len = model_get16(ip + 2);
	w->proto = ip[9];
	w->fragment = model_get16(ip + 6) & 0x3fff;
	return GO_ON;
}

/* One extension header, of type w->proto; the walk stops behind a fragment header that means it. */
static enum mplb_reason walk_extension(struct walk *w)
{
	const uint8_t *ext = w->frame + w->l4;
	size_t left = w->len - w->l4, size;

	if (left < 8)
		return walk_end_if_vip(w, MPLB_R_IPV6_EXTENSION);
	size = w->proto == EXT_FRAGMENT ? 8 : 8 + ext[1] * 8u;
	if (left < size)
		return walk_end_if_vip(w, MPLB_R_IPV6_EXTENSION);
	if (w->proto == EXT_ROUTING && ext[3])
		return walk_end_if_vip(w, MPLB_R_IPV6_EXTENSION);
	if (w->proto == EXT_FRAGMENT)
		w->fragment = model_get16(ext + 2) & 0xfff9;
	w->proto = ext[0];
	w->l4 += size;
	w->options = true;
	return GO_ON;
}

static bool is_extension(uint8_t proto)
{
	return proto == EXT_HOP_BY_HOP || proto == EXT_ROUTING || proto == EXT_FRAGMENT ||
	       proto == EXT_DEST;
}

static enum mplb_reason walk_ipv6(struct walk *w)
{
	const uint8_t *ip = w->frame + w->l3;
	enum mplb_reason reason = GO_ON;

	if (w->len - w->l3 < IPV6_HEAD)
		return MPLB_R_IP_TRUNCATED;
	if (ip[0] >> 4 != 6)
		return MPLB_R_IP_MALFORMED;
	w->ip_len = IPV6_HEAD + model_get16(ip + 4);
	w->proto = ip[6];
	w->l4 = w->l3 + IPV6_HEAD;
	for (int i = 0; is_extension(w->proto) && !w->fragment; i++) {
		if (i == EXTENSIONS)
			return walk_end_if_vip(w, MPLB_R_IPV6_EXTENSION);
		reason = walk_extension(w);
		if (reason != GO_ON)
			return reason;
	}
	return GO_ON;
}

enum mplb_reason walk_headers(struct walk *w)
{
	enum mplb_reason reason = walk_ethernet(w);

	if (reason != GO_ON)
		return reason;
	return w->family == MPLB_FAMILY_4 ? walk_ipv4(w) : walk_ipv6(w);
}
