/* SPDX-License-Identifier: GPL-2.0-only */
/* A config takes the place of another while packets come in: each packet belongs to one of both. */
#include <criterion/criterion.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <stdatomic.h>
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
