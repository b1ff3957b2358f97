/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_SERVER_METRICS_H
#define MPLB_SERVER_METRICS_H

#include "connections.h"
#include "lib/ip.h"
#include "pm_engine.h"

struct guard;
struct server_state;

/* What a backend's metrics are made of. */
struct metrics_source {
	const struct server_state *state; /* NULL: no packets are counted */
	const struct guard *guard; /* NULL: there is none */
	const struct pm_stats *pm; /* NULL where the kernel manages the paths */
	struct connection_counts connections;
	size_t listeners; /* opened for joins */
	size_t vip_sockets; /* TCP connections on a VIP */
};

struct evbuffer;
struct event_base;
struct metrics;

/* Writes them in Prometheus' text format (version 0.0.4). 0 or -ENOMEM. */
int metrics_write(const struct metrics_source *source, struct evbuffer *out);

/* Those of them that the programs count. */
void metrics_write_packets(const struct metrics_source *source, struct evbuffer *out);

/* What only the daemon knows as JSON, for `status`: {"join_listeners", "userspace": {...} or null}.
 */
json_t *metrics_json(const struct metrics_source *source);

/* Serves them over HTTP at /metrics. look fills the source for each answer. 0 with *out to be
 * freed, or -errno, logged. */
int metrics_new(struct event_base *base, const struct ip *addr, unsigned int port,
		void (*look)(void *ctx, struct metrics_source *out), void *ctx,
		struct metrics **out);
void metrics_free(struct metrics *metrics);

#endif
