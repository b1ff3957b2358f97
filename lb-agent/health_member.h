/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_HEALTH_MEMBER_H
#define MPLB_HEALTH_MEMBER_H

#include "health.h"
#include "health_pool.h"
#include "probe_path.h"
#include "record.h"

/*
 * The inside of health: health.c has its life and tells of changes, health_config.c makes members
 * of a config, health_member.c probes them.
 */
#define HEALTH_NO_PLACE MPLB_MAX_BACKENDS

struct member {
	struct health *health;
	const struct health_pool *pool;
	char name[MPLB_NAME_LEN];
	uint16_t id;
	struct ip addr;
	__u32 index; /* in the data plane, or HEALTH_NO_PLACE */
	struct record record;
	double rtt_ms;
	char why[HTTP_WHY];
	bool tell; /* its state changed, and env.change has not been called */
	struct event next; /* the next probe */
	struct probe probe;
	struct probe_target ask; /* of the probe */
	size_t target; /* which of the pool's */
	uint64_t begun_us; /* the probe, at its first target */
};

struct health {
	struct health_env env;
	struct health_pool *pools;
	size_t n_pools;
	struct member **members; /* as in the file */
	size_t n_members;
	struct probe_path *path; /* NULL: not needed */
	struct ip *vips; /* that are probed */
	size_t n_vips;
	bool is_open; /* probes go their way */
	uint64_t quiet_ms; /* until then, no more is said of probes that cannot be sent */
	struct event tick, news;
	unsigned int generation; /* of members[] */
	uint64_t random;
};

/* A member that nothing is known of and that is not probed yet. NULL: no memory. */
struct member *member_new(struct health *h, const struct health_pool *pool,
			  const struct lb_backend *backend);
/* Probes it, from a time of its own on, so that probes are spread over the interval. */
void member_begin(struct member *m);
/* Ends the probe under way, and begins no other. */
void member_stop(struct member *m);

/* env.change is to be called for it, from the loop. */
void health_tell(struct member *m);

#endif
