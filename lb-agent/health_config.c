/* SPDX-License-Identifier: GPL-2.0-only */
#include "health_member.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "lib/log.h"
#include "lib/monotonic.h"
#include "loader/in_force.h"

#define SPARE_FILES 128 /* descriptors for everything that is not a probe */

/* What a config comes to, until it is taken. */
struct draft {
	struct health_pool *pools;
	size_t n_pools;
	struct member **members;
	bool *known; /* members[i] is one that is probed already */
	size_t n_members;
	struct ip *vips;
	size_t n_vips;
	struct probe_path *path;
};

static void drop_draft(struct health *h, struct draft *d)
{
	for (size_t i = 0; i < d->n_members; i++)
		if (!d->known[i])
			free(d->members[i]);
	if (d->path != h->path)
		probe_path_close(d->path);
	health_pools_free(d->pools, d->n_pools);
	free(d->members);
	free(d->known);
	free(d->vips);
}

static bool is_member(const struct member *m, const char *pool, const struct lb_backend *b)
{
	return m->id == b->id && ip_equal(&m->addr, &b->addr) && !strcmp(m->pool->name, pool);
}

/* at: where it is likely to be. */
static struct member *find_member(const struct health *h, const char *pool,
				  const struct lb_backend *b, size_t at)
{
	for (size_t i = 0; i < h->n_members; i++) {
		struct member *m = h->members[(at + i) % h->n_members];

		if (is_member(m, pool, b))
			return m;
	}
	return NULL;
}

static int draft_members(struct health *h, const struct lb_config *config, struct draft *d)
{
	for (size_t p = 0; p < config->n_pools; p++) {
		for (size_t i = 0; i < config->pools[p].n_backends; i++) {
			const struct lb_backend *b = &config->pools[p].backends[i];
			struct member *m = find_member(h, config->pools[p].name, b, d->n_members);

			d->known[d->n_members] = m;
			if (!m)
				m = member_new(h, &d->pools[p], b);
			if (!m)
				return -ENOMEM;
			d->members[d->n_members++] = m;
		}
	}
	return 0;
}

static void draft_vips(struct draft *d)
{
	for (size_t p = 0; p < d->n_pools; p++) {
		for (size_t t = 0; t < d->pools[p].n_targets; t++) {
			const struct ip *vip = &d->pools[p].targets[t].vip;
			size_t v = 0;

			while (v < d->n_vips && !ip_equal(&d->vips[v], vip))
				v++;
			d->vips[v] = *vip;
			d->n_vips += v == d->n_vips;
		}
	}
}

static int draft(struct health *h, const struct lb_config *config, struct draft *d)
{
	size_t members = 0;
	int err = 0;

	for (size_t p = 0; p < config->n_pools; p++)
		members += config->pools[p].n_backends;
	d->pools = calloc(config->n_pools + 1, sizeof(*d->pools));
	d->members = calloc(members + 1, sizeof(struct member *));
	d->known = calloc(members + 1, sizeof(*d->known));
	d->vips = calloc(config->n_vips + 1, sizeof(*d->vips));
	if (!d->pools || !d->members || !d->known || !d->vips)
		return -ENOMEM;
	for (; !err && d->n_pools < config->n_pools; d->n_pools++)
		err = health_pool_copy(config, d->n_pools, &d->pools[d->n_pools]);
	if (err)
		return err;
	draft_vips(d);
	return draft_members(h, config, d);
}

/* A probe takes a descriptor. */
static int make_room(const struct lb_config *config, const struct draft *d)
{
	struct rlimit limit;
	rlim_t want = SPARE_FILES;

	for (size_t p = 0; p < d->n_pools; p++)
		want += d->pools[p].n_targets ? config->pools[p].n_backends : 0;
	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= want)
		return 0;
	limit.rlim_cur = want;
	if (limit.rlim_max < want)
		limit.rlim_max = want;
	if (!setrlimit(RLIMIT_NOFILE, &limit))
		return 0;
	return log_err_r(-EMFILE,
			 "health probes need %llu open files, and the limit is lower; raise it: "
			 "LimitNOFILE= of the unit, or ulimit -n",
			 (unsigned long long)want);
}

static int draft_path(const struct health *h, const struct lb_config *config, struct draft *d)
{
	if (!h->env.datapath || !d->n_vips)
		return 0;
	if (h->path && probe_path_mark(h->path) == config->probe_mark) {
		d->path = h->path;
		return 0;
	}
	return probe_path_open(h->env.datapath, config->probe_mark, &d->path);
}

