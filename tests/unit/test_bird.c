/* SPDX-License-Identifier: GPL-2.0-only */
/* lb-agent/bird_reply.c: what BIRD says; lb-agent/bird.c: against a BIRD of our own. */
#include <criterion/criterion.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/event.h>

#include "lb-agent/bird.h"
#include "lib/log.h"
#include "support.h"

/* ---- lines ---- */

static const struct {
	const char *text;
	int err;
	unsigned int code;
	bool last, aside;
	const char *rest;
} lines[] = {
	{ "0001 BIRD 2.0.12 ready.", 0, 1, true, false, "BIRD 2.0.12 ready." },
	{ "0000 ", 0, 0, true, false, "" },
	{ "1002-bgp1       BGP", 0, 1002, false, false, "bgp1       BGP" },
	{ " bgp2 BGP", 0, 4711, false, false, "bgp2 BGP" },
	{ "+2026 <INFO> a log line", 0, 4711, false, true, "2026 <INFO> a log line" },
	{ "+", 0, 4711, false, true, "" },
	{ " ", 0, 4711, false, false, "" },
	{ "8003 No protocols match", 0, 8003, true, false, "No protocols match" },
	{ "9001-syntax", 0, 9001, false, false, "syntax" },
	{ "", -EINVAL },
	{ "0", -EINVAL },
	{ "000", -EINVAL },
	{ "0000", -EINVAL },
	{ "0000x", -EINVAL },
	{ "000x ", -EINVAL },
	{ "-001 ", -EINVAL },
	{ "\t0000 ", -EINVAL },
	{ "HTTP/1.1 400 Bad Request", -EINVAL },
};

Test(bird, lines)
{
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		struct bird_line line = { .code = 4711 };
		int err = bird_line_read(lines[i].text, &line);

		cr_assert_eq(err, lines[i].err, "\"%s\": %d", lines[i].text, err);
		if (err) {
			cr_assert_eq(line.code, 4711, "\"%s\": untouched", lines[i].text);
			continue;
		}
		cr_assert_eq(line.code, lines[i].code, "\"%s\": %u", lines[i].text, line.code);
		cr_assert_eq(line.last, lines[i].last, "\"%s\"", lines[i].text);
		cr_assert_eq(line.aside, lines[i].aside, "\"%s\"", lines[i].text);
		cr_assert_str_eq(line.text, lines[i].rest);
	}
	cr_assert(bird_is_error(8000) && bird_is_error(9001) && !bird_is_error(2002));
}

#define NAME64 "a123456789b123456789c123456789d123456789e123456789f123456789g123"

static const struct {
	const char *text;
	const char *name, *type, *state; /* name NULL: no row */
} rows[] = {
	{ "device1    Device     ---        up     04:00:05.230  ", "device1", "Device", "up" },
	{ "up1        BGP        ---        start  04:00:11.965  Idle          ", "up1", "BGP",
	  "start" },
	{ "x Static master4 down 2026-11-21 04:00:05", "x", "Static", "down" },
	{ "x Static master4 flush", "x", "Static", "flush" },
	{ NAME64 " BGP --- up 1", NAME64, "BGP", "up" },
	{ NAME64 "4 BGP --- up 1", NULL },
	{ "x BGP --- upwards-and-on 1", NULL },
	{ "x anameofatypethatistoolong --- up 1", NULL },
	{ "x BGP ---", NULL },
	{ "x", NULL },
	{ "", NULL },
	{ "   ", NULL },
};

Test(bird, rows)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct bird_row row = { .name = "before" };
		int err = bird_row_read(rows[i].text, &row);

		cr_assert_eq(err, rows[i].name ? 0 : -EINVAL, "\"%s\": %d", rows[i].text, err);
		cr_assert_str_eq(row.name, rows[i].name ? rows[i].name : "before");
		if (err)
			continue;
		cr_assert_str_eq(row.type, rows[i].type);
		cr_assert_str_eq(row.state, rows[i].state);
	}
}

/* ---- a BIRD of our own ---- */

static struct capture capture;

struct fake {
	struct event_base *base;
	struct bird *bird;
	struct sockaddr_un addr;
	int listener, fd; /* fd: the client's connection */
	char got[4096]; /* commands that came */
	char seen[512]; /* what the client said of protocols */
};

