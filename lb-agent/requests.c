/* SPDX-License-Identifier: GPL-2.0-only */
#include "requests.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "left.h"
#include "lib/control.h"
#include "lib/log.h"
#include "loader/config.h"
#include "outside.h"
#include "reconcile.h"

struct requests {
	struct requests_env env;
	struct control *control;
	struct waiting *waiting;
};

/* A client that waits for a backend to say what is left. */
struct waiting {
	struct requests *requests;
	struct control_peer *peer;
	struct left *left;
	json_t *answer; /* to be added to */
	struct waiting *next;
};

/* A request at work. */
struct work {
	struct requests *requests;
	const json_t *request;
	json_t *answer;
	struct control_peer *peer;
	bool later; /* somebody else answers */
};

static const char *text_of(const struct work *w, const char *key)
{
	return json_string_value(json_object_get(w->request, key));
}

/* The text at key, or NULL with an error logged. */
static const char *need(const struct work *w, const char *key)
{
	const char *text = text_of(w, key);

	if (!text)
		log_error("control: the request lacks a text \"%s\"", key);
	return text;
}

/* Config */

static int load(struct work *w, const char *name, const char *text)
{
	const struct requests_env *env = &w->requests->env;
	json_t *changes = json_array();
	int err = env->load(env->data, name, text, changes);

	if (!err)
		json_object_set(w->answer, "changes", changes);
	json_decref(changes);
	return err;
}

static int apply(struct work *w)
{
	const char *name = need(w, "name"), *text = need(w, "text");
	char *own;
	int err;

	if (!name || !text)
		return -EINVAL;
	log_info("applying %s", name);
	err = load(w, name, text);
	own = realpath(w->requests->env.config, NULL);
	if (!err && (!own || strcmp(name, own) != 0))
		log_warn("%s is in force until lb-agent reads its own config again: %s", name,
			 w->requests->env.config);
	free(own);
	return err;
}

static int reload(struct work *w)
{
	log_info("reloading %s", w->requests->env.config);
	return load(w, w->requests->env.config, NULL);
}

/* Orders */

static int order(struct work *w, const struct order *order)
{
	json_t *changes = json_array();
	int err = reconcile_order(w->requests->env.reconciler, order, changes);

	if (!err) {
		reconcile_log(changes);
		json_object_set(w->answer, "changes", changes);
	}
	json_decref(changes);
	return err;
}

static int order_backend(struct work *w, enum order_verb verb, __u32 weight)
{
	const struct order o = { .verb = verb, .name = need(w, "backend"), .weight = weight };

	return o.name ? order(w, &o) : -EINVAL;
}

static int drain(struct work *w)
{
	return order_backend(w, ORDER_DRAIN, 0);
}

static int undrain(struct work *w)
{
	return order_backend(w, ORDER_UNDRAIN, 0);
}

static int weight(struct work *w)
{
	const json_t *number = json_object_get(w->request, "weight");
	json_int_t n = json_integer_value(number);

	if (json_is_null(number))
		return order_backend(w, ORDER_UNWEIGHT, 0);
	if (!json_is_integer(number) || n < 0 || n > 65535)
		return log_err_r(-EINVAL,
				 "control: \"weight\" is a number from 0 to 65535, or null");
	return order_backend(w, ORDER_WEIGHT, (__u32)n);
}

static int settle(struct work *w)
{
	const json_t *pool = json_object_get(w->request, "pool");

	if (pool && !json_is_string(pool))
		return log_err_r(-EINVAL, "control: \"pool\" is a text");
	return order(w, &(struct order){ .verb = ORDER_SETTLE, .name = json_string_value(pool) });
}

/* What is left on a backend */

static void forget(struct waiting *gone)
{
	for (struct waiting **at = &gone->requests->waiting; *at; at = &(*at)->next) {
		if (*at == gone) {
			*at = gone->next;
			break;
		}
	}
	free(gone);
}

static void on_left(void *data, json_t *left)
{
	struct waiting *waiting = data;

	json_object_update_missing(waiting->answer, left);
	json_decref(left);
	control_answer(waiting->peer, waiting->answer);
	forget(waiting);
}

/* The backend that text names in the config: NAME or POOL/NAME. NULL: logged. */
static const struct lb_backend *find_backend(const struct lb_config *config, const char *text,
					     const struct lb_pool **in)
{
	const struct lb_backend *found = NULL;
	const char *slash = strchr(text, '/');

	for (size_t p = 0; p < config->n_pools; p++) {
		const struct lb_pool *pool = &config->pools[p];

		if (slash && (strlen(pool->name) != (size_t)(slash - text) ||
			      strncmp(pool->name, text, (size_t)(slash - text)) != 0))
			continue;
		for (size_t i = 0; i < pool->n_backends; i++) {
			if (strcmp(pool->backends[i].name, slash ? slash + 1 : text) != 0)
				continue;
			if (found) {
				log_error("%s: several backends are called this; say POOL/%s", text,
					  text);
				return NULL;
			}
			found = &pool->backends[i];
			*in = pool;
		}
	}
	if (!found)
		log_error("%s: no backend in the config is called this; see: lbctl show backend",
			  text);
	return found;
}

