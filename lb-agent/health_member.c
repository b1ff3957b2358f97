/* SPDX-License-Identifier: GPL-2.0-only */
#include "health_member.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "lib/monotonic.h"

#define RETRY_MS     1000 /* where a probe could not be sent; at most the interval */
#define SPREAD_MS    10000 /* the first probes go out within this; at most the interval */
#define QUIET_MS     10000 /* between two lines of log about probes that cannot be sent */
#define JITTER_SHARE 20 /* an interval is up to a twentieth shorter: never longer */

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
		 now = monotonic_us();

	wait_us(m, due > now ? due - now : 0);
}

static void retry(struct member *m)
{
	uint32_t interval = m->pool->health.interval_ms;

	wait_us(m, 1000ULL * (interval < RETRY_MS ? interval : RETRY_MS));
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
		m->rtt_ms = (double)(monotonic_us() - m->begun_us) / 1000;
	snprintf(m->why, sizeof(m->why), "%s", why);
	schedule(m);
	if (!record_result(&m->record, &m->pool->health, passed, monotonic_ms()))
		return;
	log_change(m);
	health_tell(m);
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
	uint64_t now = monotonic_ms();
	struct ip source;

	m->ask = (struct probe_target){ .health = &m->pool->health,
					.to = target->to,
					.request = target->request };
	if (!h->env.datapath) {
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

/* Says why probes cannot be sent, but not for each. It is not the backends' fault. */
static void say_trouble(struct member *m, int err)
{
	static const char *const none = "no address to probe from";
	const char *mend = "";

	if (monotonic_ms() < m->health->quiet_ms)
		return;
	m->health->quiet_ms = monotonic_ms() + QUIET_MS;
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
	uint64_t spent = (monotonic_us() - m->begun_us) / 1000;
	int err;

	if (spent >= health->timeout_ms) {
		result(m, false, "no answer in time");
		return;
	}
	err = set_way(m, target) ? 0 : -EADDRNOTAVAIL;
	if (!err)
		err = probe_start(&m->probe, m->health->env.base, &m->ask,
				  health->timeout_ms - (uint32_t)spent, on_done, m);
	if (err == -EADDRNOTAVAIL && !m->health->env.datapath) {
		result(m, false, "the VIP is not an address of this machine");
	} else if (err) {
		say_trouble(m, err);
		retry(m);
	}
}

static void on_next(evutil_socket_t fd, short what, void *data)
{
	struct member *m = data;

	(void)fd;
	(void)what;
	if (m->health->path && (m->index == HEALTH_NO_PLACE || !m->health->is_open)) {
		retry(m);
		return;
	}
	m->begun_us = monotonic_us();
	m->target = 0;
	start(m);
}

void member_stop(struct member *m)
{
	probe_cancel(&m->probe);
	event_del(&m->next);
}

void member_begin(struct member *m)
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

struct member *member_new(struct health *h, const struct health_pool *pool,
			  const struct lb_backend *b)
{
	struct member *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->health = h;
	m->pool = pool;
	m->id = b->id;
	m->addr = b->addr;
	m->index = HEALTH_NO_PLACE;
	record_init(&m->record, HEALTH_UNKNOWN, monotonic_ms());
	evtimer_assign(&m->next, h->env.base, on_next, m);
	return m;
}
