/* SPDX-License-Identifier: GPL-2.0-only */
/* bpf/decap_gue.h, bpf/pass_on.h: GUE headers, right and wrong, and what is passed on. Nothing here
 * has a socket; see test_server_flow.c. */
#include <criterion/criterion.h>

#include <string.h>

#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include "server_rig.h"

#define CASES(a) (sizeof(a) / sizeof(*(a)))

static const uint8_t mac_here[6] = { 2, 0, 0, 0, 0, 0x11 }, mac_router[6] = { 2, 0, 0, 0, 0, 1 };
static const uint8_t mark[6] = { 2, 'm', 'p', 'l', 'b', 1 };

static struct server_rig rig;

static void set_up(void)
{
	server_rig_open(&rig, "mplb_server", "mplb_pass_on");
}

static void tear_down(void)
{
	server_rig_close(&rig);
}

TestSuite(server_gue, .init = set_up, .fini = tear_down);

/* What a case is made of; what is left out is as a balancer would send it. */
struct shape {
	bool outer6, inner6;
	const char *src, *fallback; /* outer; "": none */
	struct packet inner;
};

static const struct {
	const char *name;
	bool outer6, inner6;
} families[] = {
	{ "IPv4 in IPv4", false, false },
	{ "IPv6 in IPv4", false, true },
	{ "IPv4 in IPv6", true, false },
	{ "IPv6 in IPv6", true, true },
};

static const char *either(const char *given, bool six, const char *four_text, const char *six_text)
{
	return given ? given : six ? six_text : four_text;
}

static void plain(const struct shape *s, struct frame *out)
{
	struct packet p = s->inner;

	p.dst = either(p.dst, s->inner6, VIP4, VIP6);
	p.dmac = mac_here;
	p.smac = mac_router;
	packet_build(&p, out);
}

static void wrapped(const struct shape *s, struct frame *out)
{
	struct outer outer = { .dmac = mac_here, .smac = mac_router, .gue = true, .hash = 0x1234 };
	struct frame inner;

	plain(s, &inner);
	outer.src = server_rig_ip(either(s->src, s->outer6, BALANCER4, BALANCER6));
	outer.dst = server_rig_ip(s->outer6 ? BACKEND6 : BACKEND4);
	if (!s->fallback || *s->fallback)
		outer.fallback =
			server_rig_ip(either(s->fallback, s->outer6, FALLBACK4, FALLBACK6));
	frame_encapsulate(&inner, &outer, out);
}

static size_t ip_len(bool six)
{
	return six ? 40 : 20;
}

/* Offset of the UDP header, of the GUE header and of the inner packet. */
static size_t udp_at(bool outer6)
{
	return ETH_HEAD + ip_len(outer6);
}

static size_t gue_at(bool outer6)
{
	return udp_at(outer6) + 8;
}

static size_t inner_at(bool outer6)
{
	return gue_at(outer6) + (outer6 ? 24 : 12);
}

static void fix_outer4(struct frame *f)
{
	uint16_t sum;

	memset(f->at + ETH_HEAD + 10, 0, 2);
	sum = (uint16_t)~inet_sum(f->at + ETH_HEAD, 20);
	f->at[ETH_HEAD + 10] = (uint8_t)(sum >> 8);
	f->at[ETH_HEAD + 11] = (uint8_t)sum;
}

static void expect_same(const char *name, const struct frame *want, const struct frame *got)
{
	int at = frame_diff(want, got);

	cr_expect_eq(got->len, want->len, "%s: %zu bytes, not %zu", name, got->len, want->len);
	cr_expect_eq(at, -1, "%s: byte %d is %02x, not %02x", name, at, got->at[at < 0 ? 0 : at],
		     want->at[at < 0 ? 0 : at]);
}

/* in becomes want, for this reason, on its way to the stack. */
static void expect(const char *name, const struct frame *in, const struct frame *want,
		   unsigned int reason)
{
	struct frame out;
	unsigned int got;

	cr_expect_eq(server_rig_run(&rig, in, &out, &got), XDP_PASS, "%s: not passed", name);
	cr_expect_eq(got, reason, "%s: reason %u, not %u", name, got, reason);
	expect_same(name, want, &out);
}

/* The frame as it goes on to its fallback. */
static void passed_on(const struct frame *in, bool outer6, struct frame *out)
{
	size_t dst = ETH_HEAD + (outer6 ? 24 : 16), len = outer6 ? 16 : 4;

	*out = *in;
	memcpy(out->at + 6, mark, sizeof(mark));
	memcpy(out->at + dst, in->at + gue_at(outer6) + 8, len);
	out->at[gue_at(outer6) + 5] = 1;
	out->at[ETH_HEAD + (outer6 ? 7 : 8)]--;
	memset(out->at + udp_at(outer6) + 6, 0, 2);
	if (!outer6)
		fix_outer4(out);
}

