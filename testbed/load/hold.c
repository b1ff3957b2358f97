// SPDX-License-Identifier: GPL-2.0-only
/* mplb-load hold: many connections that live long and ask for a little now and then. */
#include "hold.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "lib/log.h"

static const struct option hold_options[] = {
	{ "--connect", OPTION_LIST, offsetof(struct hold, connect), "ADDR:PORT",
	  "a server; of several, each connection takes the next" },
	{ "--source", OPTION_LIST, offsetof(struct hold, source), "ADDR",
	  "bind to this address; of several, each connection takes the next of its family" },
	{ "--proto", OPTION_PROTO, offsetof(struct hold, proto), "tcp|mptcp", "default tcp" },
	{ "--count", OPTION_NUMBER, offsetof(struct hold, count), "N",
	  "connections, default 1000" },
	{ "--parallel", OPTION_NUMBER, offsetof(struct hold, parallel), "N",
	  "so many of them being established at a time, default 200" },
	{ "--interval", OPTION_SECONDS, offsetof(struct hold, interval), "S",
	  "between two requests of a connection, default 1" },
	{ "--bytes", OPTION_NUMBER, offsetof(struct hold, bytes), "N", "per answer, default 100" },
	{ "--seed", OPTION_NUMBER, offsetof(struct hold, seed), "N", "of the data, default 1" },
	{ "--stall", OPTION_SECONDS, offsetof(struct hold, stall), "S",
	  "an answer that takes longer is a stall, default 1" },
	{ "--timeout", OPTION_SECONDS, offsetof(struct hold, timeout), "S",
	  "one that takes longer than that breaks the connection, default 30" },
	{ "--again", OPTION_SECONDS, offsetof(struct hold, again), "S",
	  "open again after S what broke; default: leave it" },
	{ "--for", OPTION_SECONDS, offsetof(struct hold, during), "S",
	  "end S after `established`; default: on SIGTERM or SIGINT" },
	{ "-j", OPTION_FLAG, offsetof(struct hold, json), NULL, "print JSON" },
	{ 0 },
};

static void hold_begin_more(struct hold *hold)
{
	/* One that fails at once counts as tried inside hold_conn_begin(). */
	while (!hold->ending && hold->begun < hold->count && hold->opening < hold->parallel) {
		hold->opening++;
		hold_conn_begin(&hold->conns[hold->begun++]);
	}
}

static void hold_begin(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	hold_begin_more(arg);
}

static void hold_over(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	event_base_loopbreak(((struct hold *)arg)->base);
}

static void hold_all_tried(struct hold *hold)
{
	struct timeval during = { .tv_sec = (time_t)hold->during };

	log_info("established: %llu of %llu", (unsigned long long)hold->established, hold->count);
	during.tv_usec = (suseconds_t)((hold->during - (double)during.tv_sec) * 1e6);
	if (hold->during > 0)
		event_base_once(hold->base, -1, EV_TIMEOUT, hold_over, hold, &during);
}

void hold_tried(struct hold_conn *conn)
{
	static const struct timeval at_once = { 0 };
	struct hold *hold = conn->hold;

	if (conn->server) {
		hold->established++;
		series_add(&hold->series_established, load_now() - hold->began, 1);
	}
	if (conn->tried)
		return;
	conn->tried = true;
	hold->opening--;
	if (++hold->tried == hold->count)
		hold_all_tried(hold);
	else if (hold->begun < hold->count)
		event_base_once(hold->base, -1, EV_TIMEOUT, hold_begin, hold, &at_once);
}

void hold_rests(struct hold *hold)
{
	if (!--hold->waiting)
		event_base_loopbreak(hold->base);
}

/* The n-th of the sources that have the peer's family, counted round. NULL: there is none. */
static const struct endpoint *hold_source(const struct hold *hold, const struct endpoint *peer,
					  unsigned long long n)
{
	const struct endpoint *fit[OPTION_LIST_MAX];
	size_t n_fit = 0;

	for (size_t i = 0; i < hold->source.n; i++)
		if (hold->sources[i].addr.ss_family == peer->addr.ss_family)
			fit[n_fit++] = &hold->sources[i];
	return n_fit ? fit[n % n_fit] : NULL;
}

static int hold_prepare(struct hold *hold)
{
	hold->conns = calloc(hold->count, sizeof(*hold->conns));
	if (!hold->conns || hold_report_begin(hold)) {
		log_error("out of memory for %llu connections", hold->count);
		return -1;
	}
	for (unsigned long long i = 0; i < hold->count; i++) {
		struct hold_conn *conn = &hold->conns[i];

		conn->hold = hold;
		conn->number = i;
		/* Room for a million requests before two connections ask for the same. */
		conn->seed = hold->seed + (i << 20);
		conn->peer = &hold->peers[i % hold->connect.n];
		conn->source = hold_source(hold, conn->peer, i / hold->connect.n);
	}
	return load_descriptors(hold->count + 64);
}

static void hold_loop(struct hold *hold)
{
	hold->began = load_now();
	hold_begin_more(hold);
	event_base_dispatch(hold->base);
	/* Requests under way are waited for, up to --stall each. */
	hold->ending = true;
	for (unsigned long long i = 0; i < hold->count; i++)
		hold_conn_end(&hold->conns[i]);
	if (hold->waiting)
		event_base_dispatch(hold->base);
}

static int hold_carry_out(struct hold *hold)
{
	json_t *report;
	int code = 2;

	if (!hold_prepare(hold)) {
		hold_loop(hold);
		report = hold_report(hold, load_now() - hold->began);
		hold_print(report, hold->json);
		code = json_is_true(json_object_get(report, "all_ok")) ? 0 : 1;
		json_decref(report);
	}
	for (unsigned long long i = 0; hold->conns && i < hold->count; i++)
		hold_conn_free(&hold->conns[i]);
	hold_report_end(hold);
	free(hold->conns);
	return code;
}

/* Reads addresses, and says what does not go together. */
static int hold_check(struct hold *hold)
{
	if (!hold->connect.n || !hold->count || hold->count > 1000000 || !hold->parallel)
		return log_err_r(-EINVAL, "hold: --connect is needed; --count (at most 1M) and "
					  "--parallel are at least 1");
	if (hold->timeout < hold->stall)
		return log_err_r(-EINVAL, "hold: --timeout is less than --stall");
	for (size_t i = 0; i < hold->source.n; i++)
		if (endpoint_parse(hold->source.text[i], &hold->sources[i]))
			return -EINVAL;
	for (size_t i = 0; i < hold->connect.n; i++) {
		if (endpoint_parse(hold->connect.text[i], &hold->peers[i]))
			return -EINVAL;
		if (hold->source.n && !hold_source(hold, &hold->peers[i], 0))
			return log_err_r(-EINVAL, "hold: no --source is of the family of %s",
					 hold->connect.text[i]);
	}
	return 0;
}

static int hold_run(int argc, char **argv)
{
	struct hold hold = { .proto = IPPROTO_TCP,
			     .count = 1000,
			     .parallel = 200,
			     .bytes = 100,
			     .seed = 1,
			     .interval = 1,
			     .stall = 1,
			     .timeout = 30 };
	int code;

	if (options_read(hold_options, &hold, argc, argv))
		return 1;
	if (hold_check(&hold))
		return 1;
	hold.base = load_loop_new();
	if (!hold.base)
		return 2;
	code = hold_carry_out(&hold);
	load_loop_free(hold.base);
	return code;
}

const struct load_command load_hold = {
	"hold",
	"connections that live as long as it runs; exit code 0 if all came up, none broke, none "
	"stalled",
	hold_options,
	hold_run,
};
