/* SPDX-License-Identifier: GPL-2.0-only */
/* ICMP to a VIP: echo, errors about its flows; and the errors that the balancer sends itself. */
#include <criterion/criterion.h>
#include <linux/bpf.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/libbpf.h>
#include "bpf/lb.skel.h"
#include "site.h"

#define PASS(name) XDP_PASS, MPLB_R_##name
#define DROP(name) XDP_DROP, MPLB_R_##name
#define REPLIED	   XDP_TX, MPLB_R_ECHO_REPLY
#define ANSWERED   XDP_TX, MPLB_R_TOO_BIG_ANSWERED

static const uint8_t group_mac[6] = { 0x01, 0x00, 0x5e, 0x33, 0x64, 0x01 };

static struct rig rig;

static void run(const struct site_case *cases, size_t n)
{
	site_open(&rig);
	site_check_all(&rig, cases, n);
	rig_close(&rig);
}

#define PING(...)                                                                                  \
	{                                                                                          \
		.dst = L2_4, .proto = IPPROTO_ICMP, __VA_ARGS__                                    \
	}
#define PING6(...)                                                                                 \
	{                                                                                          \
		.dst = L2_6, .proto = IPPROTO_ICMPV6, __VA_ARGS__                                  \
	}

static const struct site_case echo[] = {
	{ "echo request", PING(.payload = 56), REPLIED },
	{ "over IPv6", PING6(.payload = 56), REPLIED },
	{ "without payload", PING(.payload = 0), REPLIED },
	{ "without payload, IPv6", PING6(.payload = 0), REPLIED },
	{ "of odd length", PING(.payload = 1), REPLIED },
	{ "large", PING6(.payload = 1452), REPLIED },
	{ "TTL, TOS, id and DF", PING(.ttl = 1, .tos = 0xff, .id = 0xbeef, .frag = FRAG_DF),
	  REPLIED },
	{ "hop limit, class and label", PING6(.ttl = 1, .tos = 0xff, .label = 0xabcde), REPLIED },
	{ "identifier and sequence number", PING(.icmp_rest = 0xffffffff), REPLIED },
	{ "padding", PING(.padding = 18), REPLIED },
	{ "behind a VLAN tag", PING(.vlans = 1), REPLIED },
	{ "behind two", PING6(.vlans = 2), REPLIED },
	{ "to a VIP of any port", { .dst = ANY_4, .proto = IPPROTO_ICMP }, REPLIED },
	{ "to a VIP without backends", { .dst = EMPTY_4, .proto = IPPROTO_ICMP }, REPLIED },
	{ "code 1", PING(.icmp_code = 1), PASS(ICMP_OTHER) },
	{ "with IPv4 options", PING(.ip_options = BYTES(1, 1, 1, 0)), PASS(ICMP_OTHER) },
	{ "with an extension header", PING6(.ext_type = 60, .ext = BYTES(58, 0, 1, 4, 0, 0, 0, 0)),
	  PASS(ICMP_OTHER) },
	{ "echo reply", PING(.icmp_type = LIE_ZERO), PASS(ICMP_OTHER) },
	{ "echo reply, IPv6", PING6(.icmp_type = 129), PASS(ICMP_OTHER) },
	{ "IPv6's number in IPv4", PING(.icmp_type = 128), PASS(ICMP_OTHER) },
	{ "IPv4's number in IPv6", PING6(.icmp_type = 8), PASS(ICMP_OTHER) },
	{ "redirect", PING(.icmp_type = 5), PASS(ICMP_OTHER) },
	{ "timestamp request", PING(.icmp_type = 13), PASS(ICMP_OTHER) },
	{ "neighbour solicitation: the machine's own business", PING6(.icmp_type = 135, .ttl = 255),
	  PASS(ICMP_OTHER) },
	{ "neighbour advertisement", PING6(.icmp_type = 136, .ttl = 255), PASS(ICMP_OTHER) },
	{ "source quench", PING(.icmp_type = 4), PASS(ICMP_OTHER) },
	{ "in a group's frame", PING(.dmac = group_mac), PASS(MULTICAST) },
	{ "half a header", PING(.cut = 41), DROP(L4_TRUNCATED) },
	{ "half a header by the IP length", PING(.ip_len = 27), DROP(LENGTH_MISMATCH) },
	{ "IP length too large", PING6(.ip_len = 9), DROP(LENGTH_MISMATCH) },
};

