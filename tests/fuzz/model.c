/* SPDX-License-Identifier: GPL-2.0-only */
#include "model.h"

#include <linux/bpf.h>
#include <netinet/in.h>
#include <string.h>
#include "model_frame.h"
#include "mplb/hash.h"
#include "mplb/maps.h"

/* Section numbers are those of docs/packet-walk.md. */

#define ANSWERED_LEAST 128 /* bytes of an IP packet that is too big and answered */

const char *model_reason_name(unsigned int reason)
{
	static const char *const names[] = {
#define X(number, NAME, name, action, text) [number] = name,
		MPLB_REASONS(X)
#undef X
	};

	return reason < MPLB_R_MAX && names[reason] ? names[reason] : "?";
}

static int reason_verdict(enum mplb_reason reason)
{
	switch (reason) {
#define X(number, NAME, name, action, text)                                                        \
	case MPLB_R_##NAME:                                                                        \
		return XDP_##action;
		MPLB_REASONS(X)
#undef X
	default:
		return XDP_ABORTED;
	}
}

/* VIPs */

/* The VIP with exactly this port, or with port 0 and any = true. */
static const struct model_vip *find_exact(const struct walk *w, const uint8_t *addr, uint8_t proto,
					  uint16_t port, bool any)
{
	for (size_t i = 0; i < w->model->n_vips; i++) {
		const struct model_vip *vip = &w->model->vips[i];

		if (vip->proto == proto && walk_same_address(w, &vip->addr, addr) &&
		    (any ? !vip->port : vip->port && vip->port == port))
			return vip;
	}
	return NULL;
}

/* The VIP among whose join ports this one is: above the base, in its block (the world has no id
 * beyond). */
static const struct model_vip *find_join_port(const struct walk *w, const uint8_t *addr,
					      uint8_t proto, uint16_t port)
{
	for (size_t i = 0; i < w->model->n_vips; i++) {
		const struct model_vip *vip = &w->model->vips[i];

		if (proto == IPPROTO_TCP && vip->join_base && port > vip->join_base &&
		    port / 256 == (vip->join_base + 1) / 256 &&
		    walk_same_address(w, &vip->addr, addr))
			return vip;
	}
	return NULL;
}

static const struct model_vip *find_vip(const struct walk *w, const uint8_t *addr, uint8_t proto,
					uint16_t port)
{
	const struct model_vip *vip = find_exact(w, addr, proto, port, false);

	if (!vip)
		vip = find_join_port(w, addr, proto, port);
	return vip ? vip : find_exact(w, addr, proto, 0, true);
}

/* Bytes of the frame from the transport header on; 0 where IPv4 options run past its end. */
static size_t l4_left(const struct walk *w)
{
	return w->len > w->l4 ? w->len - w->l4 : 0;
}

static bool is_group(const struct walk *w)
{
	return w->frame[0] & 1;
}

/* 3: the IP length holds the headers and least bytes more, and the frame holds the IP length. */
static bool length_ok(const struct walk *w, size_t least)
{
	return w->ip_len >= w->l4 - w->l3 + least && w->ip_len <= w->len - w->l3;
}

/* 3: TCP */

/* Whether the options have MP_JOIN, walked as Linux does (tcp_input.c, tcp_parse_options). */
static bool has_join(const uint8_t *opt, size_t left)
{
	while (left > 0) {
		size_t size;

		if (opt[0] == 0)
			return false;
		if (opt[0] == 1) {
			opt++;
			left--;
			continue;
		}
		if (left < 2)
			return false;
		size = opt[1];
		if (size < 2 || size > left)
			return false;
		if (opt[0] == 30 && size > 2 && opt[2] >> 4 == 1)
			return true;
		opt += size;
		left -= size;
	}
	return false;
}

static enum mplb_reason check_tcp(const struct walk *w, const struct model_vip *vip)
{
	const uint8_t *tcp = w->frame + w->l4;
	size_t head;

	if (l4_left(w) < TCP_HEAD)
		return MPLB_R_L4_TRUNCATED;
	head = (tcp[12] >> 4) * 4u;
	if (head < TCP_HEAD || w->l4 - w->l3 + head > w->ip_len)
		return MPLB_R_TCP_MALFORMED;
	if ((tcp[13] & 0x16) == 0x02 && vip->mp_join == MPLB_MP_JOIN_REJECT &&
	    !(vip->join_base && vip->port != model_get16(tcp + 2)) &&
	    has_join(tcp + TCP_HEAD, head - TCP_HEAD))
		return MPLB_R_JOIN_REJECTED;
	return GO_ON;
}

/* 4: slot */

static uint32_t hash_flow(const struct walk *w, const struct model_vip *vip,
			  const struct flow *flow)
{
	uint8_t bytes[4] = { 0 };
	uint64_t src[2];
	uint32_t ports, src4;

	if (!w->model->pools[vip->pool].addresses) {
		model_put16(bytes, flow->sport);
		model_put16(bytes + 2, flow->dport);
	}
	memcpy(&ports, bytes, 4);
	if (w->family == MPLB_FAMILY_4) {
		memcpy(&src4, flow->src, 4);
		return mplb_flow_hash4(vip->key, src4, ports);
	}
	memcpy(src, flow->src, 16);
	return mplb_flow_hash6(vip->key, src[0], src[1], ports);
}

