/* SPDX-License-Identifier: GPL-2.0-only */
/* Both families x TCP and UDP x every way to a backend x what else a header may hold. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include "site.h"

static struct rig rig;

/* What may differ in a packet without a difference to where it goes. */
static const struct packet variants[] = {
	{ .payload = 0 },
	{ .payload = 1 },
	{ .payload = 1340 },
	{ .payload = 13, .padding = 33 },
	{ .tos = 0x01, .ttl = 1, .id = 0xffff },
	{ .tos = 0xb8, .ttl = 255, .label = 0x12345 },
	{ .tos = 0xff, .payload = 200, .frag = FRAG_DF, .label = 0xfffff },
	{ .sport = 1, .seq = 0x01020304, .ack = 0xfffefdfc, .window = 0x1234 },
	{ .sport = 65535, .payload = 77 },
	{ .vlans = 1, .payload = 5 },
	{ .vlans = 2, .padding = 7, .tos = 0x11 },
};

static const char *const src[2][2] = { { "203.0.113.255", "192.0.2.1" },
				       { "2001:db8:ffff:ffff::1", "::2" } };

static void check(enum site_pool pool, unsigned int six, uint8_t proto, size_t variant)
{
	char name[96];
	struct site_case test = {
		.name = name,
		.in = variants[variant],
		.verdict = site_backend(pool)->ifindex == RIG_INGRESS ? XDP_TX : XDP_REDIRECT,
		.reason = MPLB_R_FORWARDED,
		.to = pool,
	};

	snprintf(name, sizeof(name), "IPv%d, protocol %u, pool %u, variant %zu", six ? 6 : 4, proto,
		 pool, variant);
	test.in.dst = site_vip(pool, six);
	test.in.src = src[six][variant % 2];
	test.in.proto = proto;
	site_check(&rig, &test);
}

Test(lb_forward, every_way)
{
	site_open(&rig);
	for (enum site_pool pool = 0; pool < SITE_SMALL4; pool++) {
		if (!site_backend(pool))
			continue;
		for (unsigned int i = 0; i < 4; i++)
			for (size_t v = 0; v < COUNT_OF(variants); v++)
				check(pool, i / 2, i % 2 ? IPPROTO_UDP : IPPROTO_TCP, v);
	}
	rig_close(&rig);
}

/* Checksums of the outer header, by another way than by building the same header: the sum over it
 * is all ones, for addresses and lengths that make the carries differ. */
Test(lb_forward, outer_checksum)
{
	static const char *const ends[] = { "0.0.0.1", "255.255.255.255", "10.0.0.1",
					    "192.168.255.254", "127.255.0.255" };
	struct packet p = { .dst = IPIP4_4 };
	struct rig_result result;
	struct frame in;

	site_open(&rig);
	for (size_t i = 0; i < COUNT_OF(ends) * COUNT_OF(ends); i++) {
		const struct rig_backend b = { MPLB_FORWARD_IPIP, ends[i % COUNT_OF(ends)],
					       ends[i / COUNT_OF(ends)], RIG_INGRESS };

		rig_set_backend(&rig, SITE_IPIP4, &b);
		for (p.payload = 0; p.payload < 1400; p.payload += 89) {
			p.tos = (uint8_t)(p.payload * 5);
			packet_build(&p, &in);
			rig_run(&rig, &in, &result);
			cr_expect_eq(result.verdict, XDP_TX);
			cr_expect(ipv4_checksum_ok(result.out.at + ETH_HEAD), "%s to %s, %zu bytes",
				  b.src, b.dst, p.payload);
		}
	}
	rig_close(&rig);
}

/* Does the sum over an outer header with this length and TOS 255 carry twice? */
static bool carries_twice(const struct mplb_backend *b, uint32_t len)
{
	uint32_t sum = b->csum + htons((uint16_t)len) + htons(0xff) + htons(IPPROTO_IPIP);

	return sum >> 16 && (sum & 0xffff) + (sum >> 16) > 0xffff;
}

