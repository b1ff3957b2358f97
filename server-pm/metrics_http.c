/* SPDX-License-Identifier: GPL-2.0-only */
/* Metrics over HTTP. */
#include "metrics.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/log.h"
#include "lib/metrics_http.h"

struct metrics {
	struct metrics_http *http;
	void (*look)(void *ctx, struct metrics_source *out);
	void *ctx;
};

static int write_text(void *ctx, struct evbuffer *out)
{
	const struct metrics *metrics = ctx;
	struct metrics_source source = { 0 };

	metrics->look(metrics->ctx, &source);
	return metrics_write(&source, out);
}

int metrics_new(struct event_base *base, const struct ip *addr, unsigned int port,
		void (*look)(void *ctx, struct metrics_source *out), void *ctx,
		struct metrics **out)
{
	struct metrics *metrics = calloc(1, sizeof(*metrics));
	int err;

	if (!metrics)
		return log_err_r(-ENOMEM, "out of memory; free some");
	metrics->look = look;
	metrics->ctx = ctx;
	err = metrics_http_open(base, addr, port, write_text, metrics, &metrics->http);
	if (err) {
		free(metrics);
		return err;
	}
	*out = metrics;
	return 0;
}

void metrics_free(struct metrics *metrics)
{
	if (!metrics)
		return;
	metrics_http_close(metrics->http);
	free(metrics);
}
