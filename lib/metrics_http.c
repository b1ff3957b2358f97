/* SPDX-License-Identifier: GPL-2.0-only */
#include "metrics_http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/http.h>
#include "log.h"

#define MAX_REQUEST 8192 /* bytes of headers */
#define IDLE_TIME   10 /* s */

struct metrics_http {
	struct evhttp *http;
	int (*write)(void *ctx, struct evbuffer *out);
	void *ctx;
};

static void on_request(struct evhttp_request *request, void *arg)
{
	struct metrics_http *h = arg;
	struct evbuffer *body = evbuffer_new();

	if (!body || h->write(h->ctx, body)) {
		evhttp_send_error(request, HTTP_INTERNAL, NULL);
	} else {
		evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type",
				  "text/plain; version=0.0.4; charset=utf-8");
		evhttp_send_reply(request, HTTP_OK, "OK", body);
	}
	if (body)
		evbuffer_free(body);
}

int metrics_http_open(struct event_base *base, const struct ip *addr, unsigned int port,
		      int (*write)(void *ctx, struct evbuffer *out), void *ctx,
		      struct metrics_http **out)
{
	struct metrics_http *h = calloc(1, sizeof(*h));
	char text[IP_STRLEN];

	if (!h || !(h->http = evhttp_new(base))) {
		free(h);
		return log_err_r(-ENOMEM, "out of memory; free some");
	}
	h->write = write;
	h->ctx = ctx;
	evhttp_set_allowed_methods(h->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
	evhttp_set_max_headers_size(h->http, MAX_REQUEST);
	evhttp_set_max_body_size(h->http, 0);
	evhttp_set_timeout(h->http, IDLE_TIME);
	evhttp_set_cb(h->http, "/metrics", on_request, h);
	if (evhttp_bind_socket(h->http, ip_format(addr, text), (ev_uint16_t)port)) {
		int err = errno ? -errno : -EADDRNOTAVAIL;

		log_error("metrics cannot be served on %s port %u: %s; give another address or "
			  "port in metrics.listen",
			  text, port, strerror(-err));
		metrics_http_close(h);
		return err;
	}
	*out = h;
	return 0;
}

void metrics_http_close(struct metrics_http *http)
{
	if (!http)
		return;
	evhttp_free(http->http);
	free(http);
}
