/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_LEFT_H
#define MPLB_LEFT_H

#include <jansson.h>
#include "lib/ip.h"

/*
 * What is left on a backend: the connections that it has, as its server-pm says in its metrics. A
 * balancer that keeps no state cannot know: it sees packets of connections, some of them, one way.
 */
struct event_base;
struct left;

/* {"vip_sockets": N, "off_path": N} or {"problem": "why nobody knows"}; to be decref'ed. */
typedef void (*left_done)(void *data, json_t *left);

/* Asks server-pm at this address and port; done(data, ...) is called once, from the loop, within
 * two seconds. NULL: no memory, and it is not. */
struct left *left_ask(struct event_base *base, const struct ip *addr, unsigned int port,
		      left_done done, void *data);

/* Asks no more; done is not called. For one that has not answered. */
void left_cancel(struct left *left);

/* The two numbers in a text of metrics (Prometheus' format); NULL: they are not there. */
json_t *left_parse(const char *text, size_t len);

#endif
