/* SPDX-License-Identifier: GPL-2.0-only */
/* A config, or a pool's table, takes the place of another while packets come in: each packet
 * belongs to one of both. */
#include <criterion/criterion.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "loader/viptable.h"
#include "mplb/hash.h"
#include "site.h"

#define RUN_MS	     2000
#define RUN_MS_QUICK 500
#define SWAPS_MIN    5 /* fewer, and the test has seen nothing */

static struct rig rig;
static struct mplb_vip_slot *config[2];
static atomic_bool stop;
static unsigned int packets, wrong, sent[2];

/* Config n: VIP n, pool n, a key of its own. The first forwards to l2, the second to ipip. */
static void make_configs(void)
{
	struct rig_vip vip = { .addr = L2_4, .port = 443, .proto = IPPROTO_TCP };

	for (uint32_t n = 0; n < 2; n++) {
		vip.table = n;
		memset(rig.table, 0, VIPTABLE_BYTES);
		cr_assert_eq(rig_add_vip(&rig, &vip), n);
		viptable_seal(rig.table);
		config[n] = viptable_new();
		memcpy(config[n], rig.table, VIPTABLE_BYTES);
	}
}

/* Runs packets until told to stop; which config did each see? */
static void *run_packets(void *arg)
{
	const struct packet p = { .dst = L2_4, .payload = 64 };
	struct rig_result result;
	struct frame in, out[2];

	(void)arg;
	packet_build(&p, &in);
	for (uint32_t n = 0; n < 2; n++) {
		struct outer outer = rig_outer(&rig, n, n, 0);

		frame_encapsulate(&in, &outer, &out[n]);
	}
	while (!atomic_load(&stop)) {
		rig_run(&rig, &in, &result);
		packets++;
		if (result.verdict == XDP_TX && frame_diff(&result.out, &out[0]) == -1)
			sent[0]++;
		else if (result.verdict == XDP_TX && frame_diff(&result.out, &out[1]) == -1)
			sent[1]++;
		else
			wrong++;
	}
	return NULL;
}

static long elapsed_ms(const struct timespec *since)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - since->tv_sec) * 1000 + (now.tv_nsec - since->tv_nsec) / 1000000;
}

static unsigned int swap_for(long ms)
{
	struct timespec start;
	unsigned int swaps = 0;

	clock_gettime(CLOCK_MONOTONIC, &start);
	while (elapsed_ms(&start) < ms) {
		swaps++;
		cr_assert_eq(viptable_commit(&rig.dp, config[swaps % 2]), 0);
	}
	return swaps;
}

Test(lb_swap, no_packet_sees_half)
{
	static struct rig_counters counters;
	unsigned int swaps;
	pthread_t thread;

	site_open(&rig);
	rig.n_vips = 0;
	make_configs();
	cr_assert_eq(viptable_commit(&rig.dp, config[0]), 0);
	cr_assert_eq(pthread_create(&thread, NULL, run_packets, NULL), 0);
	swaps = swap_for(rig_scale(RUN_MS, RUN_MS_QUICK));
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	rig_count(&rig, &counters);
	cr_expect_eq(wrong, 0, "%u of %u packets saw neither config", wrong, packets);
	cr_expect(sent[0] && sent[1], "%u and %u packets", sent[0], sent[1]);
	cr_expect_geq(swaps, SWAPS_MIN, "%u swaps", swaps);
	/* Counted for the VIP and the backend of the same config. */
	for (uint32_t n = 0; n < 2; n++) {
		cr_expect_eq(counters.vip[n].counter[MPLB_VIP_C_PACKETS], sent[n]);
		cr_expect_eq(counters.backend[n].packets, sent[n]);
	}
	for (uint32_t i = 0; i < MPLB_R_MAX; i++)
		cr_expect_eq(counters.reason[i], 0, "reason %u", i);
	free(config[0]);
	free(config[1]);
	rig_close(&rig);
}

/* A pool of ten, and the same with members gone, new, and weighted anew: owner and fallback of a
 * flow are both of the old table or both of the new. */
#define FLOWS 256

struct flow {
	struct frame in, out[2];
	bool moves; /* the two tables differ about it */
};

static struct flow flows[FLOWS];

