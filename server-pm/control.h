/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_SERVER_CONTROL_H
#define MPLB_SERVER_CONTROL_H

#include <jansson.h>

/*
 * What a running server-pm tells `status`: a Unix socket in the abstract namespace, which is the
 * network namespace's, named after the pin folder. It hands whoever connects, and is root or the
 * daemon's own user, a JSON object, and closes.
 */
struct event_base;
struct control;

/* report makes the object, to be decref'ed. 0 with *out to be freed, or -errno. */
int control_new(struct event_base *base, const char *pin_dir, json_t *(*report)(void *ctx),
		void *ctx, struct control **out);
void control_free(struct control *control);

/* Asks: the object, to be decref'ed, or NULL where nobody answers. */
json_t *control_ask(const char *pin_dir);

#endif
