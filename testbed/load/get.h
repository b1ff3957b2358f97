/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_LOAD_GET_H
#define MPLB_LOAD_GET_H

#include <event2/bufferevent.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "endpoint.h"
#include "load.h"
#include "mptcp_info.h"
#include "pattern.h"
#include "series.h"

/* What the command line asks for. */
struct get {
	const char *connect, *source;
	int proto;
	bool udp, put, json;
	unsigned long long bytes, count, parallel, seed, rate, requests, mark;
	double timeout, stall, gap, join_first, hold_until_joined, during;
	struct endpoint peer, bind;
	struct event_base *base;
	struct get_conn **conns; /* those begun */
	double began; /* load_now() */
	struct series series_bytes, series_begun, series_ok, series_failed;
	struct series_named *series_server; /* bytes, by server */
	unsigned long long begun, ended, marked, joined_first;
};

/* How a connection ended. X(NAME, "name") */
#define GET_ERRORS(X)                                                                              \
	X(NONE, "none")                                                                            \
	X(SOCKET, "socket") /* no socket, or connect() failed at once */                           \
	X(REFUSED, "refused") /* reset before it was established */                                \
	X(RESET, "reset")                                                                          \
	X(UNREACHABLE, "unreachable")                                                              \
	X(TIMEOUT, "timeout") /* --timeout went by, or the kernel gave up */                       \
	X(STALL, "stall") /* nothing came for --stall seconds */                                   \
	X(SHORT, "short") /* closed before everything had come */                                  \
	X(CORRUPT, "corrupt") /* the data is not the pattern */                                    \
	X(MOVED, "moved") /* another server answers than before */                                 \
	X(PROTOCOL, "protocol") /* the answer is none */                                           \
	X(STOPPED, "stopped") /* SIGINT or SIGTERM */

enum get_error {
#define X(NAME, name) GET_E_##NAME,
	GET_ERRORS(X)
#undef X
		GET_E_MAX
};

enum get_state {
	GET_WAITING, /* not begun */
	GET_CONNECTING,
	GET_WARM, /* --join-first: a small answer is on its way */
	GET_JOINING, /* --join-first: waiting for the subflow */
	GET_TRANSFER,
	GET_GAP, /* between two requests */
	GET_HOLD, /* --hold-until-joined */
	GET_DONE,
};

struct get_conn {
	struct get *get;
	struct bufferevent *bev;
	struct event *tick;
	enum get_state state;
	enum get_error error;
	uint64_t seed, want, done; /* of the request under way */
	uint64_t sent, total; /* handed to the socket; received or confirmed over all requests */
	uint64_t counted; /* of an upload, in the series */
	struct series *server_bytes;
	unsigned long long requests; /* finished */
	bool named, marked, answered; /* the answer's first line has come */
	char server[LOAD_LINE_MAX], sha256[PATTERN_HEX];
	struct pattern_check check;
	struct endpoint local;
	struct mptcp_history mptcp;
	double began, connected, transfer, ended, progress, looked, until;
	double pause; /* the longest time without progress in a transfer, s */
};

/* get_conn.c: one connection. get_ended() is called once it is over. */
void get_conn_begin(struct get_conn *conn);
void get_conn_stop(struct get_conn *conn, enum get_error error);
void get_conn_let_go(struct get_conn *conn); /* get->rate is 0 now */
/* get.c */
void get_ended(struct get *get, const struct get_conn *conn);
/* get_report.c: everything about all connections. */
json_t *get_report(const struct get *get);
void get_print(const json_t *report, bool json);
/* get_udp.c: datagrams instead. Returns the exit code. */
int get_udp_run(struct get *get);

#endif
