// SPDX-License-Identifier: GPL-2.0-only
#include "hold.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "lib/out.h"

static const char *const hold_trouble_name[] = {
#define X(NAME, name) [HOLD_T_##NAME] = name,
	HOLD_TROUBLES(X)
#undef X
};

int hold_report_begin(struct hold *hold)
{
	hold->events = calloc(HOLD_TROUBLES_KEPT, sizeof(*hold->events));
	hold->latency = calloc(HOLD_LATENCY_STEPS, sizeof(*hold->latency));
	return hold->events && hold->latency ? 0 : -ENOMEM;
}

void hold_report_end(struct hold *hold)
{
	for (size_t i = 0; i < hold->n_servers; i++) {
		series_free(&hold->servers[i]->answered);
		free(hold->servers[i]);
	}
	series_free(&hold->series_established);
	series_free(&hold->series_answers);
	series_free(&hold->series_stalls);
	series_free(&hold->series_broken);
	free(hold->events);
	free(hold->latency);
}

/* The server of this name; a new one if there is none. NULL, logged: too many, or no memory. */
struct hold_server *hold_server(struct hold *hold, const char *name)
{
	struct hold_server *server;

	for (size_t i = 0; i < hold->n_servers; i++)
		if (!strcmp(hold->servers[i]->name, name))
			return hold->servers[i];
	server = hold->n_servers < HOLD_SERVERS_MAX ? calloc(1, sizeof(*server)) : NULL;
	if (!server) {
		log_warn("no room for a server \"%s\" beside %zu others", name, hold->n_servers);
		return NULL;
	}
	snprintf(server->name, sizeof(server->name), "%s", name);
	hold->servers[hold->n_servers++] = server;
	return server;
}

void hold_note(struct hold_conn *conn, enum hold_trouble trouble, bool established)
{
	struct hold *hold = conn->hold;
	double at = load_now() - hold->began;

	hold->trouble[trouble]++;
	if (conn->server)
		conn->server->trouble[trouble]++;
	if (trouble == HOLD_T_STALL) {
		hold->stalls++;
		conn->stalls++;
		series_add(&hold->series_stalls, at, 1);
	} else if (established) {
		hold->broken++;
		conn->breaks++;
		series_add(&hold->series_broken, at, 1);
	} else {
		hold->failed++;
	}
	if (hold->n_events < HOLD_TROUBLES_KEPT)
		hold->events[hold->n_events++] = (struct hold_event){
			.trouble = trouble,
			.established = established,
			.at = at,
			.opened = conn->opened - hold->began,
			.conn = conn->number,
			.server = conn->server,
			.local = conn->local,
		};
}

void hold_note_answer(struct hold_conn *conn, double seconds)
{
	size_t step = (size_t)(seconds / HOLD_LATENCY_STEP);
	struct hold *hold = conn->hold;
	double at = load_now() - hold->began;

	hold->latency[step < HOLD_LATENCY_STEPS ? step : HOLD_LATENCY_STEPS - 1]++;
	hold->answers++;
	conn->answers++;
	conn->server->answers++;
	series_add(&hold->series_answers, at, 1);
	series_add(&conn->server->answered, at, 1);
}

/* Milliseconds in which this share of the answers had come; null without answers. */
static json_t *hold_latency(const struct hold *hold, double share)
{
	uint64_t rank = (uint64_t)((double)hold->answers * share), sum = 0;
	size_t last = 0;

	for (size_t i = 0; i < HOLD_LATENCY_STEPS && sum <= rank; i++) {
		sum += hold->latency[i];
		if (hold->latency[i])
			last = i;
	}
	return hold->answers ? json_real(((double)last + 1) * HOLD_LATENCY_STEP * 1e3)
			     : json_null();
}

static json_t *hold_counts(const uint64_t count[static HOLD_T_MAX])
{
	json_t *counts = json_object();

	for (size_t i = 0; i < HOLD_T_MAX; i++)
		if (count[i])
			json_object_set_new(counts, hold_trouble_name[i],
					    json_integer((json_int_t)count[i]));
	return counts;
}

static json_t *hold_report_servers(const struct hold *hold, double seconds)
{
	json_t *servers = json_object();

	for (size_t i = 0; i < hold->n_servers; i++) {
		const struct hold_server *server = hold->servers[i];

		json_object_set_new(servers, server->name,
				    json_pack("{s:I, s:I, s:o, s:o}", "connections",
					      (json_int_t)server->connections, "answers",
					      (json_int_t)server->answers, "troubles",
					      hold_counts(server->trouble), "answers_series",
					      series_json(&server->answered, seconds)));
	}
	return servers;
}

