// SPDX-License-Identifier: GPL-2.0-only
#include "hold.h"

#include <errno.h>
#include <event2/buffer.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "pattern.h"

static void hold_wait(struct hold_conn *conn, double seconds)
{
	struct timeval wait = { .tv_sec = (time_t)seconds };

	wait.tv_usec = (suseconds_t)((seconds - (double)wait.tv_sec) * 1e6);
	event_add(conn->timer, &wait);
}

static void hold_look(struct hold_conn *conn)
{
	if (conn->mptcp && conn->bev)
		mptcp_look(bufferevent_getfd(conn->bev), conn->peer, conn->mptcp);
}

static void hold_close(struct hold_conn *conn)
{
	bool asked = conn->state == HOLD_ASKED;

	hold_look(conn);
	event_del(conn->timer);
	if (conn->bev)
		bufferevent_free(conn->bev);
	conn->bev = NULL;
	conn->state = HOLD_CLOSED;
	if (asked && conn->hold->ending)
		hold_rests(conn->hold);
}

/* The connection is lost, or never came up: no server has answered. */
static void hold_break(struct hold_conn *conn, enum hold_trouble trouble)
{
	bool established = conn->server != NULL;

	hold_note(conn, trouble, established);
	hold_close(conn);
	if (!established)
		hold_tried(conn);
	conn->server = NULL;
	if (conn->hold->again > 0 && !conn->hold->ending)
		hold_wait(conn, conn->hold->again);
}

static void hold_ask(struct hold_conn *conn)
{
	struct hold *hold = conn->hold;

	conn->state = HOLD_ASKED;
	conn->seed++;
	conn->done = 0;
	conn->named = false;
	conn->asked = load_now();
	hold->requests++;
	evbuffer_add_printf(bufferevent_get_output(conn->bev), "GET %llu %" PRIu64 "\n",
			    hold->bytes, conn->seed);
	hold_wait(conn, hold->stall);
}

static void hold_answered(struct hold_conn *conn)
{
	double now = load_now(), next = conn->asked + conn->hold->interval - now;

	hold_note_answer(conn, now - conn->asked);
	/* Each look costs more than a request: at 1, 2, 4, 8, ... answers. */
	if (!(conn->answers & (conn->answers - 1)))
		hold_look(conn);
	if (conn->hold->ending) {
		hold_close(conn);
		return;
	}
	conn->state = HOLD_IDLE;
	hold_wait(conn, next > 0 ? next : 0);
}

static enum hold_trouble hold_take_name(struct hold_conn *conn, const char *name)
{
	if (!*name || strchr(name, ' '))
		return HOLD_T_PROTOCOL;
	if (conn->server && strcmp(conn->server->name, name) != 0)
		return HOLD_T_MOVED;
	conn->named = true;
	if (conn->server)
		return HOLD_T_MAX;
	conn->server = hold_server(conn->hold, name);
	if (!conn->server)
		return HOLD_T_PROTOCOL;
	conn->server->connections++;
	hold_tried(conn);
	return HOLD_T_MAX;
}

/* Compares what has come of the data. */
static enum hold_trouble hold_take(struct hold_conn *conn, struct evbuffer *in)
{
	unsigned char got[4096], want[sizeof(got)];

	while (conn->done < conn->hold->bytes && evbuffer_get_length(in)) {
		size_t len = sizeof(got);

		if (len > conn->hold->bytes - conn->done)
			len = (size_t)(conn->hold->bytes - conn->done);
		len = (size_t)evbuffer_remove(in, got, len);
		pattern_fill(conn->seed, conn->done, want, len);
		if (memcmp(got, want, len) != 0)
			return HOLD_T_CORRUPT;
		conn->done += len;
	}
	return HOLD_T_MAX;
}

static void hold_read(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	enum hold_trouble trouble = HOLD_T_MAX;
	struct hold_conn *conn = arg;
	char *line;

	if (conn->state != HOLD_ASKED && conn->state != HOLD_STALLED) {
		hold_break(conn, HOLD_T_PROTOCOL);
		return;
	}
	if (!conn->named) {
		line = evbuffer_readln(in, NULL, EVBUFFER_EOL_LF);
		if (!line && evbuffer_get_length(in) < LOAD_LINE_MAX)
			return;
		trouble = line ? hold_take_name(conn, line) : HOLD_T_PROTOCOL;
		free(line);
	}
	if (trouble == HOLD_T_MAX)
		trouble = hold_take(conn, in);
	if (trouble != HOLD_T_MAX)
		hold_break(conn, trouble);
	else if (conn->done == conn->hold->bytes)
		hold_answered(conn);
}

