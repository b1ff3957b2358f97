/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_CONTROL_H
#define MPLB_CONTROL_H

#include <jansson.h>
#include <sys/socket.h>
#include <sys/un.h>

/*
 * A daemon's control socket: a Unix stream socket over which clients send requests and get answers,
 * each a JSON object on a line of its own (docs/control.md). Who may connect is the matter of the
 * socket file's mode; a name that begins with @ is in the abstract namespace, which has no modes,
 * and there both sides talk to root and to their own user only.
 *
 * Nobody can make the daemon wait or grow: a request is of limited size and must be complete within
 * CONTROL_SECONDS, an answer must be taken within that time, the next request is looked at after
 * that, and there are at most CONTROL_PEERS clients.
 */
#define CONTROL_REQUEST_MAX (8u << 20) /* bytes: a config of 4 MiB, quoted */
#define CONTROL_SECONDS	    10
#define CONTROL_PEERS	    64

struct control;
struct control_peer;
struct event_base;

struct control_env {
	struct event_base *base;
	const char *address;
	/* An object came. It is to be answered with control_answer(), once, now or later. */
	void (*request)(void *data, struct control_peer *peer, const json_t *request);
	void *data;
};

/* Listens. A socket file that nobody listens on any more is replaced. 0 or -errno, logged:
 * -EADDRINUSE: somebody does. */
int control_open(const struct control_env *env, struct control **out);

/* Answers, and takes the answer. A client that has gone meanwhile does not matter. */
void control_answer(struct control_peer *peer, json_t *answer);

/* Closes, also on those that wait for an answer, and removes the file. NULL is allowed. */
void control_close(struct control *control);

/* The client's side: sends a request and waits for the answer. 0 with *answer to be decref'ed, or
 * -errno: -ENOENT and -ECONNREFUSED: nobody listens; -ETIMEDOUT; -EPROTO: the answer makes no
 * sense. */
int control_ask(const char *address, const json_t *request, unsigned int timeout_ms,
		json_t **answer);

/* The address as the kernel takes it. 0 or -ENAMETOOLONG. */
int control_address(const char *address, struct sockaddr_un *out, socklen_t *len);

#endif
