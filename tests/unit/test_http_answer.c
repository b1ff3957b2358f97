/* SPDX-License-Identifier: GPL-2.0-only */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include "lb-agent/http_answer.h"

#define OK_HEAD "HTTP/1.1 200 OK\r\nServer: x\r\n"
#define CHUNKED OK_HEAD "Transfer-Encoding: gzip, chunked\r\n\r\n"

static const struct answer {
	const char *what, *text;
	const char *body; /* wanted */
	enum http_answer so_far, at_end; /* before and after the connection is closed */
	const char *why;
} answers[] = {
	{ "status", "HTTP/1.1 200 OK\r\n", NULL, HTTP_ANSWER_PASS, HTTP_ANSWER_PASS, "" },
	{ "HTTP/1.0", "HTTP/1.0 200", NULL, HTTP_ANSWER_PASS, HTTP_ANSWER_PASS, "" },
	{ "range", "HTTP/1.1 204 \r\n", NULL, HTTP_ANSWER_PASS, HTTP_ANSWER_PASS, "" },
	{ "below it", "HTTP/1.1 199 \r\n", NULL, HTTP_ANSWER_MORE, HTTP_ANSWER_FAIL,
	  "nothing after status 199" },
	{ "above it", "HTTP/1.1 300 \r\n", NULL, HTTP_ANSWER_FAIL, HTTP_ANSWER_FAIL, "status 300" },
	{ "error", "HTTP/1.1 503 Oh\r\n", NULL, HTTP_ANSWER_FAIL, HTTP_ANSWER_FAIL, "status 503" },
	{ "nothing", "", NULL, HTTP_ANSWER_MORE, HTTP_ANSWER_FAIL, "no answer: connection closed" },
	{ "half a line", "HTTP/1.1 20", NULL, HTTP_ANSWER_MORE, HTTP_ANSWER_FAIL,
	  "the answer ends in its first line" },
	{ "another protocol", "SSH-2.0-OpenSSH_9.2\r\n", NULL, HTTP_ANSWER_FAIL, HTTP_ANSWER_FAIL,
	  "not an HTTP/1 answer" },
	{ "HTTP/2", "HTTP/2.0 200 OK\r\n", NULL, HTTP_ANSWER_FAIL, HTTP_ANSWER_FAIL,
	  "not an HTTP/1 answer" },
	{ "status of two digits", "HTTP/1.1 20 OK\r\n", NULL, HTTP_ANSWER_FAIL, HTTP_ANSWER_FAIL,
	  "not an HTTP/1 answer" },
	{ "interim", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" OK_HEAD,
	  NULL, HTTP_ANSWER_PASS, HTTP_ANSWER_PASS, "" },
	{ "interim, then an error", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 500 \r\n", NULL,
	  HTTP_ANSWER_FAIL, HTTP_ANSWER_FAIL, "status 500" },
	{ "body", OK_HEAD "\r\nall is well", "is well", HTTP_ANSWER_PASS, HTTP_ANSWER_PASS, "" },
	{ "body, another", OK_HEAD "\r\nall is ill", "is well", HTTP_ANSWER_MORE, HTTP_ANSWER_FAIL,
	  "\"is well\" is not in the body" },
	{ "body, status wrong", "HTTP/1.1 404 \r\n\r\nall is well", "is well", HTTP_ANSWER_FAIL,
	  HTTP_ANSWER_FAIL, "status 404" },
	{ "body wanted, found in the head alone", OK_HEAD "X: is well\r\n\r\n", "is well",
	  HTTP_ANSWER_MORE, HTTP_ANSWER_FAIL, "\"is well\" is not in the body" },
	{ "body wanted, no end of the head", OK_HEAD, "is well", HTTP_ANSWER_MORE, HTTP_ANSWER_FAIL,
	  "the answer ends in its head" },
	{ "chunks", CHUNKED "6\r\nall is\r\n5;x=y\r\n well\r\n0\r\n\r\n", "is well",
	  HTTP_ANSWER_PASS, HTTP_ANSWER_PASS, "" },
	{ "chunks, not all there", CHUNKED "6\r\nall is\r\n5\r\n we", "is well", HTTP_ANSWER_MORE,
	  HTTP_ANSWER_FAIL, "\"is well\" is not in the body" },
	{ "chunks, the last one", CHUNKED "6\r\nall is\r\n0\r\n\r\n", "is well", HTTP_ANSWER_FAIL,
	  HTTP_ANSWER_FAIL, "\"is well\" is not in the body" },
	{ "chunks, their lines are no body", CHUNKED "b\r\nall is well\r\n", "b\r\nall",
	  HTTP_ANSWER_MORE, HTTP_ANSWER_FAIL, "\"b\r\nall\" is not in the body" },
	{ "chunks, a length that is none", CHUNKED "x\r\nall is well\r\n", "is well",
	  HTTP_ANSWER_FAIL, HTTP_ANSWER_FAIL, "\"is well\" is not in the body" },
	{ "chunks, an endless length", CHUNKED "ffffffffffffffffffff\r\nall is well\r\n", "is well",
	  HTTP_ANSWER_PASS, HTTP_ANSWER_PASS, "" },
	{ "chunks, a negative length", CHUNKED "-1\r\nall is well\r\n", "is well", HTTP_ANSWER_FAIL,
	  HTTP_ANSWER_FAIL, "\"is well\" is not in the body" },
	{ "chunks, no length", CHUNKED "6\r\nall is\r\n\r\n", "is well", HTTP_ANSWER_FAIL,
	  HTTP_ANSWER_FAIL, "\"is well\" is not in the body" },
};

