/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_BIRD_TALK_H
#define MPLB_BIRD_TALK_H

#include <stddef.h>

#include "bird_reply.h"

/*
 * The conversation with BIRD over its control socket: one command at a time, whose reply comes line
 * by line. It never waits. Where there is no connection, or no answer, it tries again every second.
 */
struct bird_talk;
struct event_base;

struct bird_talk_events {
	/* Connected: commands can be asked. */
	void (*greeted)(void *data);
	/* A line of the reply; with the last one, the next command can be asked. */
	void (*line)(void *data, const struct bird_line *line);
	/* The connection is gone, and with it the reply. */
	void (*lost)(void *data);
	void *data;
};

#define BIRD_PROBLEM_LEN 256

/* Begins to connect when the loop runs. 0 or -errno, logged. */
int bird_talk_open(struct event_base *base, const char *path, const struct bird_talk_events *events,
		   struct bird_talk **out);
void bird_talk_close(struct bird_talk *t);

/* Asks a command, a line. Only where bird_talk_is_free(). */
void bird_talk_ask(struct bird_talk *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Connected, and nothing is asked? */
bool bird_talk_is_free(const struct bird_talk *t);

/* Why there is no connection: "" if nothing is wrong. Logged when it is news. */
const char *bird_talk_problem(const struct bird_talk *t);

/* Logs a problem with BIRD at this path when it is another than what is in `of`, and keeps it. */
void bird_problem_set(const char *path, char of[static BIRD_PROBLEM_LEN], const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
