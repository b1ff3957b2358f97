/* SPDX-License-Identifier: GPL-2.0-only */
/* testbed/link/: what becomes of packets, their order, the control messages. */
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include "support.h"
#include "testbed/link/control.h"
#include "testbed/link/model.h"
#include "testbed/link/queue.h"

#define MS 1000000ull

/* ---- queue ---- */

Test(mplb_link, queue_orders_by_time_then_arrival)
{
	static const uint64_t due[] = { 5, 3, 9, 3, 1, 5, 3, 8 };
	static const uint32_t want[] = { 4, 1, 3, 6, 0, 5, 7, 2 };
	struct link_queue *queue = link_queue_new(8);

	for (uint32_t i = 0; i < 8; i++)
		cr_assert(
			link_queue_push(queue, &(struct link_packet){ .due = due[i], .slot = i }));
	cr_assert_not(link_queue_push(queue, &(struct link_packet){ 0 }), "no room for a ninth");
	for (uint32_t i = 0; i < 8; i++) {
		cr_expect_eq(link_queue_first(queue)->slot, want[i], "place %u", i);
		link_queue_pop(queue);
	}
	cr_expect_null(link_queue_first(queue));
	link_queue_pop(queue);
	cr_expect_eq(link_queue_length(queue), 0);
	link_queue_free(queue);
	cr_assert(!has_leaks());
}

Test(mplb_link, queue_sorts_what_a_link_throws_at_it)
{
	struct link_queue *queue = link_queue_new(1000);
	uint64_t last = 0;

	srand(7);
	for (int i = 0; i < 1000; i++)
		link_queue_push(queue, &(struct link_packet){ .due = (uint64_t)rand() % 100 });
	/* Half out, half in again, all out. */
	for (int i = 0; i < 500; i++) {
		cr_assert_geq(link_queue_first(queue)->due, last);
		last = link_queue_first(queue)->due;
		link_queue_pop(queue);
	}
	for (int i = 0; i < 500; i++)
		link_queue_push(queue, &(struct link_packet){ .due = last + (uint64_t)rand() % 9 });
	while (link_queue_length(queue)) {
		cr_assert_geq(link_queue_first(queue)->due, last);
		last = link_queue_first(queue)->due;
		link_queue_pop(queue);
	}
	link_queue_free(queue);
}

/* ---- model ---- */

struct outcome {
	unsigned int fate[LINK_FATE_MAX], copies, overtaken, runs;
	uint64_t last;
};

/* n packets of len bytes, one every gap ns. */
static struct outcome send_packets(struct link_model *model, unsigned int n, size_t len,
				   uint64_t gap)
{
	struct outcome out = { 0 };
	bool was_lost = false;

	for (unsigned int i = 0; i < n; i++) {
		unsigned int copies = 0;
		bool overtaken = false;
		enum link_fate fate;

		fate = link_model_admit(model, 1 + i * gap, len, &out.last, &copies, &overtaken);
		out.fate[fate]++;
		out.copies += copies;
		out.overtaken += overtaken;
		out.runs += fate == LINK_FATE_LOSS && !was_lost;
		was_lost = fate == LINK_FATE_LOSS;
	}
	return out;
}

static struct link_model model_of(struct link_settings settings)
{
	struct link_model model;

	link_model_init(&model, 42, 0);
	model.settings = settings;
	return model;
}

Test(mplb_link, perfect_link_passes_at_once)
{
	struct link_model model = model_of((struct link_settings){ 0 });
	struct outcome out = send_packets(&model, 1000, 1514, 1000);

	cr_expect_eq(out.fate[LINK_FATE_PASS], 1000);
	cr_expect_eq(out.copies, 1000);
	cr_expect_eq(out.last, 1 + 999 * 1000);
}