static void on_seen(void *data, const char *protocol, enum bird_state state)
{
	static const char *const words[] = { "unknown", "missing", "disabled", "enabled" };
	struct fake *f = data;
	size_t len = strlen(f->seen);

	snprintf(f->seen + len, sizeof(f->seen) - len, "%s %s;", protocol, words[state]);
}

static void fake_listen(struct fake *f)
{
	unlink(f->addr.sun_path);
	f->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	cr_assert_eq(bind(f->listener, (struct sockaddr *)&f->addr, sizeof(f->addr)), 0);
	cr_assert_eq(listen(f->listener, 4), 0);
}

static void fake_begin(struct fake *f)
{
	const struct bird_events events = { .seen = on_seen, .data = f };

	*f = (struct fake){ .listener = -1, .fd = -1, .addr.sun_family = AF_UNIX };
	snprintf(f->addr.sun_path, sizeof(f->addr.sun_path), "/tmp/mplb-bird-%d", getpid());
	f->base = event_base_new();
	log_init("test", LOG_INFO);
	cr_assert_eq(bird_open(f->base, f->addr.sun_path, &events, &f->bird), 0);
}

static void fake_end(struct fake *f)
{
	bird_close(f->bird);
	event_base_free(f->base);
	if (f->fd >= 0)
		close(f->fd);
	if (f->listener >= 0)
		close(f->listener);
	unlink(f->addr.sun_path);
	cr_assert(!has_leaks());
}

/* Runs the client until nothing more is to be read, at most so long. */
static void turn(struct fake *f, unsigned int ms)
{
	for (unsigned int t = 0; t <= ms; t += 5) {
		event_base_loop(f->base, EVLOOP_NONBLOCK);
		if (t < ms)
			usleep(5000);
	}
}

/* Takes the client's connection and greets. */
static void greet(struct fake *f, const char *text)
{
	for (int i = 0; i < 600 && f->fd < 0; i++) {
		turn(f, 5);
		f->fd = accept4(f->listener, NULL, NULL, SOCK_NONBLOCK);
	}
	cr_assert_geq(f->fd, 0, "the client does not connect");
	cr_assert_eq(send(f->fd, text, strlen(text), 0), (ssize_t)strlen(text));
}

