/* SPDX-License-Identifier: GPL-2.0-only */
#include "health.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "health_pool.h"
#include "lib/log.h"
#include "loader/in_force.h"
#include "probe_path.h"
#include "record.h"

#define TICK_S	     1 /* how often the way of the probes is looked at */
#define RETRY_MS     1000 /* where a probe could not be sent; at most the interval */
#define SPREAD_MS    10000 /* the first probes go out within this; at most the interval */
#define JITTER_SHARE 20 /* an interval is up to a twentieth shorter: never longer */
#define SPARE_FILES  128 /* descriptors for everything that is not a probe */
#define NO_PLACE     MPLB_MAX_BACKENDS

struct member {
	struct health *health;
	const struct health_pool *pool;
	char name[MPLB_NAME_LEN];
	uint16_t id;
	struct ip addr;
	__u32 index; /* in the data plane, or NO_PLACE */
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
	int trouble; /* why probes could not be sent, as it was logged; 0: they can */
	struct event tick, news;
	unsigned int generation; /* of members[] */
	uint64_t random;
};

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static uint64_t now_ms(void)
{
	return now_us() / 1000;
}

/* xorshift64* (Marsaglia, Vigna): for the jitter. */
static uint32_t random_below(struct health *h, uint32_t bound)
{
	h->random ^= h->random >> 12;
	h->random ^= h->random << 25;
	h->random ^= h->random >> 27;
	return (uint32_t)((h->random * 0x2545f4914f6cdd1dULL >> 32) * bound >> 32);
}

static void wait_us(struct member *m, uint64_t us)
{
	const struct timeval delay = { (time_t)(us / 1000000), (suseconds_t)(us % 1000000) };

	event_add(&m->next, &delay);
}

/* The next one is due an interval after the last one began. */
static void schedule(struct member *m)
{
	uint32_t interval = m->pool->health.interval_ms * 1000;
	uint64_t due = m->begun_us + interval - random_below(m->health, interval / JITTER_SHARE),
		 now = now_us();

	wait_us(m, due > now ? due - now : 0);
}

static void retry(struct member *m)
{
	uint32_t interval = m->pool->health.interval_ms;

	wait_us(m, 1000ULL * (interval < RETRY_MS ? interval : RETRY_MS));
}

/* News */

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

static void tell(struct member *m)
{
	m->tell = true;
	event_active(&m->health->news, EV_TIMEOUT, 0);
}

static void log_change(const struct member *m)
{
	if (m->record.state == HEALTH_UP)
		log_info("backend %s/%s: up: %u probe%s passed", m->pool->name, m->name,
			 m->record.passes, m->record.passes == 1 ? "" : "s in a row");
	else
		log_warn("backend %s/%s: down: %s (%u in a row)%s", m->pool->name, m->name, m->why,
			 m->record.fails,
			 m->record.damped ? "; it goes up and down too often, and stays down until "
					    "it has been well for a while"
					  : "");
}

static void result(struct member *m, bool passed, const char *why)
{
	if (passed)
		m->rtt_ms = (double)(now_us() - m->begun_us) / 1000;
	snprintf(m->why, sizeof(m->why), "%s", why);
	schedule(m);
	if (!record_result(&m->record, &m->pool->health, passed, now_ms()))
		return;
	log_change(m);
	tell(m);
}

/* Probing */

static void start(struct member *m);

static void on_done(void *data, bool passed, const char *why)
{
	struct member *m = data;

	if (passed && ++m->target < m->pool->n_targets)
		start(m);
	else
		result(m, passed, why);
}

/* The source and the mark that lead this member's probe to it. False: there is no source. */
static bool set_way(struct member *m, struct health_target *target)
{
	struct health *h = m->health;
	uint64_t now = now_ms();
	struct ip source;

	m->ask = (struct probe_target){ .health = &m->pool->health,
					.to = target->to,
					.request = target->request };
	if (!h->path) {
		/* From the VIP to itself: so it must be an address of this machine. */
		m->ask.from = health_addr(&target->vip, 0);
		return true;
	}
	m->ask.mark = probe_path_mark(h->path) + m->index;
	if (m->addr.family == target->vip.family) {
		if (!probe_path_source(h->path, &target->vip, m->index, &source))
			return false;
	} else {
		if (!target->source.family || now - target->source_ms >= RETRY_MS) {
			if (!probe_path_source(h->path, &target->vip, m->index, &target->source))
				target->source.family = 0;
			target->source_ms = now;
		}
		source = target->source;
	}
	m->ask.from = health_addr(&source, 0);
	return source.family;
}

/* Says why probes cannot be sent, once for a reason. It is not the backends' fault. */
static void say_trouble(struct member *m, int err)
{
	static const char *const none = "no address to probe from";
	const char *mend = "";

	if (m->health->trouble == err)
		return;
	m->health->trouble = err;
	if (err == -ENOTSUP)
		mend = "; this kernel has no MPTCP: sysctl net.mptcp.enabled=1, or give another "
		       "type";
	else if (err == -EMFILE || err == -ENFILE)
		mend = "; raise the limit of open files";
	else if (err == -EPERM)
		mend = "; run as root, or with CAP_NET_ADMIN";
	log_error("backend %s/%s: cannot be probed: %s%s; its state stays", m->pool->name, m->name,
		  err == -EADDRNOTAVAIL ? none : strerror(-err), mend);
}