Test(lb_icmp, echo)
{
	run(echo, COUNT_OF(echo));
}

/* The answer's checksum is updated, not computed anew: a wrong one stays wrong, a right one stays
 * right, whatever the sum. */
Test(lb_icmp, echo_checksums)
{
	struct packet p[2] = { PING(.payload = 2), PING6(.payload = 2) };
	struct rig_result result;
	struct frame in;

	site_open(&rig);
	for (uint32_t i = 1; i < 65536; i += rig_scale(7, 701)) {
		for (unsigned int six = 0; six < 2; six++) {
			p[six].icmp_rest = i << 16 | 1;
			packet_build(&p[six], &in);
			rig_run(&rig, &in, &result);
			cr_expect(six ? l4_checksum_ok(&result.out)
				      : inet_sum(result.out.at + 34, 10) == 0xffff,
				  "IPv%d, identifier %u", six ? 6 : 4, i);
		}
	}
	rig_close(&rig);
}

/* Errors. A router on the way to a client quotes what the server sent. */
#define ROUTER_4 "192.0.2.99"
#define ROUTER_6 "2001:db8:99::99"

struct error_case {
	const char *name;
	struct packet quoted; /* from the VIP to the client, dst and src left out */
	uint32_t type, code;
	size_t quote; /* bytes of it; 0: the least */
	enum site_pool pool;
	bool six;
	/* What it comes to; FORWARDED: to where the client's packets go. */
	int verdict;
	enum mplb_reason reason;
	struct packet error; /* what else is special about it */
};

static const struct error_case errors[] = {
	{ "port unreachable, TCP",
	  { .sport = 443, .dport = 5555 },
	  3,
	  3,
	  0,
	  SITE_L2,
	  .verdict = XDP_TX },
	{ "fragmentation needed", { .sport = 443 }, 3, 4, 64, SITE_IPIP4, .verdict = XDP_TX },
	{ "time exceeded, UDP",
	  { .sport = 443, .proto = IPPROTO_UDP },
	  11,
	  0,
	  28,
	  SITE_IPIP6,
	  .verdict = XDP_TX },
	{ "parameter problem", { .sport = 443 }, 12, 0, 100, SITE_GUE4, .verdict = XDP_TX },
	{ "too big", { .sport = 443 }, 2, 0, 200, SITE_GUE6_MOVED, true, .verdict = XDP_TX },
	{ "unreachable, IPv6, UDP",
	  { .sport = 443, .proto = IPPROTO_UDP },
	  1,
	  4,
	  0,
	  SITE_IPIP6_AWAY,
	  true,
	  .verdict = XDP_REDIRECT },
	{ "time exceeded, IPv6", { .sport = 443 }, 3, 0, 0, SITE_L2, true, .verdict = XDP_TX },
	{ "parameter problem, IPv6", { .sport = 443 }, 4, 0, 0, SITE_L2, true, .verdict = XDP_TX },
	{ "quoted IPv4 options",
	  { .sport = 443, .ip_options = BYTES(0x94, 4, 0, 0) },
	  3,
	  1,
	  32,
	  SITE_L2,
	  .verdict = XDP_TX },
	{ "quoted first fragment",
	  { .sport = 443, .frag = FRAG_MF, .payload = 64 },
	  11,
	  1,
	  0,
	  SITE_L2,
	  .verdict = XDP_TX },
	{ "any port: as hash: addresses has it",
	  { .sport = 77 },
	  3,
	  3,
	  0,
	  SITE_ADDRESSES,
	  .verdict = XDP_TX },
	{ "behind a VLAN tag",
	  { .sport = 443 },
	  3,
	  3,
	  0,
	  SITE_L2,
	  .verdict = XDP_TX,
	  .error = { .vlans = 1 } },
	{ "behind IPv4 options",
	  { .sport = 443 },
	  3,
	  3,
	  0,
	  SITE_IPIP4,
	  .verdict = XDP_TX,
	  .error = { .ip_options = BYTES(1, 1, 1, 0) } },
	{ "quotes another port", { .sport = 80 }, 3, 3, 0, SITE_L2, false, DROP(ICMP_UNRELATED) },
	{ "quotes another port, IPv6",
	  { .sport = 80 },
	  1,
	  0,
	  0,
	  SITE_L2,
	  true,
	  DROP(ICMP_UNRELATED) },
	{ "quotes another address",
	  { .sport = 443, .src = STRANGER_4 },
	  3,
	  3,
	  0,
	  SITE_L2,
	  false,
	  DROP(ICMP_UNRELATED) },
	{ "quotes another VIP's address",
	  { .sport = 443, .src = IPIP4_4 },
	  3,
	  3,
	  0,
	  SITE_L2,
	  false,
	  DROP(ICMP_UNRELATED) },
	{ "quotes ICMP", { .proto = IPPROTO_ICMP }, 3, 3, 0, SITE_L2, false, DROP(ICMP_UNRELATED) },
	{ "quotes a later fragment",
	  { .sport = 443, .frag = 9 },
	  3,
	  3,
	  0,
	  SITE_L2,
	  false,
	  DROP(ICMP_UNRELATED) },
	{ "quotes an extension header",
	  { .sport = 443, .ext_type = 60, .ext = BYTES(6, 0, 1, 4, 0, 0, 0, 0) },
	  1,
	  0,
	  0,
	  SITE_L2,
	  true,
	  DROP(ICMP_UNRELATED) },
	{ "quotes an IP version of nobody",
	  { .sport = 443, .version = 7 },
	  3,
	  3,
	  0,
	  SITE_L2,
	  false,
	  DROP(ICMP_UNRELATED) },
	{ "quotes 3 bytes of ports",
	  { .sport = 443 },
	  3,
	  3,
	  23,
	  SITE_L2,
	  false,
	  DROP(L4_TRUNCATED) },
	{ "quotes half an IP header",
	  { .sport = 443 },
	  3,
	  3,
	  19,
	  SITE_L2,
	  false,
	  DROP(L4_TRUNCATED) },
	{ "quotes 3 bytes of ports, IPv6",
	  { .sport = 443 },
	  1,
	  0,
	  43,
	  SITE_L2,
	  true,
	  DROP(L4_TRUNCATED) },
	{ "ports in the padding",
	  { .sport = 443 },
	  3,
	  3,
	  24,
	  SITE_L2,
	  false,
	  DROP(L4_TRUNCATED),
	  { .ip_len = 51 } },
	{ "in a group's frame",
	  { .sport = 443 },
	  3,
	  3,
	  0,
	  SITE_L2,
	  false,
	  PASS(MULTICAST),
	  { .dmac = group_mac } },
	{ "pool without backends", { .sport = 443 }, 3, 3, 0, SITE_EMPTY, false, DROP(NO_BACKEND) },
	{ "to no VIP",
	  { .sport = 443 },
	  3,
	  3,
	  0,
	  SITE_L2,
	  false,
	  PASS(NOT_VIP),
	  { .dst = STRANGER_4 } },
};

