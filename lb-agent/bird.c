/* SPDX-License-Identifier: GPL-2.0-only */
#include "bird.h"

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

#define POLL_S	 1 /* how often BIRD is asked what it does, and tried again while it is away */
#define ANSWER_S 2 /* how long an answer may take: BIRD answers between two steps of its own work  \
		    */
#define MAX_ROWS    1024 /* protocols listed; those wanted are found in any case */
#define PROBLEM_LEN 256

enum doing {
	DOING_NOTHING, /* connected, nothing is asked */
	AWAY,
	GREETING,
	LISTING, /* show protocols */
	SWITCHING, /* enable or disable */
};

struct protocol {
	char name[BIRD_NAME_MAX];
	enum bird_want want;
	enum bird_want done; /* what BIRD has confirmed on this connection; BIRD_LEAVE: nothing */
	enum bird_state state;
	bool listed; /* in the list that is under way */
	bool refused; /* since the last list */
	char problem[PROBLEM_LEN];
};

struct bird {
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct event_base *base;
	struct bird_events events;
	int fd;
	struct event *readable, *timer;
	struct evbuffer *in;
	enum doing doing;
	struct bird_line line;
	struct protocol *protocols;
	size_t n;
	char asked[BIRD_NAME_MAX]; /* SWITCHING: which, */
	enum bird_want asked_for; /* to what, */
	bool confirmed; /* and whether the reply says so */
	struct bird_row rows[MAX_ROWS];
	size_t n_rows, n_new; /* n_new: of the list that is under way */
	char problem[PROBLEM_LEN];
};

static void on_timer(evutil_socket_t fd, short what, void *data);
static void on_readable(evutil_socket_t fd, short what, void *data);

/* ---- what is wrong ---- */

/* Says it when it is news. of: the bird's or a protocol's. */
static void __attribute__((format(printf, 3, 4)))
problem(const struct bird *b, char of[static PROBLEM_LEN], const char *fmt, ...)
{
	char text[PROBLEM_LEN];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!strcmp(text, of))
		return;
	memcpy(of, text, sizeof(text));
	log_error("BIRD at %s: %s; tried again every second", b->path, text);
}

/* ---- protocols ---- */

static struct protocol *find(const struct bird *b, const char *name)
{
	for (size_t i = 0; i < b->n; i++)
		if (!strcmp(b->protocols[i].name, name))
			return &b->protocols[i];
	return NULL;
}

static void see(struct bird *b, struct protocol *p, enum bird_state state)
{
	char name[BIRD_NAME_MAX];

	if (p->state == state)
		return;
	p->state = state;
	memcpy(name, p->name, sizeof(name)); /* the callback may make the list move */
	b->events.seen(b->events.data, name, state);
}

/* Is BIRD to be told? Once on each connection in any case: a BGP protocol that is "down" may be
 * between two attempts. And when it does otherwise: it was reconfigured, or somebody told it to. */
static bool is_due(const struct protocol *p)
{
	if (p->want == BIRD_LEAVE || p->refused || p->state == BIRD_MISSING ||
	    p->state == BIRD_UNKNOWN)
		return false;
	return p->done != p->want ||
	       p->state != (p->want == BIRD_ENABLE ? BIRD_ENABLED : BIRD_DISABLED);
}

/* ---- the connection ---- */

static void set_timer(struct bird *b, unsigned int seconds)
{
	const struct timeval delay = { .tv_sec = seconds };

	event_add(b->timer, &delay);
}

static void disconnect(struct bird *b)
{
	if (b->readable)
		event_free(b->readable);
	b->readable = NULL;
	if (b->fd >= 0)
		close(b->fd);
	b->fd = -1;
	b->doing = AWAY;
	b->n_rows = 0;
	evbuffer_drain(b->in, evbuffer_get_length(b->in));
	for (size_t i = 0; i < b->n; i++)
		b->protocols[i].done = BIRD_LEAVE;
	for (size_t i = 0; i < b->n; i++)
		see(b, &b->protocols[i], BIRD_UNKNOWN);
	set_timer(b, POLL_S);
}

static void connect_now(struct bird *b)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int err;

	strcpy(addr.sun_path, b->path);
	b->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (b->fd < 0 || connect(b->fd, (struct sockaddr *)&addr, sizeof(addr))) {
		err = errno;
		problem(b, b->problem, "%s%s", strerror(err),
			err == ENOENT || err == ECONNREFUSED ? " (is BIRD running?)"
			: err == EACCES			     ? " (may this user open it?)"
							     : "");
		disconnect(b);
		return;
	}
	b->readable = event_new(b->base, b->fd, EV_READ | EV_PERSIST, on_readable, b);
	if (!b->readable || event_add(b->readable, NULL)) {
		problem(b, b->problem, "out of memory");
		disconnect(b);
		return;
	}
	b->line = (struct bird_line){ 0 };
	b->doing = GREETING;
	set_timer(b, ANSWER_S);
}