/* Waits for a command and answers it. */
static void answer(struct fake *f, const char *command, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static void answer(struct fake *f, const char *command, const char *fmt, ...)
{
	char text[2048] = "";
	ssize_t n = -1;
	va_list ap;

	for (int i = 0; i < 600 && n < 0; i++) {
		turn(f, 5);
		n = recv(f->fd, text, sizeof(text) - 1, 0);
	}
	cr_assert_gt(n, 0, "want \"%s\", nothing came", command);
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	cr_assert_str_eq(text, command);
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	cr_assert_eq(send(f->fd, text, strlen(text), 0), (ssize_t)strlen(text));
	turn(f, 10);
}

static void list(struct fake *f, const char *web)
{
	answer(f, "show protocols",
	       "2002-Name       Proto      Table      State  Since         Info\n"
	       "1002-device1    Device     ---        up     04:00:05.230  \n"
	       "%s%s%s"
	       " bgp1       BGP        ---        up     04:00:05.230  Established \n"
	       "0000 \n",
	       *web ? " web Static     master4    " : "", web, *web ? "   04:00:05.230  \n" : "");
}

#define GREETING "0001 BIRD 2.0.12 ready.\n"

Test(bird, does_what_is_wanted)
{
	static const char rest[] = "08-web: already disabled\n0000 \n";
	struct fake f;
	size_t n;

	fake_begin(&f);
	fake_listen(&f);
	bird_want(f.bird, "web", BIRD_LEAVE);
	greet(&f, GREETING);
	list(&f, "down");
	cr_assert_str_eq(f.seen, "web disabled;");
	cr_assert_str_eq(bird_rows(f.bird, &n)[2].name, "bgp1");
	cr_assert_eq(n, 3);

	bird_want(f.bird, "web", BIRD_ENABLE);
	list(&f, "down");
	answer(&f, "enable \"web\"", "0011-web: enabled\n0000 \n");
	cr_assert(bird_obeys(f.bird, "web"));
	cr_assert_str_eq(f.seen, "web disabled;web enabled;");

	/* BIRD was reconfigured: it is told again. */
	list(&f, "down");
	answer(&f, "enable \"web\"", "0010-web: already enabled\n0000 \n");
	/* All is well: nothing but looking. */
	list(&f, "up");
	list(&f, "up");

	/* "already" counts; a log line in between does not matter; the reply comes in pieces. */
	bird_want(f.bird, "web", BIRD_DISABLE);
	list(&f, "up");
	answer(&f, "disable \"web\"", "+a log line\n00");
	cr_assert(!bird_obeys(f.bird, "web"));
	cr_assert_gt(send(f.fd, rest, strlen(rest), 0), 0);
	turn(&f, 50);
	cr_assert(bird_obeys(f.bird, "web"));
	cr_assert_str_eq(bird_problem(f.bird, "web"), "");
	fake_end(&f);
}

Test(bird, a_change_of_mind_while_it_is_asked)
{
	struct fake f;

	fake_begin(&f);
	fake_listen(&f);
	bird_want(f.bird, "web", BIRD_ENABLE);
	greet(&f, GREETING);
	list(&f, "down");
	bird_want(f.bird, "web", BIRD_DISABLE); /* while "enable" is under way */
	answer(&f, "enable \"web\"", "0011-web: enabled\n0000 \n");
	answer(&f, "disable \"web\"", "0009-web: disabled\n0000 \n");
	cr_assert(bird_obeys(f.bird, "web"));
	cr_assert_eq(bird_state(f.bird, "web"), BIRD_DISABLED);
	fake_end(&f);
}

Test(bird, unknown_protocol_is_named_and_found_later)
{
	struct fake f;

	capture_begin(&capture, stderr);
	fake_begin(&f);
	fake_listen(&f);
	bird_want(f.bird, "web", BIRD_ENABLE);
	bird_want(f.bird, "bgp1", BIRD_DISABLE);
	greet(&f, GREETING);
	list(&f, "");
	/* The other one is served all the same. */
	answer(&f, "disable \"bgp1\"", "0009-bgp1: disabled\n0000 \n");
	cr_assert_eq(bird_state(f.bird, "web"), BIRD_MISSING);
	cr_assert(strstr(bird_problem(f.bird, "web"), "has no protocol \"web\""));
	cr_assert_str_eq(bird_problem(f.bird, "bgp1"), "");
	bird_forget(f.bird, "bgp1");
	list(&f, "");
	list(&f, "down");
	answer(&f, "enable \"web\"", "0011-web: enabled\n0000 \n");
	cr_assert_str_eq(bird_problem(f.bird, "web"), "");
	fake_end(&f);
	cr_assert_str_not_empty(capture_end(&capture));
	/* Once, not every second. */
	cr_assert_null(strstr(strstr(capture.text, "has no protocol") + 1, "has no protocol"));
}

Test(bird, refusals)
{
	struct fake f;

	capture_begin(&capture, stderr);
	fake_begin(&f);
	fake_listen(&f);
	bird_want(f.bird, "web", BIRD_ENABLE);
	greet(&f, GREETING);
	list(&f, "down");
	answer(&f, "enable \"web\"", "8007 Access denied\n");
	cr_assert(strstr(bird_problem(f.bird, "web"), "restricted"));
	list(&f, "down");
	answer(&f, "enable \"web\"", "9001 syntax error, unexpected something\n");
	cr_assert(strstr(bird_problem(f.bird, "web"), "9001 syntax error"));
	list(&f, "down");
	/* Done, but with another one. */
	answer(&f, "enable \"web\"", "0011-website: enabled\n0000 \n");
	cr_assert(!bird_obeys(f.bird, "web"));
	list(&f, "down");
	answer(&f, "enable \"web\"", "8003 No protocols match\n");
	list(&f, "down"); /* asked for at once */
	answer(&f, "enable \"web\"", "0011-web: enabled\n0000 \n");
	cr_assert(bird_obeys(f.bird, "web"));
	cr_assert_str_eq(bird_problem(f.bird, "web"), "");
	fake_end(&f);
	capture_end(&capture);
}

/* What ends a connection, and what is said of it. The client then tries again. */
static const struct {
	const char *greeting, *problem;
} strangers[] = {
	{ "0001 BIRD 2.0.12 ready.\nwhat?\n", "says what BIRD does not say: \"what?\"" },
	{ "SSH-2.0-OpenSSH\n", "says what BIRD does not say: \"SSH-2.0-OpenSSH\"" },
	{ "9001 go away\n", "does not greet as BIRD does" },
	{ "0000 \n", "does not greet as BIRD does" },
};

Test(bird, strangers)
{
	static char endless[2 * BIRD_LINE_MAX];

	capture_begin(&capture, stderr);
	for (size_t i = 0; i <= sizeof(strangers) / sizeof(*strangers); i++) {
		bool last = i == sizeof(strangers) / sizeof(*strangers);
		struct fake f;

		memset(endless, ' ', sizeof(endless) - 1);
		fake_begin(&f);
		fake_listen(&f);
		bird_want(f.bird, "web", BIRD_ENABLE);
		greet(&f, last ? endless : strangers[i].greeting);
		turn(&f, 30);
		cr_assert(strstr(bird_problem(f.bird, "web"),
				 last ? "a line without end" : strangers[i].problem),
			  "%zu: %s", i, bird_problem(f.bird, "web"));
		close(f.fd);
		f.fd = -1;
		greet(&f, GREETING);
		list(&f, "down");
		cr_assert_str_eq(bird_problem(f.bird, "web"), "");
		fake_end(&f);
	}
	capture_end(&capture);
}

Test(bird, comes_back)
{
	struct fake f;

	capture_begin(&capture, stderr);
	fake_begin(&f);
	bird_want(f.bird, "web", BIRD_ENABLE);
	turn(&f, 20);
	cr_assert(strstr(bird_problem(f.bird, "web"), "is BIRD running?"));
	fake_listen(&f);
	greet(&f, GREETING);
	list(&f, "up"); /* enabled already; told all the same, once */
	answer(&f, "enable \"web\"", "0010-web: already enabled\n0000 \n");
	list(&f, "up");
	/* Restarted, with the protocol disabled in its config. */
	close(f.fd);
	f.fd = -1;
	turn(&f, 20);
	cr_assert_eq(bird_state(f.bird, "web"), BIRD_UNKNOWN);
	cr_assert(strstr(bird_problem(f.bird, "web"), "closed the connection"));
	greet(&f, GREETING);
	list(&f, "down");
	answer(&f, "enable \"web\"", "0011-web: enabled\n0000 \n");
	cr_assert_str_eq(f.seen, "web enabled;web unknown;web disabled;web enabled;");
	fake_end(&f);
	capture_end(&capture);
}

Test(bird, wedged)
{
	struct fake f;
	char byte;

	capture_begin(&capture, stderr);
	fake_begin(&f);
	fake_listen(&f); /* the kernel accepts, nobody else does */
	bird_want(f.bird, "web", BIRD_ENABLE);
	for (int i = 0; i < 600 && !*bird_problem(f.bird, "web"); i++)
		turn(&f, 10);
	cr_assert(strstr(bird_problem(f.bird, "web"), "does not answer"));
	/* It goes on: what was asked of the dead connection is not waited for. */
	f.fd = accept4(f.listener, NULL, NULL, SOCK_NONBLOCK);
	cr_assert_eq(recv(f.fd, &byte, 1, 0), 0);
	close(f.fd);
	f.fd = -1;
	greet(&f, GREETING);
	list(&f, "down");
	answer(&f, "enable \"web\"", "0011-web: enabled\n0000 \n");
	fake_end(&f);
	capture_end(&capture);
}

Test(bird, path_too_long)
{
	struct event_base *base = event_base_new();
	char path[200];
	struct bird *bird;

	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	capture_begin(&capture, stderr);
	cr_assert_eq(bird_open(base, path, &(struct bird_events){ 0 }, &bird), -ENAMETOOLONG);
	capture_end(&capture);
	event_base_free(base);
}
