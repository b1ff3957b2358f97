/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_BIRD_H
#define MPLB_BIRD_H

#include "bird_reply.h"

/*
 * A client of BIRD's control socket. It is told what is wanted of which protocol, and sees to it
 * that BIRD does so, now and from then on: after BIRD was restarted or reconfigured, after the
 * socket was away, after somebody else's `birdc`. It never waits: a BIRD that is not there or does
 * not answer is tried again every second, and is said once.
 */
struct event_base;
struct bird;

enum bird_want {
	BIRD_LEAVE, /* as it is */
	BIRD_ENABLE,
	BIRD_DISABLE,
};

enum bird_state {
	BIRD_UNKNOWN, /* BIRD has not been heard about it, or not since the socket was lost */
	BIRD_MISSING, /* BIRD has no protocol of this name */
	BIRD_DISABLED,
	BIRD_ENABLED,
};

struct bird_events {
	/* What BIRD says of a protocol has changed. May call bird_want(), nothing else of here. */
	void (*seen)(void *data, const char *protocol, enum bird_state state);
	void *data;
};

/* Makes a client of the socket at path. It begins to connect when the loop runs. 0 or -errno,
 * logged. */
int bird_open(struct event_base *base, const char *path, const struct bird_events *events,
	      struct bird **out);
void bird_close(struct bird *b);

/* What is wanted of a protocol, from now on; asked for at once. The name is one that
 * loader/config_anycast.c lets through. 0 or -ENOMEM, logged. */
int bird_want(struct bird *b, const char *protocol, enum bird_want want);
/* Nothing any more: the protocol stays as it is and is no longer looked at. */
void bird_forget(struct bird *b, const char *protocol);

enum bird_state bird_state(const struct bird *b, const char *protocol);
/* Has BIRD confirmed what is wanted? A protocol that it does not have is disabled. */
bool bird_obeys(const struct bird *b, const char *protocol);
const char *bird_path(const struct bird *b);

/* Why BIRD does not do what is wanted of a protocol: "" if nothing is wrong. */
const char *bird_problem(const struct bird *b, const char *protocol);

/* All protocols as BIRD last listed them, valid until the loop runs again; none while it is not
 * there. */
const struct bird_row *bird_rows(const struct bird *b, size_t *n);

#endif
