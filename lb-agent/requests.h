/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_REQUESTS_H
#define MPLB_REQUESTS_H

#include <jansson.h>

/*
 * What the agent does at its control socket (lib/control.h): the requests of docs/control.md.
 */
struct event_base;
struct outside;
struct reconciler;
struct requests;

struct requests_env {
	struct event_base *base;
	const char *address; /* of the socket */
	const char *config; /* the file that the agent reads by itself */
	struct reconciler *reconciler;
	const struct outside *outside;
	json_t *(*health)(void *data); /* rows for `lbctl show health` */
	/* Puts a config in force, given as text, or NULL: as the file says now. 0 or -errno,
	 * logged. */
	int (*load)(void *data, const char *name, const char *text, json_t *changes);
	void *data;
};

/* Listens. 0 or -errno, logged. */
int requests_open(const struct requests_env *env, struct requests **out);
void requests_close(struct requests *q);

#endif
