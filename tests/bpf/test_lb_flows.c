/* SPDX-License-Identifier: GPL-2.0-only */
/* Which backend a flow gets: the one that hash and Maglev table name, each its share, always. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <linux/bpf.h>
#include <math.h>
#include <string.h>
#include "mplb/hash.h"
#include "site.h"

#define MEMBERS	    5
#define FLOWS	    20000 /* through the program */
#define FLOWS_QUICK 1000
#define SHARES	    400000 /* by computation, which the program was seen to agree with */
#define TOLERANCE   0.03 /* of a member's share, relative */

static struct rig rig;
static struct mplb_table_slot slots[MPLB_TABLE_SLOTS];

static const uint32_t weights[MEMBERS] = { 100, 100, 50, 150, 200 };
#define WEIGHT_SUM 600.0

/* Indexes of the backends: not those of the members, and with gaps. */
static uint16_t index_of(unsigned int member)
{
	return (uint16_t)(10 + 3 * member);
}

static void open_pool(uint64_t hash_key)
{
	struct maglev_member members[MEMBERS];
	const char *const addrs[] = { L2_4, L2_6 };

	rig_open(&rig);
	for (unsigned int i = 0; i < MEMBERS; i++) {
		const struct rig_backend b = { MPLB_FORWARD_L2, "10.0.0.11", "10.0.0.2",
					       RIG_INGRESS };

		rig_set_backend(&rig, index_of(i), &b);
		members[i] = (struct maglev_member){ .id = (uint16_t)(i + 1),
						     .index = index_of(i),
						     .weight = weights[i],
						     .base = weights[i] };
	}
	rig_set_pool(&rig, 3, members, MEMBERS, slots);
	for (unsigned int i = 0; i < 4; i++)
		rig_add_vip(&rig, &(struct rig_vip){ .addr = addrs[i / 2],
						     .port = 443,
						     .proto = i % 2 ? IPPROTO_UDP : IPPROTO_TCP,
						     .table = 3,
						     .hash_key = hash_key });
	rig_commit(&rig);
}

/* The backend that the program chose, by the MAC address that it wrote. */
static uint16_t chosen(const struct frame *in)
{
	struct rig_result result;

	rig_run(&rig, in, &result);
	cr_assert_eq(result.verdict, XDP_TX, "verdict %d", result.verdict);
	return (uint16_t)(result.out.at[4] << 8 | result.out.at[5]);
}

static uint16_t computed(const struct rig_vip *vip, const struct frame *in)
{
	return slots[mplb_slot_of(rig_hash_frame(vip, in))].owner;
}

static void make_flow(struct frame *f, uint64_t *state)
{
	uint64_t addr[2] = { rig_random(state), rig_random(state) };

	frame_set_src(f, addr);
	frame_set_ports(f, (uint16_t)(rig_random(state) >> 48), 443);
}

static void check_choice(uint32_t vip, uint64_t seed)
{
	struct packet p = { .dst = vip / 2 ? L2_6 : L2_4,
			    .proto = vip % 2 ? IPPROTO_UDP : IPPROTO_TCP };
	unsigned int n = rig_scale(FLOWS, FLOWS_QUICK);
	unsigned int wrong = 0;
	struct frame in;

	packet_build(&p, &in);
	for (unsigned int i = 0; i < n; i++) {
		make_flow(&in, &seed);
		wrong += chosen(&in) != computed(&rig.vips[vip], &in);
	}
	cr_expect_eq(wrong, 0, "VIP %u: %u of %u flows went elsewhere", vip, wrong, n);
}

Test(lb_flows, backend_is_the_computed_one)
{
	open_pool(0);
	for (uint32_t vip = 0; vip < 4; vip++)
		check_choice(vip, RIG_SEED + vip);
	rig_close(&rig);
}

/* Packets of one flow. */
static const struct packet same[] = {
	{ .dst = L2_4 },
	{ .dst = L2_4, .flags = FLAG_SYN },
	{ .dst = L2_4, .flags = FLAG_FIN | FLAG_ACK, .seq = 0x12345678, .ack = 1 },
	{ .dst = L2_4, .payload = 1000, .tos = 0xff, .ttl = 3, .id = 0xbeef },
	{ .dst = L2_4, .frag = FRAG_DF, .window = 99, .padding = 6 },
	{ .dst = L2_4, .flags = FLAG_RST },
	{ .dst = L2_4, .ip_options = BYTES(1, 1, 1, 0) },
	{ .dst = L2_4, .options = BYTES(OPT_TIME, OPT_NOP, OPT_NOP) },
};

/* What of a packet decides: nothing but addresses, ports and protocol. */
Test(lb_flows, rest_of_packet_does_not_matter)
{
	struct frame in;

	open_pool(0);
	for (uint32_t sport = 1024; sport < 1124; sport++) {
		uint16_t first = 0;

		for (size_t i = 0; i < COUNT_OF(same); i++) {
			struct packet p = same[i];

			p.sport = sport;
			packet_build(&p, &in);
			first = i ? first : chosen(&in);
			cr_expect_eq(chosen(&in), first, "packet %zu of port %u", i, sport);
		}
	}
	rig_close(&rig);
}

/* Counts into share[] where a flow goes. */
static void count(const struct rig_vip *vip, const struct frame *in, unsigned int *share)
{
	share[(computed(vip, in) - index_of(0)) / 3]++;
}

