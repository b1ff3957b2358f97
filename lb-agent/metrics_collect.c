/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of the agent say for the metrics. */
#include "metrics.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "anycast.h"
#include "health.h"
#include "loader/notes.h"
#include "loader/report.h"
#include "loader/state.h"
#include "lib/log.h"

static json_t *member_row(const struct datapath *dp, const struct state_pool *pool,
			  const struct state_member *m)
{
	bool resolved = dp->backends[m->index].flags & MPLB_BACKEND_F_RESOLVED;

	return json_pack("{s:s, s:s, s:s, s:I, s:b, s:b}", "name", m->name, "pool", pool->name,
			 "state", state_word(member_state(m)), "weight", (json_int_t)m->weight,
			 "takes_new", (int)(member_owner(m) > 0), "resolved", (int)resolved);
}

static int collect_state(const struct datapath *dp, struct agent_metrics *m)
{
	struct in_force *now = malloc(sizeof(*now));
	struct state *state = NULL;
	int err = now ? in_force_read(dp, now) : -ENOMEM;

	err = err ? err : state_read(dp, now, &state);
	free(now);
	if (err)
		return log_err_r(err, "metrics: cannot read what is in force: %s", strerror(-err));
	m->pools = json_array();
	m->members = json_array();
	for (size_t p = 0; p < state->n_pools; p++) {
		const struct state_pool *pool = &state->pools[p];

		json_array_append_new(m->pools,
				      json_pack("{s:s, s:b}", "name", pool->name, "settled",
						(int)!pool_is_unsettled(pool)));
		for (size_t i = 0; i < pool->n_members; i++)
			json_array_append_new(m->members, member_row(dp, pool, &pool->members[i]));
	}
	state_free(state);
	return 0;
}

/* The kernel's number of the VIP table in force: each change puts another one there. */
static uint64_t generation(const struct datapath *dp)
{
	__u32 zero = 0, id = 0;

	return bpf_map_lookup_elem(dp->vips, &zero, &id) ? 0 : id;
}

static int collect_datapath(const struct datapath *dp, struct agent_metrics *m)
{
	m->vips = report_vip_stats(dp);
	m->backends = report_backend_stats(dp);
	m->reasons = report_reasons(dp);
	m->nics = report_nics(dp);
	m->generation = generation(dp);
	if (!m->vips || !m->backends || !m->reasons || !m->nics)
		return -EIO;
	return collect_state(dp, m);
}

/* A member that is not probed has no health. */
static void see_health(void *data, const struct health_member *member)
{
	static const char *const states[] = {
		[HEALTH_UNKNOWN] = "unknown", [HEALTH_UP] = "up", [HEALTH_DOWN] = "down"
	};

	if (!member->last_ms)
		return;
	json_array_append_new(data,
			      json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:f}", "pool", member->pool,
					"backend", member->backend, "state", states[member->state],
					"probes", (json_int_t)member->probes, "failures",
					(json_int_t)member->failures, "changes",
					(json_int_t)member->changes, "rtt_ms", member->rtt_ms));
}

/* A problem is a text; the metric is whether there is one. */
static json_t *with_problem_mark(json_t *rows)
{
	json_t *row;
	size_t i;

	json_array_foreach (rows, i, row)
		json_object_set_new(row, "has_problem",
				    json_boolean(json_is_string(json_object_get(row, "problem"))));
	return rows;
}

int agent_metrics_collect(const struct datapath *dp, const struct health *health,
			  const struct anycast *anycast, struct agent_metrics *m)
{
	if (health) {
		m->health = json_array();
		health_each(health, see_health, m->health);
	}
	if (anycast) {
		m->anycast = with_problem_mark(anycast_json(anycast));
		m->bird = anycast_bird_json(anycast);
	}
	return dp ? collect_datapath(dp, m) : 0;
}