static size_t overhead_of(const struct mplb_backend *b)
{
	bool four = b->family == MPLB_FAMILY_4;

	switch (b->forward) {
	case MPLB_FORWARD_IPIP:
		return four ? 20 : 40;
	case MPLB_FORWARD_GUE:
		return four ? 40 : 72;
	default:
		return 0;
	}
}

/* 5: may the sender be told the MTU? Never about an ICMP error (RFC 1122, 3.2.2; RFC 4443, 2.4). */
static bool answers_too_big(const struct walk *w)
{
	if (w->options || w->fragment || w->error || w->ip_len < ANSWERED_LEAST)
		return false;
	return w->family == MPLB_FAMILY_6 || w->frame[w->l3 + 6] & 0x40;
}

static enum mplb_reason find_hop(const struct walk *w, uint16_t owner, size_t len, uint32_t ingress,
				 struct model_exit *exit, struct model_result *out)
{
	const struct mplb_backend *b = &w->model->backends[owner];
	const struct model_hop *hop = &w->model->fib[owner];

	if (b->flags & MPLB_BACKEND_F_RESOLVED) {
		memcpy(exit->dmac, b->dmac, 6);
		memcpy(exit->smac, b->smac, 6);
		exit->vlan = b->vlan;
		out->ifindex = b->ifindex;
		return GO_ON;
	}
	out->fib = true;
	if (ingress == w->model->no_forwarding)
		return MPLB_R_FORWARDING_OFF;
	if (hop->reason == GO_ON && len > hop->mtu)
		return MPLB_R_TOO_BIG;
	memcpy(exit->dmac, hop->dmac, 6);
	memcpy(exit->smac, hop->smac, 6);
	exit->vlan = 0;
	out->ifindex = hop->ifindex;
	return hop->reason;
}

static enum mplb_reason send_to(const struct walk *w, uint32_t ingress, struct model_result *out)
{
	const struct mplb_backend *b = &w->model->backends[out->owner], *fallback = NULL;
	size_t overhead = overhead_of(b);
	struct model_exit exit = { 0 };
	enum mplb_reason reason;

	if (w->ip_len + overhead > b->mtu) {
		if (!answers_too_big(w))
			return MPLB_R_TOO_BIG;
		frame_too_big(w, (uint32_t)(b->mtu - overhead), out);
		return MPLB_R_TOO_BIG_ANSWERED;
	}
	reason = find_hop(w, out->owner, w->ip_len + overhead, ingress, &exit, out);
	if (reason != GO_ON)
		return reason;
	if (out->fallback != out->owner && out->fallback != MPLB_NO_BACKEND)
		fallback = &w->model->backends[out->fallback];
	frame_forward(w, b, fallback, &exit, out->hash, out);
	out->verdict = out->ifindex == ingress ? XDP_TX : XDP_REDIRECT;
	return MPLB_R_FORWARDED;
}

static enum mplb_reason to_slot(const struct walk *w, const struct flow *flow, uint32_t ingress,
				struct model_result *out)
{
	const struct model_pool *pool = &w->model->pools[out->vip->pool];

	out->hash = hash_flow(w, out->vip, flow);
	out->slot = mplb_slot_of(out->hash);
	if (!pool->slots)
		return MPLB_R_TABLE_INCONSISTENT;
	out->owner = pool->slots[out->slot].owner;
	out->fallback = pool->slots[out->slot].fallback;
	if (!w->fragment) {
		enum mplb_reason reason = steer_packet(w, flow, out);

		if (reason != GO_ON)
			return reason;
	}
	if (out->owner == MPLB_NO_BACKEND)
		return MPLB_R_NO_BACKEND;
	if (out->owner >= MPLB_MAX_BACKENDS)
		return MPLB_R_TABLE_INCONSISTENT;
	return send_to(w, ingress, out);
}

/* 3, 4: TCP and UDP */

static enum mplb_reason walk_fragment(const struct walk *w, uint32_t ingress,
				      struct model_result *out)
{
	const struct flow flow = { .src = walk_src(w) };

	out->vip = find_exact(w, walk_dst(w), w->proto, 0, true);
	if (!out->vip || !w->model->pools[out->vip->pool].addresses)
		return walk_end_if_vip(w, MPLB_R_FRAGMENT);
	if (is_group(w))
		return MPLB_R_MULTICAST;
	if (!length_ok(w, 0))
		return MPLB_R_LENGTH_MISMATCH;
	return to_slot(w, &flow, ingress, out);
}

static enum mplb_reason walk_transport(const struct walk *w, uint32_t ingress,
				       struct model_result *out)
{
	const uint8_t *ports = w->frame + w->l4;
	struct flow flow = { .src = walk_src(w) };
	enum mplb_reason reason = GO_ON;

