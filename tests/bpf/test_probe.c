/* SPDX-License-Identifier: GPL-2.0-only */
/* The program that sends health probes: each way to a backend, and what it leaves alone. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>

#include "mplb/hash.h"
#include "rig.h"

#define COUNT_OF(a) (sizeof(a) / sizeof(*(a)))

static struct rig rig;

static const char *const vip[2] = { "198.51.100.1", "2001:db8:100::1" };
static const char *const own[2] = { "192.0.2.10", "2001:db8:2::10" };

/* Runs the program; ctx comes back as it left it. */
static int run(const struct frame *in, __u32 mark, struct frame *out, struct __sk_buff *ctx)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in->at, .data_size_in = (__u32)in->len,
		    .data_out = out->at, .data_size_out = sizeof(out->at), .repeat = 1,
		    .ctx_in = ctx, .ctx_size_in = sizeof(*ctx), .ctx_out = ctx,
		    .ctx_size_out = sizeof(*ctx));

	*ctx = (struct __sk_buff){ .mark = mark };
	cr_assert(!bpf_prog_test_run_opts(rig.probe, &opts), "%s", strerror(errno));
	out->len = opts.data_size_out;
	return (int)opts.retval;
}

static void build(int six, struct packet p, struct frame *out)
{
	p.dst = vip[six];
	p.src = own[six];
	p.flags = p.flags ? p.flags : FLAG_SYN;
	packet_build(&p, out);
}

/* What the flow's ports come to: source port and flow label of the outer header. */
static uint32_t hash_of(const struct frame *f, int six)
{
	uint32_t ports;

	memcpy(&ports, f->at + ETH_HEAD + (six ? 40 : 20), sizeof(ports));
	return mplb_flow_mix(0, ports);
}

#define B4 "10.0.0.11", "10.0.0.2"
#define B6 "fd00::11", "fd00::2"

static const struct way {
	const char *name;
	int six; /* family of the VIP */
	struct rig_backend backend;
} ways[] = {
	{ "l2, IPv4", 0, { MPLB_FORWARD_L2, B4, RIG_EGRESS } },
	{ "l2, IPv6", 1, { MPLB_FORWARD_L2, B6, RIG_EGRESS } },
	{ "ipip, IPv4 in IPv4", 0, { MPLB_FORWARD_IPIP, B4, RIG_EGRESS } },
	{ "ipip, IPv6 in IPv4", 1, { MPLB_FORWARD_IPIP, B4, RIG_EGRESS } },
	{ "ipip, IPv4 in IPv6", 0, { MPLB_FORWARD_IPIP, B6, RIG_EGRESS } },
	{ "ipip, IPv6 in IPv6", 1, { MPLB_FORWARD_IPIP, B6, RIG_EGRESS } },
	{ "gue, IPv4 in IPv4", 0, { MPLB_FORWARD_GUE, B4, RIG_EGRESS } },
	{ "gue, IPv6 in IPv4", 1, { MPLB_FORWARD_GUE, B4, RIG_EGRESS } },
	{ "gue, IPv4 in IPv6", 0, { MPLB_FORWARD_GUE, B6, RIG_EGRESS } },
	{ "gue, IPv6 in IPv6", 1, { MPLB_FORWARD_GUE, B6, RIG_EGRESS } },
};

static const struct packet variants[] = {
	{ .sport = 40001 },
	{ .sport = 65535, .payload = 400, .tos = 0xb8, .flags = FLAG_ACK | FLAG_PSH },
	{ .dport = 80, .options = BYTES(OPT_MSS, OPT_CAPABLE), .ttl = 64 },
};