static void check_shares(const char *what, const unsigned int *share, unsigned int n)
{
	for (unsigned int i = 0; i < MEMBERS; i++) {
		double should = n * weights[i] / WEIGHT_SUM;

		cr_expect(fabs(share[i] - should) <= TOLERANCE * should,
			  "%s: member %u has %u of %u flows, not %.0f", what, i, share[i], n,
			  should);
	}
}

Test(lb_flows, shares_follow_weights)
{
	struct packet p[2] = { { .dst = L2_4 }, { .dst = L2_6 } };
	uint64_t state = RIG_SEED;
	struct frame in;

	open_pool(0);
	for (unsigned int six = 0; six < 2; six++) {
		unsigned int share[MEMBERS] = { 0 };

		packet_build(&p[six], &in);
		for (unsigned int i = 0; i < SHARES; i++) {
			make_flow(&in, &state);
			count(&rig.vips[six * 2], &in, share);
		}
		check_shares(six ? "random, IPv6" : "random, IPv4", share, SHARES);
	}
	rig_close(&rig);
}

/* The same through the program alone; with so few flows chance may take more than 3 %. */
Test(lb_flows, shares_through_the_program)
{
	unsigned int share[MEMBERS] = { 0 }, n = rig_scale(FLOWS, FLOWS_QUICK);
	struct packet p = { .dst = L2_4 };
	uint64_t state = RIG_SEED;
	struct frame in;

	open_pool(0);
	packet_build(&p, &in);
	for (unsigned int i = 0; i < n; i++) {
		make_flow(&in, &state);
		share[(chosen(&in) - index_of(0)) / 3]++;
	}
	for (unsigned int i = 0; i < MEMBERS; i++) {
		double should = n * weights[i] / WEIGHT_SUM;

		cr_expect(fabs(share[i] - should) <= 4 * sqrt(should),
			  "member %u has %u of %u flows, not %.0f", i, share[i], n, should);
	}
	rig_close(&rig);
}

/* A client that counts its ports up, a carrier's NAT, a scanner: as even as any. */
Test(lb_flows, sequences_spread)
{
	static const char *const names[] = { "ports, IPv4", "ports, IPv6", "addresses, IPv4",
					     "addresses, IPv6", "networks, IPv6" };
	struct packet p[2] = { { .dst = L2_4 }, { .dst = L2_6 } };
	struct frame in;

	open_pool(0);
	for (unsigned int kind = 0; kind < COUNT_OF(names); kind++) {
		unsigned int share[MEMBERS] = { 0 }, six = kind == 1 || kind > 2;
		uint8_t addr[16] = { 0x20, 0x01, 0x0d, 0xb8 };
		size_t last = kind == 4 ? 7 : six ? 15 : 3;

		packet_build(&p[six], &in);
		for (uint32_t i = 0; i < 65536; i++) {
			addr[last] = (uint8_t)i;
			addr[last - 1] = (uint8_t)(i >> 8);
			if (kind > 1)
				frame_set_src(&in, addr);
			else
				frame_set_ports(&in, (uint16_t)i, 443);
			count(&rig.vips[six * 2], &in, share);
		}
		check_shares(names[kind], share, 65536);
	}
	rig_close(&rig);
}

/* Another key, another choice: for about as many flows as chance has it. */
Test(lb_flows, key_decides)
{
	uint16_t first[512];
	unsigned int changed = 0;
	struct packet p = { .dst = L2_4 };
	struct frame in;

	for (unsigned int round = 0; round < 2; round++) {
		uint64_t state = RIG_SEED;

		open_pool(round ? 0x1111 : 0x1110);
		packet_build(&p, &in);
		for (size_t i = 0; i < COUNT_OF(first); i++) {
			uint16_t now;

			make_flow(&in, &state);
			now = chosen(&in);
			changed += round && now != first[i];
			first[i] = now;
		}
		rig_close(&rig);
	}
	/* The same by chance: sum of the squared shares, 0.236. */
	cr_expect(changed > 0.68 * COUNT_OF(first) && changed < 0.85 * COUNT_OF(first),
		  "%u of %zu changed", changed, COUNT_OF(first));
}

/* Protocols and VIPs have keys of their own; the same client's flows to them differ. */
Test(lb_flows, vips_differ)
{
	unsigned int same = 0, n = 512;
	uint64_t state = RIG_SEED;
	struct packet p[2] = { { .dst = L2_4 }, { .dst = L2_4, .proto = IPPROTO_UDP } };
	struct frame in[2];

	open_pool(0);
	packet_build(&p[0], &in[0]);
	packet_build(&p[1], &in[1]);
	for (unsigned int i = 0; i < n; i++) {
		uint64_t copy = state;

		make_flow(&in[0], &state);
		make_flow(&in[1], &copy);
		same += chosen(&in[0]) == chosen(&in[1]);
	}
	cr_expect(same > 0.15 * n && same < 0.32 * n, "%u of %u alike", same, n);
	rig_close(&rig);
}

/* Balancers of a fleet may run different versions: these numbers must never change. They were
 * computed apart from this tree. */
Test(lb_flows, hash_is_fixed)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	cr_expect_eq(mplb_flow_hash4(0x0123456789abcdefULL, htonl(0xcb007107), 0xbb01409cU),
		     0x8c76c1b1u);
	cr_expect_eq(mplb_flow_hash6(0x0123456789abcdefULL, 0xb80d0120ULL, 0x0700000000000000ULL,
				     0xbb01409cU),
		     0x3d233b69u);
	cr_expect_eq(mplb_slot_of(0), 0);
	cr_expect_eq(mplb_slot_of(0x80000000), 32768);
	cr_expect_eq(mplb_slot_of(0xffffffff), 65536);
#endif
}