static json_t *hold_report_events(const struct hold *hold)
{
	json_t *events = json_array();
	char local[ENDPOINT_STRLEN];

	for (size_t i = 0; i < hold->n_events; i++) {
		const struct hold_event *event = &hold->events[i];

		json_array_append_new(
			events,
			json_pack("{s:f, s:f, s:s, s:I, s:s, s:s?, s:b}", "at", event->at, "opened",
				  event->opened, "what", hold_trouble_name[event->trouble],
				  "connection", (json_int_t)event->conn, "local",
				  endpoint_format(&event->local.addr, local), "server",
				  event->server ? event->server->name : NULL, "established",
				  event->established));
	}
	return events;
}

/* MPTCP: what came of the subflows. */
static void hold_report_mptcp(const struct hold *hold, json_t *report)
{
	json_int_t joined = 0, joined_vip = 0, fallback = 0;

	for (unsigned long long i = 0; i < hold->count; i++) {
		const struct mptcp_history *mptcp = hold->conns[i].mptcp;

		joined += mptcp && mptcp_joined(mptcp);
		joined_vip += mptcp && mptcp_joined_peer(mptcp);
		fallback += mptcp && mptcp->fallback;
	}
	json_object_set_new(report, "joined", json_integer(joined));
	json_object_set_new(report, "joined_vip", json_integer(joined_vip));
	json_object_set_new(report, "fallback", json_integer(fallback));
}

json_t *hold_report(const struct hold *hold, double seconds)
{
	json_int_t ok = 0, stalled = 0;
	json_t *report, *connect = json_array();

	for (size_t i = 0; i < hold->connect.n; i++)
		json_array_append_new(connect, json_string(hold->connect.text[i]));
	for (unsigned long long i = 0; i < hold->count; i++) {
		const struct hold_conn *conn = &hold->conns[i];

		stalled += conn->stalls > 0;
		ok += conn->answers > 0 && !conn->breaks && !conn->stalls;
	}
	report = json_pack(
		"{s:o, s:s, s:I, s:I, s:f, s:I, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "connect",
		connect, "proto", hold->proto == IPPROTO_MPTCP ? "mptcp" : "tcp", "count",
		(json_int_t)hold->count, "began_unix_ms",
		(json_int_t)(load_clock(hold->began) * 1e3), "seconds", seconds, "ok", ok, "all_ok",
		ok == (json_int_t)hold->count, "established", (json_int_t)hold->established,
		"failed", (json_int_t)hold->failed, "broken", (json_int_t)hold->broken, "stalled",
		stalled, "stalls", (json_int_t)hold->stalls, "requests", (json_int_t)hold->requests,
		"answers", (json_int_t)hold->answers);
	if (hold->proto == IPPROTO_MPTCP)
		hold_report_mptcp(hold, report);
	json_object_set_new(report, "latency_ms",
			    json_pack("{s:o, s:o, s:o}", "median", hold_latency(hold, 0.5), "p99",
				      hold_latency(hold, 0.99), "max", hold_latency(hold, 1)));
	json_object_set_new(report, "troubles", hold_counts(hold->trouble));
	json_object_set_new(report, "servers", hold_report_servers(hold, seconds));
	json_object_set_new(report, "series",
			    json_pack("{s:f, s:o, s:o, s:o, s:o}", "step", SERIES_STEP,
				      "established",
				      series_json(&hold->series_established, seconds), "answers",
				      series_json(&hold->series_answers, seconds), "stalls",
				      series_json(&hold->series_stalls, seconds), "broken",
				      series_json(&hold->series_broken, seconds)));
	json_object_set_new(report, "events", hold_report_events(hold));
	return report;
}

static json_int_t hold_number(const json_t *report, const char *key)
{
	return json_integer_value(json_object_get(report, key));
}

void hold_print(const json_t *report, bool json)
{
	static const struct out_column columns[] = {
		{ "at", "SECONDS" },
		{ "what", "TROUBLE" },
		{ "server", "SERVER" },
		{ "local", "CONNECTION" },
		{ "established", "ESTABLISHED" },
		{ 0 },
	};

	if (json) {
		out_json(report);
		return;
	}
	if (json_array_size(json_object_get(report, "events")))
		out_table(json_object_get(report, "events"), columns);
	printf("%lld of %lld connections whole; %lld broken, %lld failed, %lld stalls; "
	       "%lld answers, in %.1f ms at most\n",
	       (long long)hold_number(report, "ok"), (long long)hold_number(report, "count"),
	       (long long)hold_number(report, "broken"), (long long)hold_number(report, "failed"),
	       (long long)hold_number(report, "stalls"), (long long)hold_number(report, "answers"),
	       json_number_value(json_object_get(json_object_get(report, "latency_ms"), "max")));
}
