/* SPDX-License-Identifier: GPL-2.0-only */
#include "anycast_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "lib/log.h"
#include "lib/monotonic.h"
#include "loader/config.h"

#define LEAVE_MS 3000 /* how long BIRD may take to confirm a withdrawal when we leave */

/* ---- how things are ---- */

static enum announce_fitness pool_fitness(struct anycast *a, const struct lb_pool *pool,
					  unsigned int least, char why[static ANYCAST_WHY_LEN])
{
	struct anycast_health health = a->env.health(a->env.data, pool);

	*why = '\0';
	if (health.up >= least)
		return ANNOUNCE_FIT;
	if (health.up + health.undecided >= least) {
		snprintf(why, ANYCAST_WHY_LEN, "the health of pool %s is not known yet",
			 pool->name);
		return ANNOUNCE_UNDECIDED;
	}
	snprintf(why, ANYCAST_WHY_LEN, "%u of %zu backends are up, min_healthy is %u", health.up,
		 pool->n_backends, least);
	return ANNOUNCE_UNFIT;
}

/* The node is fit while one of its VIPs is: a pool that is down is down for every node. */
static enum announce_fitness fitness(struct anycast *a, const struct lb_anycast *conf,
				     char why[static ANYCAST_WHY_LEN])
{
	enum announce_fitness best = ANNOUNCE_UNFIT;
	char text[ANYCAST_WHY_LEN];

	if (a->env.attached && !a->env.attached(a->env.data)) {
		snprintf(why, ANYCAST_WHY_LEN,
			 "no NIC runs the data plane; see: lbctl help attach");
		return ANNOUNCE_UNFIT;
	}
	if (conf->vip)
		return pool_fitness(a, conf->vip->pool, conf->min_healthy, why);
	snprintf(why, ANYCAST_WHY_LEN, "no VIP has %u backends up", conf->min_healthy);
	for (size_t v = 0; v < a->config->n_vips && best != ANNOUNCE_FIT; v++) {
		enum announce_fitness one =
			pool_fitness(a, a->config->vips[v].pool, conf->min_healthy, text);

		if (one <= best)
			continue;
		best = one;
		memcpy(why, text, ANYCAST_WHY_LEN);
	}
	return best;
}

/* ---- what follows ---- */

static void tell(const struct anycast_entry *e, enum announce_state was)
{
	enum announce_state is = e->announce.state;

	if (is == was)
		return;
	if (was == ANNOUNCE_STARTING && is == ANNOUNCE_UP) /* the agent before has announced it */
		is = ANNOUNCE_TAKEN_OVER;
	switch (is) {
	case ANNOUNCE_STARTING:
		break;
	case ANNOUNCE_TAKEN_OVER:
		log_info("anycast %s: is announced already (%s), and stays so", e->name,
			 e->protocol);
		break;
	case ANNOUNCE_DOWN:
		log_at(was == ANNOUNCE_UP || was == ANNOUNCE_TAKEN_OVER ? LOG_WARN : LOG_INFO,
		       "anycast %s: %s (%s)%s%s", e->name,
		       was == ANNOUNCE_UP || was == ANNOUNCE_TAKEN_OVER ? "withdrawn"
									: "not announced",
		       e->protocol, *e->why ? ": " : "", e->why);
		break;
	case ANNOUNCE_HELD:
		log_info("anycast %s: all is well; announced if it stays so for %.1f s (hold_down)",
			 e->name, e->announce.hold_down_ms / 1000.0);
		break;
	case ANNOUNCE_UP:
		log_info("anycast %s: announced (%s)", e->name, e->protocol);
		break;
	}
}

static void want(struct anycast_entry *e, enum bird_want what)
{
	if (e->want == what)
		return;
	e->want = what;
	bird_want(e->bird, e->protocol, what);
}

static void step(struct anycast *a, struct anycast_entry *e, uint64_t now)
{
	enum announce_state was = e->announce.state;
	enum announce_fitness fit;

	if (!e->conf || a->leaving) {
		want(e, BIRD_DISABLE);
		return;
	}
	fit = fitness(a, e->conf, e->why);
	want(e, announce_step(&e->announce, fit, bird_state(e->bird, e->protocol), now));
	tell(e, was);
}

