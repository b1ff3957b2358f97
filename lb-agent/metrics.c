/* SPDX-License-Identifier: GPL-2.0-only */
#include "metrics.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <event2/buffer.h>
#include "lib/prom.h"
#include "mplb/abi.h"

#define MAX_LABELS 3

/* What a metric takes from each row of an array: a number, or whether a text is the one given. */
struct metric {
	const char *name, *type, *help;
	const char *key;
	const char *is; /* NULL: the number, true being 1 */
	double scale; /* 0: whole numbers */
	const char *labels[MAX_LABELS][2]; /* label, key */
};

#define BY_VIP                                                                                     \
	{                                                                                          \
		{                                                                                  \
			"vip", "name"                                                              \
		}                                                                                  \
	}
#define BY_BACKEND                                                                                 \
	{                                                                                          \
		{ "pool", "pool" },                                                                \
		{                                                                                  \
			"backend", "name"                                                          \
		}                                                                                  \
	}
#define BY_PROBED                                                                                  \
	{                                                                                          \
		{ "pool", "pool" },                                                                \
		{                                                                                  \
			"backend", "backend"                                                       \
		}                                                                                  \
	}
#define BY_POOL                                                                                    \
	{                                                                                          \
		{                                                                                  \
			"pool", "name"                                                             \
		}                                                                                  \
	}
#define BY_ANYCAST                                                                                 \
	{                                                                                          \
		{ "vip", "vip" },                                                                  \
		{                                                                                  \
			"protocol", "protocol"                                                     \
		}                                                                                  \
	}

static const struct metric vip_metrics[] = {
#define X(NAME, name, text) { "mplb_vip_" name "_total", "counter", text, name, .labels = BY_VIP },
	MPLB_VIP_COUNTERS(X)
#undef X
		{ NULL }
};

static const struct metric backend_metrics[] = {
	{ "mplb_backend_packets_total", "counter", "packets forwarded to the backend", "packets",
	  .labels = BY_BACKEND },
	{ "mplb_backend_bytes_total", "counter",
	  "bytes of their IP packets, without the outer header", "bytes", .labels = BY_BACKEND },
	{ NULL }
};

static const struct metric member_metrics[] = {
	{ "mplb_backend_weight", "gauge", "share of new connections that is asked for", "weight",
	  .labels = BY_BACKEND },
	{ "mplb_backend_takes_new", "gauge", "1: it is sent new connections", "takes_new",
	  .labels = BY_BACKEND },
	{ "mplb_backend_resolved", "gauge", "1: its next hop is known", "resolved",
	  .labels = BY_BACKEND },
	{ NULL }
};

static const struct metric pool_metrics[] = { { "mplb_pool_settled", "gauge",
						"1: no changes are under way", "settled",
						.labels = BY_POOL },
					      { NULL } };

static const struct metric health_metrics[] = {
	{ "mplb_backend_up", "gauge", "1: the health checks pass", "state", "up",
	  .labels = BY_PROBED },
	{ "mplb_backend_probes_total", "counter", "health checks that ended", "probes",
	  .labels = BY_PROBED },
	{ "mplb_backend_probe_failures_total", "counter", "health checks that failed", "failures",
	  .labels = BY_PROBED },
	{ "mplb_backend_health_changes_total", "counter", "times that it went up or down",
	  "changes", .labels = BY_PROBED },
	{ "mplb_backend_probe_seconds", "gauge", "duration of the last check that passed", "rtt_ms",
	  .scale = 1e-3, .labels = BY_PROBED },
	{ NULL }
};

static const struct metric nic_metrics[] = {
	{ "mplb_nic_info", "gauge", "a NIC that runs the data plane", NULL,
	  .labels = { { "device", "device" }, { "mode", "mode" } } },
	{ NULL }
};

static const struct metric anycast_metrics[] = {
	{ "mplb_anycast_announced", "gauge", "1: BIRD confirms that its protocol is enabled",
	  "bird", "enabled", .labels = BY_ANYCAST },
	{ "mplb_anycast_held", "gauge", "1: all is well, and hold_down is not over", "state",
	  "held", .labels = BY_ANYCAST },
	{ "mplb_anycast_problem", "gauge", "1: not announced, or BIRD does not obey", "has_problem",
	  .labels = BY_ANYCAST },
	{ NULL }
};

static const struct metric bird_metrics[] = {
	{ "mplb_bird_protocol_up", "gauge", "1: up; of a BGP protocol: its session is established",
	  "state", "up", .labels = { { "protocol", "protocol" }, { "type", "type" } } },
	{ NULL }
};

static const char *text_of(const json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));

	return text ? text : "";
}

