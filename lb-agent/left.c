/* SPDX-License-Identifier: GPL-2.0-only */
#include "left.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>

#define ANSWER_SECONDS 2
#define ANSWER_MAX     (1 << 20) /* bytes */

struct left {
	struct evhttp_connection *connection;
	struct event *end; /* frees the connection outside of its own callback */
	left_done done;
	void *data;
	char name[IP_STRLEN + 16];
};

/* The number behind the metric of this name, labels included. */
static bool find(const char *text, size_t len, const char *name, json_int_t *out)
{
	size_t n = strlen(name);
	const char *end = text + len;

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t line = newline ? (size_t)(newline - text) : (size_t)(end - text);
		char number[24], *rest;

		if (line > n + 1 && line - n - 1 < sizeof(number) && !memcmp(text, name, n) &&
		    text[n] == ' ') {
			memcpy(number, text + n + 1, line - n - 1);
			number[line - n - 1] = '\0';
			errno = 0;
			*out = strtoll(number, &rest, 10);
			return rest != number && !*rest && !errno && *out >= 0;
		}
		text += line + 1;
	}
	return false;
}

json_t *left_parse(const char *text, size_t len)
{
	json_int_t sockets, off_path;

	if (!find(text, len, "mplb_server_vip_sockets", &sockets) ||
	    !find(text, len, "mplb_server_connections{state=\"off_path\"}", &off_path))
		return NULL;
	return json_pack("{s:I, s:I}", "vip_sockets", sockets, "off_path", off_path);
}

static json_t *problem(const struct left *l, const char *what)
{
	char text[256];

	snprintf(text, sizeof(text), "%s: %s", l->name, what);
	return json_pack("{s:s}", "problem", text);
}

void left_cancel(struct left *l)
{
	if (l->connection)
		evhttp_connection_free(l->connection);
	if (l->end)
		event_free(l->end);
	free(l);
}

static void on_end(evutil_socket_t fd, short what, void *data)
{
	(void)fd;
	(void)what;
	left_cancel(data);
}

static void on_answer(struct evhttp_request *request, void *data)
{
	struct left *l = data;
	struct evbuffer *body = request ? evhttp_request_get_input_buffer(request) : NULL;
	int code = request ? evhttp_request_get_response_code(request) : 0;
	json_t *left = NULL;

	if (code == HTTP_OK)
		left = left_parse((const char *)evbuffer_pullup(body, -1),
				  evbuffer_get_length(body));
	if (!left)
		left = problem(l, !code ? "server-pm does not answer: are its metrics served there?"
				  : code != HTTP_OK ? "these are not server-pm's metrics"
						    : "this server-pm does not tell");
	event_active(l->end, EV_TIMEOUT, 0);
	l->done(l->data, left);
}

struct left *left_ask(struct event_base *base, const struct ip *addr, unsigned int port,
		      left_done done, void *data)
{
	struct left *l = calloc(1, sizeof(*l));
	struct evhttp_request *request = NULL;
	char text[IP_STRLEN];

	if (!l)
		return NULL;
	ip_format(addr, text);
	snprintf(l->name, sizeof(l->name), addr->family == MPLB_FAMILY_4 ? "%s:%u" : "[%s]:%u",
		 text, port);
	l->done = done;
	l->data = data;
	l->end = evtimer_new(base, on_end, l);
	l->connection = evhttp_connection_base_new(base, NULL, text, (ev_uint16_t)port);
	if (l->end && l->connection)
		request = evhttp_request_new(on_answer, l);
	if (request) {
		evhttp_connection_set_timeout(l->connection, ANSWER_SECONDS);
		evhttp_connection_set_max_body_size(l->connection, ANSWER_MAX);
		evhttp_add_header(evhttp_request_get_output_headers(request), "Host", l->name);
		evhttp_add_header(evhttp_request_get_output_headers(request), "Connection",
				  "close");
		/* Frees the request where it fails. */
		if (!evhttp_make_request(l->connection, request, EVHTTP_REQ_GET, "/metrics"))
			return l;
	}
	left_cancel(l);
	return NULL;
}
