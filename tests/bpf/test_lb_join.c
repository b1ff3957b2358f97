/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a SYN's MPTCP options change: the policy of a VIP, options in all orders and forms, and
 * every field of the reset that answers a join.
 */
#include <criterion/criterion.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include "site.h"

#define REJECTED XDP_TX, MPLB_R_JOIN_REJECTED, .syn = MPLB_VIP_C_JOIN_REJECTED
#define TO_L2	 XDP_TX, MPLB_R_FORWARDED, SITE_L2
#define HASHED	 TO_L2, MPLB_VIP_C_JOIN_HASHED
#define CAPABLE	 TO_L2, MPLB_VIP_C_SYN_CAPABLE
#define PLAIN	 TO_L2, MPLB_VIP_C_SYN_PLAIN

/* A SYN to L2_4 with these options. */
#define SYN(...)                                                                                   \
	{                                                                                          \
		.dst = L2_4, .flags = FLAG_SYN, .options = BYTES(__VA_ARGS__)                      \
	}

/* What follows the first 8 bytes of a TCP header with these options and these flags. */
#define TCP_REST(words, flags, ...) 0, 0, 0, 0, (words) << 4, (flags), 0, 0, 0, 0, 0, 0, __VA_ARGS__

#define NOP_4	OPT_NOP, OPT_NOP, OPT_NOP, OPT_NOP
#define NOP_12	NOP_4, NOP_4, NOP_4
#define BYTES_9 1, 2, 3, 4, 5, 6, 7, 8, 9

static struct rig rig;

static void run(const struct site_case *cases, size_t n)
{
	site_open(&rig);
	site_check_all(&rig, cases, n);
	rig_close(&rig);
}

static const struct site_case policies[] = {
	{ "plain SYN, reject", { .dst = L2_4, .flags = FLAG_SYN }, PLAIN },
	{ "plain SYN, hash", { .dst = HASH_4, .flags = FLAG_SYN }, PLAIN },
	{ "plain SYN, reject, IPv6", { .dst = L2_6, .flags = FLAG_SYN }, PLAIN },
	{ "plain SYN, hash, IPv6", { .dst = HASH_6, .flags = FLAG_SYN }, PLAIN },
	{ "MP_CAPABLE, reject",
	  { .dst = L2_4, .flags = FLAG_SYN, .options = BYTES(OPT_CAPABLE) },
	  CAPABLE },
	{ "MP_CAPABLE, hash",
	  { .dst = HASH_4, .flags = FLAG_SYN, .options = BYTES(OPT_CAPABLE) },
	  CAPABLE },
	{ "MP_CAPABLE, reject, IPv6",
	  { .dst = L2_6, .flags = FLAG_SYN, .options = BYTES(OPT_CAPABLE) },
	  CAPABLE },
	{ "MP_CAPABLE, hash, IPv6",
	  { .dst = HASH_6, .flags = FLAG_SYN, .options = BYTES(OPT_CAPABLE) },
	  CAPABLE },
	{ "MP_JOIN, reject",
	  { .dst = L2_4, .flags = FLAG_SYN, .options = BYTES(OPT_JOIN), .seq = 1000 },
	  REJECTED },
	{ "MP_JOIN, hash",
	  { .dst = HASH_4, .flags = FLAG_SYN, .options = BYTES(OPT_JOIN) },
	  HASHED },
	{ "MP_JOIN, reject, IPv6",
	  { .dst = L2_6, .flags = FLAG_SYN, .options = BYTES(OPT_JOIN), .seq = 1000 },
	  REJECTED },
	{ "MP_JOIN, hash, IPv6",
	  { .dst = HASH_6, .flags = FLAG_SYN, .options = BYTES(OPT_JOIN) },
	  HASHED },
	{ "MP_JOIN to any port of a VIP",
	  { .dst = ANY_4, .dport = 7, .flags = FLAG_SYN, .options = BYTES(OPT_JOIN) },
	  REJECTED },
	{ "MP_JOIN for a pool without backends is answered all the same",
	  { .dst = EMPTY_4, .flags = FLAG_SYN, .options = BYTES(OPT_JOIN) },
	  REJECTED },
	{ "UDP, the bytes of a SYN+MP_JOIN behind its ports",
	  { .dst = L2_4, .proto = IPPROTO_UDP, .body = BYTES(TCP_REST(8, FLAG_SYN, OPT_JOIN)) },
	  TO_L2 },
};

