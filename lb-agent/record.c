/* SPDX-License-Identifier: GPL-2.0-only */
#include "record.h"

void record_init(struct record *v, enum health_state state, uint64_t now_ms)
{
	*v = (struct record){ .state = state, .since_ms = now_ms };
}

static void change(struct record *v, enum health_state state, uint64_t now_ms)
{
	v->state = state;
	v->since_ms = now_ms;
	v->changes++;
}

/* Did it go down as often as that in the time before now? */
static bool is_flapping(const struct record *v, const struct lb_damping *damping, uint64_t now_ms)
{
	if (!damping->downs || v->n_downs < damping->downs)
		return false;
	return now_ms - v->downs_ms[(v->n_downs - damping->downs) % RECORD_DOWNS] <=
	       damping->within_ms;
}

static bool goes_down(struct record *v, const struct lb_health *health, uint64_t now_ms)
{
	if (v->state == HEALTH_DOWN || v->fails < health->fall)
		return false;
	change(v, HEALTH_DOWN, now_ms);
	v->downs_ms[v->n_downs++ % RECORD_DOWNS] = now_ms;
	v->damped = is_flapping(v, &health->damping, now_ms);
	return true;
}

static bool comes_up(struct record *v, const struct lb_health *health, uint64_t now_ms)
{
	if (v->state == HEALTH_UP)
		return false;
	if (v->state == HEALTH_DOWN) {
		if (v->passes < health->rise)
			return false;
		/* The config may have come to ask for no damping. */
		v->damped &= health->damping.downs > 0;
		if (v->damped && now_ms - v->well_ms < health->damping.hold_ms)
			return false;
	}
	v->damped = false;
	change(v, HEALTH_UP, now_ms);
	return true;
}

bool record_result(struct record *v, const struct lb_health *health, bool passed, uint64_t now_ms)
{
	v->probes++;
	v->last_ms = now_ms;
	if (!passed) {
		v->failures++;
		v->fails++;
		v->passes = 0;
		return goes_down(v, health, now_ms);
	}
	if (!v->passes)
		v->well_ms = now_ms;
	v->passes++;
	v->fails = 0;
	return comes_up(v, health, now_ms);
}