/* In memory of just its length, so that the sanitizers see what is read beyond. */
static enum http_answer judge(const struct answer *a, size_t len, bool ended,
			      char why[static HTTP_WHY])
{
	const struct lb_health want = { .status_least = 200, .status_most = 299, .body = a->body };
	char *exact = malloc(len ? len : 1);
	enum http_answer verdict;

	cr_assert_not_null(exact);
	memcpy(exact, a->text, len);
	verdict = http_answer(&want, exact, len, ended, why);
	free(exact);
	return verdict;
}

Test(http_answer, verdicts)
{
	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
		const struct answer *a = &answers[i];
		char why[HTTP_WHY] = "";

		cr_expect_eq(judge(a, strlen(a->text), false, why), a->so_far, "%s", a->what);
		cr_expect_eq(judge(a, strlen(a->text), true, why), a->at_end, "%s", a->what);
		cr_expect_str_eq(why, a->why, "%s: %s", a->what, why);
	}
}

/* Whatever has come of an answer, the verdict does not change when more comes. */
Test(http_answer, piece_by_piece)
{
	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
		const struct answer *a = &answers[i];
		enum http_answer was = HTTP_ANSWER_MORE;

		for (size_t len = 0; len <= strlen(a->text); len++) {
			char why[HTTP_WHY];
			enum http_answer is = judge(a, len, false, why);

			cr_expect(was == HTTP_ANSWER_MORE || is == was, "%s, %zu bytes", a->what,
				  len);
			was = is;
			judge(a, len, true, why);
		}
		cr_expect_eq(was, a->so_far, "%s", a->what);
	}
}

/* Bytes that come from nowhere: nothing is read beyond them, and no verdict is none at the end. */
Test(http_answer, noise)
{
	static const char letters[] =
		"HTTP/1. 200\r\n\r\n0123456789abcdef;-chunkedTransfer-Encoding: ";
	struct answer a = { .body = "e" };
	char text[2048] = CHUNKED;
	uint64_t seed = 88172645463325252ULL;

	a.text = text;
	for (int i = 0; i < 20000; i++) {
		size_t from = i % 2 ? strlen(CHUNKED) : 0, len = from;
		char why[HTTP_WHY];

		memcpy(text, CHUNKED, strlen(CHUNKED));
		for (; len < from + (size_t)i % 300; len++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			text[len] = letters[seed % (sizeof(letters) - 1)];
		}
		cr_expect_neq(judge(&a, len, true, why), HTTP_ANSWER_MORE);
	}
}
