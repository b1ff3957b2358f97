/* SPDX-License-Identifier: GPL-2.0-only */
/* Headers that are cut off, or that say what is not so. */
#include <criterion/criterion.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include "site.h"

#define PASS(name) XDP_PASS, MPLB_R_##name
#define DROP(name) XDP_DROP, MPLB_R_##name

static struct rig rig;

static const struct site_case lies[] = {
	{ "IPv4: version 0", { .dst = L2_4, .version = LIE_ZERO }, PASS(IP_MALFORMED) },
	{ "IPv4: version 6", { .dst = L2_4, .version = 6 }, PASS(IP_MALFORMED) },
	{ "IPv4: version 15", { .dst = L2_4, .version = 15 }, PASS(IP_MALFORMED) },
	{ "IPv4: header of 0 words", { .dst = L2_4, .ihl = LIE_ZERO }, PASS(IP_MALFORMED) },
	{ "IPv4: header of 4 words", { .dst = L2_4, .ihl = 4 }, PASS(IP_MALFORMED) },
	{ "IPv4: header past the end", { .dst = L2_4, .ihl = 15 }, DROP(L4_TRUNCATED) },
	{ "IPv4: total length 0", { .dst = L2_4, .ip_len = LIE_ZERO }, DROP(LENGTH_MISMATCH) },
	{ "IPv4: total length less than the header",
	  { .dst = L2_4, .ip_len = 19 },
	  DROP(LENGTH_MISMATCH) },
	{ "IPv4: total length with half a UDP header",
	  { .dst = L2_4, .proto = IPPROTO_UDP, .ip_len = 27 },
	  DROP(LENGTH_MISMATCH) },
	{ "IPv4: total length with half a TCP header",
	  { .dst = L2_4, .ip_len = 39 },
	  DROP(TCP_MALFORMED) },
	{ "IPv4: total length one more than the frame has",
	  { .dst = L2_4, .payload = 10, .ip_len = 51 },
	  DROP(LENGTH_MISMATCH) },
	{ "IPv4: total length 65535",
	  { .dst = L2_4, .payload = 10, .ip_len = 65535 },
	  DROP(LENGTH_MISMATCH) },
	{ "IPv4: total length more than the frame has, no VIP",
	  { .dst = STRANGER_4, .payload = 10, .ip_len = 65535 },
	  PASS(NOT_VIP) },
	{ "IPv4: options that the total length leaves no room for",
	  { .dst = L2_4, .ip_options = BYTES(1, 1, 1, 0), .ip_len = 31 },
	  DROP(LENGTH_MISMATCH) },
	{ "IPv6: version 4", { .dst = L2_6, .version = 4 }, PASS(IP_MALFORMED) },
	{ "IPv6: version 0", { .dst = L2_6, .version = LIE_ZERO }, PASS(IP_MALFORMED) },
	{ "IPv6: payload length 0 (a jumbogram says so)",
	  { .dst = L2_6, .payload = 10, .ip_len = LIE_ZERO },
	  DROP(LENGTH_MISMATCH) },
	{ "IPv6: payload length with half a UDP header",
	  { .dst = L2_6, .proto = IPPROTO_UDP, .ip_len = 7 },
	  DROP(LENGTH_MISMATCH) },
	{ "IPv6: payload length with half a TCP header",
	  { .dst = L2_6, .ip_len = 19 },
	  DROP(TCP_MALFORMED) },
	{ "IPv6: payload length one more than the frame has",
	  { .dst = L2_6, .payload = 10, .ip_len = 31 },
	  DROP(LENGTH_MISMATCH) },
	{ "IPv6: payload length 65535", { .dst = L2_6, .ip_len = 65535 }, DROP(LENGTH_MISMATCH) },
	{ "IPv6: payload length more than the frame has, no VIP",
	  { .dst = STRANGER_6, .ip_len = 65535 },
	  PASS(NOT_VIP) },
	{ "TCP: header of 0 words", { .dst = L2_4, .doff = LIE_ZERO }, DROP(TCP_MALFORMED) },
	{ "TCP: header of 4 words", { .dst = L2_4, .doff = 4 }, DROP(TCP_MALFORMED) },
	{ "TCP: header a word past the end", { .dst = L2_4, .doff = 6 }, DROP(TCP_MALFORMED) },
	{ "TCP: header past the end", { .dst = L2_6, .doff = 15 }, DROP(TCP_MALFORMED) },
	{ "TCP: header that reaches into padding",
	  { .dst = L2_4, .doff = 6, .padding = 6 },
	  DROP(TCP_MALFORMED) },
	{ "TCP: options that reach into padding, a join among them",
	  { .dst = L2_4, .flags = FLAG_SYN, .options = BYTES(OPT_JOIN), .ip_len = 40 },
	  DROP(TCP_MALFORMED) },
	{ "TCP: wrong data offset, no VIP", { .dst = STRANGER_4, .doff = 1 }, PASS(NOT_VIP) },
	{ "an IPv4 packet that says it is IPv6",
	  { .dst = L2_4, .payload = 40, .ethertype = 0x86dd },
	  PASS(IP_MALFORMED) },
	{ "an IPv6 packet that says it is IPv4",
	  { .dst = L2_6, .ethertype = 0x0800 },
	  PASS(IP_MALFORMED) },
};