static enum hold_trouble hold_trouble_of(const struct hold_conn *conn, int err)
{
	switch (err) {
	case ECONNREFUSED:
		return HOLD_T_REFUSED;
	case ECONNRESET:
	case EPIPE:
		return conn->state == HOLD_CONNECTING ? HOLD_T_REFUSED : HOLD_T_RESET;
	case EHOSTUNREACH:
	case ENETUNREACH:
		return HOLD_T_UNREACHABLE;
	case ETIMEDOUT:
		return HOLD_T_TIMEOUT;
	default:
		return HOLD_T_SOCKET;
	}
}

static void hold_event(struct bufferevent *bev, short what, void *arg)
{
	struct hold_conn *conn = arg;
	int err = EVUTIL_SOCKET_ERROR();

	if (what & BEV_EVENT_CONNECTED) {
		conn->local.len = sizeof(conn->local.addr);
		getsockname(bufferevent_getfd(bev), (void *)&conn->local.addr, &conn->local.len);
		hold_look(conn);
		hold_ask(conn);
	} else if (what & BEV_EVENT_ERROR) {
		hold_break(conn, hold_trouble_of(conn, err));
	} else if (what & BEV_EVENT_EOF) {
		hold_break(conn, HOLD_T_CLOSED);
	}
}

static void hold_timer(evutil_socket_t fd, short what, void *arg)
{
	struct hold_conn *conn = arg;
	struct hold *hold = conn->hold;

	(void)fd;
	(void)what;
	switch (conn->state) {
	case HOLD_CLOSED:
		hold_conn_begin(conn);
		break;
	case HOLD_CONNECTING:
	case HOLD_STALLED:
		hold_break(conn, HOLD_T_TIMEOUT);
		break;
	case HOLD_IDLE:
		hold_ask(conn);
		break;
	case HOLD_ASKED:
		hold_note(conn, HOLD_T_STALL, conn->server != NULL);
		if (hold->ending) {
			hold_close(conn);
			break;
		}
		conn->state = HOLD_STALLED;
		hold_wait(conn, hold->timeout > hold->stall ? hold->timeout - hold->stall : 0);
		break;
	}
}

static int hold_open(struct hold_conn *conn)
{
	struct hold *hold = conn->hold;
	int fd = endpoint_socket(conn->peer->addr.ss_family, hold->proto, conn->source);

	if (fd < 0)
		return fd;
	conn->bev = bufferevent_socket_new(hold->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!conn->bev) {
		evutil_closesocket(fd);
		return -ENOMEM;
	}
	bufferevent_setcb(conn->bev, hold_read, NULL, hold_event, conn);
	bufferevent_enable(conn->bev, EV_READ | EV_WRITE);
	return bufferevent_socket_connect(conn->bev, (void *)&conn->peer->addr,
					  (int)conn->peer->len);
}

void hold_conn_begin(struct hold_conn *conn)
{
	struct hold *hold = conn->hold;

	if (!conn->timer)
		conn->timer = evtimer_new(hold->base, hold_timer, conn);
	if (hold->proto == IPPROTO_MPTCP && !conn->mptcp)
		conn->mptcp = malloc(sizeof(*conn->mptcp));
	if (conn->mptcp)
		*conn->mptcp = (struct mptcp_history){ 0 };
	conn->local = (struct endpoint){ 0 };
	conn->opened = load_now();
	conn->state = HOLD_CONNECTING;
	if (conn->timer && !hold_open(conn))
		hold_wait(conn, hold->timeout);
	else
		hold_break(conn, HOLD_T_SOCKET);
}

void hold_conn_end(struct hold_conn *conn)
{
	if (conn->state == HOLD_ASKED)
		conn->hold->waiting++;
	else if (conn->timer)
		hold_close(conn);
}

void hold_conn_free(struct hold_conn *conn)
{
	if (conn->bev)
		bufferevent_free(conn->bev);
	if (conn->timer)
		event_free(conn->timer);
	free(conn->mptcp);
}
