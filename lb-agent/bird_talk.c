/* SPDX-License-Identifier: GPL-2.0-only */
#include "bird_talk.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "lib/log.h"

#define RETRY_S	    1
#define ANSWER_S    2 /* BIRD answers between two steps of its own work */
#define COMMAND_LEN (BIRD_NAME_MAX + 32)

enum doing {
	AWAY,
	GREETING, /* connected, not greeted yet */
	FREE, /* nothing is asked */
	ASKED,
};

struct bird_talk {
	struct sockaddr_un addr;
	struct event_base *base;
	struct bird_talk_events events;
	int fd;
	struct event *readable, *timer;
	struct evbuffer *in;
	enum doing doing;
	struct bird_line line; /* the last one */
	char problem[BIRD_PROBLEM_LEN];
};

void bird_problem_set(const char *path, char of[static BIRD_PROBLEM_LEN], const char *fmt, ...)
{
	char text[BIRD_PROBLEM_LEN];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!strcmp(text, of))
		return;
	memcpy(of, text, sizeof(text));
	log_error("BIRD at %s: %s; tried again every second", path, text);
}

#define problem(t, ...) bird_problem_set((t)->addr.sun_path, (t)->problem, __VA_ARGS__)

static void set_timer(struct bird_talk *t, unsigned int seconds)
{
	const struct timeval delay = { .tv_sec = seconds };

	event_add(t->timer, &delay);
}

static void disconnect(struct bird_talk *t)
{
	if (t->readable)
		event_free(t->readable);
	t->readable = NULL;
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
	t->doing = AWAY;
	evbuffer_drain(t->in, evbuffer_get_length(t->in));
	set_timer(t, RETRY_S);
	t->events.lost(t->events.data);
}

/* Takes a line. False: the connection is gone. */
static bool take(struct bird_talk *t, const char *text)
{
	struct bird_line line = t->line;

	if (bird_line_read(text, &line)) {
		problem(t, "says what BIRD does not say: \"%.40s\"", text);
		disconnect(t);
		return false;
	}
	if (line.aside)
		return true;
	t->line = line;
	if (t->doing == GREETING && line.last && line.code != BIRD_WELCOME) {
		problem(t, "does not greet as BIRD does: \"%.40s\"", text);
		disconnect(t);
	} else if (t->doing == GREETING && line.last) {
		t->doing = FREE;
		event_del(t->timer);
		t->events.greeted(t->events.data);
	} else if (t->doing == ASKED) {
		if (line.last) {
			if (*t->problem)
				log_info("BIRD at %s: answers again", t->addr.sun_path);
			*t->problem = '\0';
			t->doing = FREE;
			event_del(t->timer);
		}
		t->events.line(t->events.data, &line);
	}
	return t->fd >= 0;
}

static void on_readable(evutil_socket_t fd, short what, void *data)
{
	struct bird_talk *t = data;
	int n = evbuffer_read(t->in, fd, 16 * BIRD_LINE_MAX);
	bool goes_on = true;
	char *text;

	(void)what;
	while (goes_on && (text = evbuffer_readln(t->in, NULL, EVBUFFER_EOL_LF))) {
		goes_on = take(t, text);
		free(text);
	}
	if (!goes_on)
		return;
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		problem(t, "has closed the connection");
		disconnect(t);
	} else if (evbuffer_get_length(t->in) > BIRD_LINE_MAX) {
		problem(t, "says what BIRD does not say: a line without end");
		disconnect(t);
	}
}

static void connect_now(struct bird_talk *t)
{
	int err;

	t->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (t->fd < 0 || connect(t->fd, (struct sockaddr *)&t->addr, sizeof(t->addr))) {
		err = errno;
		problem(t, "%s%s", strerror(err),
			err == ENOENT || err == ECONNREFUSED ? " (is BIRD running?)"
			: err == EACCES			     ? " (may this user open it?)"
							     : "");
		disconnect(t);
		return;
	}
	t->readable = event_new(t->base, t->fd, EV_READ | EV_PERSIST, on_readable, t);
	if (!t->readable || event_add(t->readable, NULL)) {
		problem(t, "out of memory");
		disconnect(t);
		return;
	}
	t->line = (struct bird_line){ 0 };
	t->doing = GREETING;
	set_timer(t, ANSWER_S);
}

static void on_timer(evutil_socket_t fd, short what, void *data)
{
	struct bird_talk *t = data;

	(void)fd;
	(void)what;
	if (t->doing == AWAY) {
		connect_now(t);
		return;
	}
	problem(t, "took the connection, but does not answer within %d s", ANSWER_S);
	disconnect(t);
}

/* What does not fit the socket's buffer is none of ours: BIRD does not read. */
void bird_talk_ask(struct bird_talk *t, const char *fmt, ...)
{
	char text[COMMAND_LEN];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (send(t->fd, text, (size_t)len, MSG_NOSIGNAL) != len) {
		problem(t, "does not take commands: %s", strerror(errno));
		disconnect(t);
		return;
	}
	t->doing = ASKED;
	set_timer(t, ANSWER_S);
}

bool bird_talk_is_free(const struct bird_talk *t)
{
	return t->doing == FREE;
}

const char *bird_talk_problem(const struct bird_talk *t)
{
	return t->problem;
}

int bird_talk_open(struct event_base *base, const char *path, const struct bird_talk_events *events,
		   struct bird_talk **out)
{
	struct bird_talk *t;

	if (strlen(path) >= sizeof(t->addr.sun_path))
		return log_err_r(-ENAMETOOLONG, "%s: too long for a socket's path", path);
	t = calloc(1, sizeof(*t));
	if (!t)
		return log_err_r(-ENOMEM, "out of memory");
	t->addr.sun_family = AF_UNIX;
	strcpy(t->addr.sun_path, path);
	t->base = base;
	t->events = *events;
	t->fd = -1;
	t->in = evbuffer_new();
	t->timer = evtimer_new(base, on_timer, t);
	if (!t->in || !t->timer) {
		bird_talk_close(t);
		return log_err_r(-ENOMEM, "out of memory");
	}
	set_timer(t, 0);
	*out = t;
	return 0;
}

void bird_talk_close(struct bird_talk *t)
{
	if (!t)
		return;
	if (t->readable)
		event_free(t->readable);
	if (t->timer)
		event_free(t->timer);
	if (t->in)
		evbuffer_free(t->in);
	if (t->fd >= 0)
		close(t->fd);
	free(t);
}
