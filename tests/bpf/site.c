/* SPDX-License-Identifier: GPL-2.0-only */
#include "site.h"

#include <criterion/criterion.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>

static const struct rig_backend backends[SITE_POOLS] = {
	[SITE_L2] = { MPLB_FORWARD_L2, "10.0.0.11", "10.0.0.2", RIG_INGRESS },
	[SITE_IPIP4] = { MPLB_FORWARD_IPIP, "10.0.0.12", "10.0.0.2", RIG_INGRESS },
	[SITE_IPIP6] = { MPLB_FORWARD_IPIP, "fd00::13", "fd00::2", RIG_INGRESS },
	[SITE_L2_AWAY] = { MPLB_FORWARD_L2, "fd00::14", "fd00::2", RIG_EGRESS },
	[SITE_IPIP4_AWAY] = { MPLB_FORWARD_IPIP, "10.255.255.254", "10.255.0.1", RIG_EGRESS },
	[SITE_IPIP6_AWAY] = { MPLB_FORWARD_IPIP, "fd00:ffff::16", "fd00:ffff::2", RIG_EGRESS },
	[SITE_GUE4] = { MPLB_FORWARD_GUE, "10.0.0.21", "10.0.0.2", RIG_INGRESS },
	[SITE_GUE6] = { MPLB_FORWARD_GUE, "fd00::22", "fd00::2", RIG_INGRESS },
	[SITE_GUE4_MOVED] = { MPLB_FORWARD_GUE, "10.0.0.23", "10.0.0.2", RIG_INGRESS },
	[SITE_GUE6_MOVED] = { MPLB_FORWARD_GUE, "fd00::24", "fd00::2", RIG_INGRESS },
	[SITE_L2_VLAN] = { MPLB_FORWARD_L2, "10.7.0.25", "10.7.0.2", RIG_INGRESS, .vlan = 7 },
	[SITE_IPIP4_VLAN] = { MPLB_FORWARD_IPIP, "10.7.0.26", "10.7.0.2", RIG_EGRESS,
			      .vlan = 4094 },
	[SITE_GUE6_VLAN] = { MPLB_FORWARD_GUE, "fd07::27", "fd07::2", RIG_INGRESS, .vlan = 1 },
	[SITE_SMALL4] = { MPLB_FORWARD_IPIP, "10.0.0.28", "10.0.0.2", RIG_INGRESS, SMALL_MTU },
	[SITE_SMALL6] = { MPLB_FORWARD_GUE, "fd00::29", "fd00::2", RIG_INGRESS, SMALL_MTU },
};

static const struct rig_vip more_vips[] = {
	{ HASH_4, 443, IPPROTO_TCP, MPLB_MP_JOIN_HASH, SITE_L2 },
	{ HASH_6, 443, IPPROTO_TCP, MPLB_MP_JOIN_HASH, SITE_L2 },
	{ ANY_4, 443, IPPROTO_TCP, MPLB_MP_JOIN_REJECT, SITE_L2 },
	{ ANY_4, 0, IPPROTO_TCP, MPLB_MP_JOIN_REJECT, SITE_IPIP4 },
	{ ANY_4, 0, IPPROTO_UDP, MPLB_MP_JOIN_REJECT, SITE_IPIP6 },
	{ ANY_6, 0, IPPROTO_UDP, MPLB_MP_JOIN_REJECT, SITE_IPIP6 },
	{ ANY_6, 0, IPPROTO_TCP, MPLB_MP_JOIN_REJECT, SITE_IPIP4 },
	{ ANY_6, 443, IPPROTO_TCP, MPLB_MP_JOIN_REJECT, SITE_L2 },
	{ TCP_ONLY_4, 443, IPPROTO_TCP, MPLB_MP_JOIN_REJECT, SITE_L2 },
	{ TCP_ONLY_6, 443, IPPROTO_TCP, MPLB_MP_JOIN_REJECT, SITE_L2 },
};

static char addresses[SITE_POOLS][2][IP_STRLEN];

static uint32_t table_of(uint32_t pool)
{
	return pool == SITE_NO_TABLE ? RIG_NO_POOL : pool == SITE_BAD_TABLE ? MPLB_MAX_POOLS : pool;
}

static void add_pool_vips(struct rig *rig, uint32_t pool)
{
	snprintf(addresses[pool][0], IP_STRLEN, "198.51.100.%u", pool + 1);
	snprintf(addresses[pool][1], IP_STRLEN, "2001:db8:100::%x", pool + 1);
	for (unsigned int i = 0; i < 4; i++)
		rig_add_vip(rig, &(struct rig_vip){
					 .addr = addresses[pool][i / 2],
					 .port = pool == SITE_ADDRESSES ? 0 : 443,
					 .proto = i % 2 ? IPPROTO_UDP : IPPROTO_TCP,
					 .table = table_of(pool),
					 .addresses = pool == SITE_ADDRESSES,
				 });
}