	if (l4_left(w) < 8)
		return walk_end_if_vip(w, MPLB_R_L4_TRUNCATED);
	flow.sport = model_get16(ports);
	flow.dport = model_get16(ports + 2);
	out->vip = find_vip(w, walk_dst(w), w->proto, flow.dport);
	if (!out->vip)
		return MPLB_R_NOT_VIP;
	if (is_group(w))
		return MPLB_R_MULTICAST;
	if (!length_ok(w, 8))
		return MPLB_R_LENGTH_MISMATCH;
	if (w->proto == IPPROTO_TCP)
		reason = check_tcp(w, out->vip);
	if (reason == MPLB_R_JOIN_REJECTED)
		frame_reset(w, out);
	return reason == GO_ON ? to_slot(w, &flow, ingress, out) : reason;
}

/* 6: ICMP */

static bool is_echo(const struct walk *w)
{
	const uint8_t *icmp = w->frame + w->l4;

	return icmp[0] == (w->family == MPLB_FAMILY_4 ? 8 : 128) && icmp[1] == 0 && !w->options;
}

static bool is_error(const struct walk *w)
{
	uint8_t type = w->frame[w->l4];

	if (w->family == MPLB_FAMILY_4)
		return type == 3 || type == 11 || type == 12;
	return type >= 1 && type <= 4;
}

/* The header length of the quoted packet; 0: it is not IP of the error's family. */
static size_t quoted_head(const struct walk *w, const uint8_t *quote)
{
	if (w->family == MPLB_FAMILY_6)
		return quote[0] >> 4 == 6 ? IPV6_HEAD : 0;
	return quote[0] >> 4 == 4 && (quote[0] & 15) >= 5 ? (quote[0] & 15) * 4u : 0;
}

static enum mplb_reason walk_error(struct walk *w, uint32_t ingress, struct model_result *out)
{
	bool four = w->family == MPLB_FAMILY_4;
	const uint8_t *quote = w->frame + w->l4 + ICMP_HEAD, *src = quote + (four ? 12 : 8);
	size_t left = w->ip_len - (w->l4 - w->l3) - ICMP_HEAD, head;
	struct flow flow = { .src = quote + (four ? 16 : 24) };
	uint8_t proto;

	if (left < (four ? IPV4_HEAD : IPV6_HEAD))
		return MPLB_R_L4_TRUNCATED;
	head = quoted_head(w, quote);
	if (!head)
		return MPLB_R_ICMP_UNRELATED;
	proto = quote[four ? 9 : 6];
	if ((proto != IPPROTO_TCP && proto != IPPROTO_UDP) ||
	    (four && model_get16(quote + 6) & 0x1fff) ||
	    memcmp(src, walk_dst(w), IP_KEYLEN(w->family)) != 0)
		return MPLB_R_ICMP_UNRELATED;
	if (left < head + 4)
		return MPLB_R_L4_TRUNCATED;
	flow.dport = model_get16(quote + head);
	flow.sport = model_get16(quote + head + 2);
	out->vip = find_vip(w, src, proto, flow.dport);
	if (!out->vip)
		return MPLB_R_ICMP_UNRELATED;
	w->error = true;
	return to_slot(w, &flow, ingress, out);
}

static enum mplb_reason walk_icmp(struct walk *w, uint32_t ingress, struct model_result *out)
{
	if (!walk_is_vip(w, walk_dst(w)))
		return MPLB_R_NOT_VIP;
	if (w->fragment)
		return MPLB_R_FRAGMENT;
	if (is_group(w))
		return MPLB_R_MULTICAST;
	if (l4_left(w) < ICMP_HEAD)
		return MPLB_R_L4_TRUNCATED;
	if (!length_ok(w, ICMP_HEAD))
		return MPLB_R_LENGTH_MISMATCH;
	if (is_error(w))
		return walk_error(w, ingress, out);
	if (!is_echo(w))
		return MPLB_R_ICMP_OTHER;
	frame_echo(w, out);
	return MPLB_R_ECHO_REPLY;
}

static enum mplb_reason walk_frame(struct walk *w, uint32_t ingress, struct model_result *out)
{
	enum mplb_reason reason = walk_headers(w);

	if (reason != GO_ON)
		return reason;
	out->ip_len = w->ip_len;
	if (w->proto == (w->family == MPLB_FAMILY_4 ? MODEL_ICMP4 : MODEL_ICMP6))
		return walk_icmp(w, ingress, out);
	if (w->proto != IPPROTO_TCP && w->proto != IPPROTO_UDP)
		return MPLB_R_NOT_VIP;
	return w->fragment ? walk_fragment(w, ingress, out) : walk_transport(w, ingress, out);
}

void model_run(const struct model *model, const uint8_t *frame, size_t len, uint32_t ingress,
	       bool traced, struct model_result *out)
{
	struct walk w = { .model = model, .frame = frame, .len = len, .traced = traced };

	out->verdict = XDP_ABORTED;
	out->vip = NULL;
	out->fib = false;
	out->via = MPLB_VIA_HASH;
	out->ip_len = 0;
	out->len = len;
	out->reason = walk_frame(&w, ingress, out);
	if (out->reason != MPLB_R_FORWARDED)
		out->verdict = reason_verdict(out->reason);
	if (out->verdict == XDP_PASS)
		memcpy(out->frame, frame, len);
}