/* Sends a command. What does not fit the socket's buffer is none of ours: BIRD does not read. */
static void __attribute__((format(printf, 3, 4)))
ask(struct bird *b, enum doing doing, const char *fmt, ...)
{
	char text[BIRD_NAME_MAX + 32];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (send(b->fd, text, (size_t)len, MSG_NOSIGNAL) != len) {
		problem(b, b->problem, "does not take commands: %s", strerror(errno));
		disconnect(b);
		return;
	}
	b->doing = doing;
	set_timer(b, ANSWER_S);
}

static void list(struct bird *b)
{
	b->n_new = 0;
	for (size_t i = 0; i < b->n; i++)
		b->protocols[i].listed = b->protocols[i].refused = false;
	ask(b, LISTING, "show protocols\n");
}

/* What is to be asked next, if nothing is: else in a second. */
static void next(struct bird *b)
{
	for (size_t i = 0; i < b->n; i++) {
		const struct protocol *p = &b->protocols[i];

		if (!is_due(p))
			continue;
		memcpy(b->asked, p->name, sizeof(b->asked));
		b->asked_for = p->want;
		b->confirmed = false;
		ask(b, SWITCHING, "%s \"%s\"\n", p->want == BIRD_ENABLE ? "enable" : "disable",
		    p->name);
		return;
	}
	b->doing = DOING_NOTHING;
	set_timer(b, POLL_S);
}

/* ---- replies ---- */

static void listed(struct bird *b, const char *text)
{
	struct protocol *p;
	struct bird_row row;

	if (bird_row_read(text, &row))
		return;
	if (b->n_new < MAX_ROWS)
		b->rows[b->n_new++] = row;
	p = find(b, row.name);
	if (!p)
		return;
	p->listed = true;
	if (p->state == BIRD_MISSING)
		*p->problem = '\0';
	/* "stop", "flush": on the way down, whether for good or to come up again; "start": on the
	 * way up. */
	see(b, p,
	    !strcmp(row.state, "up") || !strcmp(row.state, "start") ? BIRD_ENABLED : BIRD_DISABLED);
}

static void list_is_over(struct bird *b)
{
	b->n_rows = b->n_new;
	if (*b->problem)
		log_info("BIRD at %s: answers again", b->path);
	*b->problem = '\0';
	for (size_t i = 0; i < b->n; i++) {
		struct protocol *p = &b->protocols[i];

		if (p->listed)
			continue;
		problem(b, p->problem,
			"has no protocol \"%s\": add it to BIRD's config and have BIRD read it",
			p->name);
		see(b, p, BIRD_MISSING);
	}
}

/* A line of the reply to enable or disable. */
static void switching(struct bird *b, const struct bird_line *line)
{
	enum bird_want is = line->code == BIRD_ALREADY_DISABLED || line->code == BIRD_NOW_DISABLED
				    ? BIRD_DISABLE
			    : line->code == BIRD_ALREADY_ENABLED || line->code == BIRD_NOW_ENABLED
				    ? BIRD_ENABLE
				    : BIRD_LEAVE;
	size_t len = strlen(b->asked);

	if (is == b->asked_for && !strncmp(line->text, b->asked, len) && line->text[len] == ':')
		b->confirmed = true;
}

static void switch_is_over(struct bird *b, const struct bird_line *line)
{
	struct protocol *p = find(b, b->asked);
	const char *word = b->asked_for == BIRD_ENABLE ? "enable" : "disable";

	if (!p || line->code == BIRD_NO_PROTOCOL) {
		list(b); /* which names it */
		return;
	}
	if (b->confirmed && line->code == BIRD_OK) {
		if (*p->problem)
			log_info("BIRD at %s: does %s \"%s\" now", b->path, word, p->name);
		*p->problem = '\0';
		p->done = b->asked_for;
		see(b, p, p->done == BIRD_ENABLE ? BIRD_ENABLED : BIRD_DISABLED);
		next(b);
		return;
	}
	if (line->code == BIRD_DENIED)
		problem(b, p->problem, "refuses to %s \"%s\": this socket is restricted to looking",
			word, p->name);
	else
		problem(b, p->problem, "does not %s \"%s\": %04u %s", word, p->name, line->code,
			line->text);
	p->refused = true;
	next(b);
}