Test(server_gue, what_opens_or_cannot_be_looked_up_is_taken_off_in_all_families)
{
	const struct {
		const char *name;
		struct packet inner;
		unsigned int reason;
	} cases[] = {
		{ "SYN", { .flags = FLAG_SYN }, MPLB_SERVER_R_GUE_OPENED },
		{ "SYN with data", { .flags = FLAG_SYN, .payload = 99 }, MPLB_SERVER_R_GUE_OPENED },
		{ "UDP", { .proto = IPPROTO_UDP, .payload = 30 }, MPLB_SERVER_R_GUE_STATELESS },
		{ "another protocol", { .proto = 132 }, MPLB_SERVER_R_GUE_STATELESS },
	};

	for (size_t i = 0; i < CASES(families); i++)
		for (size_t k = 0; k < CASES(cases); k++) {
			struct shape s = { families[i].outer6, families[i].inner6,
					   .inner = cases[k].inner };
			struct frame in, want;

			wrapped(&s, &in);
			plain(&s, &want);
			expect(cases[k].name, &in, &want, cases[k].reason);
			/* Not to be changed by having been passed on. */
			in.at[gue_at(s.outer6) + 5] = 1;
			expect(cases[k].name, &in, &want, cases[k].reason);
		}
}

Test(server_gue, an_unknown_flow_is_passed_on_once_in_all_families)
{
	static const uint8_t flags[] = { FLAG_ACK, FLAG_ACK | FLAG_PSH, FLAG_ACK | FLAG_FIN,
					 FLAG_RST, FLAG_SYN | FLAG_ACK };

	for (size_t i = 0; i < CASES(families); i++)
		for (size_t k = 0; k < CASES(flags); k++) {
			struct shape s = { families[i].outer6, families[i].inner6,
					   .inner = { .flags = flags[k], .payload = 100 } };
			struct frame in, want, stripped;

			wrapped(&s, &in);
			plain(&s, &stripped);
			passed_on(&in, s.outer6, &want);
			expect(families[i].name, &in, &want, MPLB_SERVER_R_PASSED_ON);
			cr_expect_eq(server_rig_pass_on(&rig, &want), TC_ACT_REDIRECT, "%s",
				     families[i].name);
			/* As the fallback gets it. */
			memcpy(want.at + 6, mac_router, 6);
			expect(families[i].name, &want, &stripped, MPLB_SERVER_R_GUE_HOPS_USED);
			/* Any hops but 0 are used up. */
			want.at[gue_at(s.outer6) + 5] = 255;
			expect(families[i].name, &want, &stripped, MPLB_SERVER_R_GUE_HOPS_USED);
		}
}

Test(server_gue, without_a_fallback_the_stack_answers)
{
	for (size_t i = 0; i < CASES(families); i++) {
		struct shape s = { families[i].outer6, families[i].inner6, .fallback = "" };
		size_t gue = gue_at(s.outer6);
		struct frame in, want;

		plain(&s, &want);
		wrapped(&s, &in);
		expect("none", &in, &want, MPLB_SERVER_R_GUE_UNKNOWN);
		s.fallback = s.outer6 ? BACKEND6 : BACKEND4;
		wrapped(&s, &in);
		expect("this host", &in, &want, MPLB_SERVER_R_GUE_UNKNOWN);
		s.fallback = NULL;
		wrapped(&s, &in);
		in.at[gue + 4] = 2;
		expect("another version", &in, &want, MPLB_SERVER_R_GUE_UNKNOWN);
		wrapped(&s, &in);
		in.at[ETH_HEAD + (s.outer6 ? 7 : 8)] = 1;
		if (!s.outer6)
			fix_outer4(&in);
		expect("TTL used up", &in, &want, MPLB_SERVER_R_GUE_UNKNOWN);
	}
}

/* Private data of any length in words, from none, is skipped by hlen; only with a version that is
 * not ours, or without the fallback's address, can it be anything but ours. */