static void start(struct member *m)
{
	const struct lb_health *health = &m->pool->health;
	/* Of the pool, which is ours; members share it. */
	struct health_target *target = &m->pool->targets[m->target];
	uint64_t spent = (now_us() - m->begun_us) / 1000;
	int err;

	if (spent >= health->timeout_ms) {
		result(m, false, "no answer in time");
		return;
	}
	err = set_way(m, target) ? 0 : -EADDRNOTAVAIL;
	if (!err)
		err = probe_start(&m->probe, m->health->env.base, &m->ask,
				  health->timeout_ms - (uint32_t)spent, on_done, m);
	if (err == -EADDRNOTAVAIL && !m->health->path) {
		result(m, false, "the VIP is not an address of this machine");
	} else if (err) {
		say_trouble(m, err);
		retry(m);
	} else {
		m->health->trouble = 0;
	}
}

static void on_next(evutil_socket_t fd, short what, void *data)
{
	struct member *m = data;

	(void)fd;
	(void)what;
	if (m->health->path && (m->index == NO_PLACE || !m->health->is_open)) {
		retry(m);
		return;
	}
	m->begun_us = now_us();
	m->target = 0;
	start(m);
}

static void stop(struct member *m)
{
	probe_cancel(&m->probe);
	event_del(&m->next);
}

/* Begins at a time of its own, so that probes are spread over the interval. */
static void begin(struct member *m)
{
	uint32_t interval = m->pool->health.interval_ms, spread, hash = m->id;

	if (!m->pool->n_targets)
		return;
	for (const char *c = m->pool->name; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 16777619u; /* FNV-1a */
	hash = (hash ^ hash >> 15) * 0x85ebca6bu;
	spread = 1000 * (interval < SPREAD_MS ? interval : SPREAD_MS);
	wait_us(m, (uint64_t)(hash ^ hash >> 13) * spread >> 32);
}

static void on_tick(evutil_socket_t fd, short what, void *data)
{
	struct health *h = data;

	(void)fd;
	(void)what;
	if (h->path)
		h->is_open = probe_path_keep(h->path, h->vips, h->n_vips);
}

/* Configuration */

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

static void free_pools(struct health_pool *pools, size_t n)
{
	for (size_t p = 0; p < n; p++)
		health_pool_clear(&pools[p]);
	free(pools);
}

static void drop_draft(struct health *h, struct draft *d)
{
	for (size_t i = 0; i < d->n_members; i++)
		if (!d->known[i])
			free(d->members[i]);
	if (d->path != h->path)
		probe_path_close(d->path);
	free_pools(d->pools, d->n_pools);
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

static void on_next(evutil_socket_t fd, short what, void *data);

static struct member *new_member(struct health *h, const struct health_pool *pool,
				 const struct lb_backend *b)
{
	struct member *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->health = h;
	m->pool = pool;
	m->id = b->id;
	m->addr = b->addr;
	m->index = NO_PLACE;
	record_init(&m->record, HEALTH_UNKNOWN, now_ms());
	evtimer_assign(&m->next, h->env.base, on_next, m);
	return m;
}

static int draft_members(struct health *h, const struct lb_config *config, struct draft *d)
{
	for (size_t p = 0; p < config->n_pools; p++) {
		for (size_t i = 0; i < config->pools[p].n_backends; i++) {
			const struct lb_backend *b = &config->pools[p].backends[i];
			struct member *m = find_member(h, config->pools[p].name, b, d->n_members);

			d->known[d->n_members] = m;
			if (!m)
				m = new_member(h, &d->pools[p], b);
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
	d->members = calloc(members + 1, sizeof(*d->members));
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
static int make_room(const struct draft *d)
{
	struct rlimit limit;
	rlim_t want = SPARE_FILES;

	for (size_t i = 0; i < d->n_members; i++)
		want += d->members[i]->pool->n_targets > 0;
	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= want)
		return 0;
	limit.rlim_cur = want;
	if (limit.rlim_max < want)
		limit.rlim_max = want;
	if (!setrlimit(RLIMIT_NOFILE, &limit))
		return 0;
	return log_err_r(-EMFILE,
			 "health probes need %llu open files, and the limit is %llu; raise it: "
			 "LimitNOFILE= of the unit, or ulimit -n",
			 (unsigned long long)want, (unsigned long long)limit.rlim_max);
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
		record_init(&m->record, HEALTH_UNKNOWN, now_ms());
		tell(m);
	}
	if (same) {
		m->ask.health = &pool->health;
		m->ask.request = pool->n_targets ? pool->targets[m->target].request : NULL;
		return;
	}
	stop(m);
	begin(m);
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
		stop(old[i]);
		free(old[i]);
	}
	if (moved)
		probe_path_close(h->path);
	free_pools(h->pools, h->n_pools);
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
	h->trouble = 0;
	h->generation++;
}

/* Places in the data plane */

static void place(struct member *m, __u32 index, const struct mplb_backend_info *info, bool fresh)
{
	if (m->index != index && m->probe.active) {
		/* It went to the place that the member had before. */
		stop(m);
		begin(m);
	}
	m->index = index;
	if (!fresh || !(info->flags & MPLB_MEMBER_F_DOWN))
		return;
	if (m->pool->n_targets)
		record_init(&m->record, HEALTH_DOWN, now_ms());
	else
		tell(m);
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
			place(m, i, info, m->index == NO_PLACE);
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

		if (m->pool == pool || m->index == NO_PLACE)
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
	err = err ? err : make_room(&d);
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

/* Life */

int health_open(const struct health_env *env, struct health **out)
{
	const struct timeval second = { .tv_sec = TICK_S };
	struct health *h = calloc(1, sizeof(*h));

	if (!h)
		return log_err_r(-ENOMEM, "out of memory");
	h->env = *env;
	h->random = now_us() | 1;
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
		stop(h->members[i]);
		free(h->members[i]);
	}
	probe_path_close(h->path);
	free_pools(h->pools, h->n_pools);
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