static int wait_for_left(struct work *w, const struct lb_pool *pool, const struct lb_backend *b)
{
	struct waiting *waiting = calloc(1, sizeof(*waiting));

	if (waiting) {
		waiting->requests = w->requests;
		waiting->peer = w->peer;
		waiting->answer = w->answer;
		waiting->left = left_ask(w->requests->env.base, &b->addr, pool->metrics_port,
					 on_left, waiting);
	}
	if (!waiting || !waiting->left) {
		free(waiting);
		return log_err_r(-ENOMEM, "out of memory");
	}
	json_incref(w->answer);
	waiting->next = w->requests->waiting;
	w->requests->waiting = waiting;
	w->later = true;
	return 0;
}

static int left(struct work *w)
{
	const struct lb_config *config = reconcile_config_now(w->requests->env.reconciler);
	const char *name = need(w, "backend");
	const struct lb_backend *b;
	const struct lb_pool *pool = NULL;

	b = name && config ? find_backend(config, name, &pool) : NULL;
	if (!b)
		return -EINVAL;
	json_object_set_new(w->answer, "pool", json_string(pool->name));
	json_object_set_new(w->answer, "backend", json_string(b->name));
	if (pool->metrics_port)
		return wait_for_left(w, pool, b);
	json_object_set_new(w->answer, "problem",
			    json_string("the pool has no metrics_port to ask its server-pm at"));
	return 0;
}

/* Looking */

static int status(struct work *w)
{
	const struct requests_env *env = &w->requests->env;

	json_object_set_new(w->answer, "version", json_string(MPLB_VERSION));
	json_object_set_new(w->answer, "pid", json_integer(getpid()));
	json_object_set_new(w->answer, "config", json_string(env->config));
	json_object_set_new(w->answer, "settle", reconcile_json(env->reconciler));
	json_object_set_new(w->answer, "health", env->health(env->data));
	json_object_set_new(w->answer, "anycast", outside_anycast_json(env->outside));
	return 0;
}

/* The table of requests */

static const struct verb {
	const char *name;
	int (*run)(struct work *w);
} verbs[] = {
	{ "apply", apply },   { "reload", reload }, { "drain", drain }, { "undrain", undrain },
	{ "weight", weight }, { "settle", settle }, { "left", left },	{ "status", status },
};

static int carry_out(struct work *w)
{
	const char *name = need(w, "request");

	if (!name)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (!strcmp(verbs[i].name, name))
			return verbs[i].run(w);
	return log_err_r(-EINVAL,
			 "control: no request is called \"%.64s\"; is this lb-agent older "
			 "than lbctl?",
			 name);
}

/* What is logged meanwhile is what the client has to know. */
static void on_log(void *data, enum log_level level, const char *line)
{
	static const char *const words[] = { [LOG_ERROR] = "error", [LOG_WARN] = "warning" };
	json_t *log = data;

	if (level <= LOG_WARN)
		json_array_append_new(log,
				      json_pack("{s:s, s:s}", "level", words[level], "text", line));
}

static void on_request(void *data, struct control_peer *peer, const json_t *request)
{
	struct work w = {
		.requests = data,
		.request = request,
		.peer = peer,
		.answer = json_object(),
	};
	json_t *log = json_array();
	int err;

	log_tap(on_log, log);
	err = carry_out(&w);
	log_tap(NULL, NULL);
	/* As lbctl exits: 1 for what the user gave, 2 for what was refused. */
	json_object_set_new(w.answer, "exit", json_integer(!err ? 0 : err == -EINVAL ? 1 : 2));
	json_object_set_new(w.answer, "log", log);
	if (w.later)
		json_decref(w.answer);
	else
		control_answer(peer, w.answer);
}

int requests_open(const struct requests_env *env, struct requests **out)
{
	struct requests *q = calloc(1, sizeof(*q));
	struct control_env control = {
		.base = env->base, .address = env->address, .request = on_request, .data = q
	};
	int err;

	if (!q)
		return log_err_r(-ENOMEM, "out of memory");
	q->env = *env;
	err = control_open(&control, &q->control);
	if (err) {
		free(q);
		return err;
	}
	*out = q;
	return 0;
}

void requests_close(struct requests *q)
{
	struct waiting *waiting, *next;

	if (!q)
		return;
	for (waiting = q->waiting; waiting; waiting = next) {
		next = waiting->next;
		left_cancel(waiting->left);
		json_decref(waiting->answer);
		free(waiting);
	}
	control_close(q->control);
	free(q);
}