/* The error about c->quoted. quoted: room for what it quotes. */
static struct packet make_error(const struct error_case *c, struct frame *quoted)
{
	struct packet q = c->quoted, p = c->error;
	size_t least = (c->six ? 40 : 20) + c->quoted.ip_options.len + c->quoted.ext.len + 8;

	q.dst = c->six ? CLIENT_6 : CLIENT_4;
	q.src = q.src ? q.src : site_vip(c->pool, c->six);
	packet_build(&q, quoted);
	p.dst = p.dst ? p.dst : site_vip(c->pool, c->six);
	p.src = c->six ? ROUTER_6 : ROUTER_4;
	p.proto = c->six ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	p.icmp_type = c->type;
	p.icmp_code = c->code;
	p.body = (struct bytes){ quoted->at + ETH_HEAD, c->quote ? c->quote : least };
	if (p.body.len > quoted->len - ETH_HEAD)
		p.body.len = quoted->len - ETH_HEAD;
	return p;
}

/* The flow that the error is about, as the client's packets have it. */
static struct packet client_flow(const struct error_case *c)
{
	return (struct packet){
		.dst = site_vip(c->pool, c->six),
		.sport = c->quoted.dport ? c->quoted.dport : 443,
		.dport = c->quoted.sport,
		.proto = c->quoted.proto,
	};
}

