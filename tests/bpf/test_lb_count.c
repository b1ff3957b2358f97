/* SPDX-License-Identifier: GPL-2.0-only */
/* Counters over CPUs and over many packets, and packets that are explained instead of counted. */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/bpf.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "mplb/hash.h"
#include "site.h"

static struct rig rig;
static struct rig_counters before, after;

/* Goes to this CPU. False: not for us. */
static bool move_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return !sched_setaffinity(0, sizeof(set), &set);
}

/* The counter of one CPU. */
static __u64 reason_on(int cpu, int cpus, uint32_t reason)
{
	__u64 *values = calloc((size_t)cpus, sizeof(*values)), value;

	cr_assert_eq(bpf_map_lookup_elem(rig.dp.reasons, &reason, values), 0);
	value = values[cpu];
	free(values);
	return value;
}

static void run_times(const struct packet *p, unsigned int times)
{
	struct rig_result result;
	struct frame in;

	packet_build(p, &in);
	for (unsigned int i = 0; i < times; i++)
		rig_run(&rig, &in, &result);
}

/* CPU number n runs n + 1 packets of each kind: what is read is the sum, and each CPU's part. */
Test(lb_count, cpus_add_up)
{
	const struct packet good = { .dst = IPIP4_4, .payload = 10 };
	const struct packet stray = { .dst = STRANGER_4 };
	int cpus = libbpf_num_possible_cpus();
	unsigned int sum = 0;

	site_open(&rig);
	for (int cpu = 0; cpu < cpus; cpu++) {
		unsigned int n = (unsigned int)cpu + 1;

		if (!move_to(cpu))
			continue;
		run_times(&good, n);
		run_times(&stray, n);
		sum += n;
		cr_expect_eq(reason_on(cpu, cpus, MPLB_R_NOT_VIP), n, "CPU %d", cpu);
	}
	rig_count(&rig, &after);
	cr_expect_eq(after.reason[MPLB_R_NOT_VIP], sum);
	cr_expect_eq(after.vip[4].counter[MPLB_VIP_C_PACKETS], sum);
	cr_expect_eq(after.vip[4].counter[MPLB_VIP_C_BYTES], sum * 50);
	cr_expect_eq(after.backend[SITE_IPIP4].packets, sum);
	cr_expect_eq(after.backend[SITE_IPIP4].bytes, sum * 50);
	rig_close(&rig);
}

static const struct packet mixture[] = {
	{ .dst = L2_4, .flags = FLAG_SYN },
	{ .dst = L2_4, .flags = FLAG_SYN, .options = BYTES(OPT_CAPABLE) },
	{ .dst = L2_4, .flags = FLAG_SYN, .options = BYTES(OPT_JOIN) },
	{ .dst = HASH_4, .flags = FLAG_SYN, .options = BYTES(OPT_JOIN) },
	{ .dst = L2_4, .payload = 60 },
	{ .dst = HASH_4, .payload = 1460 },
};

/* Each counter of a VIP, with a number of its own. */
Test(lb_count, vip_counters)
{
	const uint32_t hash_vip = 4 * SITE_POOLS; /* the first after those of the pools */
	const __u64 *reject, *hash;

	site_open(&rig);
	for (size_t i = 0; i < COUNT_OF(mixture); i++)
		run_times(&mixture[i], 1u << i);
	rig_count(&rig, &after);
	reject = after.vip[0].counter;
	hash = after.vip[hash_vip].counter;
	cr_expect_eq(reject[MPLB_VIP_C_SYN_PLAIN], 1);
	cr_expect_eq(reject[MPLB_VIP_C_SYN_CAPABLE], 2);
	cr_expect_eq(reject[MPLB_VIP_C_JOIN_REJECTED], 4);
	cr_expect_eq(reject[MPLB_VIP_C_JOIN_HASHED], 0);
	cr_expect_eq(reject[MPLB_VIP_C_PACKETS], 1 + 2 + 16);
	cr_expect_eq(reject[MPLB_VIP_C_BYTES], 40 + 2 * 44 + 16 * 100);
	cr_expect_eq(hash[MPLB_VIP_C_JOIN_HASHED], 8);
	cr_expect_eq(hash[MPLB_VIP_C_JOIN_REJECTED], 0);
	cr_expect_eq(hash[MPLB_VIP_C_PACKETS], 8 + 32);
	cr_expect_eq(hash[MPLB_VIP_C_BYTES], 8 * 52 + 32 * 1500);
	cr_expect_eq(after.backend[SITE_L2].packets, 19 + 40, "both VIPs have the same backend");
	cr_expect_eq(after.reason[MPLB_R_JOIN_REJECTED], 4);
	cr_expect_eq(after.reason[MPLB_R_FORWARDED], 0, "what is forwarded has no reason");
	rig_close(&rig);
}