static void make_pool(uint32_t n, struct mplb_table_slot *slots)
{
	struct maglev_member members[12];

	for (uint16_t i = 0; i < COUNT_OF(members); i++)
		members[i] = (struct maglev_member){
			.id = i + 1,
			.index = i,
			.weight = i < 10 ? 100 : 0,
			.base = i < 10 ? 100 : 0,
		};
	if (n) {
		members[2].weight = 0;
		members[4].weight = 300;
		members[10].weight = members[11].weight = 100;
	}
	rig_set_pool(&rig, n, members, COUNT_OF(members), slots);
}

static void make_flows(const struct mplb_table_slot *const tables[2])
{
	for (uint16_t i = 0; i < FLOWS; i++) {
		const struct packet p = { .dst = GUE4_4, .sport = 1000 + i, .payload = 64 };
		uint32_t hash = site_hash(&rig.vips[0], &p), slot = mplb_slot_of(hash);
		struct flow *flow = &flows[i];

		packet_build(&p, &flow->in);
		for (int n = 0; n < 2; n++) {
			const struct mplb_table_slot *s = &tables[n][slot];
			struct outer outer = rig_outer(&rig, s->owner, s->fallback, hash);

			frame_encapsulate(&flow->in, &outer, &flow->out[n]);
		}
		flow->moves = frame_diff(&flow->out[0], &flow->out[1]) != -1;
	}
}

/* Runs packets of all flows; which table did each see? */
static void *run_flows(void *arg)
{
	struct rig_result result;

	(void)arg;
	while (!atomic_load(&stop)) {
		const struct flow *flow = &flows[packets++ % FLOWS];
		int which;

		rig_run(&rig, &flow->in, &result);
		which = frame_diff(&result.out, &flow->out[0]) == -1   ? 0
			: frame_diff(&result.out, &flow->out[1]) == -1 ? 1
								       : -1;
		if (result.verdict != XDP_TX || which < 0)
			wrong++;
		else if (flow->moves)
			sent[which]++;
	}
	return NULL;
}

Test(lb_swap, each_slot_is_of_one_table)
{
	static struct mplb_table_slot slots[2][MPLB_TABLE_SLOTS];
	const struct mplb_table_slot *const tables[2] = { slots[0], slots[1] };
	struct rig_vip vip = { .addr = GUE4_4, .port = 443, .proto = IPPROTO_TCP, .hash_key = 1 };
	static struct rig_counters counters;
	__u64 forwarded = 0;
	unsigned int swaps;
	pthread_t thread;

	rig_open(&rig);
	for (uint32_t i = 0; i < 12; i++) {
		char dst[16];

		snprintf(dst, sizeof(dst), "10.0.0.%u", 11 + i);
		rig_set_backend(&rig, i,
				&(struct rig_backend){ .forward = MPLB_FORWARD_GUE,
						       .dst = dst,
						       .src = "10.0.0.2",
						       .ifindex = RIG_INGRESS });
	}
	for (uint32_t n = 0; n < 2; n++) {
		make_pool(n, slots[n]);
		rig.n_vips = 0;
		memset(rig.table, 0, VIPTABLE_BYTES);
		vip.table = n;
		rig_add_vip(&rig, &vip);
		rig_commit(&rig);
		config[n] = viptable_new();
		memcpy(config[n], rig.table, VIPTABLE_BYTES);
	}
	make_flows(tables);
	cr_assert_eq(pthread_create(&thread, NULL, run_flows, NULL), 0);
	swaps = swap_for(rig_scale(RUN_MS, RUN_MS_QUICK));
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	rig_count(&rig, &counters);
	cr_expect_eq(wrong, 0, "%u of %u packets went by neither table", wrong, packets);
	cr_expect(sent[0] && sent[1], "%u and %u packets of flows that move", sent[0], sent[1]);
	cr_expect_geq(swaps, SWAPS_MIN, "%u swaps", swaps);
	/* What was sent is what was counted. */
	for (uint32_t i = 0; i < 12; i++)
		forwarded += counters.backend[i].packets;
	cr_expect_eq(forwarded, packets);
	cr_expect_eq(counters.vip[0].counter[MPLB_VIP_C_PACKETS], packets);
	for (uint32_t i = 0; i < MPLB_R_MAX; i++)
		cr_expect_eq(counters.reason[i], 0, "reason %u", i);
	free(config[0]);
	free(config[1]);
	rig_close(&rig);
}