Test(server_gue, private_data_of_others_is_skipped)
{
	for (size_t i = 0; i < CASES(families); i++)
		for (size_t words = 0; words < 32; words++) {
			struct shape s = { families[i].outer6, families[i].inner6 };
			size_t gue = gue_at(s.outer6), outer_len, inner_len;
			struct frame in, want;

			plain(&s, &want);
			wrapped(&s, &in);
			inner_len = want.len - ETH_HEAD;
			in.len = gue + 4;
			in.at[gue] = (uint8_t)words;
			memset(in.at + in.len, 0x55, 4 * words);
			in.len += 4 * words;
			memcpy(in.at + in.len, want.at + ETH_HEAD, inner_len);
			in.len += inner_len;
			outer_len = in.len - ETH_HEAD;
			if (s.outer6)
				in.at[ETH_HEAD + 4] = (uint8_t)((outer_len - 40) >> 8),
						 in.at[ETH_HEAD + 5] = (uint8_t)(outer_len - 40);
			else
				in.at[ETH_HEAD + 2] = (uint8_t)(outer_len >> 8),
						 in.at[ETH_HEAD + 3] = (uint8_t)outer_len;
			if (!s.outer6)
				fix_outer4(&in);
			outer_len -= ip_len(s.outer6);
			in.at[gue - 4] = (uint8_t)(outer_len >> 8);
			in.at[gue - 3] = (uint8_t)outer_len;
			expect(families[i].name, &in, &want, MPLB_SERVER_R_GUE_UNKNOWN);
		}
}

Test(server_gue, strangers_and_other_destinations_are_left_alone)
{
	for (size_t i = 0; i < CASES(families); i++) {
		struct shape s = { families[i].outer6, families[i].inner6 };
		struct frame in;

		s.src = s.outer6 ? STRANGER6 : STRANGER4;
		wrapped(&s, &in);
		expect(families[i].name, &in, &in, MPLB_SERVER_R_NOT_BALANCER);
		s.src = NULL;
		s.inner.dst = s.inner6 ? OTHER6 : OTHER4;
		wrapped(&s, &in);
		expect(families[i].name, &in, &in, MPLB_SERVER_R_NOT_VIP);
	}
}

Test(server_gue, a_frame_cut_at_any_byte_is_left_alone)
{
	for (size_t i = 0; i < CASES(families); i++) {
		struct shape s = { families[i].outer6, families[i].inner6 };
		struct frame in;
		size_t whole;

		wrapped(&s, &in);
		whole = in.len;
		for (in.len = ETH_HEAD; in.len < whole; in.len++) {
			unsigned int want = MPLB_SERVER_R_INNER_TRUNCATED;

			if (in.len < udp_at(s.outer6))
				want = MPLB_SERVER_R_IP_TRUNCATED;
			else if (in.len < udp_at(s.outer6) + 4) /* the port is not there */
				want = MPLB_SERVER_R_NOT_TUNNEL;
			expect(families[i].name, &in, &in, want);
		}
	}
}

/* The outer headers agree about their length, and what is in them is cut off. */
Test(server_gue, a_packet_cut_at_any_byte_is_left_alone)
{
	for (size_t i = 0; i < CASES(families); i++) {
		struct shape s = { families[i].outer6, families[i].inner6 };
		size_t whole, udp = udp_at(s.outer6);
		struct frame in;

		wrapped(&s, &in);
		whole = in.len;
		for (in.len = udp + 4; in.len < whole; in.len++) {
			unsigned int want = MPLB_SERVER_R_INNER_MALFORMED;
			size_t len = in.len - udp;

			if (in.len < inner_at(s.outer6))
				want = MPLB_SERVER_R_GUE_TRUNCATED;
			else if (in.len < inner_at(s.outer6) + ip_len(s.inner6))
				want = MPLB_SERVER_R_INNER_TRUNCATED;
			in.at[udp + 4] = (uint8_t)(len >> 8);
			in.at[udp + 5] = (uint8_t)len;
			if (s.outer6) {
				memcpy(in.at + ETH_HEAD + 4, in.at + udp + 4, 2);
			} else {
				in.at[ETH_HEAD + 2] = (uint8_t)((len + 20) >> 8);
				in.at[ETH_HEAD + 3] = (uint8_t)(len + 20);
				fix_outer4(&in);
			}
			expect(families[i].name, &in, &in, want);
		}
	}
}