/* Makes the member one of the new pool; its probe under way goes on if it asks for the same. */
static void adopt(struct member *m, const struct health_pool *pool, const struct lb_backend *b,
		  bool known, bool moved)
{
	bool same = known && !moved && health_pool_is_same(m->pool, pool);

	m->pool = pool;
	snprintf(m->name, sizeof(m->name), "%s", b->name);
	if (!pool->n_targets && m->record.state != HEALTH_UNKNOWN) {
		record_init(&m->record, HEALTH_UNKNOWN, monotonic_ms());
		health_tell(m);
	}
	if (same) {
		m->ask.health = &pool->health;
		m->ask.request = pool->n_targets ? pool->targets[m->target].request : NULL;
		return;
	}
	member_stop(m);
	member_begin(m);
}

static void take(struct health *h, const struct lb_config *config, struct draft *d)
{
	struct member **old = h->members;
	size_t n_old = h->n_members, i = 0;
	bool moved = d->path != h->path;

	/* Those that the new config has are marked by their pool being a new one. */
	for (size_t p = 0; p < config->n_pools; p++)
		for (size_t k = 0; k < config->pools[p].n_backends; k++, i++)
			adopt(d->members[i], &d->pools[p], &config->pools[p].backends[k],
			      d->known[i], moved);
	for (i = 0; i < n_old; i++) {
		if (old[i]->pool >= d->pools && old[i]->pool < d->pools + d->n_pools)
			continue;
		member_stop(old[i]);
		free(old[i]);
	}
	if (moved)
		probe_path_close(h->path);
	health_pools_free(h->pools, h->n_pools);
	free(h->members);
	free(h->vips);
	free(d->known);
	h->pools = d->pools;
	h->n_pools = d->n_pools;
	h->members = d->members;
	h->n_members = d->n_members;
	h->vips = d->vips;
	h->n_vips = d->n_vips;
	h->path = d->path;
	h->generation++;
}

/* Places in the data plane */

static void place(struct member *m, __u32 index, const struct mplb_backend_info *info, bool fresh)
{
	if (m->index != index && m->probe.active) {
		/* It went to the place that the member had before. */
		member_stop(m);
		member_begin(m);
	}
	m->index = index;
	if (!fresh || !(info->flags & MPLB_MEMBER_F_DOWN))
		return;
	if (m->pool->n_targets)
		record_init(&m->record, HEALTH_DOWN, monotonic_ms());
	else
		health_tell(m);
}

static int read_places(struct health *h)
{
	struct datapath *dp = h->env.datapath;
	struct in_force *now = calloc(1, sizeof(*now));
	int err = now ? in_force_read(dp, now) : -ENOMEM;
	size_t at = 0;

	if (err) {
		free(now);
		return log_err_r(err, "health: cannot read what is in force: %s", strerror(-err));
	}
	for (__u32 i = 0; i < MPLB_MAX_BACKENDS; i++) {
		const struct mplb_backend_info *info = &dp->backend_info[i];
		const struct lb_backend b = { .id = info->id,
					      .addr = { info->addr, info->family } };
		struct member *m;

		if (!now->backend[i] || info->flags & MPLB_MEMBER_F_GONE)
			continue;
		m = find_member(h, info->pool, &b, at++);
		if (m)
			place(m, i, info, m->index == HEALTH_NO_PLACE);
	}
	free(now);
	return 0;
}

/* Of the first member of each pool: the others' answers come the same way, as a rule. */
static void warn(struct health *h)
{
	const struct health_pool *pool = NULL;

	for (size_t i = 0; i < h->n_members; i++) {
		const struct member *m = h->members[i];

		if (m->pool == pool || m->index == HEALTH_NO_PLACE)
			continue;
		pool = m->pool;
		for (size_t t = 0; t < pool->n_targets; t++)
			probe_path_warn(h->path, &pool->targets[t].vip, m->index);
	}
}

int health_configure(struct health *h, const struct lb_config *config)
{
	struct draft d = { 0 };
	bool had_path = h->path;
	int err = draft(h, config, &d);

	if (err)
		log_error("out of memory");
	err = err ? err : make_room(config, &d);
	err = err ? err : draft_path(h, config, &d);
	if (err) {
		drop_draft(h, &d);
		return err;
	}
	take(h, config, &d);
	if (h->env.datapath)
		err = read_places(h);
	if (!err && h->path) {
		h->is_open = probe_path_keep(h->path, h->vips, h->n_vips);
		if (!had_path)
			warn(h);
	}
	return err;
}