static void write_row(const struct metric *metric, const json_t *row, struct evbuffer *out)
{
	const json_t *value = metric->key ? json_object_get(row, metric->key) : NULL;
	const char *l[MAX_LABELS][2] = { { NULL } };

	if (metric->key && json_is_null(value))
		return;
	for (size_t i = 0; i < MAX_LABELS && metric->labels[i][0]; i++) {
		l[i][0] = metric->labels[i][0];
		l[i][1] = text_of(row, metric->labels[i][1]);
	}
	if (metric->scale)
		prom_gauge(out, metric->name, json_number_value(value) * metric->scale, l[0][0],
			   l[0][1], l[1][0], l[1][1], l[2][0], l[2][1], NULL);
	else
		prom_count(out, metric->name,
			   !metric->key		 ? 1
			   : metric->is		 ? !strcmp(text_of(row, metric->key), metric->is)
			   : json_is_true(value) ? 1
						 : (uint64_t)json_integer_value(value),
			   l[0][0], l[0][1], l[1][0], l[1][1], l[2][0], l[2][1], NULL);
}

/* A metric's samples stand together. */
static void write_rows(const struct metric *metric, const json_t *rows, struct evbuffer *out)
{
	const json_t *row;
	size_t i;

	for (; rows && metric->name; metric++) {
		prom_head(out, metric->name, metric->type, metric->help);
		json_array_foreach (rows, i, row)
			write_row(metric, row, out);
	}
}

static const struct {
	const char *action, *name, *help;
} actions[] = {
	{ "drop", "mplb_drops_total", "packets dropped" },
	{ "pass", "mplb_passed_total", "packets left to the balancer's own network stack" },
	{ "tx", "mplb_answered_total", "packets turned into an answer" },
};

static void write_reasons(const json_t *rows, struct evbuffer *out)
{
	const json_t *row;
	size_t i;

	for (size_t a = 0; rows && a < sizeof(actions) / sizeof(*actions); a++) {
		prom_head(out, actions[a].name, "counter", actions[a].help);
		json_array_foreach (rows, i, row)
			if (!strcmp(text_of(row, "action"), actions[a].action))
				prom_count(out, actions[a].name,
					   (uint64_t)json_integer_value(
						   json_object_get(row, "packets")),
					   "reason", text_of(row, "reason"), NULL);
	}
}

/* How many of a pool's members are in each state: few series, and all of them at all times. */
static void write_member_states(const struct agent_metrics *m, struct evbuffer *out)
{
	static const char *const states[] = { "joining", "active", "draining", "down" };
	const json_t *pool, *member;
	size_t p, i;

	if (!m->pools || !m->members)
		return;
	prom_head(out, "mplb_pool_backends", "gauge", "backends in each state");
	json_array_foreach (m->pools, p, pool) {
		for (size_t s = 0; s < sizeof(states) / sizeof(*states); s++) {
			uint64_t n = 0;

			json_array_foreach (m->members, i, member)
				n += !strcmp(text_of(member, "pool"), text_of(pool, "name")) &&
				     !strcmp(text_of(member, "state"), states[s]);
			prom_count(out, "mplb_pool_backends", n, "pool", text_of(pool, "name"),
				   "state", states[s], NULL);
		}
	}
}

static void write_agent(const struct agent_metrics *m, struct evbuffer *out)
{
	prom_head(out, "mplb_build_info", "gauge", "the running version");
	prom_count(out, "mplb_build_info", 1, "version", MPLB_VERSION, NULL);
	prom_head(out, "mplb_last_apply_timestamp_seconds", "gauge",
		  "when a config was last put in force");
	prom_gauge(out, "mplb_last_apply_timestamp_seconds", m->applied_at, NULL);
	prom_head(out, "mplb_reload_failed", "gauge",
		  "1: the last config was refused, the one before is in force");
	prom_count(out, "mplb_reload_failed", m->reload_failed, NULL);
	if (!m->nics)
		return;
	prom_head(out, "mplb_table_generation", "gauge",
		  "grows with each change of what is in force");
	prom_count(out, "mplb_table_generation", m->generation, NULL);
	prom_head(out, "mplb_data_plane_attached", "gauge", "1: a NIC runs the data plane");
	prom_count(out, "mplb_data_plane_attached", json_array_size(m->nics) > 0, NULL);
}

int agent_metrics_write(const struct agent_metrics *m, struct evbuffer *out)
{
	write_agent(m, out);
	write_rows(nic_metrics, m->nics, out);
	write_rows(vip_metrics, m->vips, out);
	write_rows(backend_metrics, m->backends, out);
	write_rows(member_metrics, m->members, out);
	write_rows(pool_metrics, m->pools, out);
	write_member_states(m, out);
	write_rows(health_metrics, m->health, out);
	write_reasons(m->reasons, out);
	write_rows(anycast_metrics, m->anycast, out);
	write_rows(bird_metrics, m->bird, out);
	return evbuffer_get_length(out) ? 0 : -ENOMEM;
}

void agent_metrics_drop(struct agent_metrics *m)
{
	json_t **all[] = { &m->vips,	&m->backends, &m->reasons, &m->nics, &m->pools,
			   &m->members, &m->health,   &m->anycast, &m->bird };

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		json_decref(*all[i]);
		*all[i] = NULL;
	}
}
