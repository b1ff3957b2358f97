/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_AGENT_METRICS_H
#define MPLB_AGENT_METRICS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct evbuffer;

/* What the metrics of a balancer are made of: arrays of flat objects; NULL: there is none. */
struct agent_metrics {
	json_t *vips, *backends, *reasons, *nics; /* as in loader/report.h */
	json_t *pools, *members; /* name settled; name pool state weight resolved */
	json_t *health; /* pool backend state probes failures changes rtt_ms */
	json_t *anycast, *bird; /* as in anycast.h */
	uint64_t generation; /* grows with each change of what is in force; 0: no data plane */
	double applied_at; /* when a config was last put in force, seconds since 1970; 0: never */
	bool reload_failed; /* the last one was refused */
};

/* Lets go of the arrays. */
void agent_metrics_drop(struct agent_metrics *m);

/* Writes them in Prometheus' text format. 0 or -ENOMEM. */
int agent_metrics_write(const struct agent_metrics *m, struct evbuffer *out);

struct anycast;
struct datapath;
struct health;

/* Fills in what these have; each may be NULL. 0 or -errno, logged; m is to be dropped either way.
 */
int agent_metrics_collect(const struct datapath *dp, const struct health *health,
			  const struct anycast *anycast, struct agent_metrics *m);

#endif
