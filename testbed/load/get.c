// SPDX-License-Identifier: GPL-2.0-only
/* mplb-load get: connections whose every byte is verified. */
#include "get.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"

#define GET_COUNT_MAX 1000000

static const struct option get_options[] = {
	{ "--connect", OPTION_TEXT, offsetof(struct get, connect), "ADDR:PORT", "the server" },
	{ "--source", OPTION_TEXT, offsetof(struct get, source), "ADDR", "bind to this address" },
	{ "--proto", OPTION_PROTO, offsetof(struct get, proto), "tcp|mptcp", "default tcp" },
	{ "--udp", OPTION_FLAG, offsetof(struct get, udp), NULL,
	  "datagrams, each from a port of its own, instead of connections" },
	{ "--put", OPTION_FLAG, offsetof(struct get, put), NULL, "upload instead of download" },
	{ "--bytes", OPTION_NUMBER, offsetof(struct get, bytes), "N", "per request, default 1000" },
	{ "--count", OPTION_NUMBER, offsetof(struct get, count), "N", "connections, default 1" },
	{ "--parallel", OPTION_NUMBER, offsetof(struct get, parallel), "N",
	  "at most so many at a time, default 1" },
	{ "--seed", OPTION_NUMBER, offsetof(struct get, seed), "N", "of the data, default 1" },
	{ "--rate", OPTION_NUMBER, offsetof(struct get, rate), "N",
	  "bytes a second at which the sender paces a request, default: none; SIGUSR1 ends it" },
	{ "--requests", OPTION_NUMBER, offsetof(struct get, requests), "N",
	  "requests per connection, default 1" },
	{ "--gap", OPTION_SECONDS, offsetof(struct get, gap), "S", "between requests" },
	{ "--timeout", OPTION_SECONDS, offsetof(struct get, timeout), "S",
	  "for a whole connection, default 60" },
	{ "--for", OPTION_SECONDS, offsetof(struct get, during), "S",
	  "what ends is followed by another, for S; --count is the most that are begun, default "
	  "1M" },
	{ "--stall", OPTION_SECONDS, offsetof(struct get, stall), "S",
	  "give up when nothing comes for so long, default 10" },
	{ "--mark", OPTION_NUMBER, offsetof(struct get, mark), "N",
	  "log `mark` once every connection has got so many bytes" },
	{ "--join-first", OPTION_SECONDS, offsetof(struct get, join_first), "S",
	  "small request, wait up to S for a further subflow, then the request" },
	{ "--hold-until-joined", OPTION_SECONDS, offsetof(struct get, hold_until_joined), "S",
	  "after the answer, wait up to S for a further subflow" },
	{ "-j", OPTION_FLAG, offsetof(struct get, json), NULL, "print JSON" },
	{ 0 },
};

static void get_begin_more(struct get *get)
{
	/* A connection that fails at once counts as ended inside get_conn_begin(). */
	while (get->begun < get->count && get->begun - get->ended < get->parallel) {
		struct get_conn *conn = calloc(1, sizeof(*conn));

		if (!conn) {
			log_error("out of memory after %llu connections", get->begun);
			event_base_loopbreak(get->base);
			return;
		}
		conn->get = get;
		conn->seed = get->seed + get->begun;
		get->conns[get->begun++] = conn;
		series_add(&get->series_begun, load_now() - get->began, 1);
		get_conn_begin(conn);
	}
}

static void get_begin(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	get_begin_more(arg);
}

void get_ended(struct get *get, const struct get_conn *conn)
{
	/* Whoever is refused does not come back at once. */
	static const struct timeval at_once = { 0 }, later = { .tv_usec = 100000 };
	bool ok = conn->error == GET_E_NONE;

	get->ended++;
	if (conn->error != GET_E_STOPPED)
		series_add(ok ? &get->series_ok : &get->series_failed, conn->ended - get->began, 1);
	if (get->ended == get->count)
		event_base_loopbreak(get->base);
	else if (get->begun < get->count)
		event_base_once(get->base, -1, EV_TIMEOUT, get_begin, get,
				ok || !(get->during > 0) ? &at_once : &later);
}

static void get_over(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	event_base_loopbreak(((struct get *)arg)->base);
}

/* SIGUSR1: what is left goes as fast as it can. */
static void get_let_go(evutil_socket_t signum, short what, void *arg)
{
	struct get *get = arg;

	(void)signum;
	(void)what;
	get->rate = 0;
	for (unsigned long long i = 0; i < get->begun; i++)
		get_conn_let_go(get->conns[i]);
}

static void get_loop(struct get *get)
{
	struct timeval during = { .tv_sec = (time_t)get->during };
	struct event *let_go = evsignal_new(get->base, SIGUSR1, get_let_go, get);

	if (!let_go || event_add(let_go, NULL))
		log_warn("SIGUSR1 will not be heard: out of memory");

	during.tv_usec = (suseconds_t)((get->during - (double)during.tv_sec) * 1e6);
	get->began = load_now();
	if (get->during > 0)
		event_base_once(get->base, -1, EV_TIMEOUT, get_over, get, &during);
	get_begin_more(get);
	if (get->ended < get->count)
		event_base_dispatch(get->base);
	if (let_go)
		event_free(let_go);
	/* Nothing is begun any more. */
	if (get->during > 0)
		get->count = get->begun;
	for (unsigned long long i = 0; i < get->begun; i++)
		get_conn_stop(get->conns[i], GET_E_STOPPED);
}

static int get_tcp_run(struct get *get)
{
	json_t *report;
	int code;

	if (load_descriptors(get->parallel + 64))
		return 2;
	get->conns = calloc(get->count, sizeof(struct get_conn *));
	if (!get->conns) {
		log_error("out of memory for %llu connections", get->count);
		return 2;
	}
	get_loop(get);
	report = get_report(get);
	get_print(report, get->json);
	code = json_is_true(json_object_get(report, "all_ok")) ? 0 : 1;
	json_decref(report);
	for (unsigned long long i = 0; i < get->begun; i++)
		free(get->conns[i]);
	free(get->conns);
	series_free(&get->series_bytes);
	series_free(&get->series_begun);
	series_free(&get->series_ok);
	series_free(&get->series_failed);
	series_named_free(&get->series_server);
	return code;
}

static int get_run(int argc, char **argv)
{
	struct get get = { .proto = IPPROTO_TCP,
			   .bytes = 1000,
			   .parallel = 1,
			   .seed = 1,
			   .requests = 1,
			   .timeout = 60,
			   .stall = 10 };
	int code;

	if (options_read(get_options, &get, argc, argv))
		return 1;
	if (!get.count)
		get.count = get.during > 0 ? GET_COUNT_MAX : 1;
	if (!get.connect || get.count > GET_COUNT_MAX || !get.parallel || !get.requests) {
		log_error("get: --connect is needed; --count (at most 1M), --parallel and "
			  "--requests are at least 1");
		return 1;
	}
	if (get.udp && get.during > 0) {
		log_error("get: --for is for connections, not for --udp");
		return 1;
	}
	if (endpoint_parse(get.connect, &get.peer) ||
	    (get.source && endpoint_parse(get.source, &get.bind)))
		return 1;
	get.base = load_loop_new();
	if (!get.base)
		return 2;
	code = get.udp ? get_udp_run(&get) : get_tcp_run(&get);
	load_loop_free(get.base);
	return code;
}

const struct load_command load_get = {
	"get",
	"connections to a server; exit code 0 if all of them were served byte for byte",
	get_options,
	get_run,
};