Test(lb_join, policies)
{
	run(policies, COUNT_OF(policies));
}

/* Only what opens a subflow is a join. */
static const struct site_case flags[] = {
	{ "SYN+ACK with MP_JOIN",
	  { .dst = L2_4, .flags = FLAG_SYN | FLAG_ACK, .options = BYTES(OPT_JOIN) },
	  TO_L2 },
	{ "third ACK of a join",
	  { .dst = L2_4, .options = BYTES(OPT_MPTCP(24, 1), 0, BYTES_9, BYTES_9, 1, 2) },
	  TO_L2 },
	{ "a segment with the options of a join SYN",
	  { .dst = L2_4, .options = BYTES(OPT_JOIN) },
	  TO_L2 },
	{ "RST with MP_JOIN",
	  { .dst = L2_4, .flags = FLAG_RST, .options = BYTES(OPT_JOIN) },
	  TO_L2 },
	{ "a SYN with ECN's flags",
	  { .dst = L2_4, .flags = FLAG_SYN | 0xc0, .options = BYTES(OPT_JOIN) },
	  REJECTED },
	{ "TFO: a plain SYN with payload",
	  { .dst = L2_4,
	    .flags = FLAG_SYN,
	    .payload = 100,
	    .options = BYTES(34, 10, 1, 2, 3, 4, 5, 6, 7, 8) },
	  PLAIN },
	{ "TFO: MP_CAPABLE with payload",
	  { .dst = L2_4,
	    .flags = FLAG_SYN,
	    .payload = 100,
	    .options = BYTES(34, 10, 1, 2, 3, 4, 5, 6, 7, 8, OPT_CAPABLE) },
	  CAPABLE },
	{ "TFO: MP_JOIN with payload: the answer has none",
	  { .dst = L2_4, .flags = FLAG_SYN, .payload = 1000, .options = BYTES(OPT_JOIN) },
	  REJECTED },
	{ "TFO: MP_JOIN with payload, IPv6",
	  { .dst = L2_6, .flags = FLAG_SYN, .payload = 1000, .options = BYTES(OPT_JOIN) },
	  REJECTED },
	{ "MP_JOIN in the payload of a plain SYN",
	  { .dst = L2_4, .flags = FLAG_SYN, .options = BYTES(OPT_MSS), .body = BYTES(OPT_JOIN) },
	  PLAIN },
};

Test(lb_join, flags)
{
	run(flags, COUNT_OF(flags));
}

