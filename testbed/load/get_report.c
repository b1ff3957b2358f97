// SPDX-License-Identifier: GPL-2.0-only
#include "get.h"

#include <netinet/in.h>
#include <stdio.h>

#include "lib/out.h"

static const char *const get_error_name[] = {
#define X(NAME, name) [GET_E_##NAME] = name,
	GET_ERRORS(X)
#undef X
};

static json_t *get_report_conn(const struct get_conn *conn)
{
	const struct get *get = conn->get;
	json_t *row = json_object();
	char local[ENDPOINT_STRLEN];

	json_object_set_new(row, "local", json_string(endpoint_format(&conn->local.addr, local)));
	json_object_set_new(row, "server", conn->named ? json_string(conn->server) : json_null());
	json_object_set_new(row, "ok", json_boolean(conn->error == GET_E_NONE));
	json_object_set_new(row, "error",
			    conn->error == GET_E_NONE ? json_null()
						      : json_string(get_error_name[conn->error]));
	json_object_set_new(row, "bytes", json_integer((json_int_t)conn->total));
	json_object_set_new(row, "sha256", json_string(conn->sha256));
	json_object_set_new(row, "requests", json_integer((json_int_t)conn->requests));
	json_object_set_new(row, "connect_seconds",
			    conn->connected > 0 ? json_real(conn->connected - conn->began)
						: json_null());
	json_object_set_new(row, "began", json_real(conn->began - get->began));
	json_object_set_new(row, "seconds", json_real(conn->ended - conn->began));
	json_object_set_new(row, "pause_seconds", json_real(conn->pause));
	if (get->proto == IPPROTO_MPTCP)
		mptcp_report(&conn->mptcp, row);
	return row;
}

static void get_count(json_t *counts, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(counts, key));

	json_object_set_new(counts, key, json_integer(n + 1));
}

/* Sums over the subflows of all connections: payload to and from the VIP, and elsewhere. */
static void get_report_paths(const struct get *get, json_t *report)
{
	uint64_t vip = 0, dedicated = 0;

	for (unsigned long long i = 0; i < get->begun; i++) {
		const struct mptcp_history *mptcp = &get->conns[i]->mptcp;

		for (size_t f = 0; f < mptcp->n; f++) {
			const struct mptcp_flow *flow = &mptcp->flow[f];
			uint64_t bytes = get->put ? flow->sent : flow->received;

			if (flow->dedicated)
				dedicated += bytes;
			else
				vip += bytes;
		}
	}
	json_object_set_new(report, "bytes_vip", json_integer((json_int_t)vip));
	json_object_set_new(report, "bytes_dedicated", json_integer((json_int_t)dedicated));
}

static json_t *get_report_series(const struct get *get, double seconds)
{
	return json_pack("{s:f, s:o, s:o, s:o, s:o, s:o}", "step", SERIES_STEP, "bytes",
			 series_json(&get->series_bytes, seconds), "begun",
			 series_json(&get->series_begun, seconds), "ok",
			 series_json(&get->series_ok, seconds), "failed",
			 series_json(&get->series_failed, seconds), "bytes_by_server",
			 series_named_json(get->series_server, seconds));
}

json_t *get_report(const struct get *get)
{
	double seconds = load_now() - get->began, pause = 0;
	json_t *report = json_object(), *servers = json_object(), *errors = json_object();
	json_t *conns = json_array();
	json_int_t ok = 0, stopped = 0, joined = 0, joined_vip = 0, fallback = 0, bytes = 0;

	for (unsigned long long i = 0; i < get->begun; i++) {
		const struct get_conn *conn = get->conns[i];

		json_array_append_new(conns, get_report_conn(conn));
		bytes += (json_int_t)conn->total;
		ok += conn->error == GET_E_NONE;
		stopped += conn->error == GET_E_STOPPED;
		if (conn->pause > pause)
			pause = conn->pause;
		joined += mptcp_joined(&conn->mptcp);
		joined_vip += mptcp_joined_peer(&conn->mptcp);
		fallback += conn->mptcp.fallback;
		if (conn->named)
			get_count(servers, conn->server);
		if (conn->error != GET_E_NONE && !(get->during > 0 && conn->error == GET_E_STOPPED))
			get_count(errors, get_error_name[conn->error]);
	}
	json_object_set_new(report, "connect", json_string(get->connect));
	json_object_set_new(report, "proto",
			    json_string(get->proto == IPPROTO_MPTCP ? "mptcp" : "tcp"));
	json_object_set_new(report, "count", json_integer((json_int_t)get->count));
	json_object_set_new(report, "ok", json_integer(ok));
	json_object_set_new(report, "stopped", json_integer(stopped));
	/* With --for, what is under way at its end is no failure. */
	json_object_set_new(
		report, "all_ok",
		json_boolean(ok + (get->during > 0 ? stopped : 0) == (json_int_t)get->count));
	json_object_set_new(report, "errors", errors);
	json_object_set_new(report, "servers", servers);
	json_object_set_new(report, "bytes", json_integer(bytes));
	json_object_set_new(report, "began_unix_ms",
			    json_integer((json_int_t)(load_clock(get->began) * 1e3)));
	json_object_set_new(report, "seconds", json_real(seconds));
	json_object_set_new(report, "pause_max_seconds", json_real(pause));
	json_object_set_new(report, "goodput_mbit",
			    json_real(seconds > 0 ? (double)bytes * 8 / seconds / 1e6 : 0));
	if (get->proto == IPPROTO_MPTCP) {
		json_object_set_new(report, "joined", json_integer(joined));
		json_object_set_new(report, "joined_vip", json_integer(joined_vip));
		json_object_set_new(report, "fallback", json_integer(fallback));
		get_report_paths(get, report);
	}
	json_object_set_new(report, "series", get_report_series(get, seconds));
	json_object_set_new(report, "connections", conns);
	return report;
}

void get_print(const json_t *report, bool json)
{
	static const struct out_column columns[] = {
		{ "server", "SERVER" },
		{ "ok", "OK" },
		{ "error", "ERROR" },
		{ "bytes", "BYTES" },
		{ "seconds", "SECONDS" },
		{ "joined", "JOINED" },
		{ 0 },
	};

	if (json) {
		out_json(report);
		return;
	}
	out_table(json_object_get(report, "connections"), columns);
	printf("%lld of %lld ok, %.1f Mbit/s\n",
	       (long long)json_integer_value(json_object_get(report, "ok")),
	       (long long)json_integer_value(json_object_get(report, "count")),
	       json_real_value(json_object_get(report, "goodput_mbit")));
}
