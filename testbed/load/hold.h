/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_LOAD_HOLD_H
#define MPLB_LOAD_HOLD_H

#include <event2/bufferevent.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "endpoint.h"
#include "load.h"
#include "mptcp_info.h"
#include "series.h"

/*
 * Connections that live as long as the run does. Each asks for a few bytes at an interval; who
 * answers is its server. What may happen to one is told apart, and laid at the door of its server:
 * X(NAME, "name")
 */
#define HOLD_TROUBLES(X)                                                                           \
	X(STALL, "stall") /* no answer for --stall; it may yet come */                             \
	X(TIMEOUT, "timeout") /* nor for --timeout: given up; or the kernel gave up */             \
	X(RESET, "reset")                                                                          \
	X(CLOSED, "closed") /* by the server, without having been asked to */                      \
	X(UNREACHABLE, "unreachable")                                                              \
	X(CORRUPT, "corrupt") /* the data is not the pattern */                                    \
	X(MOVED, "moved") /* another server answers than before */                                 \
	X(PROTOCOL, "protocol") /* the answer is none */                                           \
	X(REFUSED, "refused") /* reset before it was established */                                \
	X(SOCKET, "socket") /* no socket, or connect() failed at once */

enum hold_trouble {
#define X(NAME, name) HOLD_T_##NAME,
	HOLD_TROUBLES(X)
#undef X
		HOLD_T_MAX
};

#define HOLD_SERVERS_MAX   1024
#define HOLD_TROUBLES_KEPT 20000 /* in the list; all are counted */
#define HOLD_LATENCY_STEP  1e-4 /* seconds */
#define HOLD_LATENCY_STEPS 600000 /* a minute, and what took longer */

struct hold_server {
	char name[LOAD_LINE_MAX];
	uint64_t connections, answers, trouble[HOLD_T_MAX];
	struct series answered;
};

/* What happened to a connection, and when. */
struct hold_event {
	enum hold_trouble trouble;
	bool established;
	double at, opened; /* since the run began */
	unsigned long long conn;
	const struct hold_server *server; /* NULL: none had answered yet */
	struct endpoint local;
};

struct hold {
	struct option_list connect, source; /* as given */
	int proto;
	bool json;
	unsigned long long count, parallel, bytes, seed;
	double interval, stall, timeout, during, again;
	struct endpoint peers[OPTION_LIST_MAX], sources[OPTION_LIST_MAX];

	struct event_base *base;
	struct hold_conn *conns;
	bool ending; /* no new requests, no new connections */
	double began; /* load_now() */
	unsigned long long begun, opening, tried, waiting;
	uint64_t established, failed, broken, stalls, requests, answers;
	uint64_t trouble[HOLD_T_MAX];
	struct hold_server *servers[HOLD_SERVERS_MAX];
	size_t n_servers;
	struct hold_event *events;
	size_t n_events;
	uint32_t *latency; /* answers by what they took, in HOLD_LATENCY_STEP */
	struct series series_established, series_answers, series_stalls, series_broken;
};

enum hold_state {
	HOLD_CLOSED, /* not begun, broken, or ended */
	HOLD_CONNECTING,
	HOLD_IDLE, /* until the next request */
	HOLD_ASKED,
	HOLD_STALLED, /* asked, and --stall has gone by */
};

struct hold_conn {
	struct hold *hold;
	struct bufferevent *bev;
	struct event *timer;
	enum hold_state state;
	unsigned long long number; /* of the connection */
	const struct endpoint *peer, *source;
	struct endpoint local;
	struct hold_server *server;
	struct mptcp_history *mptcp; /* NULL: plain TCP */
	uint64_t seed, done; /* of the request under way */
	uint64_t answers;
	bool tried, named; /* once; the answer's first line has come */
	unsigned long long stalls, breaks;
	double opened, asked;
};

/* hold_conn.c: one connection. */
void hold_conn_begin(struct hold_conn *conn);
/* The run ends: closes what has nothing under way. The others close themselves. */
void hold_conn_end(struct hold_conn *conn);
void hold_conn_free(struct hold_conn *conn);
/* hold.c: a connection has been established, or has failed to be; and: one has no request under
 * way any more. */
void hold_tried(struct hold_conn *conn);
void hold_rests(struct hold *hold);
/* hold_report.c */
int hold_report_begin(struct hold *hold);
struct hold_server *hold_server(struct hold *hold, const char *name);
void hold_note(struct hold_conn *conn, enum hold_trouble trouble, bool established);
void hold_note_answer(struct hold_conn *conn, double seconds);
json_t *hold_report(const struct hold *hold, double seconds);
void hold_print(const json_t *report, bool json);
void hold_report_end(struct hold *hold);

#endif