static const struct site_case options[] = {
	{ "as Linux sends it", SYN(OPT_MSS, OPT_SACK, OPT_TIME, OPT_NOP, OPT_WSCALE, OPT_JOIN),
	  REJECTED },
	{ "MP_CAPABLE as Linux sends it",
	  SYN(OPT_MSS, OPT_SACK, OPT_TIME, OPT_NOP, OPT_WSCALE, OPT_CAPABLE), CAPABLE },
	{ "first of all", SYN(OPT_JOIN, OPT_MSS, OPT_SACK, OPT_NOP, OPT_NOP), REJECTED },
	{ "in the middle", SYN(OPT_MSS, OPT_JOIN, OPT_TIME, OPT_SACK), REJECTED },
	{ "at an odd place", SYN(OPT_WSCALE, OPT_JOIN, OPT_NOP), REJECTED },
	{ "after one NOP", SYN(OPT_NOP, OPT_JOIN, OPT_NOP, OPT_NOP, OPT_NOP), REJECTED },
	{ "after 28 NOPs", SYN(NOP_12, NOP_12, NOP_4, OPT_JOIN), REJECTED },
	{ "before 28 NOPs", SYN(OPT_JOIN, NOP_12, NOP_12, NOP_4), REJECTED },
	{ "40 NOPs", SYN(NOP_12, NOP_12, NOP_12, NOP_4), PLAIN },
	{ "MP_CAPABLE after 36 NOPs", SYN(NOP_12, NOP_12, NOP_12, OPT_CAPABLE), CAPABLE },
	{ "after end of list: not seen", SYN(OPT_EOL, OPT_JOIN, OPT_NOP, OPT_NOP, OPT_NOP), PLAIN },
	{ "after options and end of list", SYN(OPT_MSS, OPT_EOL, OPT_JOIN), PLAIN },
	{ "before end of list", SYN(OPT_JOIN, OPT_EOL, OPT_EOL, OPT_EOL, OPT_EOL), REJECTED },
	{ "after an option of length 0: Linux stops", SYN(99, 0, OPT_NOP, OPT_NOP, OPT_JOIN),
	  PLAIN },
	{ "after an option of length 1: Linux stops", SYN(99, 1, OPT_NOP, OPT_NOP, OPT_JOIN),
	  PLAIN },
	{ "after an option past the end: Linux stops", SYN(99, 17, 0, 0, OPT_JOIN), PLAIN },
	{ "after an option of length 255", SYN(99, 255, 0, 0, OPT_JOIN), PLAIN },
	{ "inside another option", SYN(99, 16, 0, 0, OPT_JOIN), PLAIN },
	{ "after an unknown option of length 2", SYN(99, 2, OPT_JOIN, OPT_NOP, OPT_NOP), REJECTED },
	{ "after an unknown option of length 28",
	  SYN(99, 28, BYTES_9, BYTES_9, 1, 2, 3, 4, 5, 6, 7, 8, OPT_JOIN), REJECTED },
	{ "after MSS of the wrong length", SYN(2, 3, 0, OPT_NOP, OPT_JOIN), REJECTED },
	{ "MP_CAPABLE, then MP_JOIN", SYN(OPT_CAPABLE, OPT_JOIN), REJECTED },
	{ "MP_JOIN, then MP_CAPABLE", SYN(OPT_JOIN, OPT_CAPABLE), REJECTED },
	{ "two MP_JOINs", SYN(OPT_JOIN, OPT_JOIN), REJECTED },
	{ "an MP_JOIN after MP_CAPABLE past the end", SYN(OPT_MPTCP(20, 0), 1, OPT_JOIN), PLAIN },
	{ "MP_JOIN of length 3", SYN(OPT_MPTCP(3, 1), OPT_NOP), REJECTED },
	{ "MP_JOIN of length 4", SYN(OPT_MPTCP(4, 1), 0), REJECTED },
	{ "MP_JOIN of length 11", SYN(OPT_MPTCP(11, 1), 1, 2, 3, 4, 5, 6, 7, 8, OPT_NOP),
	  REJECTED },
	{ "MP_JOIN of length 13", SYN(OPT_MPTCP(13, 1), BYTES_9, 10, OPT_NOP, OPT_NOP, OPT_NOP),
	  REJECTED },
	{ "MP_JOIN of length 16", SYN(OPT_MPTCP(16, 1), BYTES_9, 1, 2, 3, 4), REJECTED },
	{ "MP_JOIN of length 24", SYN(OPT_MPTCP(24, 1), BYTES_9, BYTES_9, 1, 2, 3), REJECTED },
	{ "MP_JOIN of length 40", SYN(OPT_MPTCP(40, 1), BYTES_9, BYTES_9, BYTES_9, BYTES_9, 1),
	  REJECTED },
	{ "MP_JOIN a byte past the end", SYN(OPT_MPTCP(13, 1), BYTES_9), PLAIN },
	{ "MPTCP option of length 2: no subtype", SYN(30, 2, OPT_NOP, OPT_NOP), PLAIN },
	{ "MPTCP option of length 2 before something like a join", SYN(30, 2, 0x10, 2, OPT_CAPABLE),
	  CAPABLE },
	{ "MPTCP option of length 2, then a join", SYN(30, 2, OPT_JOIN, OPT_NOP, OPT_NOP),
	  REJECTED },
	{ "MPTCP option as the last two bytes", SYN(OPT_NOP, OPT_NOP, 30, 2), PLAIN },
	{ "MPTCP option with its length cut off", SYN(OPT_NOP, OPT_NOP, OPT_NOP, 30), PLAIN },
	{ "MPTCP option of length 0", SYN(30, 0, 0x10, 1), PLAIN },
	{ "MPTCP option of length 1", SYN(30, 1, 0x10, 1), PLAIN },
	{ "backup join: the lower bits are not the subtype's",
	  SYN(30, 12, 0x1f, 1, 1, 2, 3, 4, 5, 6, 7, 8), REJECTED },
	{ "MP_CAPABLE of version 0", SYN(30, 12, 0x00, 0x81, 1, 2, 3, 4, 5, 6, 7, 8), CAPABLE },
	{ "another subtype in a SYN", SYN(OPT_MPTCP(3, 5), OPT_NOP), PLAIN },
	{ "subtype 15", SYN(OPT_MPTCP(3, 15), OPT_NOP), PLAIN },
	{ "kind 31, otherwise a join", SYN(31, 12, 0x10, 1, 1, 2, 3, 4, 5, 6, 7, 8), PLAIN },
};

