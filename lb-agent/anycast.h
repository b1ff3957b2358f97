/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_ANYCAST_H
#define MPLB_ANYCAST_H

#include <jansson.h>
#include <stdbool.h>

/*
 * Announces VIPs through BIRD, and takes them back: what the config's `anycast` says. An
 * announcement is a protocol of BIRD's that is enabled or disabled (lb-agent/bird.h); when, is
 * decided in lb-agent/announce.h. docs/operations.md has what an operator needs to know.
 */
struct anycast;
struct event_base;
struct lb_config;
struct lb_pool;

/* Backends of a pool by what their health checks say. Where none are made, all are up. */
struct anycast_health {
	unsigned int up;
	unsigned int undecided; /* no result yet */
};

struct anycast_env {
	struct event_base *base;
	struct anycast_health (*health)(void *data, const struct lb_pool *pool);
	/* Does some NIC run the data plane? NULL: there is none, and none is needed. */
	bool (*attached)(void *data);
	void *data;
};

/* Makes one that announces nothing and leaves BIRD alone. 0 or -errno, logged. */
int anycast_open(const struct anycast_env *env, struct anycast **out);

/* Announces what this config says, from now on; to be called again with each new one. The config
 * stays with the caller and must live until the next call, or anycast_close(). What is no longer in
 * it is withdrawn. 0 or -errno, logged: then everything is as it was. */
int anycast_configure(struct anycast *a, const struct lb_config *config);

/* Looks at health and data plane again: one of them may have changed. */
void anycast_look(struct anycast *a);

/* Withdraws everything, now, and calls left(data) from the loop when BIRD has confirmed it (or does
 * not answer) and the longest drain_time is over. */
void anycast_leave(struct anycast *a, void (*left)(void *data), void *data);

/* Has BIRD confirmed that all of it is withdrawn? For who has left. */
bool anycast_is_withdrawn(const struct anycast *a);

/* What is announced and why not, an array: vip (null: the node's) protocol socket state (of
 * enum announce_state) for_s bird problem. To be freed; NULL: out of memory. */
json_t *anycast_json(const struct anycast *a);

/* BIRD's protocols as it lists them, an array: socket protocol type state. */
json_t *anycast_bird_json(const struct anycast *a);

/* Lets go of BIRD. What is announced stays announced. */
void anycast_close(struct anycast *a);

#endif