/* What is explained: what goes through the trace is what goes without. */
static const struct packet explained[] = {
	{ .dst = L2_4, .payload = 10 },
	{ .dst = L2_6, .proto = IPPROTO_UDP },
	{ .dst = IPIP4_4, .payload = 10 },
	{ .dst = IPIP4_6, .payload = 10, .tos = 9 },
	{ .dst = IPIP6_4, .payload = 1420 },
	{ .dst = IPIP6_6 },
	{ .dst = AWAY_4 },
	{ .dst = L2_4, .flags = FLAG_SYN },
	{ .dst = L2_4, .flags = FLAG_SYN, .options = BYTES(OPT_CAPABLE) },
	{ .dst = HASH_6, .flags = FLAG_SYN, .options = BYTES(OPT_JOIN) },
	{ .dst = L2_4, .flags = FLAG_SYN, .options = BYTES(OPT_JOIN) },
	{ .dst = L2_6, .flags = FLAG_SYN, .options = BYTES(OPT_JOIN) },
	{ .dst = EMPTY_4, .flags = FLAG_SYN },
	{ .dst = BAD_BACKEND_4 },
	{ .dst = NO_TABLE_4 },
	{ .dst = IPIP4_4, .payload = 1441 },
	{ .dst = STRANGER_4 },
	{ .dst = L2_4, .frag = FRAG_MF },
	{ .dst = L2_4, .doff = 1 },
	{ .dst = L2_4, .version = 5 },
	{ .dst = L2_4, .ethertype = 0x0806 },
};

static bool no_counter_moved(void)
{
	rig_count(&rig, &after);
	return !memcmp(&before, &after, sizeof(after));
}

Test(lb_count, explained_packets_are_not_counted)
{
	struct rig_result traced, plain;
	struct frame in;

	site_open(&rig);
	for (size_t i = 0; i < COUNT_OF(explained); i++) {
		packet_build(&explained[i], &in);
		rig_count(&rig, &before);
		rig_explain(&rig, &in, &traced);
		cr_expect(no_counter_moved(), "packet %zu was counted", i);
		rig_run(&rig, &in, &plain);
		cr_expect(!no_counter_moved(), "packet %zu is counted without a trace", i);
		cr_expect_eq(traced.verdict, plain.verdict, "packet %zu: %d, not %d", i,
			     traced.verdict, plain.verdict);
		cr_expect_eq(frame_diff(&traced.out, &plain.out), -1, "packet %zu", i);
		cr_expect_eq(traced.trace.magic, MPLB_TRACE_MAGIC);
	}
	rig_close(&rig);
}

struct trace_case {
	const char *name;
	struct packet in;
	enum mplb_reason reason;
	uint32_t vip;
	bool hashed; /* the packet got as far as the table */
	uint16_t backend;
	uint32_t ifindex;
	uint16_t fallback; /* 0: the same */
};

static const struct trace_case traces[] = {
	{ "no VIP", { .dst = STRANGER_4 }, MPLB_R_NOT_VIP, MPLB_TRACE_NONE },
	{ "not IP", { .dst = L2_4, .vlans = 3 }, MPLB_R_NOT_IP, MPLB_TRACE_NONE },
	{ "a fragment", { .dst = L2_4, .frag = FRAG_MF }, MPLB_R_FRAGMENT, MPLB_TRACE_NONE },
	{ "a wrong data offset", { .dst = L2_4, .doff = 1 }, MPLB_R_TCP_MALFORMED, 0 },
	{ "a join",
	  { .dst = L2_6, .flags = FLAG_SYN, .options = BYTES(OPT_JOIN) },
	  MPLB_R_JOIN_REJECTED,
	  2 },
	{ "l2", { .dst = L2_4 }, MPLB_R_FORWARDED, 0, true, SITE_L2, RIG_INGRESS },
	{ "ipip, UDP over IPv6",
	  { .dst = IPIP6_6, .proto = IPPROTO_UDP },
	  MPLB_R_FORWARDED,
	  11,
	  true,
	  SITE_IPIP6,
	  RIG_INGRESS },
	{ "gue, with a fallback",
	  { .dst = "198.51.100.13" },
	  MPLB_R_FORWARDED,
	  48,
	  true,
	  SITE_GUE4_MOVED,
	  RIG_INGRESS,
	  SITE_GUE4 },
	{ "echo", { .dst = L2_4, .proto = IPPROTO_ICMP }, MPLB_R_ECHO_REPLY, MPLB_TRACE_NONE },
	{ "another device",
	  { .dst = AWAY_4 },
	  MPLB_R_FORWARDED,
	  16,
	  true,
	  SITE_IPIP4_AWAY,
	  RIG_EGRESS },
	{ "an empty pool", { .dst = EMPTY_4 }, MPLB_R_NO_BACKEND, 24, true, MPLB_NO_BACKEND },
	{ "no such backend",
	  { .dst = BAD_BACKEND_4 },
	  MPLB_R_TABLE_INCONSISTENT,
	  28,
	  true,
	  MPLB_MAX_BACKENDS },
	{ "no table", { .dst = NO_TABLE_4 }, MPLB_R_TABLE_INCONSISTENT, 32 },
	{ "too big", { .dst = IPIP4_4, .payload = 1441 }, MPLB_R_TOO_BIG, 4, true, SITE_IPIP4 },
};

