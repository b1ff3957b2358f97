/* SPDX-License-Identifier: GPL-2.0-only */
/* lb-agent run */
#include "agent.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "follow.h"
#include "health.h"
#include "lib/log.h"
#include "lib/monotonic.h"
#include "lib/notify.h"
#include "loader/agent_socket.h"
#include "loader/config.h"
#include "mplb/maps.h"
#include "outside.h"
#include "reconcile.h"
#include "requests.h"

#define STATE_FILE "/var/lib/mplb/orders.json"

/* The agent that runs, and its parts. Without a data plane dp and follower are NULL. */
struct agent {
	const struct agent_options *options;
	char socket[AGENT_SOCKET_MAX];
	struct datapath *dp;
	struct event_base *base;
	struct event *signals[3];
	struct event *watchdog; /* systemd's; NULL: there is none */
	struct follower *follower;
	struct health *health;
	struct outside *outside;
	struct reconciler *reconciler;
	struct requests *requests;
	bool leaving;
	int lock; /* one agent per data plane; -1: not taken */
	int err; /* what ended the loop */
};

/* Loading */

static void log_loaded(const struct agent *a, const json_t *changes)
{
	if (json_array_size(changes))
		reconcile_log(changes);
	else if (a->dp)
		log_info("config: nothing to change");
}

/* Puts a config in force: that of a text, or, NULL, of the file. 0 or -errno, logged: then nothing
 * changed. */
static int load(void *data, const char *name, const char *text, json_t *changes)
{
	struct agent *a = data;
	struct lb_config *config = NULL;
	int err = text ? lb_config_parse(name, text, strlen(text), &config)
		       : lb_config_load(name, &config);

	if (err)
		err = -EINVAL;
	else if (config->no_data_plane != !a->dp)
		err = log_err_r(-EINVAL, "%s: data_plane is another; start lb-agent again for that",
				name);
	err = err ? err : reconcile_config(a->reconciler, config, changes);
	if (err) {
		lb_config_free(config);
		outside_refused(a->outside);
		log_error("%s: not %s; what was in force stays", name,
			  text ? "applied" : "reloaded");
		return err;
	}
	log_loaded(a, changes);
	return 0;
}

static int configure(void *data, const struct lb_config *config)
{
	struct agent *a = data;
	int err = health_configure(a->health, config);

	/* Asks for the health of what is configured. */
	return err ? err : outside_configure(a->outside, config);
}

/* Health */

struct verdicts {
	struct verdict *of;
	size_t n, room;
};

static void see_member(void *data, const struct health_member *m)
{
	struct verdicts *v = data;

	if (m->state != HEALTH_UNKNOWN && v->n < v->room)
		v->of[v->n++] = (struct verdict){ .pool = m->pool,
						  .id = m->id,
						  .addr = m->addr,
						  .down = m->state == HEALTH_DOWN };
}

static size_t verdicts(void *data, struct verdict *out, size_t n)
{
	const struct agent *a = data;
	struct verdicts v = { .of = out, .room = n };

	health_each(a->health, see_member, &v);
	return v.n;
}

static void on_health(void *data, const struct health_member *m)
{
	struct agent *a = data;

	(void)m;
	reconcile_health(a->reconciler);
}

static void add_row(void *data, const struct health_member *m)
{
	static const char *const words[] = { "unknown", "up", "down" };
	const double ago = (double)(monotonic_ms() - m->since_ms) / 1000;

	json_array_append_new(data,
			      json_pack("{s:s, s:s, s:s, s:f, s:f, s:I, s:I, s:I, s:b, s:s*}",
					"pool", m->pool, "backend", m->backend, "state",
					words[m->state], "for_s", ago, "rtt_ms", m->rtt_ms,
					"probes", (json_int_t)m->probes, "failures",
					(json_int_t)m->failures, "changes", (json_int_t)m->changes,
					"damped", (int)m->damped, "why", *m->why ? m->why : NULL));
}

static json_t *health_json(void *data)
{
	const struct agent *a = data;
	json_t *rows = json_array();

	health_each(a->health, add_row, rows);
	return rows;
}

static void on_changed(void *data)
{
	struct agent *a = data;

	if (a->follower)
		follower_look(a->follower);
	outside_look(a->outside);
}

/* Ending */

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
	notify("STOPPING=1\nSTATUS=withdrawn; waiting for packets under way");
	outside_leave(a->outside, on_left, a);
}

static void on_signal(evutil_socket_t number, short what, void *data)
{
	struct agent *a = data;
	json_t *changes;

	(void)what;
	if (number != SIGHUP) {
		stop(a);
		return;
	}
	log_info("reloading %s", a->options->config);
	changes = json_array();
	load(a, a->options->config, NULL, changes);
	json_decref(changes);
}

static void on_gone(void *data)
{
	struct agent *a = data;

	a->err = log_err_r(
		-ENOENT, "%s: the data plane was taken away; attach it, then start lb-agent again",
		a->dp->folder);
	stop(a);
}

/* Life */

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