Test(lb_malformed, lies)
{
	site_open(&rig);
	site_check_all(&rig, lies, COUNT_OF(lies));
	rig_close(&rig);
}

/* A frame that is cut, and where its parts end. */
struct cutting {
	const char *name;
	struct packet whole;
	size_t ip_end; /* of what the program calls the IP header: IPv4 options not counted */
	size_t l4; /* where the transport header begins */
	size_t l4_end;
	enum mplb_reason complete; /* what happens to the whole frame */
};

static const struct cutting cuttings[] = {
	{ "IPv4 TCP", { .dst = IPIP4_4, .payload = 8 }, 34, 34, 54 },
	{ "IPv4 UDP", { .dst = IPIP4_4, .proto = IPPROTO_UDP, .payload = 8 }, 34, 34, 42 },
	{ "IPv6 TCP", { .dst = IPIP6_6, .payload = 8 }, 54, 54, 74 },
	{ "IPv6 UDP", { .dst = IPIP6_6, .proto = IPPROTO_UDP, .payload = 8 }, 54, 54, 62 },
	{ "IPv4 with options",
	  { .dst = IPIP4_4, .payload = 8, .ip_options = BYTES(0x94, 4, 0, 0, 1, 1, 1, 0) },
	  34,
	  42,
	  62 },
	{ "SYN+MP_JOIN",
	  { .dst = IPIP4_4, .flags = FLAG_SYN, .options = BYTES(OPT_MSS, OPT_JOIN), .payload = 4 },
	  34,
	  34,
	  70,
	  MPLB_R_JOIN_REJECTED },
	{ "SYN+MP_JOIN over IPv6",
	  { .dst = IPIP6_6, .flags = FLAG_SYN, .options = BYTES(OPT_MSS, OPT_JOIN), .payload = 4 },
	  54,
	  54,
	  90,
	  MPLB_R_JOIN_REJECTED },
};

static bool is_ipv4(const struct cutting *c)
{
	struct ip dst;

	return !ip_parse(c->whole.dst, &dst) && dst.family == MPLB_FAMILY_4;
}

/* Runs the first n bytes of a frame; they must be passed or dropped as they are, for this reason.
 */
static void check_cut(const struct cutting *c, size_t n, uint32_t ip_len, enum mplb_reason reason)
{
	char name[80];
	struct site_case test = { .name = name,
				  .in = c->whole,
				  .verdict = reason == MPLB_R_IP_TRUNCATED ? XDP_PASS : XDP_DROP,
				  .reason = reason };

	snprintf(name, sizeof(name), "%s, %zu bytes, IP length %u", c->name, n, ip_len);
	test.in.cut = n;
	test.in.ip_len = ip_len;
	if (reason == MPLB_R_FORWARDED) {
		test.verdict = XDP_TX;
		test.to = is_ipv4(c) ? SITE_IPIP4 : SITE_IPIP6;
	} else if (reason == MPLB_R_JOIN_REJECTED) {
		test.verdict = XDP_TX;
		test.syn = MPLB_VIP_C_JOIN_REJECTED;
	}
	site_check(&rig, &test);
}

/* Cut on the way: the IP length is that of the whole packet. */
Test(lb_malformed, cut_at_every_byte)
{
	site_open(&rig);
	for (size_t i = 0; i < COUNT_OF(cuttings); i++) {
		const struct cutting *c = &cuttings[i];
		struct frame whole;

		packet_build(&c->whole, &whole);
		for (size_t n = ETH_HEAD; n < whole.len; n++)
			check_cut(c, n, 0,
				  n < c->ip_end	  ? MPLB_R_IP_TRUNCATED
				  : n < c->l4 + 8 ? MPLB_R_L4_TRUNCATED
						  : MPLB_R_LENGTH_MISMATCH);
		check_cut(c, whole.len, 0, c->complete);
	}
	rig_close(&rig);
}

