/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_METRICS_HTTP_H
#define MPLB_METRICS_HTTP_H

#include "ip.h"

struct evbuffer;
struct event_base;
struct metrics_http;

/* Serves metrics over HTTP at /metrics, for Prometheus. write(ctx, out) makes the text of each
 * answer (lib/prom.h); it returns 0, or -errno: the request fails. 0 with *out to be closed, or
 * -errno, logged. */
int metrics_http_open(struct event_base *base, const struct ip *addr, unsigned int port,
		      int (*write)(void *ctx, struct evbuffer *out), void *ctx,
		      struct metrics_http **out);
void metrics_http_close(struct metrics_http *http);

#endif
