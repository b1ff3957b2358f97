/* SPDX-License-Identifier: GPL-2.0-only */
#include "health_member.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "lib/monotonic.h"

#define TICK_S 1 /* how often the way of the probes is looked at */

static struct health_member show(const struct member *m)
{
	const struct record *r = &m->record;

	return (struct health_member){
		.pool = m->pool->name,
		.backend = m->name,
		.id = m->id,
		.addr = m->addr,
		.state = r->state,
		.passes = r->passes,
		.fails = r->fails,
		.since_ms = r->since_ms,
		.last_ms = r->last_ms,
		.rtt_ms = m->rtt_ms,
		.why = m->why,
		.probes = r->probes,
		.failures = r->failures,
		.changes = r->changes,
		.damped = r->damped,
	};
}

static void on_news(evutil_socket_t fd, short what, void *data)
{
	struct health *h = data;
	unsigned int generation = h->generation;

	(void)fd;
	(void)what;
	for (size_t i = 0; i < h->n_members; i++) {
		struct health_member m;

		if (!h->members[i]->tell)
			continue;
		h->members[i]->tell = false;
		m = show(h->members[i]);
		h->env.change(h->env.data, &m);
		/* It may have configured us anew. */
		if (generation != h->generation) {
			event_active(&h->news, EV_TIMEOUT, 0);
			return;
		}
	}
}

void health_tell(struct member *m)
{
	m->tell = true;
	event_active(&m->health->news, EV_TIMEOUT, 0);
}

static void on_tick(evutil_socket_t fd, short what, void *data)
{
	struct health *h = data;

	(void)fd;
	(void)what;
	if (h->path)
		h->is_open = probe_path_keep(h->path, h->vips, h->n_vips);
}

int health_open(const struct health_env *env, struct health **out)
{
	const struct timeval second = { .tv_sec = TICK_S };
	struct health *h = calloc(1, sizeof(*h));

	if (!h)
		return log_err_r(-ENOMEM, "out of memory");
	h->env = *env;
	h->random = monotonic_ms() << 20 | 1;
	evtimer_assign(&h->news, env->base, on_news, h);
	event_assign(&h->tick, env->base, -1, EV_PERSIST, on_tick, h);
	if (event_add(&h->tick, &second)) {
		free(h);
		return log_err_r(-ENOMEM, "out of memory");
	}
	*out = h;
	return 0;
}

void health_close(struct health *h)
{
	if (!h)
		return;
	event_del(&h->tick);
	event_del(&h->news);
	for (size_t i = 0; i < h->n_members; i++) {
		member_stop(h->members[i]);
		free(h->members[i]);
	}
	probe_path_close(h->path);
	health_pools_free(h->pools, h->n_pools);
	free(h->members);
	free(h->vips);
	free(h);
}

void health_each(const struct health *h, void (*see)(void *data, const struct health_member *m),
		 void *data)
{
	for (size_t i = 0; i < h->n_members; i++) {
		const struct health_member m = show(h->members[i]);

		see(data, &m);
	}
}

size_t health_count(const struct health *h, const char *pool, enum health_state state)
{
	size_t n = 0;

	for (size_t i = 0; i < h->n_members; i++)
		n += h->members[i]->record.state == state &&
		     !strcmp(h->members[i]->pool->name, pool);
	return n;
}