/* The backend that has what fallback ought to, where it is not the owner. */
static uint32_t fallback_of(uint32_t pool)
{
	return pool == SITE_GUE4_MOVED ? SITE_GUE4 : pool == SITE_GUE6_MOVED ? SITE_GUE6 : pool;
}

static void set_pool(struct rig *rig, uint32_t pool)
{
	uint32_t fallback = fallback_of(pool);
	struct maglev_member members[] = {
		{ .id = 1, .index = (uint16_t)pool, .weight = 100 },
		{ .id = 2, .index = (uint16_t)fallback, .base = 100 },
	};

	rig_set_backend(rig, pool, &backends[pool]);
	members[0].base = fallback == pool ? 100 : 0;
	rig_set_pool(rig, pool, members, fallback == pool ? 1 : 2, NULL);
}

void site_open(struct rig *rig)
{
	rig_open(rig);
	for (uint32_t i = 0; i < SITE_POOLS; i++)
		if (backends[i].dst)
			set_pool(rig, i);
	rig_set_pool(rig, SITE_EMPTY, NULL, 0, NULL);
	rig_set_constant_pool(rig, SITE_BAD_BACKEND, MPLB_MAX_BACKENDS);
	rig_set_constant_pool(rig, SITE_ADDRESSES, SITE_IPIP4);
	for (uint32_t pool = 0; pool < SITE_POOLS; pool++)
		add_pool_vips(rig, pool);
	for (size_t i = 0; i < COUNT_OF(more_vips); i++)
		rig_add_vip(rig, &more_vips[i]);
	rig_commit(rig);
}

const char *site_vip(enum site_pool pool, bool six)
{
	return addresses[pool][six];
}

const struct rig_backend *site_backend(enum site_pool pool)
{
	return backends[pool].dst ? &backends[pool] : NULL;
}

/* Answers */

static bool is_four(const struct packet *p)
{
	struct ip dst;

	return !ip_parse(p->dst, &dst) && dst.family == MPLB_FAMILY_4;
}

/* Builds an answer to in: what p says, with both ends of in swapped. */
static void build_answer(const struct packet *in, struct packet *p, struct frame *out)
{
	struct frame frame;

	packet_build(in, &frame);
	p->dmac = frame.at + 6;
	p->smac = frame.at;
	p->vlans = in->vlans;
	p->dst = in->src ? in->src : is_four(in) ? CLIENT_4 : CLIENT_6;
	p->src = in->dst;
	p->ttl = 64;
	packet_build(p, out);
}

static void reset(const struct packet *syn, struct bytes options, struct frame *out)
{
	struct packet p = {
		.dport = syn->sport ? syn->sport : 40000,
		.sport = syn->dport ? syn->dport : 443,
		.flags = FLAG_RST | FLAG_ACK,
		.ack = syn->seq + 1,
		.options = options,
		.frag = FRAG_DF,
	};

	build_answer(syn, &p, out);
}

void site_reset(const struct packet *syn, struct frame *out)
{
	static const uint8_t rst[] = { 30, 4, 0x80, 3 }; /* MP_TCPRST, prohibited */

	reset(syn, (struct bytes){ rst, sizeof(rst) }, out);
}

void site_plain_reset(const struct packet *syn, struct frame *out)
{
	reset(syn, (struct bytes){ NULL, 0 }, out);
}

static void echo_reply(const struct packet *request, struct frame *out)
{
	struct packet p = *request;

	p.icmp_type = is_four(request) ? LIE_ZERO : 129;
	build_answer(request, &p, out);
}

/* What tells the sender of a packet to make it mtu bytes at most. */
static void too_big(const struct packet *in, uint32_t mtu, struct frame *out)
{
	struct packet p = { .frag = FRAG_DF, .icmp_rest = mtu };
	struct frame frame;

	packet_build(in, &frame);
	p.body.at = frame.at + frame_l3(&frame);
	if (is_four(in)) {
		p.proto = IPPROTO_ICMP;
		p.icmp_type = 3;
		p.icmp_code = 4;
		p.body.len = 28;
	} else {
		p.proto = IPPROTO_ICMPV6;
		p.icmp_type = 2;
		p.body.len = 128;
	}
	build_answer(in, &p, out);
}

/* One case */

static uint16_t port_or(uint32_t given, uint16_t otherwise)
{
	return given ? (uint16_t)given : otherwise;
}

/* The VIP that a case's packet is for. */
static const struct rig_vip *find_vip(const struct rig *rig, const struct site_case *c)
{
	struct ip dst;

	if (!c->in.dst || ip_parse(c->in.dst, &dst))
		return NULL;
	return rig_find_vip(rig, &dst, port_or(c->in.dport, 443),
			    c->in.proto ? c->in.proto : IPPROTO_TCP);
}

