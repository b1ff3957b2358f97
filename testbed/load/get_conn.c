// SPDX-License-Identifier: GPL-2.0-only
#include "get.h"

#include <errno.h>
#include <event2/buffer.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"

#define GET_TICK_USEC  10000
#define GET_LOOK       0.1 /* seconds between two looks at a connection's subflows */
#define GET_WARM_BYTES 64
#define GET_PUT_BUFFER ((size_t)4 * PATTERN_CHUNK)

static void get_count_bytes(struct get_conn *conn, uint64_t bytes)
{
	double at = load_now() - conn->get->began;

	series_add(&conn->get->series_bytes, at, bytes);
	if (conn->server_bytes)
		series_add(conn->server_bytes, at, bytes);
}

/* Of an upload: what has been handed to the kernel since the last look. */
static void get_count_upload(struct get_conn *conn)
{
	size_t here = evbuffer_get_length(bufferevent_get_output(conn->bev));
	uint64_t sent = conn->sent > here ? conn->sent - here : 0;

	if (sent <= conn->counted)
		return;
	get_count_bytes(conn, sent - conn->counted);
	conn->counted = sent;
}

static void get_progress(struct get_conn *conn)
{
	double now = load_now();

	if (conn->state == GET_TRANSFER && now - conn->progress > conn->pause)
		conn->pause = now - conn->progress;
	conn->progress = now;
}

void get_conn_stop(struct get_conn *conn, enum get_error error)
{
	if (conn->state == GET_DONE)
		return;
	get_progress(conn);
	conn->ended = conn->progress;
	if (conn->bev && conn->connected && conn->get->proto == IPPROTO_MPTCP)
		mptcp_look(bufferevent_getfd(conn->bev), &conn->get->peer, &conn->mptcp);
	if (conn->tick)
		event_free(conn->tick);
	if (conn->bev)
		bufferevent_free(conn->bev);
	if (conn->check.got && !pattern_check_end(&conn->check, conn->sha256) &&
	    error == GET_E_NONE) {
		error = GET_E_CORRUPT;
		log_warn("the answer is not what it should be from byte %" PRIu64 " on",
			 conn->check.wrong);
	}
	pattern_check_free(&conn->check);
	conn->tick = NULL;
	conn->bev = NULL;
	conn->error = error;
	conn->state = GET_DONE;
	get_ended(conn->get, conn);
}

static enum get_error get_error_of(const struct get_conn *conn, int err)
{
	switch (err) {
	case ECONNREFUSED:
		return GET_E_REFUSED;
	case ECONNRESET:
	case EPIPE:
		return conn->connected ? GET_E_RESET : GET_E_REFUSED;
	case EHOSTUNREACH:
	case ENETUNREACH:
		return GET_E_UNREACHABLE;
	case ETIMEDOUT:
		return GET_E_TIMEOUT;
	default:
		return GET_E_SOCKET;
	}
}

/* Uploads: keeps the socket's output filled, at the rate asked for. */
static void get_fill(struct get_conn *conn)
{
	uint64_t may = load_allowance(conn->get->rate, load_now() - conn->transfer);
	struct evbuffer *out = bufferevent_get_output(conn->bev);
	static unsigned char chunk[PATTERN_CHUNK];

	if (may > conn->want)
		may = conn->want;
	while (conn->sent < may && evbuffer_get_length(out) < GET_PUT_BUFFER) {
		size_t len = sizeof(chunk);

		if (len > may - conn->sent)
			len = (size_t)(may - conn->sent);
		pattern_fill(conn->seed, conn->sent, chunk, len);
		evbuffer_add(out, chunk, len);
		pattern_check_add(&conn->check, conn->seed, conn->sent, chunk, len);
		conn->sent += len;
		get_progress(conn);
	}
}

static void get_ask(struct get_conn *conn, enum get_state state, uint64_t bytes)
{
	struct evbuffer *out = bufferevent_get_output(conn->bev);
	bool put = conn->get->put && state == GET_TRANSFER;

	conn->state = state;
	conn->want = bytes;
	conn->done = conn->sent = conn->counted = 0;
	conn->answered = false;
	conn->transfer = conn->progress = load_now();
	evbuffer_add_printf(out, "%s %" PRIu64 " %" PRIu64, put ? "PUT" : "GET", bytes, conn->seed);
	if (!put && conn->get->rate && state == GET_TRANSFER)
		evbuffer_add_printf(out, " %llu", conn->get->rate);
	evbuffer_add(out, "\n", 1);
	if (put)
		get_fill(conn);
}