static void check_error(const struct error_case *c)
{
	static struct rig_counters before, after;
	struct frame quoted, in, expected;
	struct packet flow = client_flow(c), error = make_error(c, &quoted);
	const struct rig_vip *vip =
		&rig.vips[4 * c->pool + 2 * c->six + (c->quoted.proto == IPPROTO_UDP)];
	enum site_pool to = c->pool == SITE_ADDRESSES ? SITE_IPIP4 : c->pool;
	struct rig_result result;
	struct outer outer;

	packet_build(&error, &in);
	rig_count(&rig, &before);
	rig_run(&rig, &in, &result);
	rig_count(&rig, &after);
	cr_expect_eq(result.verdict, c->verdict, "%s: verdict %d", c->name, result.verdict);
	if (c->reason) {
		cr_expect_eq(frame_diff(&result.out, &in), -1, "%s: changed", c->name);
		cr_expect_eq(after.reason[c->reason], before.reason[c->reason] + 1,
			     "%s: not counted", c->name);
		return;
	}
	outer = rig_outer(&rig, to, to == SITE_GUE6_MOVED ? SITE_GUE6 : to, site_hash(vip, &flow));
	frame_encapsulate(&in, &outer, &expected);
	cr_expect_eq(frame_diff(&result.out, &expected), -1, "%s: differs at byte %d", c->name,
		     frame_diff(&result.out, &expected));
	cr_expect_eq(after.backend[to].packets, before.backend[to].packets + 1, "%s", c->name);
	cr_expect_eq(after.vip[vip - rig.vips].counter[MPLB_VIP_C_PACKETS],
		     before.vip[vip - rig.vips].counter[MPLB_VIP_C_PACKETS] + 1, "%s", c->name);
}

Test(lb_icmp, errors)
{
	site_open(&rig);
	for (size_t i = 0; i < COUNT_OF(errors); i++)
		check_error(&errors[i]);
	rig_close(&rig);
}

/* Packets that do not fit: the sender learns what does. */
static const struct site_case too_big[] = {
	{ "l2, a byte over", { .dst = L2_4, .payload = 1461, .frag = FRAG_DF }, ANSWERED, SITE_L2 },
	{ "IPv4 outer",
	  { .dst = IPIP4_4, .payload = 1441, .frag = FRAG_DF },
	  ANSWERED,
	  SITE_IPIP4 },
	{ "IPv4 outer, IPv6 inner", { .dst = IPIP4_6, .payload = 1421 }, ANSWERED, SITE_IPIP4 },
	{ "IPv6 outer",
	  { .dst = IPIP6_4, .payload = 1421, .frag = FRAG_DF },
	  ANSWERED,
	  SITE_IPIP6 },
	{ "IPv6 outer, IPv6 inner", { .dst = IPIP6_6, .payload = 1401 }, ANSWERED, SITE_IPIP6 },
	{ "gue, IPv4 outer",
	  { .dst = GUE4_4, .payload = 1421, .frag = FRAG_DF },
	  ANSWERED,
	  SITE_GUE4 },
	{ "gue, IPv6 outer", { .dst = GUE6_6, .payload = 1369 }, ANSWERED, SITE_GUE6 },
	{ "UDP",
	  { .dst = IPIP4_4, .proto = IPPROTO_UDP, .payload = 1460, .frag = FRAG_DF, .id = 77 },
	  ANSWERED,
	  SITE_IPIP4 },
	{ "small MTU",
	  { .dst = SMALL4_4, .payload = 541, .frag = FRAG_DF },
	  ANSWERED,
	  SITE_SMALL4 },
	{ "small MTU, IPv6", { .dst = SMALL6_6, .payload = 469 }, ANSWERED, SITE_SMALL6 },
	{ "TOS and TTL are not the answer's",
	  { .dst = SMALL4_4, .payload = 900, .frag = FRAG_DF, .tos = 0xff, .ttl = 1 },
	  ANSWERED,
	  SITE_SMALL4 },
	{ "class and label neither",
	  { .dst = SMALL6_6, .payload = 900, .tos = 0xff, .label = 0xfffff, .ttl = 1 },
	  ANSWERED,
	  SITE_SMALL6 },
	{ "behind a VLAN tag",
	  { .dst = SMALL4_4, .payload = 900, .frag = FRAG_DF, .vlans = 1 },
	  ANSWERED,
	  SITE_SMALL4 },
	{ "behind two", { .dst = SMALL6_6, .payload = 900, .vlans = 2 }, ANSWERED, SITE_SMALL6 },
	{ "padding goes",
	  { .dst = SMALL4_4, .payload = 900, .frag = FRAG_DF, .padding = 50 },
	  ANSWERED,
	  SITE_SMALL4 },
	{ "just fits",
	  { .dst = SMALL4_4, .payload = 540, .frag = FRAG_DF },
	  XDP_TX,
	  MPLB_R_FORWARDED,
	  SITE_SMALL4 },
	{ "just fits, IPv6",
	  { .dst = SMALL6_6, .payload = 468 },
	  XDP_TX,
	  MPLB_R_FORWARDED,
	  SITE_SMALL6 },
};