uint32_t site_hash(const struct rig_vip *vip, const struct packet *p)
{
	const char *text = p->src ? p->src : is_four(p) ? CLIENT_4 : CLIENT_6;
	struct ip src;

	cr_assert_eq(ip_parse(text, &src), 0);
	return rig_hash(vip, &src, port_or(p->sport, 40000), port_or(p->dport, 443));
}

static uint32_t overhead_of(const struct rig_backend *b)
{
	bool six = strchr(b->dst, ':');

	if (b->forward == MPLB_FORWARD_GUE)
		return six ? 40 + 8 + 24 : 20 + 8 + 12;
	return b->forward == MPLB_FORWARD_L2 ? 0 : six ? 40 : 20;
}

static void expect_frame(const struct rig *rig, const struct site_case *c,
			 const struct rig_vip *vip, const struct frame *in, struct frame *out)
{
	const struct rig_backend *b = &backends[c->to];
	struct outer outer;

	switch (c->reason) {
	case MPLB_R_FORWARDED:
		outer = rig_outer(rig, c->to, fallback_of(c->to), site_hash(vip, &c->in));
		frame_encapsulate(in, &outer, out);
		break;
	case MPLB_R_JOIN_REJECTED:
		site_reset(&c->in, out);
		break;
	case MPLB_R_ECHO_REPLY:
		echo_reply(&c->in, out);
		break;
	case MPLB_R_TOO_BIG_ANSWERED:
		too_big(&c->in, (b->mtu ? b->mtu : 1500) - overhead_of(b), out);
		break;
	default:
		*out = *in;
	}
}

/* Adds what this case must count to what was there before. */
static void expect_counters(const struct rig *rig, const struct site_case *c,
			    const struct rig_vip *vip, const struct frame *in,
			    struct rig_counters *counters)
{
	size_t index = vip ? (size_t)(vip - rig->vips) : 0;

	if (c->syn)
		counters->vip[index].counter[c->syn]++;
	if (c->reason != MPLB_R_FORWARDED) {
		counters->reason[c->reason]++;
		return;
	}
	counters->vip[index].counter[MPLB_VIP_C_PACKETS]++;
	counters->vip[index].counter[MPLB_VIP_C_BYTES] += frame_ip_len(in);
	counters->backend[c->to].packets++;
	counters->backend[c->to].bytes += frame_ip_len(in);
}

static void compare_counters(const char *name, const struct rig_counters *is,
			     const struct rig_counters *should)
{
	static const char *const reasons[] = {
#define X(number, NAME, name, action, text) [number] = name,
		MPLB_REASONS(X)
#undef X
	};
	static const char *const counters[] = {
#define X(NAME, name, text) name,
		MPLB_VIP_COUNTERS(X)
#undef X
	};

	if (!memcmp(is, should, sizeof(*is)))
		return;
	for (size_t i = 0; i < MPLB_R_MAX; i++)
		cr_expect_eq(is->reason[i], should->reason[i], "%s: %s is %llu, not %llu", name,
			     reasons[i], is->reason[i], should->reason[i]);
	for (size_t i = 0; i < RIG_COUNTED; i++) {
		for (size_t k = 0; k < MPLB_VIP_C_MAX; k++)
			cr_expect_eq(is->vip[i].counter[k], should->vip[i].counter[k],
				     "%s: %s of VIP %zu is %llu, not %llu", name, counters[k], i,
				     is->vip[i].counter[k], should->vip[i].counter[k]);
		cr_expect_eq(is->backend[i].packets, should->backend[i].packets,
			     "%s: packets of backend %zu", name, i);
		cr_expect_eq(is->backend[i].bytes, should->backend[i].bytes,
			     "%s: bytes of backend %zu", name, i);
	}
}

void site_check(struct rig *rig, const struct site_case *c)
{
	static struct rig_counters before, after;
	const struct rig_vip *vip = find_vip(rig, c);
	struct rig_result result;
	struct frame in, out;
	size_t at;
	int differs;

	packet_build(&c->in, &in);
	cr_assert(vip || (c->reason != MPLB_R_FORWARDED && !c->syn), "%s: no such VIP", c->name);
	rig_count(rig, &before);
	expect_frame(rig, c, vip, &in, &out);
	rig_run(rig, &in, &result);
	rig_count(rig, &after);
	cr_expect_eq(result.verdict, c->verdict, "%s: verdict %d, not %d", c->name, result.verdict,
		     c->verdict);
	differs = frame_diff(&result.out, &out);
	at = differs < 0 ? 0 : (size_t)differs;
	cr_expect_eq(differs, -1, "%s: differs at byte %zu: %02x, not %02x; %zu bytes, not %zu",
		     c->name, at, result.out.at[at], out.at[at], result.out.len, out.len);
	expect_counters(rig, c, vip, &in, &before);
	compare_counters(c->name, &after, &before);
}

void site_check_all(struct rig *rig, const struct site_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++)
		site_check(rig, &cases[i]);
}
