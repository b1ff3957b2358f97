/* SPDX-License-Identifier: GPL-2.0-only */
/* lb-agent/announce.c: when something is announced, with a clock of our own. */
#include <criterion/criterion.h>

#include "lb-agent/announce.h"

#define HOLD 10000

struct step {
	uint64_t at; /* ms */
	enum announce_fitness fitness;
	enum bird_state seen;
	enum announce_state state; /* wanted */
	enum bird_want want;
};

#define FIT	  ANNOUNCE_FIT
#define UNFIT	  ANNOUNCE_UNFIT
#define UNDECIDED ANNOUNCE_UNDECIDED

static const struct {
	const char *what;
	struct step step[8];
} stories[] = {
	{ "first start",
	  { { 0, UNDECIDED, BIRD_UNKNOWN, ANNOUNCE_STARTING, BIRD_LEAVE },
	    { 5, UNDECIDED, BIRD_DISABLED, ANNOUNCE_DOWN, BIRD_DISABLE },
	    { 1000, FIT, BIRD_DISABLED, ANNOUNCE_HELD, BIRD_DISABLE },
	    { 10999, FIT, BIRD_DISABLED, ANNOUNCE_HELD, BIRD_DISABLE },
	    { 11000, FIT, BIRD_DISABLED, ANNOUNCE_UP, BIRD_ENABLE },
	    { 11001, FIT, BIRD_ENABLED, ANNOUNCE_UP, BIRD_ENABLE } } },
	{ "fit before BIRD is there",
	  { { 0, FIT, BIRD_UNKNOWN, ANNOUNCE_STARTING, BIRD_LEAVE },
	    { 60000, FIT, BIRD_UNKNOWN, ANNOUNCE_STARTING, BIRD_LEAVE },
	    { 60001, FIT, BIRD_DISABLED, ANNOUNCE_HELD, BIRD_DISABLE },
	    { 70001, FIT, BIRD_DISABLED, ANNOUNCE_UP, BIRD_ENABLE } } },
	{ "the protocol comes late",
	  { { 0, FIT, BIRD_MISSING, ANNOUNCE_STARTING, BIRD_LEAVE },
	    { 1000, FIT, BIRD_DISABLED, ANNOUNCE_HELD, BIRD_DISABLE } } },
	{ "unfit before BIRD is there",
	  { { 0, UNFIT, BIRD_UNKNOWN, ANNOUNCE_DOWN, BIRD_DISABLE },
	    { 1, FIT, BIRD_ENABLED, ANNOUNCE_HELD, BIRD_DISABLE } } },
	{ "the agent before has announced, and died: nothing flaps",
	  { { 0, UNDECIDED, BIRD_UNKNOWN, ANNOUNCE_STARTING, BIRD_LEAVE },
	    { 5, UNDECIDED, BIRD_ENABLED, ANNOUNCE_TAKEN_OVER, BIRD_ENABLE },
	    { 3000, FIT, BIRD_ENABLED, ANNOUNCE_UP, BIRD_ENABLE } } },
	{ "the agent before has announced, and it turns out not to be fit",
	  { { 5, UNDECIDED, BIRD_ENABLED, ANNOUNCE_TAKEN_OVER, BIRD_ENABLE },
	    { 3000, UNFIT, BIRD_ENABLED, ANNOUNCE_DOWN, BIRD_DISABLE },
	    { 4000, FIT, BIRD_DISABLED, ANNOUNCE_HELD, BIRD_DISABLE } } },
	{ "taken over, and BIRD is restarted before health is known",
	  { { 5, UNDECIDED, BIRD_ENABLED, ANNOUNCE_TAKEN_OVER, BIRD_ENABLE },
	    { 6, UNDECIDED, BIRD_UNKNOWN, ANNOUNCE_TAKEN_OVER, BIRD_ENABLE },
	    { 7, UNDECIDED, BIRD_DISABLED, ANNOUNCE_TAKEN_OVER, BIRD_ENABLE } } },
	{ "fails, comes back, fails within the hold-down",
	  { { 0, FIT, BIRD_ENABLED, ANNOUNCE_UP, BIRD_ENABLE },
	    { 100, UNFIT, BIRD_ENABLED, ANNOUNCE_DOWN, BIRD_DISABLE },
	    { 200, FIT, BIRD_DISABLED, ANNOUNCE_HELD, BIRD_DISABLE },
	    { 9000, UNFIT, BIRD_DISABLED, ANNOUNCE_DOWN, BIRD_DISABLE },
	    { 9100, FIT, BIRD_DISABLED, ANNOUNCE_HELD, BIRD_DISABLE },
	    { 10201, FIT, BIRD_DISABLED, ANNOUNCE_HELD, BIRD_DISABLE },
	    { 19100, FIT, BIRD_DISABLED, ANNOUNCE_UP, BIRD_ENABLE } } },
	{ "in doubt: what is announced stays, what is held waits",
	  { { 0, FIT, BIRD_ENABLED, ANNOUNCE_UP, BIRD_ENABLE },
	    { 1, UNDECIDED, BIRD_ENABLED, ANNOUNCE_UP, BIRD_ENABLE },
	    { 2, UNFIT, BIRD_ENABLED, ANNOUNCE_DOWN, BIRD_DISABLE },
	    { 3, UNDECIDED, BIRD_DISABLED, ANNOUNCE_DOWN, BIRD_DISABLE },
	    { 4, FIT, BIRD_DISABLED, ANNOUNCE_HELD, BIRD_DISABLE },
	    { 5, UNDECIDED, BIRD_DISABLED, ANNOUNCE_DOWN, BIRD_DISABLE } } },
	{ "BIRD restarts or is reconfigured while all is well: announced again at once",
	  { { 0, FIT, BIRD_ENABLED, ANNOUNCE_UP, BIRD_ENABLE },
	    { 1, FIT, BIRD_UNKNOWN, ANNOUNCE_UP, BIRD_ENABLE },
	    { 2, FIT, BIRD_DISABLED, ANNOUNCE_UP, BIRD_ENABLE } } },
};

Test(announce, stories)
{
	for (size_t i = 0; i < sizeof(stories) / sizeof(*stories); i++) {
		struct announce a;

		announce_begin(&a, HOLD, 0);
		for (size_t k = 0; k < 8 && (k == 0 || stories[i].step[k].at); k++) {
			const struct step *s = &stories[i].step[k];
			enum bird_want want = announce_step(&a, s->fitness, s->seen, s->at);

			cr_assert_eq(a.state, s->state, "%s: %llu: %s, want %s", stories[i].what,
				     (unsigned long long)s->at, announce_word(a.state),
				     announce_word(s->state));
			cr_assert_eq(want, s->want, "%s: %llu: want", stories[i].what,
				     (unsigned long long)s->at);
			cr_assert_eq(announce_due(&a),
				     a.state == ANNOUNCE_HELD ? a.since_ms + HOLD : 0);
		}
	}
}

Test(announce, no_hold_down)
{
	struct announce a;

	announce_begin(&a, 0, 7);
	cr_assert_eq(announce_step(&a, FIT, BIRD_DISABLED, 7), BIRD_ENABLE);
	cr_assert_eq(announce_step(&a, UNFIT, BIRD_ENABLED, 8), BIRD_DISABLE);
	cr_assert_eq(announce_step(&a, FIT, BIRD_DISABLED, 9), BIRD_ENABLE);
}