static void set_timer(struct anycast *a, uint64_t due, uint64_t now)
{
	uint64_t ms = due > now ? due - now : 0;
	const struct timeval delay = { (time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000) };

	if (due)
		event_add(a->timer, &delay);
	else
		event_del(a->timer);
}

static bool all_withdrawn(const struct anycast *a)
{
	for (size_t i = 0; i < a->n; i++)
		if (!bird_obeys(a->entries[i].bird, a->entries[i].protocol))
			return false;
	return true;
}

/* Goes on with leaving. Returns when to look again; 1: at once. */
static uint64_t leave(struct anycast *a, uint64_t now)
{
	if (a->end_ms)
		return a->end_ms;
	a->confirmed = all_withdrawn(a);
	if (!a->confirmed && now < a->give_up_ms)
		return a->give_up_ms;
	for (size_t i = 0; !a->confirmed && i < a->n; i++) {
		const struct anycast_entry *e = &a->entries[i];

		if (!bird_obeys(e->bird, e->protocol))
			log_error("anycast %s: BIRD at %s has not confirmed the withdrawal of "
				  "\"%s\": routers may still send packets here",
				  e->name, e->socket, e->protocol);
	}
	if (a->drain_ms)
		log_info("anycast: withdrawn; %.1f s for packets that are under way (drain_time)",
			 a->drain_ms / 1000.0);
	a->end_ms = now + a->drain_ms;
	return a->end_ms ? a->end_ms : 1;
}

/* A step of everything. */
static void act(struct anycast *a)
{
	uint64_t now = monotonic_ms(), due = 0;

	for (size_t i = 0; i < a->n; i++) {
		struct anycast_entry *e = &a->entries[i];
		uint64_t one;

		step(a, e, now);
		if (e->conf)
			one = announce_due(&e->announce);
		else /* to be cleaned away, from the timer */
			one = bird_obeys(e->bird, e->protocol);
		if (one && (!due || one < due))
			due = one;
	}
	if (a->leaving)
		due = leave(a, now);
	set_timer(a, due, now);
}

void anycast_look(struct anycast *a)
{
	act(a);
}

static void on_seen(void *data, const char *protocol, enum bird_state state)
{
	(void)protocol;
	(void)state;
	act(data);
}

/* Forgets what was taken out of the config and is withdrawn, and the sockets that nobody uses. */
static void clean(struct anycast *a)
{
	for (size_t i = 0; i < a->n;) {
		struct anycast_entry *e = &a->entries[i];

		if (e->conf || !bird_obeys(e->bird, e->protocol)) {
			i++;
			continue;
		}
		bird_forget(e->bird, e->protocol);
		*e = a->entries[--a->n];
	}
	for (size_t b = 0; b < a->n_birds;) {
		size_t i = 0;

		while (i < a->n && a->entries[i].bird != a->birds[b])
			i++;
		if (i < a->n) {
			b++;
			continue;
		}
		bird_close(a->birds[b]);
		a->birds[b] = a->birds[--a->n_birds];
	}
}

static void on_timer(evutil_socket_t fd, short what, void *data)
{
	struct anycast *a = data;

	(void)fd;
	(void)what;
	if (a->leaving && a->end_ms && monotonic_ms() >= a->end_ms) {
		a->left(a->left_data);
		return;
	}
	if (!a->leaving)
		clean(a);
	act(a);
}

/* ---- the config ---- */

static struct bird *bird_at(struct anycast *a, const char *path)
{
	const struct bird_events events = { .seen = on_seen, .data = a };
	struct bird **more;

	for (size_t i = 0; i < a->n_birds; i++)
		if (!strcmp(bird_path(a->birds[i]), path))
			return a->birds[i];
	more = realloc(a->birds, (a->n_birds + 1) * sizeof(struct bird *));
	if (!more) {
		log_error("out of memory");
		return NULL;
	}
	a->birds = more;
	if (bird_open(a->env.base, path, &events, &a->birds[a->n_birds]))
		return NULL;
	return a->birds[a->n_birds++];
}