void get_conn_let_go(struct get_conn *conn)
{
	if (conn->state != GET_TRANSFER)
		return;
	if (conn->get->put)
		get_fill(conn);
	else
		evbuffer_add_printf(bufferevent_get_output(conn->bev), "GO\n");
}

/* The last answer has come: end, or wait for the subflow first. */
static void get_finish(struct get_conn *conn)
{
	if (!conn->get->hold_until_joined || conn->get->proto != IPPROTO_MPTCP) {
		get_conn_stop(conn, GET_E_NONE);
		return;
	}
	conn->state = GET_HOLD;
	conn->until = load_now() + conn->get->hold_until_joined;
}

static void get_answered(struct get_conn *conn)
{
	if (conn->state == GET_WARM) {
		conn->state = GET_JOINING;
		conn->until = load_now() + conn->get->join_first;
		return;
	}
	conn->requests++;
	if (conn->requests == conn->get->requests) {
		get_finish(conn);
	} else if (conn->get->gap > 0) {
		conn->state = GET_GAP;
		conn->until = load_now() + conn->get->gap;
	} else {
		get_ask(conn, GET_TRANSFER, conn->get->bytes);
	}
}

/* The answer's first line: "NAME" or, to a PUT, "NAME ok SHA256". */
static enum get_error get_line(struct get_conn *conn, const char *line)
{
	char name[LOAD_LINE_MAX], verdict[8] = "", hex[PATTERN_HEX] = "";
	int fields = sscanf(line, "%255s %7s %64s", name, verdict, hex);

	if (fields < 1)
		return GET_E_PROTOCOL;
	if (conn->named && strcmp(conn->server, name) != 0)
		return GET_E_MOVED;
	if (!conn->named)
		conn->server_bytes = series_of(&conn->get->series_server, name);
	strcpy(conn->server, name);
	conn->named = conn->answered = true;
	if (!conn->get->put || conn->state != GET_TRANSFER)
		return fields == 1 ? GET_E_NONE : GET_E_PROTOCOL;
	if (fields != 3)
		return GET_E_PROTOCOL;
	get_count_bytes(conn, conn->want - conn->counted);
	conn->counted = conn->done = conn->want;
	conn->total += conn->want;
	return strcmp(verdict, "ok") != 0 ? GET_E_CORRUPT : GET_E_NONE;
}

static void get_mark(struct get_conn *conn)
{
	struct get *get = conn->get;

	if (conn->marked || !get->mark || conn->total < get->mark)
		return;
	conn->marked = true;
	if (++get->marked == get->count)
		log_info("mark");
}

static void get_take(struct get_conn *conn, struct evbuffer *in)
{
	static unsigned char chunk[PATTERN_CHUNK];

	while (conn->done < conn->want && evbuffer_get_length(in)) {
		size_t len = sizeof(chunk);

		if (len > conn->want - conn->done)
			len = (size_t)(conn->want - conn->done);
		len = (size_t)evbuffer_remove(in, chunk, len);
		pattern_check_add(&conn->check, conn->seed, conn->done, chunk, len);
		conn->done += len;
		if (conn->state != GET_TRANSFER)
			continue;
		conn->total += len;
		get_count_bytes(conn, len);
	}
	get_mark(conn);
}

static void get_read(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	struct get_conn *conn = arg;
	enum get_error error;
	char *line;

	get_progress(conn);
	if (conn->state != GET_WARM && conn->state != GET_TRANSFER) {
		get_conn_stop(conn, GET_E_PROTOCOL);
		return;
	}
	if (!conn->answered) {
		line = evbuffer_readln(in, NULL, EVBUFFER_EOL_LF);
		if (!line) {
			if (evbuffer_get_length(in) > LOAD_LINE_MAX)
				get_conn_stop(conn, GET_E_PROTOCOL);
			return;
		}
		error = get_line(conn, line);
		free(line);
		if (error != GET_E_NONE) {
			get_conn_stop(conn, error);
			return;
		}
	}
	get_take(conn, in);
	if (conn->done == conn->want)
		get_answered(conn);
}

static void get_write(struct bufferevent *bev, void *arg)
{
	struct get_conn *conn = arg;

	(void)bev;
	if (conn->state == GET_TRANSFER && conn->get->put && !conn->get->rate)
		get_fill(conn);
}