static int catch_signals(struct agent *a)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGHUP };

	signal(SIGPIPE, SIG_IGN); /* a client that hangs up is no reason to end */
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		a->signals[i] = evsignal_new(a->base, numbers[i], on_signal, a);
		if (!a->signals[i] || event_add(a->signals[i], NULL))
			return log_err_r(-ENOMEM, "cannot catch signals");
	}
	return 0;
}

/* While the loop runs, systemd hears of it. */
static void on_watchdog(evutil_socket_t fd, short what, void *data)
{
	(void)fd;
	(void)what;
	(void)data;
	notify("WATCHDOG=1");
}

static int feed_watchdog(struct agent *a)
{
	const struct timeval second = { .tv_sec = 1 };

	if (!notify_has_watchdog())
		return 0;
	a->watchdog = event_new(a->base, -1, EV_PERSIST, on_watchdog, a);
	if (!a->watchdog || event_add(a->watchdog, &second))
		return log_err_r(-ENOMEM, "out of memory");
	return 0;
}

/* Orders of another --pin-dir are kept on disk where it is said where. */
static const char *state_file(const struct agent_options *options)
{
	if (options->state)
		return options->state;
	return strcmp(options->pin_dir, MPLB_PIN_ROOT) ? NULL : STATE_FILE;
}

static int open_parts(struct agent *a)
{
	const struct health_env health = {
		.base = a->base, .datapath = a->dp, .change = on_health, .data = a
	};
	struct outside_env outside = { .base = a->base, .datapath = a->dp };
	const struct reconcile_env reconcile = {
		.base = a->base,
		.datapath = a->dp,
		.state_file = state_file(a->options),
		.verdicts = verdicts,
		.configure = configure,
		.changed = on_changed,
		.data = a,
	};
	struct requests_env requests = {
		.base = a->base,
		.address = a->socket,
		.config = a->options->config,
		.health = health_json,
		.load = load,
		.data = a,
	};
	int err = health_open(&health, &a->health);

	outside.health = a->health;
	err = err ? err : outside_open(&outside, &a->outside);
	err = err ? err : reconcile_open(&reconcile, &a->reconciler);
	/* Before the first look-up, so that no change falls in between. */
	if (!err && a->dp)
		err = follower_open(a->dp, a->base, on_gone, a, &a->follower);
	requests.reconciler = a->reconciler;
	requests.outside = a->outside;
	return err ? err : requests_open(&requests, &a->requests);
}

/* Without a data plane there is nothing to lock, and no need for rights. */
static int set_up(struct agent *a, const struct lb_config *config)
{
	const struct agent_options *options = a->options;
	int err = config->no_data_plane ? 0 : datapath_open(options->pin_dir, &a->dp);

	if (!err && a->dp)
		err = take_lock(a);
	if (err)
		return err;
	if (!options->socket)
		agent_socket_default(options->pin_dir, a->socket);
	else if (strlen(options->socket) < sizeof(a->socket))
		strcpy(a->socket, options->socket);
	else
		return log_err_r(-EINVAL,
				 "--socket %s: the path is too long; it has at most %zu "
				 "characters",
				 options->socket, sizeof(a->socket) - 1);
	a->base = event_base_new();
	if (!a->base)
		return log_err_r(-ENOMEM, "cannot make an event loop");
	err = catch_signals(a);
	err = err ? err : feed_watchdog(a);
	return err ? err : open_parts(a);
}

static void tear_down(struct agent *a)
{
	requests_close(a->requests);
	follower_close(a->follower);
	outside_close(a->outside);
	health_close(a->health);
	reconcile_close(a->reconciler);
	for (size_t i = 0; i < sizeof(a->signals) / sizeof(a->signals[0]); i++)
		if (a->signals[i])
			event_free(a->signals[i]);
	if (a->watchdog)
		event_free(a->watchdog);
	if (a->base)
		event_base_free(a->base);
	if (a->lock >= 0) {
		agent_socket_forget(a->options->pin_dir);
		close(a->lock);
	}
	datapath_close(a->dp);
}

/* Puts the first config in force and takes it, and works until told to stop. */
static int work(struct agent *a, struct lb_config **config)
{
	json_t *changes = json_array();
	int err = reconcile_config(a->reconciler, *config, changes);

	if (!err) {
		*config = NULL;
		log_loaded(a, changes);
	}
	json_decref(changes);
	if (err)
		return err;
	if (a->dp)
		agent_socket_record(a->options->pin_dir, a->socket);
	log_info("ready");
	notify("READY=1\nSTATUS=at work");
	event_base_dispatch(a->base);
	if (!a->err)
		log_info("stopped%s", a->leaving || !a->dp ? "" : "; traffic flows on");
	return a->err;
}

int agent_cmd_run(const struct agent_options *options)
{
	struct agent a = { .options = options, .lock = -1 };
	struct lb_config *config = NULL;
	int err = lb_config_load(options->config, &config) ? -EINVAL : 0;

	err = err ? err : set_up(&a, config);
	err = err ? err : work(&a, &config);
	tear_down(&a);
	/* Last: the parts may look at it. */
	lb_config_free(config);
	return !err ? AGENT_OK : err == -EINVAL ? AGENT_USAGE : AGENT_REFUSED;
}
