/* SPDX-License-Identifier: GPL-2.0-only */
#include "top.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/monotonic.h"
#include "report.h"

int top_read(const struct datapath *dp, struct top_sample *out)
{
	*out = (struct top_sample){
		.at = (double)monotonic_ns() / 1e9,
		.vips = report_vip_stats(dp),
		.backends = report_backend_stats(dp),
		.reasons = report_reasons(dp),
		.states = report_backends(dp),
		.nics = report_nics(dp),
	};
	return out->vips && out->backends && out->reasons && out->states && out->nics ? 0 : -EIO;
}

void top_drop(struct top_sample *s)
{
	json_decref(s->vips);
	json_decref(s->backends);
	json_decref(s->reasons);
	json_decref(s->states);
	json_decref(s->nics);
	*s = (struct top_sample){ 0 };
}

/* ---- rates ---- */

/* The row of the same name (and pool), or NULL. */
static const json_t *same(const json_t *rows, const json_t *row, const char *key)
{
	const json_t *name = json_object_get(row, key), *pool = json_object_get(row, "pool"), *one;
	size_t i;

	json_array_foreach (rows, i, one)
		if (json_equal(json_object_get(one, key), name) &&
		    (!pool || json_equal(json_object_get(one, "pool"), pool)))
			return one;
	return NULL;
}

/* What a counter grew by. One that was set back, as its VIP went and came again, began at 0. */
static double grown(const json_t *row, const json_t *before, const char *key)
{
	json_int_t is = json_integer_value(json_object_get(row, key));
	json_int_t was = json_integer_value(json_object_get(before, key));

	return (double)(is >= was ? is - was : is);
}

static json_t *ratio(double part, double whole)
{
	return whole > 0 ? json_real(part / whole) : json_null();
}

/* MP_JOINs, whatever became of them. */
static double joins(const json_t *row, const json_t *before)
{
	const char *key;
	const json_t *value;
	double n = 0;

	json_object_foreach ((json_t *)row, key, value)
		if (!strncmp(key, "mp_join_", 8))
			n += grown(row, before, key);
	return n;
}

static json_t *vip_rates(const json_t *row, const json_t *before, double seconds)
{
	double packets = grown(row, before, "packets");
	double capable = grown(row, before, "syn_mp_capable");
	double syns = capable + grown(row, before, "syn_plain");

	return json_pack("{s:O, s:f, s:f, s:f, s:f, s:o, s:o}", "name",
			 json_object_get(row, "name"), "packets_s", packets / seconds, "bytes_s",
			 grown(row, before, "bytes") / seconds, "connections_s", syns / seconds,
			 "joins_s", joins(row, before) / seconds, "mptcp_share",
			 ratio(capable, syns), "packets_per_connection", ratio(packets, syns));
}

static json_t *backend_rates(const json_t *row, const json_t *before, const json_t *state,
			     double seconds)
{
	return json_pack("{s:O, s:O, s:O*, s:O*, s:O*, s:O*, s:f, s:f}", "name",
			 json_object_get(row, "name"), "pool", json_object_get(row, "pool"),
			 "state", json_object_get(state, "state"), "marks",
			 json_object_get(state, "marks"), "problem",
			 json_object_get(state, "problem"), "share",
			 json_object_get(state, "share"), "packets_s",
			 grown(row, before, "packets") / seconds, "bytes_s",
			 grown(row, before, "bytes") / seconds);
}

static int by_rate(const void *a, const void *b)
{
	double x = json_real_value(json_object_get(*(const json_t *const *)a, "packets_s"));
	double y = json_real_value(json_object_get(*(const json_t *const *)b, "packets_s"));

	return x < y ? 1 : x > y ? -1 : 0;
}

/* The busiest first; the order of the rest stays. Takes rows. */
static json_t *sorted(json_t *rows)
{
	size_t n = json_array_size(rows);
	json_t **list = calloc(n ? n : 1, sizeof(json_t *)), *out = json_array();

	for (size_t i = 0; list && i < n; i++)
		list[i] = json_array_get(rows, i);
	if (list)
		qsort(list, n, sizeof(void *), by_rate);
	for (size_t i = 0; list && i < n; i++)
		json_array_append(out, list[i]);
	free(list);
	json_decref(rows);
	return out;
}

static json_t *drop_rates(const json_t *reasons, const json_t *before, double seconds)
{
	json_t *rows = json_array();
	const json_t *row;
	size_t i;

	json_array_foreach (reasons, i, row) {
		const char *action = json_string_value(json_object_get(row, "action"));

		if (!action || strcmp(action, "drop") != 0 ||
		    !json_integer_value(json_object_get(row, "packets")))
			continue;
		json_array_append_new(
			rows,
			json_pack("{s:O, s:f, s:O}", "reason", json_object_get(row, "reason"),
				  "packets_s",
				  grown(row, same(before, row, "reason"), "packets") / seconds,
				  "packets", json_object_get(row, "packets")));
	}
	return sorted(rows);
}

json_t *top_rates(const struct top_sample *before, const struct top_sample *now)
{
	double seconds = now->at > before->at ? now->at - before->at : 1;
	json_t *vips = json_array(), *backends = json_array();
	const json_t *row;
	size_t i;

	json_array_foreach (now->vips, i, row)
		json_array_append_new(vips,
				      vip_rates(row, same(before->vips, row, "name"), seconds));
	json_array_foreach (now->backends, i, row)
		json_array_append_new(backends,
				      backend_rates(row, same(before->backends, row, "name"),
						    same(now->states, row, "name"), seconds));
	return json_pack("{s:f, s:O, s:o, s:o, s:o}", "seconds", seconds, "nics", now->nics, "vips",
			 sorted(vips), "backends", sorted(backends), "drops",
			 drop_rates(now->reasons, before->reasons, seconds));
}