Test(lb_join, options)
{
	run(options, COUNT_OF(options));
}

/* The six options of a full SYN, in an order. */
static size_t put_options(uint8_t *at, const unsigned int *order)
{
	static const uint8_t all[6][12] = { { OPT_MSS }, { OPT_SACK },	 { OPT_TIME },
					    { OPT_NOP }, { OPT_WSCALE }, { OPT_JOIN } };
	static const size_t len[6] = { 4, 2, 10, 1, 3, 12 };
	size_t n = 0;

	for (unsigned int i = 0; i < 6; i++) {
		memcpy(at + n, all[order[i]], len[order[i]]);
		n += len[order[i]];
	}
	return n;
}

static void check_order(const unsigned int *order)
{
	char name[40];
	uint8_t bytes[40];
	struct site_case test = { name, { .dst = L2_4, .flags = FLAG_SYN }, REJECTED };

	snprintf(name, sizeof(name), "order %u%u%u%u%u%u", order[0], order[1], order[2], order[3],
		 order[4], order[5]);
	test.in.options = (struct bytes){ bytes, put_options(bytes, order) };
	site_check(&rig, &test);
}

/* All orders of what is in order[from ..]. */
static void permute(unsigned int *order, unsigned int from)
{
	if (from == 6) {
		check_order(order);
		return;
	}
	for (unsigned int i = from; i < 6; i++) {
		unsigned int here = order[from];

		order[from] = order[i];
		order[i] = here;
		permute(order, from + 1);
		here = order[from];
		order[from] = order[i];
		order[i] = here;
	}
}

Test(lb_join, all_orders)
{
	unsigned int order[6] = { 0, 1, 2, 3, 4, 5 };

	site_open(&rig);
	permute(order, getenv("MPLB_QUICK") ? 3 : 0);
	rig_close(&rig);
}

static const uint8_t other_dmac[6] = { 0x0a, 0x1b, 0x2c, 0x3d, 0x4e, 0x5f };
static const uint8_t other_smac[6] = { 0x06, 0x17, 0x28, 0x39, 0x4a, 0x5b };

/* Every field of the SYN set to something that must not be in the answer, or must be turned. */
static const struct packet resets[] = {
	{ .dst = L2_4, .options = BYTES(OPT_JOIN) },
	{ .dst = L2_6, .options = BYTES(OPT_JOIN) },
	{ .dst = L2_4, .options = BYTES(OPT_MPTCP(3, 1)) },
	{ .dst = L2_6, .options = BYTES(OPT_MPTCP(3, 1)) },
	{ .dst = L2_4, .options = BYTES(OPT_JOIN), .seq = 0xffffffff, .ack = 0x11111111 },
	{ .dst = L2_6, .options = BYTES(OPT_JOIN), .seq = 0x7fffffff, .ack = 0x11111111 },
	{ .dst = L2_4, .options = BYTES(OPT_JOIN), .tos = 0xff, .ttl = 1, .id = 0xabcd },
	{ .dst = L2_6, .options = BYTES(OPT_JOIN), .tos = 0xff, .ttl = 1, .label = 0xfffff },
	{ .dst = L2_4, .options = BYTES(OPT_JOIN), .window = 0xffff, .frag = FRAG_DF },
	{ .dst = L2_4, .options = BYTES(OPT_JOIN), .sport = 1, .src = "255.255.255.254" },
	{ .dst = L2_6, .options = BYTES(OPT_JOIN), .sport = 65535, .src = "ffff::ffff" },
	{ .dst = L2_4, .options = BYTES(OPT_JOIN), .dmac = other_dmac, .smac = other_smac },
	{ .dst = L2_6, .options = BYTES(OPT_JOIN), .dmac = other_dmac, .smac = other_smac },
	{ .dst = L2_4, .options = BYTES(OPT_JOIN), .ip_options = BYTES(0x94, 4, 0, 0) },
	{ .dst = L2_4,
	  .options = BYTES(OPT_MPTCP(3, 1)),
	  .ip_options = BYTES(0x07, 39, 4, 10, 0, 0, 1, 10, 0, 0, 2, 10, 0, 0, 3, 10, 0, 0, 4, 10,
			      0, 0, 5, 10, 0, 0, 6, 10, 0, 0, 7, 10, 0, 0, 8, 10, 0, 0, 9, 0) },
	{ .dst = L2_6,
	  .options = BYTES(OPT_JOIN),
	  .ext_type = 60,
	  .ext = BYTES(6, 0, 1, 4, 0, 0, 0, 0) },
	{ .dst = L2_4, .options = BYTES(OPT_JOIN), .vlans = 1 },
	{ .dst = L2_6, .options = BYTES(OPT_JOIN), .vlans = 2 },
	{ .dst = GUE6_VLAN_4, .options = BYTES(OPT_JOIN), .vlans = 2 },
	{ .dst = L2_4, .options = BYTES(OPT_JOIN), .padding = 40 },
	{ .dst = L2_6, .options = BYTES(OPT_JOIN), .padding = 40 },
	{ .dst = L2_4, .options = BYTES(OPT_JOIN), .payload = 1440 },
	{ .dst = L2_6, .options = BYTES(OPT_JOIN), .payload = 1401 },
};