Test(mplb_link, loss_has_its_share_and_run_length)
{
	static const struct {
		double loss, burst, mean_run;
	} cases[] = {
		{ 0.01, 0, 1.01 }, { 0.05, 0, 1.05 }, { 0.05, 1, 1.05 }, { 0.5, 0, 2 },
		{ 0.05, 4, 4 },	   { 0.2, 10, 10 },   { 0.5, 1.5, 2 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct link_model model = model_of(
			(struct link_settings){ .loss = cases[i].loss, .burst = cases[i].burst });
		struct outcome out = send_packets(&model, 1000000, 100, 1000);
		double share = out.fate[LINK_FATE_LOSS] / 1e6;
		double run = out.fate[LINK_FATE_LOSS] / (double)out.runs;

		cr_expect(fabs(share / cases[i].loss - 1) < 0.05, "case %zu: lost %g", i, share);
		cr_expect(fabs(run / cases[i].mean_run - 1) < 0.05, "case %zu: runs of %g", i, run);
	}
}

Test(mplb_link, extremes_of_loss)
{
	struct link_model model = model_of((struct link_settings){ .loss = 1, .burst = 3 });

	cr_expect_eq(send_packets(&model, 1000, 100, 1000).fate[LINK_FATE_LOSS], 1000);
	model.settings = (struct link_settings){ .blackhole = 1 };
	cr_expect_eq(send_packets(&model, 1000, 100, 1000).fate[LINK_FATE_BLACKHOLE], 1000);
}

/* The same packets are lost whatever else is set, and others with another seed or direction. */
Test(mplb_link, losses_follow_from_the_seed_alone)
{
	struct link_model a = model_of((struct link_settings){ .loss = 0.3 });
	struct link_model b = model_of((struct link_settings){
		.loss = 0.3, .delay_ms = 5, .jitter_ms = 3, .duplicate = 0.2, .reorder = 0.1 });
	struct link_model other[2] = { a, a };
	unsigned int differ[2] = { 0 };

	link_model_init(&other[0], 43, 0);
	link_model_init(&other[1], 42, 1);
	other[0].settings = other[1].settings = a.settings;
	for (uint64_t i = 1; i <= 1000; i++) {
		unsigned int copies;
		uint64_t due;
		bool overtaken;
		enum link_fate fate = link_model_admit(&a, i, 60, &due, &copies, &overtaken);

		cr_assert_eq(fate, link_model_admit(&b, i, 60, &due, &copies, &overtaken));
		for (int k = 0; k < 2; k++)
			differ[k] += fate !=
				     link_model_admit(&other[k], i, 60, &due, &copies, &overtaken);
	}
	cr_expect_gt(differ[0], 300);
	cr_expect_gt(differ[1], 300);
}

Test(mplb_link, rate_and_queue)
{
	/* 8 Mbit/s are a byte per microsecond. */
	struct link_model model = model_of((struct link_settings){ .rate_mbit = 8 });
	struct outcome out = send_packets(&model, 100, 1000, 0);

	cr_expect_eq(out.fate[LINK_FATE_PASS], 100);
	cr_expect_eq(out.last, 1 + 100 * MS);
	/* Room for ten, the one on the wire among them. */
	model = model_of((struct link_settings){ .rate_mbit = 8, .queue_kb = 10 });
	out = send_packets(&model, 100, 1000, 0);
	cr_expect_eq(out.fate[LINK_FATE_PASS], 10);
	cr_expect_eq(out.fate[LINK_FATE_QUEUE], 90);
	/* Twice as much as it can carry: half is dropped. */
	model = model_of((struct link_settings){ .rate_mbit = 8, .queue_kb = 10 });
	out = send_packets(&model, 10000, 1000, MS / 2);
	cr_expect(abs((int)out.fate[LINK_FATE_PASS] - 5000) < 20, "%u pass",
		  out.fate[LINK_FATE_PASS]);
	/* Without a rate again nothing waits for what was let in before. */
	model.settings = (struct link_settings){ 0 };
	model.latest = 0;
	cr_expect_eq(send_packets(&model, 1, 1000, 0).last, 1);
}

Test(mplb_link, delay_and_jitter_keep_the_order)
{
	struct link_model model =
		model_of((struct link_settings){ .delay_ms = 20, .jitter_ms = 5 });
	uint64_t due = 0, last = 0, least = UINT64_MAX, most = 0;
	unsigned int copies;
	bool overtaken;

	for (uint64_t now = MS; now < 10000 * MS; now += 20 * MS) {
		link_model_admit(&model, now, 60, &due, &copies, &overtaken);
		cr_assert_geq(due, last);
		last = due;
		least = due - now < least ? due - now : least;
		most = due - now > most ? due - now : most;
	}
	cr_expect(least >= 15 * MS && least < 16 * MS, "least %lu", least);
	cr_expect(most <= 25 * MS && most > 24 * MS, "most %lu", most);
	/* Nor does a shorter delay let packets overtake those under way. */
	model.settings.delay_ms = model.settings.jitter_ms = 0;
	link_model_admit(&model, 9990 * MS, 60, &due, &copies, &overtaken);
	cr_expect_geq(due, last);
	/* A jitter beyond the delay does not send into the past. */
	model = model_of((struct link_settings){ .delay_ms = 1, .jitter_ms = 9 });
	for (uint64_t now = MS; now < 1000 * MS; now += MS) {
		link_model_admit(&model, now, 60, &due, &copies, &overtaken);
		cr_assert_geq(due, now);
	}
}

Test(mplb_link, reorder_and_duplicate)
{
	struct link_model model = model_of((struct link_settings){
		.delay_ms = 1, .reorder = 0.1, .reorder_ms = 3, .duplicate = 0.02 });
	struct outcome out;
	unsigned int copies, later = 0;
	uint64_t due;
	bool overtaken;

	for (uint64_t i = 0; i < 1000; i++) {
		uint64_t now = (1 + i * 10) * MS;

		link_model_admit(&model, now, 60, &due, &copies, &overtaken);
		cr_assert_eq(due - now, overtaken ? 4 * MS : MS);
		later += overtaken;
	}
	cr_expect(later > 60 && later < 140, "%u later", later);
	model = model_of((struct link_settings){ .duplicate = 0.02 });
	out = send_packets(&model, 100000, 60, 1000);
	cr_expect(out.copies > 101800 && out.copies < 102200, "%u copies", out.copies);
}

/* ---- settings and control ---- */

Test(mplb_link, settings_round_trip)
{
	struct link_settings in = { 1, 2, 3, 4, 0.5, 6, 0.7, 0.8, 9, 1 }, out = { 0 };
	char error[LINK_SETTINGS_ERROR];
	json_t *object = link_settings_write(&in);

	cr_expect_eq(link_settings_read(object, &out, error), 0);
	cr_expect_eq(memcmp(&in, &out, sizeof(in)), 0);
	json_decref(object);
	object = json_null();
	cr_expect_eq(link_settings_read(object, &out, error), 0);
	cr_expect_eq(out.delay_ms, 0);
	cr_expect_eq(out.blackhole, 0);
	cr_assert(!has_leaks());
}

Test(mplb_link, control_takes_all_or_nothing)
{
	static const struct {
		const char *request, *error;
	} cases[] = {
		{ "{}", NULL },
		{ "{\"forth\": {\"delay_ms\": 7}}", NULL },
		{ "{\"back\": {\"loss\": 0.25, \"blackhole\": true}, \"forth\": null}", NULL },
		{ "{\"back\": null, \"forth\": {\"delay_ms\": 7}}", NULL },
		{ "", "not JSON" },
		{ "{\"forth\"", "not JSON" },
		{ "[]", "want an object" },
		{ "{\"up\": {}}", "up: want \"forth\" or \"back\"" },
		{ "{\"forth\": 3}", "want an object of settings" },
		{ "{\"forth\": {\"delay\": 3}}", "delay: no such setting" },
		{ "{\"forth\": {\"delay_ms\": 9, \"loss\": 1.5}}",
		  "loss: want a number from 0 to 1" },
		{ "{\"forth\": {\"delay_ms\": 9}, \"back\": {\"loss\": -1}}", "loss: want" },
		{ "{\"forth\": {\"delay_ms\": \"9\"}}", "delay_ms: want a number" },
		{ "{\"forth\": {\"blackhole\": 1}}", "blackhole: want true or false" },
		{ "{\"forth\": {\"delay_ms\": 1}, \"forth\": {}}", "not JSON" },
	};
	struct link_way ways[2] = { { .from = -1 }, { .from = -1 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *answer =
			link_control_answer(cases[i].request, strlen(cases[i].request), ways);
		json_t *parsed = json_loads(answer, 0, NULL);
		const char *error = json_string_value(json_object_get(parsed, "error"));

		cr_expect_eq(!!error, !!cases[i].error, "case %zu: %s", i, answer);
		if (error && cases[i].error)
			cr_expect_not_null(strstr(error, cases[i].error), "case %zu: %s", i, error);
		if (!error)
			cr_expect_not_null(
				json_object_get(json_object_get(parsed, "back"), "counters"));
		json_decref(parsed);
		free(answer);
	}
	cr_expect_eq(ways[0].model.settings.delay_ms, 7);
	cr_expect_eq(ways[1].model.settings.loss, 0);
	cr_assert(!has_leaks());
}