Test(probe, every_way)
{
	static const uint32_t index[] = { 0, 1, 77, MPLB_MAX_BACKENDS - 1 };

	rig_open(&rig);
	for (size_t i = 0; i < COUNT_OF(ways) * COUNT_OF(index) * COUNT_OF(variants); i++) {
		const struct way *way = &ways[i % COUNT_OF(ways)];
		uint32_t to = index[i / COUNT_OF(ways) % COUNT_OF(index)];
		const struct packet *variant = &variants[i / COUNT_OF(ways) / COUNT_OF(index)];
		struct frame in, out, want;
		struct __sk_buff ctx;
		struct outer outer;

		memset(rig.dp.backends, 0, MPLB_MAX_BACKENDS * sizeof(*rig.dp.backends));
		rig_set_backend(&rig, to, &way->backend);
		build(way->six, *variant, &in);
		outer = rig_outer(&rig, to, MPLB_NO_BACKEND, hash_of(&in, way->six));
		frame_encapsulate(&in, &outer, &want);
		cr_expect_eq(run(&in, MPLB_PROBE_MARK + to, &out, &ctx), TC_ACT_REDIRECT,
			     "%s, to %u", way->name, to);
		cr_expect_eq(frame_diff(&out, &want), -1, "%s, to %u: byte %d", way->name, to,
			     frame_diff(&out, &want));
	}
	rig_close(&rig);
}

/* The kernel keeps the tag beside the packet until the driver has it. */
Test(probe, vlan)
{
	struct rig_backend b = { MPLB_FORWARD_IPIP, B4, RIG_EGRESS, .vlan = 123 };
	struct frame in, out, want;
	struct __sk_buff ctx;
	struct outer outer;

	rig_open(&rig);
	rig_set_backend(&rig, 5, &b);
	build(0, variants[0], &in);
	outer = rig_outer(&rig, 5, MPLB_NO_BACKEND, 0);
	outer.vlan = 0;
	frame_encapsulate(&in, &outer, &want);
	cr_expect_eq(run(&in, MPLB_PROBE_MARK + 5, &out, &ctx), TC_ACT_REDIRECT);
	cr_expect_eq(frame_diff(&out, &want), -1);
	rig_close(&rig);
}

Test(probe, marks_of_others)
{
	static const uint32_t marks[] = { 0, 1, MPLB_PROBE_MARK - 1,
					  MPLB_PROBE_MARK + MPLB_MAX_BACKENDS, 0xffffffff };
	struct frame in, out;
	struct __sk_buff ctx;

	rig_open(&rig);
	for (uint32_t i = 0; i < MPLB_MAX_BACKENDS; i++)
		rig_set_backend(&rig, i, &ways[2].backend);
	build(0, variants[0], &in);
	for (size_t i = 0; i < COUNT_OF(marks); i++) {
		cr_expect_eq(run(&in, marks[i], &out, &ctx), TC_ACT_UNSPEC, "mark 0x%x", marks[i]);
		cr_expect_eq(frame_diff(&in, &out), -1, "mark 0x%x: changed", marks[i]);
	}
	rig_close(&rig);
}

static void drops(const char *what, const struct rig_backend *b, const struct frame *in)
{
	struct frame out;
	struct __sk_buff ctx;

	memset(rig.dp.backends, 0, MPLB_MAX_BACKENDS * sizeof(*rig.dp.backends));
	if (b)
		rig_set_backend(&rig, 3, b);
	cr_expect_eq(run(in, MPLB_PROBE_MARK + 3, &out, &ctx), TC_ACT_SHOT, "%s", what);
}

Test(probe, drops)
{
	struct rig_backend b = { MPLB_FORWARD_GUE, B4, RIG_EGRESS };
	struct frame in;

	rig_open(&rig);
	build(0, (struct packet){ .payload = 100 }, &in);
	drops("no backend", NULL, &in);
	b.ifindex = 0;
	drops("next hop not known", &b, &in);
	b.ifindex = RIG_EGRESS;
	b.mtu = 40 + 100 + 40 - 1;
	drops("a byte too big for the path", &b, &in);
	b.mtu = 0;
	build(0, (struct packet){ .ethertype = 0x0806 }, &in);
	drops("not IP", &b, &in);
	build(0, (struct packet){ .cut = ETH_HEAD + 23 }, &in);
	drops("IPv4, cut in the ports", &b, &in);
	build(1, (struct packet){ .cut = ETH_HEAD + 43 }, &in);
	drops("IPv6, cut in the ports", &b, &in);
	rig_close(&rig);
}
