/* SPDX-License-Identifier: GPL-2.0-only */
#include <criterion/criterion.h>
#include <string.h>
#include "lb-agent/record.h"

static const struct lb_health usual = {
	.rise = 2,
	.fall = 3,
	.damping = { .downs = 3, .within_ms = 60000, .hold_ms = 10000 },
};

/* Plays results, a second apart: "+" passed, "-" failed; and what the state is after each: "?" not
 * known, "u" up, "d" down, "D" damped. */
static void play(struct record *r, const struct lb_health *health, uint64_t *now,
		 const char *results, const char *states)
{
	cr_assert_eq(strlen(results), strlen(states));
	for (size_t i = 0; results[i]; i++) {
		enum health_state before = r->state;
		bool changed;
		char is;

		*now += 1000;
		changed = record_result(r, health, results[i] == '+', *now);
		is = r->state == HEALTH_UNKNOWN ? '?'
		     : r->state == HEALTH_UP	? 'u'
		     : r->damped		? 'D'
						: 'd';
		cr_expect_eq(is, states[i], "%s: result %zu: %c, want %c", results, i, is,
			     states[i]);
		cr_expect_eq(changed, before != r->state, "%s: result %zu", results, i);
		cr_expect_eq(r->last_ms, *now);
		if (changed)
			cr_expect_eq(r->since_ms, *now);
	}
}

static void begins(const char *results, const char *states)
{
	struct record r;
	uint64_t now = 5000;

	record_init(&r, HEALTH_UNKNOWN, now);
	play(&r, &usual, &now, results, states);
}

Test(record, rise_and_fall)
{
	begins("+", "u"); /* nothing was known: one is enough */
	begins("---", "??d");
	begins("--+", "??u");
	begins("+--+--+---", "uuuuuuuuud"); /* in a row */
	begins("---+-++", "??ddddu");
	begins("---++---++", "??dduuudd"
			     "u");
}

Test(record, one_result_may_do)
{
	struct lb_health health = { .rise = 1, .fall = 1 };
	struct record r;
	uint64_t now = 0;

	record_init(&r, HEALTH_UNKNOWN, now);
	play(&r, &health, &now, "-+-+-+-+-+", "dududududu");
	cr_expect_eq(r.changes, 10);
	cr_expect_eq(r.probes, 10);
	cr_expect_eq(r.failures, 5);
}

Test(record, found_down)
{
	struct record r;
	uint64_t now = 0;

	record_init(&r, HEALTH_DOWN, now);
	play(&r, &usual, &now, "+-++", "dddu");
	cr_expect_eq(r.changes, 1);
}

Test(record, damped)
{
	struct record r;
	uint64_t now = 0;

	record_init(&r, HEALTH_UNKNOWN, now);
	/* Three times down within a minute. */
	play(&r, &usual, &now, "+---++---++---",
	     "uuuddu"
	     "uuddu"
	     "uuD");
	/* Well for 10 s, from the first pass on: not nine, and not with a failure between. */
	play(&r, &usual, &now, "+++++-", "DDDDDD");
	play(&r, &usual, &now, "++++++++++", "DDDDDDDDDD");
	play(&r, &usual, &now, "+", "u");
	cr_expect_not(r.damped);
	/* Within the minute of the last two. */
	play(&r, &usual, &now, "---", "uuD");
}

Test(record, not_damped_when_it_is_seldom)
{
	struct record r;
	uint64_t now = 0;

	record_init(&r, HEALTH_UNKNOWN, now);
	play(&r, &usual, &now, "+", "u");
	for (int i = 0; i < 300; i++) {
		play(&r, &usual, &now, "---++", "uuddu");
		now += 30000; /* the third is 70 s after the first */
	}
	cr_expect_eq(r.n_downs, 300);
}

Test(record, damping_taken_out_of_the_config)
{
	struct lb_health none = usual;
	struct record r;
	uint64_t now = 0;

	none.damping.downs = 0;
	record_init(&r, HEALTH_UNKNOWN, now);
	play(&r, &usual, &now, "+---++---++---",
	     "uuuddu"
	     "uuddu"
	     "uuD");
	play(&r, &none, &now, "++", "Du");
	for (int i = 0; i < 10; i++)
		play(&r, &none, &now, "---++", "uuddu");
}

Test(record, damping_of_one)
{
	struct lb_health health = usual;
	struct record r;
	uint64_t now = 0;

	health.damping = (struct lb_damping){ .downs = 1, .within_ms = 1000, .hold_ms = 3000 };
	record_init(&r, HEALTH_UNKNOWN, now);
	play(&r, &health, &now, "+---+++++", "uuuDDDDuu");
}
