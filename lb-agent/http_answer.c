/* SPDX-License-Identifier: GPL-2.0-only */
#include "http_answer.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define STATUS_LINE "HTTP/1.x 200" /* what there is at least of it */

static enum http_answer __attribute__((format(printf, 2, 3)))
fail(char why[static HTTP_WHY], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, HTTP_WHY, fmt, ap);
	va_end(ap);
	return HTTP_ANSWER_FAIL;
}

/* The status, or 0 where this is no status line. len >= strlen(STATUS_LINE). */
static unsigned int read_status(const char *at)
{
	if (strncmp(at, "HTTP/1.", 7) != 0 || at[7] < '0' || at[7] > '9' || at[8] != ' ' ||
	    at[9] < '1' || at[9] > '5' || at[10] < '0' || at[10] > '9' || at[11] < '0' ||
	    at[11] > '9')
		return 0;
	return (unsigned int)((at[9] - '0') * 100 + (at[10] - '0') * 10 + (at[11] - '0'));
}

/* Length of the head with the empty line that ends it; 0: it has not ended. */
static size_t head_len(const char *at, size_t len)
{
	const char *end = memmem(at, len, "\r\n\r\n", 4);

	return end ? (size_t)(end - at) + 4 : 0;
}

static bool is_chunked(const char *head, size_t len)
{
	static const char name[] = "\r\ntransfer-encoding:", word[] = "chunked";

	for (size_t i = 0; i + sizeof(name) < len; i++) {
		if (strncasecmp(head + i, name, sizeof(name) - 1) != 0)
			continue;
		for (i += sizeof(name) - 1; i + sizeof(word) < len && head[i] != '\r'; i++)
			if (!strncasecmp(head + i, word, sizeof(word) - 1))
				return true;
	}
	return false;
}

/* Takes the chunks' own lines out (RFC 9112, 7.1), as far as there is something. Returns the length
 * of what is left in to; *ended is set at the last chunk, and where this is no chunk. */
static size_t unchunk(const char *at, size_t len, char *to, bool *ended)
{
	size_t n = 0;

	while (len) {
		const char *line = memmem(at, len, "\r\n", 2);
		unsigned long size;

		if (!line)
			return n;
		/* From a digit on, it stops at the line's end at the latest. */
		size = isxdigit((unsigned char)*at) ? strtoul(at, NULL, 16) : 0;
		if (!size) {
			*ended = true;
			return n;
		}
		len -= (size_t)(line - at) + 2;
		at = line + 2;
		if (size > len)
			size = len;
		memcpy(to + n, at, size);
		n += size;
		/* The line end after the chunk. */
		len -= size;
		at += size;
		if (len < 2)
			return n;
		len -= 2;
		at += 2;
	}
	return n;
}

static enum http_answer judge_body(const struct lb_health *want, const char *head, size_t head_size,
				   size_t len, bool ended, char why[static HTTP_WHY])
{
	static char whole[HTTP_ANSWER_MAX];
	const char *body = head + head_size;
	size_t n = len - head_size;

	if (is_chunked(head, head_size)) {
		n = unchunk(body, n, whole, &ended);
		body = whole;
	}
	if (memmem(body, n, want->body, strlen(want->body)))
		return HTTP_ANSWER_PASS;
	return ended ? fail(why, "\"%.40s\" is not in the body", want->body) : HTTP_ANSWER_MORE;
}

enum http_answer http_answer(const struct lb_health *want, const char *at, size_t len, bool ended,
			     char why[static HTTP_WHY])
{
	unsigned int status;
	size_t head;

	for (;;) {
		if (len < strlen(STATUS_LINE))
			return ended ? fail(why, len ? "the answer ends in its first line"
						     : "no answer: connection closed")
				     : HTTP_ANSWER_MORE;
		status = read_status(at);
		if (!status)
			return fail(why, "not an HTTP/1 answer");
		if (status >= 200)
			break;
		/* An interim answer: the real one follows (RFC 9110, 15.2). */
		head = head_len(at, len);
		if (!head)
			return ended ? fail(why, "nothing after status %u", status)
				     : HTTP_ANSWER_MORE;
		at += head;
		len -= head;
	}
	if (status < want->status_least || status > want->status_most)
		return fail(why, "status %u", status);
	if (!want->body)
		return HTTP_ANSWER_PASS;
	head = head_len(at, len);
	if (head)
		return judge_body(want, at, head, len, ended, why);
	return ended ? fail(why, "the answer ends in its head") : HTTP_ANSWER_MORE;
}