static void get_connected(struct get_conn *conn)
{
	conn->connected = load_now();
	conn->local.len = sizeof(conn->local.addr);
	getsockname(bufferevent_getfd(conn->bev), (void *)&conn->local.addr, &conn->local.len);
	if (conn->get->proto == IPPROTO_MPTCP)
		mptcp_look(bufferevent_getfd(conn->bev), &conn->get->peer, &conn->mptcp);
	if (conn->get->join_first > 0 && conn->get->proto == IPPROTO_MPTCP)
		get_ask(conn, GET_WARM, GET_WARM_BYTES);
	else
		get_ask(conn, GET_TRANSFER, conn->get->bytes);
}

static void get_event(struct bufferevent *bev, short what, void *arg)
{
	struct get_conn *conn = arg;
	int err = EVUTIL_SOCKET_ERROR();

	(void)bev;
	if (what & BEV_EVENT_CONNECTED)
		get_connected(conn);
	else if (what & BEV_EVENT_ERROR)
		get_conn_stop(conn, get_error_of(conn, err));
	else if (what & BEV_EVENT_EOF)
		get_conn_stop(conn, GET_E_SHORT);
}

static void get_join_over(struct get_conn *conn)
{
	struct get *get = conn->get;

	if (++get->joined_first == get->count)
		log_info("joined");
	get_ask(conn, GET_TRANSFER, get->bytes);
}

static void get_tick(evutil_socket_t fd, short what, void *arg)
{
	bool waits, joined, over;
	struct get_conn *conn = arg;
	struct get *get = conn->get;
	double now = load_now();

	(void)fd;
	(void)what;
	if (now - conn->began > get->timeout) {
		get_conn_stop(conn, GET_E_TIMEOUT);
		return;
	}
	waits = conn->state == GET_JOINING || conn->state == GET_HOLD;
	if (get->proto == IPPROTO_MPTCP && conn->connected > 0 &&
	    (waits || now - conn->looked > GET_LOOK)) {
		conn->looked = now;
		mptcp_look(bufferevent_getfd(conn->bev), &get->peer, &conn->mptcp);
	}
	joined = mptcp_joined(&conn->mptcp) || mptcp_joined_peer(&conn->mptcp) ||
		 conn->mptcp.fallback;
	over = now >= conn->until;
	if (conn->state == GET_JOINING && (joined || over))
		get_join_over(conn);
	else if (conn->state == GET_HOLD && (joined || over))
		get_conn_stop(conn, GET_E_NONE);
	else if (conn->state == GET_GAP && over)
		get_ask(conn, GET_TRANSFER, get->bytes);
	else if (conn->state == GET_TRANSFER && get->put && get->rate)
		get_fill(conn);
	if (conn->state == GET_TRANSFER && get->put)
		get_count_upload(conn);
	waits = conn->state == GET_CONNECTING || conn->state == GET_WARM ||
		conn->state == GET_TRANSFER;
	if (waits && now - conn->progress > get->stall)
		get_conn_stop(conn, GET_E_STALL);
}

static int get_conn_open(struct get_conn *conn)
{
	static const struct timeval tick = { .tv_usec = GET_TICK_USEC };
	struct get *get = conn->get;
	int fd = endpoint_socket(get->peer.addr.ss_family, get->proto,
				 get->source ? &get->bind : NULL);

	if (fd < 0)
		return fd;
	conn->bev = bufferevent_socket_new(get->base, fd, BEV_OPT_CLOSE_ON_FREE);
	conn->tick = event_new(get->base, -1, EV_PERSIST, get_tick, conn);
	if (!conn->bev)
		evutil_closesocket(fd);
	if (!conn->bev || !conn->tick || event_add(conn->tick, &tick) ||
	    pattern_check_begin(&conn->check))
		return -ENOMEM;
	bufferevent_setcb(conn->bev, get_read, get_write, get_event, conn);
	bufferevent_setwatermark(conn->bev, EV_WRITE, GET_PUT_BUFFER / 2, 0);
	bufferevent_set_max_single_read(conn->bev, GET_PUT_BUFFER);
	bufferevent_set_max_single_write(conn->bev, GET_PUT_BUFFER);
	bufferevent_enable(conn->bev, EV_READ | EV_WRITE);
	return bufferevent_socket_connect(conn->bev, (void *)&get->peer.addr, (int)get->peer.len);
}

void get_conn_begin(struct get_conn *conn)
{
	conn->state = GET_CONNECTING;
	conn->began = conn->progress = load_now();
	if (get_conn_open(conn))
		get_conn_stop(conn, GET_E_SOCKET);
}