/* Both checksums, besides what site_check() compares: they must be right, not only as expected. */
static void check_reset(const struct packet *syn, size_t i)
{
	char name[32];
	struct site_case test = { name, *syn, REJECTED };
	struct rig_result result;
	struct frame in;
	size_t l3;
	bool four;

	snprintf(name, sizeof(name), "reset %zu", i);
	test.in.flags = FLAG_SYN;
	site_check(&rig, &test);
	packet_build(&test.in, &in);
	rig_run(&rig, &in, &result);
	cr_expect(l4_checksum_ok(&result.out), "%s: TCP checksum", name);
	l3 = frame_l3(&result.out);
	four = result.out.at[l3] >> 4 == 4;
	if (four)
		cr_expect(ipv4_checksum_ok(result.out.at + l3), "%s: IPv4 checksum", name);
	cr_expect_eq(result.out.len, l3 + (four ? 44 : 64), "%s: %zu bytes", name, result.out.len);
}

Test(lb_join, reset)
{
	site_open(&rig);
	for (size_t i = 0; i < COUNT_OF(resets); i++)
		check_reset(&resets[i], i);
	rig_close(&rig);
}

/* The reset written out, so that this file does not depend on what the builder takes for right. */
Test(lb_join, reset_bytes)
{
	static const uint8_t expected[] = {
		2,    0,    0,	  0,	0,   2,	 2,    0,    0,	   0, 0,  1, /* MAC */
		0x08, 0x00, 0x45, 0,	0,   44, 0,    0,    0x40, 0, 64, 6, /* IPv4 */
		0xd4, 0x8f, 198,  51,	100, 1,	 203,  0,    113,  7, /* checksum, addresses */
		0x01, 0xbb, 0x9c, 0x40, /* ports */
		0,    0,    0,	  0,	0,   0,	 0x10, 0x00, /* seq, ack */
		0x60, 0x14, 0,	  0, /* 6 words, RST and ACK, window */
		0xed, 0x8c, 0,	  0, /* checksum */
		30,   4,    0x80, 3, /* MP_TCPRST, administratively prohibited */
	};
	struct packet syn = { .dst = L2_4,
			      .flags = FLAG_SYN,
			      .seq = 0xfff,
			      .options = { (const uint8_t[]){ OPT_JOIN }, 12 } };
	struct rig_result result;
	struct frame in;

	site_open(&rig);
	packet_build(&syn, &in);
	rig_run(&rig, &in, &result);
	cr_expect_eq(result.verdict, XDP_TX);
	cr_expect_eq(result.out.len, sizeof(expected));
	for (size_t i = 0; i < sizeof(expected); i++)
		cr_expect_eq(result.out.at[i], expected[i], "byte %zu: %02x, not %02x", i,
			     result.out.at[i], expected[i]);
	rig_close(&rig);
}