Test(lb_icmp, too_big)
{
	run(too_big, COUNT_OF(too_big));
}

/* What is shorter than an answer's quote is not answered: no path is that narrow. */
static const struct site_case tiny[] = {
	{ "IPv4, 127 bytes", { .dst = L2_4, .payload = 87, .frag = FRAG_DF }, DROP(TOO_BIG) },
	{ "IPv6, 127 bytes", { .dst = L2_6, .payload = 67 }, DROP(TOO_BIG) },
	{ "an empty segment", { .dst = L2_4, .frag = FRAG_DF }, DROP(TOO_BIG) },
};

Test(lb_icmp, tiny_mtu)
{
	struct rig_result result;
	struct frame in;

	site_open(&rig);
	rig.dp.backends[SITE_L2].mtu = 39;
	site_check_all(&rig, tiny, COUNT_OF(tiny));
	for (unsigned int six = 0; six < 2; six++) {
		const struct packet p = { .dst = six ? L2_6 : L2_4,
					  .payload = six ? 68 : 88,
					  .frag = six ? 0 : FRAG_DF };

		packet_build(&p, &in);
		rig_run(&rig, &in, &result);
		cr_expect_eq(result.verdict, XDP_TX, "128 bytes: %d", result.verdict);
	}
	rig_close(&rig);
}

/* No more answers than the budget allows, and not fewer. */
Test(lb_icmp, too_big_rate)
{
	static struct rig_counters after;
	const struct packet p = { .dst = SMALL6_6, .payload = 900 };
	unsigned int n = MPLB_ICMP_BURST + 500;
	struct timespec start, end;
	struct rig_result result;
	struct frame in;
	cpu_set_t here;
	__u64 ms;

	site_open(&rig);
	packet_build(&p, &in);
	/* Each CPU has a budget of its own. */
	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	cr_assert_eq(sched_setaffinity(0, sizeof(here), &here), 0);
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (unsigned int i = 0; i < n; i++)
		rig_run(&rig, &in, &result);
	clock_gettime(CLOCK_MONOTONIC, &end);
	ms = (__u64)((end.tv_sec - start.tv_sec) * 1000 + (end.tv_nsec - start.tv_nsec) / 1000000);
	rig_count(&rig, &after);
	cr_expect_eq(after.reason[MPLB_R_TOO_BIG] + after.reason[MPLB_R_TOO_BIG_ANSWERED], n);
	cr_expect_geq(after.reason[MPLB_R_TOO_BIG_ANSWERED], MPLB_ICMP_BURST);
	cr_expect_leq(after.reason[MPLB_R_TOO_BIG_ANSWERED],
		      MPLB_ICMP_BURST + (ms + 1) * MPLB_ICMP_RATE / 1000);
	rig_close(&rig);
}

/* The budgets of all CPUs, to be freed. */
static struct mplb_budget *budgets(size_t *bytes)
{
	size_t size = (size_t)libbpf_num_possible_cpus() * sizeof(struct mplb_budget);
	void *all = calloc(1, size);
	__u32 zero = 0;

	cr_assert(all && !bpf_map__lookup_elem(rig.skel->maps.mplb_icmp_budget, &zero, sizeof(zero),
					       all, size, 0));
	*bytes = size;
	return all;
}

/* What is explained is answered like any other, and takes nothing of the budget. */
Test(lb_icmp, explained_too_big)
{
	const struct packet p = { .dst = SMALL6_6, .payload = 900 };
	struct mplb_budget *before, *after;
	struct rig_result result;
	struct frame in;
	size_t bytes;

	site_open(&rig);
	packet_build(&p, &in);
	before = budgets(&bytes);
	for (int i = 0; i < 3; i++) {
		rig_explain(&rig, &in, &result);
		cr_expect_eq(result.verdict, XDP_TX);
		cr_expect_eq(result.trace.reason, MPLB_R_TOO_BIG_ANSWERED);
	}
	after = budgets(&bytes);
	cr_expect_eq(memcmp(before, after, bytes), 0);
	free(before);
	free(after);
	rig_close(&rig);
}
