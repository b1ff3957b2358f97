/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_SERVER_CONTROL_H
#define MPLB_SERVER_CONTROL_H

#include <jansson.h>

/*
 * What a running server-pm tells `status`: a control socket (lib/control.h) in the abstract
 * namespace, which is the network namespace's, named after the pin folder. It answers {"request":
 * "status"}.
 */
struct event_base;
struct server_control;

/* report makes the answer, to be decref'ed. 0 with *out to be closed, or -errno, logged. */
int server_control_open(struct event_base *base, const char *pin_dir, json_t *(*report)(void *ctx),
			void *ctx, struct server_control **out);
void server_control_close(struct server_control *control);

/* Asks: the answer, to be decref'ed, or NULL where nobody answers. */
json_t *server_control_ask(const char *pin_dir);

#endif