/* Sent short: the IP length says so, but the headers behind it want more. */
Test(lb_malformed, short_at_every_byte)
{
	site_open(&rig);
	for (size_t i = 0; i < COUNT_OF(cuttings); i++) {
		const struct cutting *c = &cuttings[i];
		size_t first = is_ipv4(c) ? ETH_HEAD : ETH_HEAD + 40;
		bool udp = c->whole.proto == IPPROTO_UDP;
		struct frame whole;

		packet_build(&c->whole, &whole);
		for (size_t n = c->ip_end; n <= whole.len; n++) {
			uint32_t len = n > first ? (uint32_t)(n - first) : LIE_ZERO;

			check_cut(c, n, len,
				  n < c->l4 + 8		   ? MPLB_R_L4_TRUNCATED
				  : n < c->l4 + 20 && !udp ? MPLB_R_L4_TRUNCATED
				  : n < c->l4_end	   ? MPLB_R_TCP_MALFORMED
							   : c->complete);
		}
	}
	rig_close(&rig);
}

static const struct packet strangers[] = {
	{ .dst = STRANGER_4, .payload = 4 },
	{ .dst = STRANGER_6, .payload = 4 },
	{ .dst = STRANGER_4, .frag = FRAG_MF, .proto = IPPROTO_UDP },
	{ .dst = STRANGER_6, .ext_type = 44, .ext = BYTES(6, 0, 0, 1, 0, 0, 0, 9) },
	{ .dst = STRANGER_4, .ethertype = 0x0806 },
};

/* Not for a VIP, cut anywhere: never ours. */
Test(lb_malformed, cut_strangers_pass)
{
	struct rig_result result;
	struct frame in;

	site_open(&rig);
	for (size_t i = 0; i < COUNT_OF(strangers); i++) {
		packet_build(&strangers[i], &in);
		for (; in.len >= ETH_HEAD; in.len--) {
			rig_run(&rig, &in, &result);
			cr_expect(result.verdict == XDP_PASS && frame_diff(&in, &result.out) == -1,
				  "stranger %zu, %zu bytes: verdict %d", i, in.len, result.verdict);
		}
	}
	rig_close(&rig);
}

/* Sum of everything that a packet can count as: exactly one for each. */
static __u64 outcomes(const struct rig_counters *counters)
{
	__u64 sum = 0;

	for (size_t i = 0; i < MPLB_R_MAX; i++)
		sum += counters->reason[i];
	for (size_t i = 0; i < RIG_COUNTED; i++)
		sum += counters->vip[i].counter[MPLB_VIP_C_PACKETS];
	return sum;
}

#define NOISE	    4000
#define NOISE_QUICK 400

static const struct packet seeds[] = {
	{ .dst = IPIP4_4, .payload = 8 },
	{ .dst = IPIP6_6, .proto = IPPROTO_UDP, .payload = 8 },
	{ .dst = L2_4, .flags = FLAG_SYN, .options = BYTES(OPT_MSS, OPT_JOIN) },
	{ .dst = L2_6, .flags = FLAG_SYN, .options = BYTES(OPT_MSS, OPT_CAPABLE) },
	{ .dst = ANY_4, .ip_options = BYTES(0x94, 4, 0, 0), .frag = FRAG_DF },
};

/* Random bytes over the headers of good packets. */
Test(lb_malformed, noise)
{
	static struct rig_counters before, after;
	unsigned int n = rig_scale(NOISE, NOISE_QUICK);
	uint64_t state = RIG_SEED;
	struct rig_result result;
	struct frame in;

	site_open(&rig);
	rig_count(&rig, &before);
	for (unsigned int i = 0; i < n; i++) {
		packet_build(&seeds[i % COUNT_OF(seeds)], &in);
		for (uint64_t hits = rig_random(&state) % 4 + 1; hits; hits--)
			in.at[12 + rig_random(&state) % (in.len - 12)] =
				(uint8_t)(rig_random(&state) >> 32);
		in.len -= rig_random(&state) % 8 ? 0 : rig_random(&state) % (in.len - ETH_HEAD);
		rig_run(&rig, &in, &result);
		if (result.verdict == XDP_PASS || result.verdict == XDP_DROP)
			cr_expect_eq(frame_diff(&in, &result.out), -1, "packet %u was changed", i);
		else
			cr_expect(result.verdict == XDP_TX || result.verdict == XDP_REDIRECT,
				  "packet %u: verdict %d", i, result.verdict);
	}
	rig_count(&rig, &after);
	cr_expect_eq(outcomes(&after) - outcomes(&before), n, "each packet counts once");
	rig_close(&rig);
}