/* An address in some ten thousand makes the sum carry a second time when it is folded. */
Test(lb_forward, outer_checksum_double_carry)
{
	const struct packet p = { .dst = IPIP4_4, .tos = 0xff };
	unsigned int seen = 0;
	struct rig_result result;
	char addr[IP_STRLEN];
	struct frame in;

	site_open(&rig);
	packet_build(&p, &in);
	for (uint32_t i = 0; i < 65536; i++) {
		snprintf(addr, sizeof(addr), "10.0.%u.%u", i >> 8, i & 255);
		rig_set_backend(
			&rig, SITE_IPIP4,
			&(struct rig_backend){ MPLB_FORWARD_IPIP, addr, "10.0.0.2", RIG_INGRESS });
		if (!carries_twice(&rig.dp.backends[SITE_IPIP4], 60))
			continue;
		rig_run(&rig, &in, &result);
		cr_expect(ipv4_checksum_ok(result.out.at + ETH_HEAD), "to %s", addr);
		seen++;
	}
	cr_expect_geq(seen, 1);
	rig_close(&rig);
}

/* The flow label is the hash's lower 20 bits: packets of a flow have one, flows have different
 * ones. */
Test(lb_forward, flow_label)
{
	struct packet p = { .dst = IPIP6_4 };
	struct rig_result result;
	uint32_t labels[64] = { 0 };
	struct frame in;

	site_open(&rig);
	for (uint32_t i = 0; i < 2 * COUNT_OF(labels); i++) {
		const uint8_t *ip = result.out.at + ETH_HEAD;
		uint32_t label;

		p.sport = 30000 + i / 2;
		p.payload = i % 2 ? 500 : 0;
		packet_build(&p, &in);
		rig_run(&rig, &in, &result);
		label = (uint32_t)(ip[1] & 15) << 16 | (uint32_t)ip[2] << 8 | ip[3];
		if (i % 2)
			cr_expect_eq(label, labels[i / 2], "flow %u", i / 2);
		labels[i / 2] = label;
		for (uint32_t k = 0; k < i / 2; k++)
			cr_expect_neq(label, labels[k], "flows %u and %u", k, i / 2);
	}
	rig_close(&rig);
}

/* Metadata that fill the 256 bytes in front of a packet, but for the kernel's own 40: no room for
 * an outer header. Kernels before 6.9 allow 32 bytes, which leave enough. */
#define META_LARGE 216

static void check_no_room(const char *to, enum mplb_reason reason)
{
	static const uint8_t meta[META_LARGE];
	static struct rig_counters before, after;
	const struct packet p = { .dst = to };
	struct rig_result result;
	struct frame in;

	packet_build(&p, &in);
	rig_count(&rig, &before);
	if (rig_run_with(&rig, &in, meta, sizeof(meta), RIG_INGRESS, &result))
		rig_skip_kernel("this kernel takes at most 32 bytes of metadata (more: 6.9)");
	rig_count(&rig, &after);
	cr_expect_eq(result.verdict, reason ? XDP_DROP : XDP_TX, "%s: verdict %d", to,
		     result.verdict);
	if (!reason)
		return;
	cr_expect_eq(frame_diff(&in, &result.out), -1, "%s: changed", to);
	cr_expect_eq(after.reason[reason], before.reason[reason] + 1, "%s", to);
	cr_expect_eq(memcmp(after.backend, before.backend, sizeof(after.backend)), 0,
		     "%s: counted as forwarded, too", to);
}

Test(lb_forward, no_headroom)
{
	site_open(&rig);
	check_no_room(L2_4, 0);
	check_no_room(IPIP4_4, MPLB_R_NO_HEADROOM);
	check_no_room(IPIP6_6, MPLB_R_NO_HEADROOM);
	check_no_room(GUE4_4, MPLB_R_NO_HEADROOM);
	check_no_room(GUE6_6, MPLB_R_NO_HEADROOM);
	rig_close(&rig);
}
