/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdio.h>
#include <string.h>
#include <linux/bpf.h>
#include "fuzz_lb.h"
#include "lib/monotonic.h"

static int read_counters(const struct world *world, struct tally *out)
{
	struct mplb_vip_stats stats;
	uint32_t i;
	int err = 0;

	memset(out, 0, sizeof(*out));
	for (i = 0; i < MPLB_R_MAX && !err; i++) {
		__u64 count = 0;

		err = datapath_sum(world->dp.reasons, i, &count, 1);
		out->reason[i] = count;
	}
	for (i = 0; i < world->model.n_vips && !err; i++) {
		err = datapath_sum(world->dp.vip_stats, i, stats.counter, MPLB_VIP_C_MAX);
		out->vip_packets[i] = stats.counter[MPLB_VIP_C_PACKETS];
		out->vip_bytes[i] = stats.counter[MPLB_VIP_C_BYTES];
	}
	for (i = 0; i < WORLD_BACKENDS && !err; i++) {
		__u64 count[2] = { 0 };

		err = datapath_sum(world->dp.backend_stats, i, count, 2);
		out->backend_packets[i] = count[0];
		out->backend_bytes[i] = count[1];
	}
	/* Which of the two it was depends on the budget. */
	out->too_big = out->reason[MPLB_R_TOO_BIG] + out->reason[MPLB_R_TOO_BIG_ANSWERED];
	out->reason[MPLB_R_TOO_BIG] = out->reason[MPLB_R_TOO_BIG_ANSWERED] = 0;
	return err;
}

int tally_begin(const struct world *world, struct tally *tally)
{
	return read_counters(world, tally);
}

void tally_add(struct tally *tally, const struct trial *trial)
{
	const struct model_result *m = &trial->model;

	if (m->reason == MPLB_R_TOO_BIG || m->reason == MPLB_R_TOO_BIG_ANSWERED)
		tally->too_big++;
	else if (m->reason != MPLB_R_FORWARDED)
		tally->reason[m->reason]++;
	if (m->reason == MPLB_R_FORWARDED) {
		tally->vip_packets[m->vip - trial->world->vips]++;
		tally->vip_bytes[m->vip - trial->world->vips] += m->ip_len;
		tally->backend_packets[m->owner]++;
		tally->backend_bytes[m->owner] += m->ip_len;
	}
}

bool tally_check(const struct world *world, const struct tally *tally, char *what, size_t size)
{
	struct tally is;

	if (read_counters(world, &is)) {
		snprintf(what, size, "counters cannot be read");
		return false;
	}
	for (size_t i = 0; i < MPLB_R_MAX; i++) {
		if (is.reason[i] == tally->reason[i])
			continue;
		snprintf(what, size, "count of %s: program %llu, model %llu",
			 model_reason_name((unsigned int)i), (unsigned long long)is.reason[i],
			 (unsigned long long)tally->reason[i]);
		return false;
	}
	for (size_t i = 0; i < world->model.n_vips; i++) {
		if (is.vip_packets[i] == tally->vip_packets[i] &&
		    is.vip_bytes[i] == tally->vip_bytes[i])
			continue;
		snprintf(what, size, "VIP %zu: program %llu packets, %llu bytes; model %llu, %llu",
			 i, (unsigned long long)is.vip_packets[i],
			 (unsigned long long)is.vip_bytes[i],
			 (unsigned long long)tally->vip_packets[i],
			 (unsigned long long)tally->vip_bytes[i]);
		return false;
	}
	for (size_t i = 0; i < WORLD_BACKENDS; i++) {
		if (is.backend_packets[i] == tally->backend_packets[i] &&
		    is.backend_bytes[i] == tally->backend_bytes[i])
			continue;
		snprintf(what, size, "backend %zu: program %llu packets, %llu bytes", i,
			 (unsigned long long)is.backend_packets[i],
			 (unsigned long long)is.backend_bytes[i]);
		return false;
	}
	if (is.too_big != tally->too_big)
		snprintf(what, size,
			 "count of too_big and too_big_answered: program %llu, model %llu",
			 (unsigned long long)is.too_big, (unsigned long long)tally->too_big);
	return is.too_big == tally->too_big;
}

#define BURST_PACKETS (3 * MPLB_ICMP_BURST)

static double seconds_now(void)
{
	return (double)monotonic_ns() / 1e9;
}

bool budget_check(const struct world *world, const uint8_t *frame, size_t len, char *what,
		  size_t size)
{
	static struct world_result result;
	double begin = seconds_now(), most;
	unsigned int answers = 0;

	world_set_budget(world, true);
	for (unsigned int i = 0; i < BURST_PACKETS; i++) {
		world_run(world, frame, len, world->near, false, &result);
		answers += result.verdict == XDP_TX;
	}
	/* What was there, what came in meanwhile, and one for rounding. */
	most = MPLB_ICMP_BURST + (seconds_now() - begin) * MPLB_ICMP_RATE + 1;
	world_set_budget(world, true);
	if (answers >= MPLB_ICMP_BURST && answers <= most)
		return true;
	snprintf(what, size, "budget: %u answers to %u packets too big, not %u to %.0f", answers,
		 BURST_PACKETS, MPLB_ICMP_BURST, most);
	return false;
}