static struct anycast_entry *find(struct anycast *a, const struct lb_anycast *conf)
{
	for (size_t i = 0; i < a->n; i++)
		if (!strcmp(a->entries[i].protocol, conf->protocol) &&
		    !strcmp(a->entries[i].socket, conf->socket))
			return &a->entries[i];
	return NULL;
}

/* An entry that is new, or was on its way out. */
static void set(struct anycast_entry *e, const struct lb_anycast *conf)
{
	if (!e->conf)
		announce_begin(&e->announce, conf->hold_down_ms, monotonic_ms());
	e->conf = conf;
	e->kept = true;
	e->announce.hold_down_ms = conf->hold_down_ms;
	snprintf(e->name, sizeof(e->name), "%s", conf->vip ? conf->vip->name : "node");
}

static int add(struct anycast *a, const struct lb_anycast *conf)
{
	struct anycast_entry *e = &a->entries[a->n];
	int err;

	*e = (struct anycast_entry){ .bird = bird_at(a, conf->socket), .want = BIRD_LEAVE };
	if (!e->bird)
		return -ENOMEM;
	snprintf(e->socket, sizeof(e->socket), "%s", conf->socket);
	snprintf(e->protocol, sizeof(e->protocol), "%s", conf->protocol);
	err = bird_want(e->bird, e->protocol, BIRD_LEAVE);
	if (!err)
		a->n++;
	return err;
}

/* Lets go of those that are not in the config any more. */
static void retire(struct anycast *a)
{
	for (size_t i = 0; i < a->n; i++) {
		struct anycast_entry *e = &a->entries[i];

		if (e->kept || !e->conf)
			continue;
		log_info("anycast %s: withdrawn (%s): no longer in the config", e->name,
			 e->protocol);
		e->conf = NULL;
	}
}

int anycast_configure(struct anycast *a, const struct lb_config *config)
{
	size_t room = a->n + config->n_anycast, was = a->n;
	struct anycast_entry *more = realloc(a->entries, (room ? room : 1) * sizeof(*more));
	int err = 0;

	if (!more)
		return log_err_r(-ENOMEM, "out of memory");
	a->entries = more;
	for (size_t i = 0; !err && i < config->n_anycast; i++)
		if (!find(a, &config->anycast[i]))
			err = add(a, &config->anycast[i]);
	if (err) {
		for (; a->n > was; a->n--)
			bird_forget(a->entries[a->n - 1].bird, a->entries[a->n - 1].protocol);
		return err;
	}
	a->config = config;
	for (size_t i = 0; i < a->n; i++)
		a->entries[i].kept = false;
	for (size_t i = 0; i < config->n_anycast; i++)
		set(find(a, &config->anycast[i]), &config->anycast[i]);
	retire(a);
	act(a);
	return 0;
}

void anycast_leave(struct anycast *a, void (*left)(void *data), void *data)
{
	a->leaving = true;
	a->left = left;
	a->left_data = data;
	a->give_up_ms = monotonic_ms() + LEAVE_MS;
	for (size_t i = 0; i < a->n; i++) {
		const struct anycast_entry *e = &a->entries[i];

		if (e->want == BIRD_ENABLE && e->conf->drain_ms > a->drain_ms)
			a->drain_ms = e->conf->drain_ms;
	}
	act(a);
}

bool anycast_is_withdrawn(const struct anycast *a)
{
	return a->confirmed;
}

/* ---- life ---- */

int anycast_open(const struct anycast_env *env, struct anycast **out)
{
	struct anycast *a = calloc(1, sizeof(*a));

	if (!a)
		return log_err_r(-ENOMEM, "out of memory");
	a->env = *env;
	a->timer = evtimer_new(env->base, on_timer, a);
	if (!a->timer) {
		free(a);
		return log_err_r(-ENOMEM, "out of memory");
	}
	*out = a;
	return 0;
}

void anycast_close(struct anycast *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->n_birds; i++)
		bird_close(a->birds[i]);
	event_free(a->timer);
	free(a->birds);
	free(a->entries);
	free(a);
}
