/* SPDX-License-Identifier: GPL-2.0-only */
/* Metrics over HTTP. */
#include "metrics.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/http.h>
#include "lib/log.h"

#define MAX_REQUEST 8192 /* bytes of headers */
#define IDLE_TIME   10 /* s */

struct metrics {
	struct evhttp *http;
	void (*look)(void *ctx, struct metrics_source *out);
	void *ctx;
};

static void on_request(struct evhttp_request *request, void *arg)
{
	struct metrics *metrics = arg;
	struct evbuffer *body = evbuffer_new();
	struct metrics_source source = { 0 };

	metrics->look(metrics->ctx, &source);
	if (!body || metrics_write(&source, body)) {
		evhttp_send_error(request, HTTP_INTERNAL, NULL);
	} else {
		evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type",
				  "text/plain; version=0.0.4; charset=utf-8");
		evhttp_send_reply(request, HTTP_OK, "OK", body);
	}
	if (body)
		evbuffer_free(body);
}

int metrics_new(struct event_base *base, const struct ip *addr, unsigned int port,
		void (*look)(void *ctx, struct metrics_source *out), void *ctx,
		struct metrics **out)
{
	struct metrics *metrics = calloc(1, sizeof(*metrics));
	char text[IP_STRLEN];

	if (!metrics || !(metrics->http = evhttp_new(base))) {
		free(metrics);
		return log_err_r(-ENOMEM, "out of memory; free some");
	}
	metrics->look = look;
	metrics->ctx = ctx;
	evhttp_set_allowed_methods(metrics->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
	evhttp_set_max_headers_size(metrics->http, MAX_REQUEST);
	evhttp_set_max_body_size(metrics->http, 0);
	evhttp_set_timeout(metrics->http, IDLE_TIME);
	evhttp_set_cb(metrics->http, "/metrics", on_request, metrics);
	if (evhttp_bind_socket(metrics->http, ip_format(addr, text), (ev_uint16_t)port)) {
		int err = errno ? -errno : -EADDRNOTAVAIL;

		log_error("metrics cannot be served on %s port %u: %s; give another address or "
			  "port in metrics.listen",
			  text, port, strerror(-err));
		metrics_free(metrics);
		return err;
	}
	*out = metrics;
	return 0;
}

void metrics_free(struct metrics *metrics)
{
	if (!metrics)
		return;
	evhttp_free(metrics->http);
	free(metrics);
}