/* Takes a line of what is under way. False: the connection is gone. */
static bool take(struct bird *b, const char *text)
{
	struct bird_line line = b->line;

	if (bird_line_read(text, &line)) {
		problem(b, b->problem, "says what BIRD does not say: \"%.40s\"", text);
		disconnect(b);
		return false;
	}
	if (line.aside)
		return true;
	b->line = line;
	if (b->doing == LISTING && line.code == BIRD_PROTOCOL_ROW)
		listed(b, line.text);
	else if (b->doing == SWITCHING)
		switching(b, &line);
	if (!line.last)
		return true;
	switch (b->doing) {
	case GREETING:
		if (line.code != BIRD_WELCOME) {
			problem(b, b->problem, "does not greet as BIRD does: \"%.40s\"", text);
			disconnect(b);
			return false;
		}
		list(b);
		break;
	case LISTING:
		if (bird_is_error(line.code))
			problem(b, b->problem, "does not list its protocols: %04u %s", line.code,
				line.text);
		else
			list_is_over(b);
		next(b);
		break;
	case SWITCHING:
		switch_is_over(b, &line);
		break;
	default: /* nothing was asked: BIRD is shutting down, or somebody plays with us */
		break;
	}
	return b->fd >= 0;
}

static void on_readable(evutil_socket_t fd, short what, void *data)
{
	struct bird *b = data;
	int n = evbuffer_read(b->in, fd, 16 * BIRD_LINE_MAX);
	bool goes_on = true;
	char *text;

	(void)what;
	while (goes_on && (text = evbuffer_readln(b->in, NULL, EVBUFFER_EOL_LF))) {
		goes_on = take(b, text);
		free(text);
	}
	if (!goes_on)
		return;
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		problem(b, b->problem, "has closed the connection");
		disconnect(b);
	} else if (evbuffer_get_length(b->in) > BIRD_LINE_MAX) {
		problem(b, b->problem, "says what BIRD does not say: a line without end");
		disconnect(b);
	}
}

static void on_timer(evutil_socket_t fd, short what, void *data)
{
	struct bird *b = data;

	(void)fd;
	(void)what;
	switch (b->doing) {
	case AWAY:
		connect_now(b);
		break;
	case DOING_NOTHING:
		list(b);
		break;
	default:
		problem(b, b->problem, "took the connection, but does not answer within %d s",
			ANSWER_S);
		disconnect(b);
		break;
	}
}

/* ---- what is called from outside ---- */

int bird_want(struct bird *b, const char *protocol, enum bird_want want)
{
	struct protocol *p = find(b, protocol), *more;

	if (!p) {
		more = realloc(b->protocols, (b->n + 1) * sizeof(*more));
		if (!more)
			return log_err_r(-ENOMEM, "out of memory");
		b->protocols = more;
		p = &more[b->n++];
		*p = (struct protocol){ .state = BIRD_UNKNOWN };
		snprintf(p->name, sizeof(p->name), "%s", protocol);
		p->listed = true; /* not looked for by the list that is under way */
	}
	p->want = want;
	if (b->doing == DOING_NOTHING)
		set_timer(b, 0); /* from the loop: the caller may be in the middle of something */
	return 0;
}

void bird_forget(struct bird *b, const char *protocol)
{
	struct protocol *p = find(b, protocol);

	if (p)
		*p = b->protocols[--b->n];
}

enum bird_state bird_state(const struct bird *b, const char *protocol)
{
	const struct protocol *p = find(b, protocol);

	return p ? p->state : BIRD_UNKNOWN;
}

bool bird_obeys(const struct bird *b, const char *protocol)
{
	const struct protocol *p = find(b, protocol);

	return p && (p->state == BIRD_MISSING ? p->want == BIRD_DISABLE
					      : p->state != BIRD_UNKNOWN && p->done == p->want);
}

const char *bird_path(const struct bird *b)
{
	return b->path;
}

const char *bird_problem(const struct bird *b, const char *protocol)
{
	const struct protocol *p = find(b, protocol);

	return *b->problem || !p ? b->problem : p->problem;
}

const struct bird_row *bird_rows(const struct bird *b, size_t *n)
{
	*n = b->n_rows;
	return b->rows;
}

int bird_open(struct event_base *base, const char *path, const struct bird_events *events,
	      struct bird **out)
{
	struct bird *b = calloc(1, sizeof(*b));

	if (b && strlen(path) >= sizeof(b->path)) {
		free(b);
		return log_err_r(-ENAMETOOLONG, "%s: too long for a socket's path", path);
	}
	if (!b)
		return log_err_r(-ENOMEM, "out of memory");
	strcpy(b->path, path);
	b->base = base;
	b->events = *events;
	b->fd = -1;
	b->doing = AWAY;
	b->in = evbuffer_new();
	b->timer = evtimer_new(base, on_timer, b);
	if (!b->in || !b->timer) {
		bird_close(b);
		return log_err_r(-ENOMEM, "out of memory");
	}
	set_timer(b, 0);
	*out = b;
	return 0;
}

void bird_close(struct bird *b)
{
	if (!b)
		return;
	if (b->readable)
		event_free(b->readable);
	if (b->timer)
		event_free(b->timer);
	if (b->in)
		evbuffer_free(b->in);
	if (b->fd >= 0)
		close(b->fd);
	free(b->protocols);
	free(b);
}
