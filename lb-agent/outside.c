/* SPDX-License-Identifier: GPL-2.0-only */
#include "outside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "anycast.h"
#include "health.h"
#include "lib/log.h"
#include "lib/metrics_http.h"
#include "loader/config.h"
#include "loader/datapath.h"
#include "metrics.h"
#include "nics.h"

struct outside {
	struct outside_env env;
	struct anycast *anycast;
	struct nics *nics; /* NULL: no data plane */
	const struct lb_config *config;
	struct metrics_http *http; /* NULL: not served */
	struct ip http_addr;
	unsigned int http_port;
	double applied_at;
	bool refused;
	void (*left)(void *data);
	void *left_data;
};

static struct anycast_health pool_health(void *data, const struct lb_pool *pool)
{
	const struct outside *o = data;

	if (!o->env.health || pool->health.type == LB_HEALTH_NONE)
		return (struct anycast_health){ .up = (unsigned int)pool->n_backends };
	return (struct anycast_health){
		.up = (unsigned int)health_count(o->env.health, pool->name, HEALTH_UP),
		.undecided = (unsigned int)health_count(o->env.health, pool->name, HEALTH_UNKNOWN),
	};
}

static bool is_attached(void *data)
{
	const struct outside *o = data;

	return nics_attached(o->nics);
}

static void on_nics(void *data)
{
	const struct outside *o = data;

	anycast_look(o->anycast);
}

static int write_metrics(void *data, struct evbuffer *out)
{
	struct outside *o = data;
	struct agent_metrics m = { .applied_at = o->applied_at, .reload_failed = o->refused };
	int err = agent_metrics_collect(o->env.datapath, o->env.health, o->anycast, &m);

	err = err ? err : agent_metrics_write(&m, out);
	agent_metrics_drop(&m);
	return err;
}

/* The new place first, so that metrics stay at the old one where the new one cannot be had. */
static int serve(struct outside *o, const struct lb_config *config)
{
	struct metrics_http *http = NULL;
	int err = 0;

	if (config->metrics.family == o->http_addr.family &&
	    (!config->metrics.family ||
	     (ip_equal(&config->metrics, &o->http_addr) && config->metrics_port == o->http_port)))
		return 0;
	if (config->metrics.family)
		err = metrics_http_open(o->env.base, &config->metrics, config->metrics_port,
					write_metrics, o, &http);
	if (err)
		return err;
	metrics_http_close(o->http);
	o->http = http;
	o->http_addr = config->metrics;
	o->http_port = config->metrics_port;
	return 0;
}

int outside_open(const struct outside_env *env, struct outside **out)
{
	struct outside *o = calloc(1, sizeof(*o));
	struct anycast_env anycast = { .base = env->base, .health = pool_health, .data = o };
	int err;

	if (!o)
		return log_err_r(-ENOMEM, "out of memory");
	o->env = *env;
	if (env->datapath)
		anycast.attached = is_attached;
	err = anycast_open(&anycast, &o->anycast);
	if (!err && env->datapath)
		err = nics_open(env->datapath, env->base, on_nics, o, &o->nics);
	if (err) {
		outside_close(o);
		return err;
	}
	*out = o;
	return 0;
}

int outside_configure(struct outside *o, const struct lb_config *config)
{
	bool first = !o->config;
	struct timespec now;
	int err = anycast_configure(o->anycast, config);

	if (err)
		return err;
	o->config = config;
	clock_gettime(CLOCK_REALTIME, &now);
	o->applied_at = (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
	o->refused = false;
	err = serve(o, config);
	if (err && !first) /* logged; the rest of the config is in force */
		return 0;
	return err;
}

void outside_refused(struct outside *o)
{
	o->refused = true;
}

void outside_look(struct outside *o)
{
	if (o->config)
		anycast_look(o->anycast);
}

bool outside_announces(const struct outside *o)
{
	return o->config && o->config->n_anycast;
}

static void detach(const struct datapath *dp)
{
	struct datapath_nic *nics = NULL;
	size_t n = 0;
	int err = datapath_nics(dp->vips, &nics, &n);

	if (err)
		log_error("cannot list the NICs: %s", strerror(-err));
	for (size_t i = 0; !err && i < n; i++)
		if (!datapath_detach(&nics[i]))
			log_info("%s: the data plane is off; `lbctl attach %s` puts it back",
				 nics[i].name, nics[i].name);
	free(nics);
}

static void on_left(void *data)
{
	struct outside *o = data;

	if (o->env.datapath)
		detach(o->env.datapath);
	o->left(o->left_data);
}

void outside_leave(struct outside *o, void (*left)(void *data), void *data)
{
	o->left = left;
	o->left_data = data;
	anycast_leave(o->anycast, on_left, o);
}

json_t *outside_anycast_json(const struct outside *o)
{
	return anycast_json(o->anycast);
}

void outside_close(struct outside *o)
{
	if (!o)
		return;
	metrics_http_close(o->http);
	anycast_close(o->anycast);
	nics_close(o->nics);
	free(o);
}
