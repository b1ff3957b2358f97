/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_OUTSIDE_H
#define MPLB_OUTSIDE_H

#include <jansson.h>
#include <stdbool.h>

/*
 * What the agent shows to the world: announcements (lb-agent/anycast.h) and metrics
 * (lb-agent/metrics.h). It brings these together with data plane and health.
 */
struct anycast;
struct datapath;
struct event_base;
struct health;
struct lb_config;
struct outside;

struct outside_env {
	struct event_base *base;
	const struct datapath *datapath; /* NULL: there is none */
	const struct health *health; /* NULL: nothing is probed */
};

/* Makes one that shows nothing. 0 or -errno, logged. */
int outside_open(const struct outside_env *env, struct outside **out);

/* Shows what this config says, from now on. The config must live until the next call, or the end.
 * 0 or -errno, logged: then announcements are as they were. Metrics that cannot be served where
 * they should are an error the first time; later they stay where they are. */
int outside_configure(struct outside *o, const struct lb_config *config);

/* A reload was refused, for the metrics. */
void outside_refused(struct outside *o);

/* Health has changed. */
void outside_look(struct outside *o);

/* Is anything announced, or could it be? If not, there is no need to leave. */
bool outside_announces(const struct outside *o);

/*
 * Leaves: withdraws everything, waits until packets under way have come (drain_time), takes the
 * data plane off the NICs, so that a node that was stopped is not half there, and calls
 * left(data). Its maps stay: `lbctl attach` puts all of it back.
 */
void outside_leave(struct outside *o, void (*left)(void *data), void *data);

/* For `lbctl show`: as anycast_json(). */
json_t *outside_anycast_json(const struct outside *o);

void outside_close(struct outside *o);

#endif