/* One field is overwritten, at an offset from the GUE header. */
static const struct {
	const char *name;
	bool outer6;
	int offset;
	uint8_t value;
	unsigned int reason;
} broken[] = {
	{ "another port", false, -5, 0xc1, MPLB_SERVER_R_NOT_TUNNEL },
	{ "another port", true, -6, 0x16, MPLB_SERVER_R_NOT_TUNNEL },
	{ "UDP length beyond the packet", false, -4, 1, MPLB_SERVER_R_GUE_MALFORMED },
	{ "UDP length of its header", false, -3, 8, MPLB_SERVER_R_GUE_TRUNCATED },
	{ "UDP length of nothing", true, -3, 0, MPLB_SERVER_R_GUE_TRUNCATED },
	{ "UDP checksum in IPv6", true, -2, 1, MPLB_SERVER_R_GUE_CHECKSUM },
	{ "UDP checksum in IPv6", true, -1, 1, MPLB_SERVER_R_GUE_CHECKSUM },
	{ "variant 1", false, 0, 0x42, MPLB_SERVER_R_GUE_MALFORMED },
	{ "variant 2", false, 0, 0x82, MPLB_SERVER_R_GUE_MALFORMED },
	{ "variant 3", true, 0, 0xc5, MPLB_SERVER_R_GUE_MALFORMED },
	{ "control message", true, 0, 0x25, MPLB_SERVER_R_GUE_MALFORMED },
	{ "header beyond the packet", false, 0, 31, MPLB_SERVER_R_GUE_TRUNCATED },
	{ "no private data, its place taken for IP", false, 0, 0, MPLB_SERVER_R_INNER_MALFORMED },
	{ "version 1 without an address, but a family", false, 0, 1, MPLB_SERVER_R_GUE_MALFORMED },
	{ "version 1 with two words too many", false, 0, 4, MPLB_SERVER_R_GUE_MALFORMED },
	{ "version 1 with an IPv4 address only", true, 0, 2, MPLB_SERVER_R_GUE_MALFORMED },
	{ "protocol TCP", false, 1, 6, MPLB_SERVER_R_GUE_MALFORMED },
	{ "protocol 0", true, 1, 0, MPLB_SERVER_R_GUE_MALFORMED },
	{ "protocol 41 in front of IPv4", false, 1, 41, MPLB_SERVER_R_INNER_MALFORMED },
	{ "a flag", false, 2, 0x80, MPLB_SERVER_R_GUE_MALFORMED },
	{ "another flag", true, 3, 0x01, MPLB_SERVER_R_GUE_MALFORMED },
	{ "fallback of the other family", false, 6, 6, MPLB_SERVER_R_GUE_MALFORMED },
	{ "fallback of the other family", true, 6, 4, MPLB_SERVER_R_GUE_MALFORMED },
	{ "fallback of no family", true, 6, 5, MPLB_SERVER_R_GUE_MALFORMED },
	{ "inner version 5", false, 12, 0x55, MPLB_SERVER_R_INNER_MALFORMED },
};

Test(server_gue, malformed_headers_are_left_alone)
{
	for (size_t i = 0; i < CASES(broken); i++) {
		struct shape s = { .outer6 = broken[i].outer6 };
		struct frame in;

		wrapped(&s, &in);
		in.at[(int)gue_at(s.outer6) + broken[i].offset] = broken[i].value;
		expect(broken[i].name, &in, &in, broken[i].reason);
	}
}

/* Frames, IP headers and fragments that carry UDP to the port. */
Test(server_gue, the_outer_ip_header_must_be_right)
{
	static const struct {
		const char *name;
		uint32_t offset;
		uint8_t value;
		bool fix;
		unsigned int reason;
	} cases[] = {
		{ "a multicast frame", 0, 1, false, MPLB_SERVER_R_MULTICAST },
		{ "wrong checksum", 24, 0x77, false, MPLB_SERVER_R_IP_MALFORMED },
		{ "first fragment", 20, 0x20, true, MPLB_SERVER_R_FRAGMENT },
		{ "later fragment: no port", 21, 1, true, MPLB_SERVER_R_NOT_TUNNEL },
		{ "length beyond the frame", 16, 0x7f, true, MPLB_SERVER_R_INNER_TRUNCATED },
	};
	struct shape s = { 0 };
	struct frame in;

	for (size_t i = 0; i < CASES(cases); i++) {
		wrapped(&s, &in);
		in.at[cases[i].offset] = cases[i].value;
		if (cases[i].fix)
			fix_outer4(&in);
		expect(cases[i].name, &in, &in, cases[i].reason);
	}
}

/* A frame with every byte of its outer headers changed to every value: to the stack as it came, or
 * taken off, or to its fallback, and a reason for each. */