static void check_trace(const struct trace_case *c)
{
	struct rig_result result;
	const struct mplb_trace *t = &result.trace;
	struct frame in;
	uint32_t hash;

	packet_build(&c->in, &in);
	rig_explain(&rig, &in, &result);
	cr_expect_eq(t->reason, c->reason, "%s: reason %u", c->name, t->reason);
	cr_expect_eq(t->vip, c->vip, "%s: VIP %u", c->name, t->vip);
	cr_expect_eq(t->ifindex, c->ifindex, "%s: device %u", c->name, t->ifindex);
	cr_expect_eq(t->fib, 0, "%s", c->name);
	if (!c->hashed) {
		cr_expect(t->slot == MPLB_TRACE_NONE && t->owner == MPLB_NO_BACKEND, "%s", c->name);
		return;
	}
	hash = site_hash(&rig.vips[c->vip], &c->in);
	cr_expect_eq(t->hash, hash, "%s: hash %x, not %x", c->name, t->hash, hash);
	cr_expect_eq(t->slot, mplb_slot_of(hash), "%s: slot %u", c->name, t->slot);
	cr_expect_eq(t->owner, c->backend, "%s: owner %u", c->name, t->owner);
	cr_expect_eq(t->fallback, c->fallback ? c->fallback : c->backend, "%s: fallback %u",
		     c->name, t->fallback);
}

Test(lb_count, trace)
{
	site_open(&rig);
	for (size_t i = 0; i < COUNT_OF(traces); i++)
		check_trace(&traces[i]);
	rig_close(&rig);
}

/* Owner and fallback differ while members change: the trace tells them apart, the packet goes to
 * the owner. */
Test(lb_count, trace_of_a_changing_pool)
{
	const struct maglev_member members[] = {
		{ .id = 1, .index = SITE_L2, .weight = 100 },
		{ .id = 2, .index = SITE_IPIP4, .base = 100 },
	};
	const struct packet p = { .dst = L2_4 };
	struct rig_result result;
	struct frame in;

	site_open(&rig);
	rig_set_pool(&rig, SITE_L2, members, COUNT_OF(members), NULL);
	rig_commit(&rig);
	packet_build(&p, &in);
	rig_explain(&rig, &in, &result);
	cr_expect_eq(result.trace.owner, SITE_L2);
	cr_expect_eq(result.trace.fallback, SITE_IPIP4);
	cr_expect_eq(result.out.at[5], SITE_L2, "to the owner");
	cr_expect_eq(result.out.len, in.len, "as the owner wants it");
	rig_close(&rig);
}

/* Another program on the NIC may put metadata of its own in front of packets. */
Test(lb_count, foreign_metadata)
{
	static const struct {
		uint8_t bytes[32];
		size_t len;
	} foreign[] = {
		{ { 0 }, 4 },
		{ { 0x11, 0x1a, 0x78, 0xee, 0x62, 0x6c, 0x70, 0x6d }, 8 }, /* the magic alone */
		{ { 0x11, 0x1a, 0x78, 0xee, 0x62, 0x6c, 0x70, 0x6d }, 28 }, /* a trace cut short */
		{ { 0 }, 32 },
		{ { 0x6d, 0x70, 0x6c, 0x62, 0xee, 0x78, 0x1a, 0x11 },
		  32 }, /* the wrong way round */
		{ { 0, 0, 0, 0, 0, 0, 0, 0, 0x11, 0x1a, 0x78, 0xee, 0x62, 0x6c, 0x70, 0x6d }, 32 },
	};
	struct rig_result plain, result;
	struct frame in;

	site_open(&rig);
	for (size_t i = 0; i < COUNT_OF(explained) * COUNT_OF(foreign); i++) {
		size_t f = i % COUNT_OF(foreign);

		packet_build(&explained[i / COUNT_OF(foreign)], &in);
		rig_run(&rig, &in, &plain);
		rig_count(&rig, &before);
		cr_assert_eq(rig_run_with(&rig, &in, foreign[f].bytes, foreign[f].len, RIG_INGRESS,
					  &result),
			     0);
		cr_expect_eq(result.verdict, plain.verdict, "packet %zu", i);
		cr_expect_eq(frame_diff(&result.out, &plain.out), -1, "packet %zu", i);
		cr_expect(!no_counter_moved(), "packet %zu was not counted", i);
		if (foreign[f].len == sizeof(result.trace))
			cr_expect_eq(memcmp(&result.trace, foreign[f].bytes, 32), 0,
				     "packet %zu: metadata were changed", i);
	}
	rig_close(&rig);
}
