/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_HTTP_ANSWER_H
#define MPLB_HTTP_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "loader/config.h"

/* What an HTTP/1 server answered to a probe (RFC 9112), as far as the probe's verdict needs it. */
enum http_answer {
	HTTP_ANSWER_MORE, /* not clear yet: read on */
	HTTP_ANSWER_PASS,
	HTTP_ANSWER_FAIL,
};

#define HTTP_ANSWER_MAX 16384 /* bytes of head and body that are looked at */
#define HTTP_WHY	96

/*
 * Judges the first len bytes of an answer, at most HTTP_ANSWER_MAX. ended: nothing follows, for the
 * server closed the connection or the room is full. Of the body, what want->body asks for is looked
 * for after the chunks of a chunked one are put together. why: set with HTTP_ANSWER_FAIL.
 */
enum http_answer http_answer(const struct lb_health *want, const char *at, size_t len, bool ended,
			     char why[static HTTP_WHY]);

#endif
