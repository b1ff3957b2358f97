/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_ANNOUNCE_H
#define MPLB_ANNOUNCE_H

#include <stdbool.h>
#include <stdint.h>

#include "bird.h"

/*
 * Whether one thing is to be announced. It knows neither sockets nor clocks: whoever calls it says
 * how things are and what time it is (milliseconds, monotonic), and does what it wants of BIRD.
 *
 *	STARTING  nothing is known yet, BIRD is left as it is
 *	  │ BIRD says "enabled"            │ "disabled", or it is not fit
 *	TAKEN_OVER  announced by the       DOWN  withdrawn ◄─────────────┐
 *	  │ agent before; stays until      │ fit                        │ not fit
 *	  │ health is known                HELD  withdrawn, still ──────►│
 *	  │ fit                            │ fit for hold_down          │
 *	  └──────────────► UP  announced ◄─┘ ───────────────────────────┘
 *
 * So an agent that died and is started again flaps nothing, and after every withdrawal, that of an
 * agent which was stopped too, hold_down passes before the next announcement.
 */
enum announce_state {
	ANNOUNCE_STARTING,
	ANNOUNCE_TAKEN_OVER,
	ANNOUNCE_DOWN,
	ANNOUNCE_HELD,
	ANNOUNCE_UP,
};

enum announce_fitness {
	ANNOUNCE_UNFIT,
	ANNOUNCE_UNDECIDED, /* health checks have no result yet */
	ANNOUNCE_FIT,
};

struct announce {
	uint32_t hold_down_ms;
	enum announce_state state;
	uint64_t since_ms; /* of the state */
};

/* Begins anew, STARTING. */
void announce_begin(struct announce *a, uint32_t hold_down_ms, uint64_t now_ms);

/* Takes a step. Returns what BIRD shall do. */
enum bird_want announce_step(struct announce *a, enum announce_fitness fitness,
			     enum bird_state seen, uint64_t now_ms);

/* When to take a step though nothing happened; 0: no need. */
uint64_t announce_due(const struct announce *a);

/* "starting", "taken over", "down", "held", "up". */
const char *announce_word(enum announce_state state);

#endif
