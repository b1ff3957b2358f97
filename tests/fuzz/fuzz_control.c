/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * lb-agent's control socket, as a client finds it: whatever is sent, in whatever pieces, each
 * request is answered once with an object that has an exit status, and the agent is ready for the
 * next client. The first byte says how: its low bits are the size of the pieces, the highest that
 * the client hangs up without waiting for answers.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "fuzz.h"
#include "lb-agent/outside.h"
#include "lb-agent/reconcile.h"
#include "lb-agent/requests.h"
#include "lib/control.h"
#include "loader/config.h"

#define ROUNDS 200 /* of the loop, for a client to be answered or seen to be gone */

static struct event_base *base;
static struct requests *requests;
static char address[64];

/* In place of the agent's other parts. A backend on this machine, where nobody listens. */
static struct lb_backend backend = { .name = "b1", .id = 1 };
static struct lb_pool pool = {
	.name = "web", .metrics_port = 1, .backends = &backend, .n_backends = 1
};
static const struct lb_config config = { .pools = &pool, .n_pools = 1 };

const struct lb_config *reconcile_config_now(const struct reconciler *r)
{
	(void)r;
	return &config;
}

int reconcile_order(struct reconciler *r, const struct order *order, json_t *changes)
{
	(void)r;
	fuzz_check(order->verb <= ORDER_SETTLE && (order->name || order->verb == ORDER_SETTLE),
		   "an order is about a backend");
	fuzz_check(order->weight <= 65535, "a weight is in range");
	json_array_append_new(changes, json_pack("{s:s*}", "name", order->name));
	return 0;
}

void reconcile_log(const json_t *changes)
{
	(void)changes;
}

json_t *reconcile_json(const struct reconciler *r)
{
	(void)r;
	return json_array();
}

json_t *outside_anycast_json(const struct outside *o)
{
	(void)o;
	return json_array();
}

static json_t *health(void *data)
{
	(void)data;
	return json_array();
}

static int load(void *data, const char *name, const char *text, json_t *changes)
{
	struct lb_config *loaded = NULL;
	int err = text ? lb_config_parse(name, text, strlen(text), &loaded) : 0;

	(void)data;
	(void)changes;
	lb_config_free(loaded);
	return err;
}

static void begin(void)
{
	struct requests_env env = {
		.address = address, .config = "/etc/mplb/lb.yaml", .health = health, .load = load
	};

	ip_parse("127.0.0.1", &backend.addr);
	snprintf(address, sizeof(address), "@mplb-fuzz-control-%d", (int)getpid());
	base = env.base = event_base_new();
	fuzz_check(base && !requests_open(&env, &requests), "it listens");
}

static int connect_client(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un name;
	socklen_t len;

	fuzz_check(!control_address(address, &name, &len) && fd >= 0 &&
			   !connect(fd, (void *)&name, len),
		   "a client is let in");
	return fd;
}

static void check_answer(const char *line, size_t len)
{
	json_t *answer = json_loadb(line, len, 0, NULL);
	json_int_t code = json_integer_value(json_object_get(answer, "exit"));

	fuzz_check(json_is_integer(json_object_get(answer, "exit")) && code >= 0 && code <= 2,
		   "an answer has an exit status");
	fuzz_check(json_is_array(json_object_get(answer, "log")), "and a log");
	json_decref(answer);
}

/* Reads what there is. Returns the number of answers; *open becomes false at the end. */
static unsigned int read_answers(int fd, int *open)
{
	static char text[1 << 20];
	static size_t have;
	unsigned int n = 0;
	ssize_t got = recv(fd, text + have, sizeof(text) - have, MSG_DONTWAIT);
	char *newline;

	if (!got || (got < 0 && errno != EAGAIN)) {
		*open = 0;
		have = 0;
		return 0;
	}
	have += got > 0 ? (size_t)got : 0;
	while ((newline = memchr(text, '\n', have))) {
		size_t len = (size_t)(newline - text) + 1;

		check_answer(text, len);
		memmove(text, newline + 1, have - len);
		have -= len;
		n++;
	}
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned int answers = 0, asked = 0;
	size_t piece, sent = 1;
	int open = 1, fd;

	if (!base)
		begin();
	if (size < 2)
		return 0;
	piece = (size_t)(data[0] & 0x7f) * 8 + 1;
	for (size_t i = 1; i < size; i++)
		asked += data[i] == '\n';
	fd = connect_client();
	while (open && sent < size) {
		size_t len = size - sent < piece ? size - sent : piece;
		ssize_t n = send(fd, data + sent, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		sent += n > 0 ? (size_t)n : 0;
		event_base_loop(base, EVLOOP_NONBLOCK);
		if (n < 0 && errno != EAGAIN)
			break;
		if (!(data[0] & 0x80))
			answers += read_answers(fd, &open);
	}
	shutdown(fd, SHUT_WR);
	for (int i = 0; !(data[0] & 0x80) && open && i < ROUNDS; i++) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		answers += read_answers(fd, &open);
	}
	close(fd);
	for (int i = 0; i < 4; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	fuzz_check(answers <= asked, "there is an answer for each request, and no more");
	/* What is wrong with one line ends the conversation; till then each is answered. */
	fuzz_check(data[0] & 0x80 || !open, "a client that has said all is answered and let go");
	fuzz_check(data[0] & 0x80 || !asked || answers, "at least the first request is answered");
	fuzz_errors();
	return 0;
}
