/* SPDX-License-Identifier: GPL-2.0-only */
#include "announce.h"

static void enter(struct announce *a, enum announce_state state, uint64_t now_ms)
{
	if (a->state == state)
		return;
	a->state = state;
	a->since_ms = now_ms;
}

void announce_begin(struct announce *a, uint32_t hold_down_ms, uint64_t now_ms)
{
	*a = (struct announce){ .hold_down_ms = hold_down_ms,
				.state = ANNOUNCE_STARTING,
				.since_ms = now_ms };
}

static void step(struct announce *a, enum announce_fitness fitness, enum bird_state seen,
		 uint64_t now_ms)
{
	if (a->state == ANNOUNCE_STARTING && seen == BIRD_ENABLED)
		enter(a, ANNOUNCE_TAKEN_OVER, now_ms);
	if (a->state == ANNOUNCE_STARTING && seen == BIRD_DISABLED)
		enter(a, ANNOUNCE_DOWN, now_ms);
	if (fitness == ANNOUNCE_UNFIT)
		enter(a, ANNOUNCE_DOWN, now_ms);
	switch (a->state) {
	case ANNOUNCE_STARTING:
		break;
	case ANNOUNCE_TAKEN_OVER:
		if (fitness == ANNOUNCE_FIT)
			enter(a, ANNOUNCE_UP, now_ms);
		break;
	case ANNOUNCE_DOWN:
		if (fitness == ANNOUNCE_FIT)
			enter(a, ANNOUNCE_HELD, now_ms);
		break;
	case ANNOUNCE_HELD:
		if (fitness != ANNOUNCE_FIT)
			enter(a, ANNOUNCE_DOWN, now_ms);
		break;
	case ANNOUNCE_UP: /* undecided: its backends were changed for others */
		break;
	}
	if (a->state == ANNOUNCE_HELD && now_ms - a->since_ms >= a->hold_down_ms)
		enter(a, ANNOUNCE_UP, now_ms);
}

enum bird_want announce_step(struct announce *a, enum announce_fitness fitness,
			     enum bird_state seen, uint64_t now_ms)
{
	step(a, fitness, seen, now_ms);
	switch (a->state) {
	case ANNOUNCE_STARTING:
		return BIRD_LEAVE;
	case ANNOUNCE_TAKEN_OVER:
	case ANNOUNCE_UP:
		return BIRD_ENABLE;
	default:
		return BIRD_DISABLE;
	}
}

uint64_t announce_due(const struct announce *a)
{
	return a->state == ANNOUNCE_HELD ? a->since_ms + a->hold_down_ms : 0;
}

const char *announce_word(enum announce_state state)
{
	static const char *const words[] = {
		[ANNOUNCE_STARTING] = "starting",
		[ANNOUNCE_TAKEN_OVER] = "taken over",
		[ANNOUNCE_DOWN] = "down",
		[ANNOUNCE_HELD] = "held",
		[ANNOUNCE_UP] = "up",
	};

	return words[state];
}
