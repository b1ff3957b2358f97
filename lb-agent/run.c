/* SPDX-License-Identifier: GPL-2.0-only */
/* lb-agent run */
#include "agent.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "follow.h"
#include "health.h"
#include "lib/log.h"
#include "loader/apply.h"
#include "outside.h"

struct agent {
	const struct agent_options *options;
	struct datapath *dp;
	struct event_base *base;
	struct event *signals[3];
	struct follower *follower;
	struct outside *outside;
	struct health *health;
	struct event *verdict; /* what health says is to be put in force */
	struct lb_config *config; /* in force */
	bool leaving;
	int lock; /* one agent per data plane; -1: not taken */
	int err; /* what ended the loop */
};

static const char *text_at(const json_t *change, const char *key)
{
	return json_string_value(json_object_get(change, key));
}

static void log_changes(const json_t *changes)
{
	const json_t *change;
	size_t i;

	json_array_foreach (changes, i, change)
		log_info("%s %s %s: %s", text_at(change, "action"), text_at(change, "object"),
			 text_at(change, "name"), text_at(change, "detail"));
	if (!json_array_size(changes))
		log_info("config: nothing to change");
}

/* Makes a config what is in force, and takes it. 0 or -errno, logged: then nothing changed. */
static int put_in_force(struct agent *a, struct lb_config *config)
{
	json_t *changes = json_array();
	int err = a->dp ? apply_config(a->dp, config, changes) : 0;

	if (!err && a->dp)
		log_changes(changes);
	json_decref(changes);
	if (!err)
		err = health_configure(a->health, config);
	if (!err) /* which asks for the health of what is configured */
		err = outside_configure(a->outside, config);
	if (err)
		return err;
	lb_config_free(a->config);
	a->config = config;
	return 0;
}

struct verdicts {
	struct verdict *of;
	size_t n;
};

static void see_member(void *data, const struct health_member *m)
{
	struct verdicts *v = data;

	v->of[v->n++] = (struct verdict){
		.pool = m->pool, .id = m->id, .addr = m->addr, .down = m->state == HEALTH_DOWN
	};
}

static void on_verdict(evutil_socket_t fd, short what, void *data)
{
	struct agent *a = data;
	struct verdicts v = { .of = calloc(MPLB_MAX_BACKENDS + 1, sizeof(*v.of)) };
	json_t *changes = json_array();

	(void)fd;
	(void)what;
	if (v.of && a->dp) {
		health_each(a->health, see_member, &v);
		if (!apply(a->dp, &(struct demand){ .verdicts = v.of, .n_verdicts = v.n }, changes))
			log_changes(changes);
	}
	json_decref(changes);
	free(v.of);
	outside_look(a->outside);
}

static void on_health(void *data, const struct health_member *m)
{
	struct agent *a = data;

	(void)m;
	event_active(a->verdict, EV_TIMEOUT, 0);
}

static int reload(struct agent *a)
{
	struct lb_config *config;
	int err = lb_config_load(a->options->config, &config) ? -EINVAL : 0;

	if (err)
		return err;
	if (config->no_data_plane != !a->dp)
		err = log_err_r(-EINVAL, "data_plane is another: start lb-agent again for that");
	err = err ? err : put_in_force(a, config);
	if (err)
		lb_config_free(config);
	return err;
}

static void on_left(void *data)
{
	struct agent *a = data;

	event_base_loopbreak(a->base);
}

/* Ends; what is announced is withdrawn first. The second time, without waiting. */
static void stop(struct agent *a)
{
	if (!outside_announces(a->outside) || a->leaving) {
		event_base_loopbreak(a->base);
		return;
	}
	a->leaving = true;
	log_info("stopping");
	outside_leave(a->outside, on_left, a);
}

static void on_signal(evutil_socket_t number, short what, void *data)
{
	struct agent *a = data;

	(void)what;
	if (number != SIGHUP) {
		stop(a);
		return;
	}
	log_info("reloading %s", a->options->config);
	if (reload(a)) {
		outside_refused(a->outside);
		log_error("%s: not reloaded; what was in force stays", a->options->config);
	} else if (a->follower) {
		follower_look(a->follower);
	}
}

static void on_gone(void *data)
{
	struct agent *a = data;

	a->err = log_err_r(
		-ENOENT, "%s: the data plane was taken away; attach it, then start lb-agent again",
		a->dp->folder);
	stop(a);
}

static int take_lock(struct agent *a)
{
	char folder[PIN_PATH_MAX];
	int err = pin_folder(a->options->pin_dir, "agent", 1, folder);

	if (err)
		return err;
	a->lock = pin_lock(folder, 0);
	if (a->lock == -EBUSY)
		log_error("another lb-agent works in %s; stop it first, or give another --pin-dir",
			  a->options->pin_dir);
	return a->lock < 0 ? a->lock : 0;
}

static int set_up(struct agent *a)
{
	struct outside_env outside = { .datapath = a->dp };
	int err;

	static const int numbers[] = { SIGTERM, SIGINT, SIGHUP };

	a->base = event_base_new();
	if (!a->base)
		return log_err_r(-ENOMEM, "cannot make an event loop");
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		a->signals[i] = evsignal_new(a->base, numbers[i], on_signal, a);
		if (!a->signals[i] || event_add(a->signals[i], NULL))
			return log_err_r(-ENOMEM, "cannot catch signals");
	}
	a->verdict = evtimer_new(a->base, on_verdict, a);
	if (!a->verdict)
		return log_err_r(-ENOMEM, "out of memory");
	err = health_open(&(struct health_env){ .base = a->base,
						.datapath = a->dp,
						.change = on_health,
						.data = a },
			  &a->health);
	if (err)
		return err;
	outside.health = a->health;
	outside.base = a->base;
	err = outside_open(&outside, &a->outside);
	if (err || !a->dp)
		return err;
	/* Before the first look-up, so that no change falls in between. */
	return follower_open(a->dp, a->base, on_gone, a, &a->follower);
}

static void tear_down(struct agent *a)
{
	follower_close(a->follower);
	outside_close(a->outside);
	health_close(a->health);
	if (a->verdict)
		event_free(a->verdict);
	lb_config_free(a->config);
	for (size_t i = 0; i < sizeof(a->signals) / sizeof(a->signals[0]); i++)
		if (a->signals[i])
			event_free(a->signals[i]);
	if (a->base)
		event_base_free(a->base);
	if (a->lock >= 0)
		close(a->lock);
	datapath_close(a->dp);
}

/* Without a data plane there is nothing to lock, and no need for rights. */
static int open_datapath(struct agent *a)
{
	int err = datapath_open(a->options->pin_dir, &a->dp);

	return err ? err : take_lock(a);
}

int agent_cmd_run(const struct agent_options *options)
{
	struct agent a = { .options = options, .lock = -1 };
	struct lb_config *config = NULL;
	int err = lb_config_load(options->config, &config) ? -EINVAL : 0;

	if (!err && !config->no_data_plane)
		err = open_datapath(&a);
	err = err ? err : set_up(&a);
	err = err ? err : put_in_force(&a, config);
	if (err)
		lb_config_free(config);
	if (!err) {
		log_info("ready");
		event_base_dispatch(a.base);
		err = a.err;
		if (!err)
			log_info("stopped%s", a.leaving || !a.dp ? "" : "; traffic flows on");
	}
	tear_down(&a);
	return !err ? AGENT_OK : err == -EINVAL ? AGENT_USAGE : AGENT_REFUSED;
}
