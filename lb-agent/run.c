/* SPDX-License-Identifier: GPL-2.0-only */
/* lb-agent run */
#include "agent.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "follow.h"
#include "lib/log.h"
#include "loader/apply.h"

struct agent {
	const struct agent_options *options;
	struct datapath *dp;
	struct event_base *base;
	struct event *signals[3];
	struct follower *follower;
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

/* Validates the config and makes it what is in force. 0 or -errno, logged: then nothing changed. */
static int load(struct agent *a)
{
	json_t *changes = json_array();
	struct lb_config *config = NULL;
	int err = lb_config_load(a->options->config, &config) ? -EINVAL : 0;

	if (!err)
		err = apply_config(a->dp, config, changes);
	if (!err)
		log_changes(changes);
	json_decref(changes);
	lb_config_free(config);
	return err;
}

static void on_signal(evutil_socket_t number, short what, void *data)
{
	struct agent *a = data;

	(void)what;
	if (number != SIGHUP) {
		event_base_loopbreak(a->base);
		return;
	}
	log_info("reloading %s", a->options->config);
	if (load(a))
		log_error("%s: not reloaded; what was in force stays", a->options->config);
	else
		follower_look(a->follower);
}

static void on_gone(void *data)
{
	struct agent *a = data;

	a->err = log_err_r(
		-ENOENT, "%s: the data plane was taken away; attach it, then start lb-agent again",
		a->dp->folder);
	event_base_loopbreak(a->base);
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
	static const int numbers[] = { SIGTERM, SIGINT, SIGHUP };

	a->base = event_base_new();
	if (!a->base)
		return log_err_r(-ENOMEM, "cannot make an event loop");
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		a->signals[i] = evsignal_new(a->base, numbers[i], on_signal, a);
		if (!a->signals[i] || event_add(a->signals[i], NULL))
			return log_err_r(-ENOMEM, "cannot catch signals");
	}
	/* Before the first look-up, so that no change falls in between. */
	return follower_open(a->dp, a->base, on_gone, a, &a->follower);
}

static void tear_down(struct agent *a)
{
	follower_close(a->follower);
	for (size_t i = 0; i < sizeof(a->signals) / sizeof(a->signals[0]); i++)
		if (a->signals[i])
			event_free(a->signals[i]);
	if (a->base)
		event_base_free(a->base);
	if (a->lock >= 0)
		close(a->lock);
	datapath_close(a->dp);
}

int agent_cmd_run(const struct agent_options *options)
{
	struct agent a = { .options = options, .lock = -1 };
	int err = datapath_open(options->pin_dir, &a.dp);

	err = err ? err : take_lock(&a);
	err = err ? err : set_up(&a);
	err = err ? err : load(&a);
	if (!err) {
		log_info("ready");
		event_base_dispatch(a.base);
		err = a.err;
		if (!err)
			log_info("stopped; traffic flows on");
	}
	tear_down(&a);
	return !err ? AGENT_OK : err == -EINVAL ? AGENT_USAGE : AGENT_REFUSED;
}
