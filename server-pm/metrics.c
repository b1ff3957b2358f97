/* SPDX-License-Identifier: GPL-2.0-only */
#include "metrics.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include "mib.h"

/* The counters of struct pm_stats. */
static const struct counter {
	const char *name, *text;
	size_t offset;
} counters[] = {
#define COUNTER(member, text)                                                                      \
	{                                                                                          \
#member, text, offsetof(struct pm_stats, member)                                   \
	}
	COUNTER(established, "connections that clients have opened to a VIP"),
	COUNTER(taken_over, "live connections found without having been told of"),
	COUNTER(ended, "connections that ended"),
	COUNTER(announced, "addresses announced (ADD_ADDR), repetitions included"),
	COUNTER(announce_failed, "announcements that the kernel refused"),
	COUNTER(given_up, "connections whose client did not join within ten minutes"),
	COUNTER(joined, "connections that got a dedicated subflow"),
	COUNTER(backed_up, "initial subflows made a backup (MP_PRIO)"),
	COUNTER(closed, "initial subflows closed"),
	COUNTER(restored, "initial subflows used again, as the last dedicated one had closed"),
	COUNTER(action_failed, "commands about an initial subflow that the kernel refused"),
	COUNTER(withdrawn, "addresses taken back (RM_ADDR)"),
	COUNTER(resyncs, "times that all sockets were looked at"),
	COUNTER(untracked, "connections beyond the room of the table"),
};

#define N_COUNTERS (sizeof(counters) / sizeof(*counters))

static __u64 value_of(const struct pm_stats *stats, const struct counter *counter)
{
	return *(const __u64 *)(const void *)((const char *)stats + counter->offset);
}

static const char *const states[PM_STATE_MAX] = {
	[PM_STATE_VIP] = "vip",
	[PM_STATE_GIVEN_UP] = "given_up",
	[PM_STATE_JOINED] = "joined",
	[PM_STATE_OFF_PATH] = "off_path",
	[PM_STATE_UNMANAGED] = "unmanaged",
};

static const double join_bucket[PM_JOIN_N] = PM_JOIN_BUCKETS;

static void head(struct evbuffer *out, const char *name, const char *type, const char *text)
{
	evbuffer_add_printf(out, "# HELP mplb_server_%s %s\n# TYPE mplb_server_%s %s\n", name, text,
			    name, type);
}

static void write_gauges(const struct metrics_source *source, struct evbuffer *out)
{
	const struct connection_counts *c = &source->connections;

	head(out, "connections", "gauge", "Live MPTCP connections that clients have opened.");
	evbuffer_add_printf(out,
			    "mplb_server_connections{state=\"vip\"} %zu\n"
			    "mplb_server_connections{state=\"joined\"} %zu\n"
			    "mplb_server_connections{state=\"off_path\"} %zu\n",
			    c->vip, c->joined, c->off_path);
	head(out, "vip_sockets", "gauge",
	     "Live TCP connections on a VIP, MPTCP's subflows included.");
	evbuffer_add_printf(out, "mplb_server_vip_sockets %zu\n", source->vip_sockets);
	head(out, "subflow_bytes", "gauge",
	     "Payload of the subflows that are open now, through VIPs and around the balancer.");
	evbuffer_add_printf(
		out,
		"mplb_server_subflow_bytes{path=\"vip\",direction=\"received\"} %llu\n"
		"mplb_server_subflow_bytes{path=\"vip\",direction=\"sent\"} %llu\n"
		"mplb_server_subflow_bytes{path=\"dedicated\",direction=\"received\"} %llu\n"
		"mplb_server_subflow_bytes{path=\"dedicated\",direction=\"sent\"} %llu\n",
		(unsigned long long)c->vip_bytes.received, (unsigned long long)c->vip_bytes.sent,
		(unsigned long long)c->dedicated_bytes.received,
		(unsigned long long)c->dedicated_bytes.sent);
	head(out, "join_listeners", "gauge",
	     "Sockets opened because the application listens on the VIP only.");
	evbuffer_add_printf(out, "mplb_server_join_listeners %zu\n", source->listeners);
}

