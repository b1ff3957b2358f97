/* SPDX-License-Identifier: GPL-2.0-only */
#include "bird.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "bird_talk.h"
#include "lib/log.h"

#define POLL_S	 1 /* how often BIRD is asked what it does */
#define MAX_ROWS 1024 /* protocols listed; those wanted are found in any case */

struct protocol {
	char name[BIRD_NAME_MAX];
	enum bird_want want;
	enum bird_want done; /* what BIRD has confirmed on this connection; BIRD_LEAVE: nothing */
	enum bird_state state;
	bool listed; /* in the list that is under way */
	bool refused; /* since the last list */
	char problem[BIRD_PROBLEM_LEN];
};

struct bird {
	char *path;
	struct bird_events events;
	struct bird_talk *talk;
	struct event *poll;
	struct protocol *protocols;
	size_t n;
	char asked[BIRD_NAME_MAX]; /* which protocol BIRD is told about; "": the list is asked for
				    */
	enum bird_want asked_for; /* what it is told */
	bool confirmed; /* the reply says so */
	struct bird_row rows[MAX_ROWS];
	size_t n_rows, n_new; /* n_new: of the list that is under way */
};

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

/* ---- asking ---- */

static void poll_in(struct bird *b, unsigned int seconds)
{
	const struct timeval delay = { .tv_sec = seconds };

	event_add(b->poll, &delay);
}

static void list(struct bird *b)
{
	b->n_new = 0;
	*b->asked = '\0';
	for (size_t i = 0; i < b->n; i++)
		b->protocols[i].listed = b->protocols[i].refused = false;
	bird_talk_ask(b->talk, "show protocols\n");
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

static const char *verb(enum bird_want want)
{
	return want == BIRD_ENABLE ? "enable" : "disable";
}

/* Tells BIRD about the next protocol that is due; where none is, looks again in a second. */
static void next(struct bird *b)
{
	for (size_t i = 0; i < b->n; i++) {
		const struct protocol *p = &b->protocols[i];

		if (!is_due(p))
			continue;
		memcpy(b->asked, p->name, sizeof(b->asked));
		b->asked_for = p->want;
		b->confirmed = false;
		bird_talk_ask(b->talk, "%s \"%s\"\n", verb(p->want), p->name);
		return;
	}
	poll_in(b, POLL_S);
}

/* ---- the reply to `show protocols` ---- */

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
	for (size_t i = 0; i < b->n; i++) {
		struct protocol *p = &b->protocols[i];

		if (p->listed)
			continue;
		bird_problem_set(
			b->path, p->problem,
			"has no protocol \"%s\": add it to BIRD's config and have BIRD read it",
			p->name);
		see(b, p, BIRD_MISSING);
	}
}

/* ---- the reply to enable and disable ---- */

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
	const char *word = verb(b->asked_for);

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
	} else {
		p->refused = true;
		if (line->code == BIRD_DENIED)
			bird_problem_set(
				b->path, p->problem,
				"refuses to %s \"%s\": this socket is restricted to looking", word,
				p->name);
		else
			bird_problem_set(b->path, p->problem, "does not %s \"%s\": %04u %s", word,
					 p->name, line->code, line->text);
	}
	next(b);
}

/* ---- what the conversation brings ---- */

static void on_greeted(void *data)
{
	list(data);
}

static void on_line(void *data, const struct bird_line *line)
{
	struct bird *b = data;

	if (*b->asked) {
		switching(b, line);
		if (line->last)
			switch_is_over(b, line);
		return;
	}
	if (line->code == BIRD_PROTOCOL_ROW)
		listed(b, line->text);
	if (!line->last)
		return;
	if (bird_is_error(line->code))
		log_debug("BIRD at %s: does not list its protocols: %s", b->path, line->text);
	else
		list_is_over(b);
	next(b);
}

static void on_lost(void *data)
{
	struct bird *b = data;

	event_del(b->poll);
	b->n_rows = 0;
	for (size_t i = 0; i < b->n; i++)
		b->protocols[i].done = BIRD_LEAVE;
	for (size_t i = 0; i < b->n; i++)
		see(b, &b->protocols[i], BIRD_UNKNOWN);
}

static void on_poll(evutil_socket_t fd, short what, void *data)
{
	struct bird *b = data;

	(void)fd;
	(void)what;
	if (bird_talk_is_free(b->talk))
		list(b);
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
	if (bird_talk_is_free(b->talk))
		poll_in(b, 0); /* from the loop: the caller may be in the middle of something */
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
	const char *talk = bird_talk_problem(b->talk);

	return *talk || !p ? talk : p->problem;
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
	const struct bird_talk_events talk = {
		.greeted = on_greeted, .line = on_line, .lost = on_lost, .data = b
	};
	int err;

	if (!b)
		return log_err_r(-ENOMEM, "out of memory");
	b->events = *events;
	b->path = strdup(path);
	b->poll = evtimer_new(base, on_poll, b);
	err = b->path && b->poll ? bird_talk_open(base, path, &talk, &b->talk)
				 : log_err_r(-ENOMEM, "out of memory");
	if (err) {
		bird_close(b);
		return err;
	}
	*out = b;
	return 0;
}

void bird_close(struct bird *b)
{
	if (!b)
		return;
	bird_talk_close(b->talk);
	if (b->poll)
		event_free(b->poll);
	free(b->path);
	free(b->protocols);
	free(b);
}