Test(server_gue, no_byte_of_the_headers_is_trusted)
{
	for (size_t i = 0; i < CASES(families); i++) {
		struct shape s = { families[i].outer6, families[i].inner6 };
		struct frame whole, out;
		unsigned int reason;

		wrapped(&s, &whole);
		for (size_t at = ETH_HEAD; at < inner_at(s.outer6); at++)
			for (unsigned int value = 0; value < 256; value += 5) {
				struct frame in = whole;
				int verdict;

				in.at[at] = (uint8_t)value;
				verdict = server_rig_run(&rig, &in, &out, &reason);
				cr_expect(verdict == XDP_PASS ||
					  reason == MPLB_SERVER_R_ECN_CONGESTION);
				cr_expect_lt(reason, MPLB_SERVER_R_MAX);
				if (reason < MPLB_SERVER_R_GUE_OPENED && verdict == XDP_PASS)
					expect_same(families[i].name, &in, &out);
			}
	}
}

/* An IPv4 UDP checksum need not be right, nor stay when the packet goes on. */
Test(server_gue, a_udp_checksum_in_ipv4_is_taken_and_left_out)
{
	struct shape s = { 0 };
	struct frame in, want;

	wrapped(&s, &in);
	memset(in.at + udp_at(false) + 6, 0xab, 2);
	passed_on(&in, false, &want);
	expect("passed on", &in, &want, MPLB_SERVER_R_PASSED_ON);
	s.inner.flags = FLAG_SYN;
	wrapped(&s, &in);
	memset(in.at + udp_at(false) + 6, 0xab, 2);
	plain(&s, &want);
	expect("taken off", &in, &want, MPLB_SERVER_R_GUE_OPENED);
}

Test(server_gue, congestion_marks_are_carried_over)
{
	for (size_t i = 0; i < CASES(families); i++) {
		struct shape s = { families[i].outer6, families[i].inner6,
				   .inner = { .flags = FLAG_SYN, .tos = 2 } };
		struct frame in, out, want;
		unsigned int reason;

		for (int ect = 1; ect >= 0; ect--) {
			s.inner.tos = ect ? 2 : 0;
			wrapped(&s, &in);
			s.inner.tos = 3;
			plain(&s, &want);
			if (s.outer6)
				in.at[ETH_HEAD + 1] = (uint8_t)(in.at[ETH_HEAD + 1] | 0x30);
			else
				in.at[ETH_HEAD + 1] |= 3;
			if (!s.outer6)
				fix_outer4(&in);
			if (ect) {
				expect(families[i].name, &in, &want, MPLB_SERVER_R_GUE_OPENED);
				continue;
			}
			cr_expect_eq(server_rig_run(&rig, &in, &out, &reason), XDP_DROP);
			cr_expect_eq(reason, MPLB_SERVER_R_ECN_CONGESTION);
		}
	}
}

/* tc sends on only what XDP has made: any one thing wrong, and the frame is left alone. */
Test(server_gue, tc_sends_nothing_else)
{
	for (size_t i = 0; i < 2; i++) {
		struct shape s = { .outer6 = i == 1 };
		size_t gue = gue_at(s.outer6);
		const struct {
			const char *name;
			size_t offset;
			uint8_t value;
		} cases[] = {
			{ "mark", 6, 4 },
			{ "mark", 11, 0 },
			{ "type", 12, 0x81 },
			{ "version", ETH_HEAD, 0x55 },
			{ "protocol", ETH_HEAD + (s.outer6 ? 6 : 9), IPPROTO_TCP },
			{ "source", ETH_HEAD + (s.outer6 ? 23 : 15), 0x66 },
			{ "port", udp_at(s.outer6) + 3, 0 },
			{ "version of the data", gue + 4, 2 },
			{ "hops", gue + 5, 0 },
			{ "hops", gue + 5, 2 },
		};
		struct frame in, right;

		wrapped(&s, &in);
		passed_on(&in, s.outer6, &right);
		cr_expect_eq(server_rig_pass_on(&rig, &in), TC_ACT_UNSPEC, "as it came");
		cr_expect_eq(server_rig_pass_on(&rig, &right), TC_ACT_REDIRECT);
		for (size_t k = 0; k < CASES(cases); k++) {
			in = right;
			in.at[cases[k].offset] = cases[k].value;
			cr_expect_eq(server_rig_pass_on(&rig, &in), TC_ACT_UNSPEC, "%s",
				     cases[k].name);
		}
		in = right;
		/* BPF_PROG_TEST_RUN takes no frame without an IP header. */
		for (in.len = udp_at(s.outer6); in.len < inner_at(s.outer6); in.len++)
			cr_expect_eq(server_rig_pass_on(&rig, &in), TC_ACT_UNSPEC, "cut at %zu",
				     in.len);
	}
}
