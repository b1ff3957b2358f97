/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_RECORD_H
#define MPLB_RECORD_H

#include "health.h"
#include "loader/config.h"

/*
 * A member's record: from results of probes to its state: rise, fall and damping. No clock of its
 * own, no sockets. Times are milliseconds since whenever, and never go back.
 */
/* As many times of going down are kept: the most that a config asks for. */
#define RECORD_DOWNS 100

struct record {
	enum health_state state;
	unsigned int passes, fails; /* in a row */
	uint64_t since_ms, last_ms; /* of the state; of the last result */
	uint64_t probes, failures, changes;
	uint64_t well_ms; /* when the passes in a row began */
	uint64_t downs_ms[RECORD_DOWNS]; /* when it went down, the last times: a ring */
	unsigned int n_downs; /* in all */
	bool damped;
};

/* state: HEALTH_UNKNOWN, or HEALTH_DOWN where it was so before somebody asked. */
void record_init(struct record *v, enum health_state state, uint64_t now_ms);

/*
 * Takes a result. Returns whether the state changed. The first pass of a member that nothing is
 * known of makes it up; else rise passes in a row do, and fall failures make it down. One that goes
 * down for the damping.downs-th time within damping.within_ms is damped: it comes up only when it
 * has passed for damping.hold_ms as well.
 */
bool record_result(struct record *v, const struct lb_health *health, bool passed, uint64_t now_ms);

#endif