static void write_histogram(const struct pm_stats *stats, struct evbuffer *out)
{
	__u64 sum = 0;

	head(out, "join_seconds", "histogram", "Time from ESTABLISHED to the first join.");
	for (size_t i = 0; i < PM_JOIN_N; i++) {
		sum += stats->join[i];
		evbuffer_add_printf(out, "mplb_server_join_seconds_bucket{le=\"%g\"} %llu\n",
				    join_bucket[i], (unsigned long long)sum);
	}
	sum += stats->join[PM_JOIN_N];
	evbuffer_add_printf(out,
			    "mplb_server_join_seconds_bucket{le=\"+Inf\"} %llu\n"
			    "mplb_server_join_seconds_sum %.3f\n"
			    "mplb_server_join_seconds_count %llu\n",
			    (unsigned long long)sum, (double)stats->join_ms / 1000,
			    (unsigned long long)sum);
}

static void write_stats(const struct pm_stats *stats, struct evbuffer *out)
{
	char name[64];

	head(out, "managed_connections", "gauge", "Connections followed in userspace mode.");
	for (size_t i = 0; i < PM_STATE_MAX; i++)
		evbuffer_add_printf(out, "mplb_server_managed_connections{state=\"%s\"} %zu\n",
				    states[i], stats->state[i]);
	for (size_t i = 0; i < N_COUNTERS; i++) {
		evutil_snprintf(name, sizeof(name), "%s_total", counters[i].name);
		head(out, name, "counter", counters[i].text);
		evbuffer_add_printf(out, "mplb_server_%s %llu\n", name,
				    (unsigned long long)value_of(stats, &counters[i]));
	}
	write_histogram(stats, out);
}

static void write_mib(struct evbuffer *out)
{
	json_t *rows = mib_json(), *row;
	size_t i;

	head(out, "kernel_mptcp_total", "counter",
	     "Counters of the kernel (MPTcpExt in /proc/net/netstat).");
	json_array_foreach (rows, i, row)
		evbuffer_add_printf(out,
				    "mplb_server_kernel_mptcp_total{counter=\"%s\"} "
				    "%" JSON_INTEGER_FORMAT "\n",
				    json_string_value(json_object_get(row, "counter")),
				    json_integer_value(json_object_get(row, "value")));
	json_decref(rows);
}

int metrics_write(const struct metrics_source *source, struct evbuffer *out)
{
	head(out, "info", "gauge", "The running version and who manages the paths.");
	if (evbuffer_add_printf(
		    out, "mplb_server_info{version=\"" MPLB_VERSION "\",path_manager=\"%s\"} 1\n",
		    source->pm ? "userspace" : "kernel") < 0)
		return -ENOMEM;
	write_gauges(source, out);
	if (source->pm)
		write_stats(source->pm, out);
	metrics_write_packets(source, out);
	write_mib(out);
	return 0;
}

/* ---- JSON ---- */

static json_t *join_json(const struct pm_stats *stats)
{
	json_t *rows = json_array();

	for (size_t i = 0; i <= PM_JOIN_N; i++)
		json_array_append_new(
			rows, json_pack("{s:o, s:I}", "seconds",
					i < PM_JOIN_N ? json_real(join_bucket[i]) : json_null(),
					"joins", (json_int_t)stats->join[i]));
	return rows;
}

static json_t *stats_json(const struct pm_stats *stats)
{
	json_t *all = json_object(), *state = json_object(), *rows = json_array();

	for (size_t i = 0; i < PM_STATE_MAX; i++)
		json_object_set_new(state, states[i], json_integer((json_int_t)stats->state[i]));
	for (size_t i = 0; i < N_COUNTERS; i++)
		json_array_append_new(rows,
				      json_pack("{s:s, s:I, s:s}", "counter", counters[i].name,
						"value", (json_int_t)value_of(stats, &counters[i]),
						"text", counters[i].text));
	json_object_set_new(all, "connections", state);
	json_object_set_new(all, "counters", rows);
	json_object_set_new(all, "join_seconds", join_json(stats));
	return all;
}

json_t *metrics_json(const struct metrics_source *source)
{
	return json_pack("{s:I, s:o}", "join_listeners", (json_int_t)source->listeners, "userspace",
			 source->pm ? stats_json(source->pm) : json_null());
}
