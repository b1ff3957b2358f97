/* SPDX-License-Identifier: GPL-2.0-only */
/* Health without a data plane, on the loopback device. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "lb-agent/health.h"
#include "lib/log.h"
#include "lib/monotonic.h"
#include "loader/config.h"
#include "support.h"

#define MEMBERS 3

/* A pool of three, of which each probe finds the same: what listens at the VIP. */
struct bench {
	struct event_base *base;
	struct health *health;
	struct lb_config config;
	struct lb_pool pool;
	struct lb_vip vip;
	struct lb_backend backends[MEMBERS];
	int listener, changes;
	bool configure_in_change;
	char why[128];
};

static struct ip ip_of(const char *text)
{
	struct ip ip;

	cr_assert(!ip_parse(text, &ip));
	return ip;
}

static void on_change(void *data, const struct health_member *m)
{
	struct bench *b = data;

	b->changes++;
	snprintf(b->why, sizeof(b->why), "%s", m->why);
	if (b->configure_in_change)
		cr_assert_eq(health_configure(b->health, &b->config), 0);
}

static void listen_at(struct bench *b, uint16_t port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_port = htons(port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	const int one = 1;

	b->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	cr_assert_geq(b->listener, 0);
	setsockopt(b->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	cr_assert(!bind(b->listener, (struct sockaddr *)&addr, len) && !listen(b->listener, 100));
	cr_assert(!getsockname(b->listener, (struct sockaddr *)&addr, &len));
	b->vip.port = ntohs(addr.sin_port);
}

static void begin(struct bench *b, enum lb_health_type type)
{
	static const char *const names[] = { "b1", "b2", "b3" };

	*b = (struct bench){
		.pool = { .name = "p",
			  .health = { .type = type,
				      .interval_ms = 100,
				      .timeout_ms = 80,
				      .rise = 2,
				      .fall = 2,
				      .path = "/up",
				      .status_least = 200,
				      .status_most = 299 },
			  .n_backends = MEMBERS },
		.vip = { .name = "v", .addr = ip_of("127.0.0.1"), .protocol = IPPROTO_TCP },
	};
	b->pool.backends = b->backends;
	b->vip.pool = &b->pool;
	b->config =
		(struct lb_config){ .vips = &b->vip, .n_vips = 1, .pools = &b->pool, .n_pools = 1 };
	for (uint16_t i = 0; i < MEMBERS; i++)
		b->backends[i] = (struct lb_backend){ .name = names[i],
						      .id = i + 1,
						      .addr = { { { htonl(10 << 24 | i) } }, 4 } };
	log_init("test", LOG_ERROR);
	listen_at(b, 0);
	b->base = event_base_new();
	cr_assert_not_null(b->base);
	cr_assert_eq(
		health_open(&(struct health_env){ .base = b->base, .change = on_change, .data = b },
			    &b->health),
		0);
	cr_assert_eq(health_configure(b->health, &b->config), 0);
}

static void end(struct bench *b)
{
	health_close(b->health);
	event_base_free(b->base);
	close(b->listener);
	cr_expect_not(has_leaks());
}

/* Runs the loop for so long. */
static void run(struct bench *b, int ms)
{
	const struct timeval for_ms = { ms / 1000, ms % 1000 * 1000L };

	event_base_loopexit(b->base, &for_ms);
	event_base_dispatch(b->base);
}

/* Runs it until so many members are in that state; a busy machine has 20 s for it. */
static bool becomes(struct bench *b, enum health_state state, size_t n)
{
	long long until = (long long)monotonic_ms() + 20000;

	while (health_count(b->health, "p", state) != n && (long long)monotonic_ms() < until)
		run(b, 5);
	return health_count(b->health, "p", state) == n;
}

static void see_results(void *data, const struct health_member *m)
{
	*(uint64_t *)data += m->probes;
}

static uint64_t results(const struct bench *b)
{
	uint64_t n = 0;

	health_each(b->health, see_results, &n);
	return n;
}

Test(health, up_and_down)
{
	struct bench b;

	begin(&b, LB_HEALTH_TCP);
	cr_expect_eq(health_count(b.health, "p", HEALTH_UNKNOWN), MEMBERS);
	cr_expect_eq(health_count(b.health, "other", HEALTH_UNKNOWN), 0);
	cr_expect(becomes(&b, HEALTH_UP, MEMBERS));
	run(&b, 1);
	cr_expect_eq(b.changes, MEMBERS);
	close(b.listener);
	cr_expect(becomes(&b, HEALTH_DOWN, MEMBERS));
	run(&b, 1);
	cr_expect_eq(b.changes, 2 * MEMBERS);
	cr_expect_str_eq(b.why, "connection refused");
	listen_at(&b, b.vip.port);
	cr_expect(becomes(&b, HEALTH_UP, MEMBERS));
	end(&b);
}

Test(health, reload_keeps)
{
	struct bench b;
	uint64_t before;

	begin(&b, LB_HEALTH_TCP);
	cr_expect(becomes(&b, HEALTH_UP, MEMBERS));
	before = results(&b);
	cr_expect_geq(before, MEMBERS);
	/* In another order, one by another name, one gone, one new: by id and address. */
	b.backends[0] = b.backends[2];
	b.backends[0].name = "renamed";
	b.backends[2] = (struct lb_backend){ .name = "new", .id = 9, .addr = ip_of("10.0.0.9") };
	cr_assert_eq(health_configure(b.health, &b.config), 0);
	cr_expect_eq(health_count(b.health, "p", HEALTH_UP), 2);
	cr_expect_eq(health_count(b.health, "p", HEALTH_UNKNOWN), 1);
	cr_expect_lt(results(&b), before, "those of the member that is gone");
	cr_expect(becomes(&b, HEALTH_UP, MEMBERS));
	/* No more probes: nothing is known. */
	b.changes = 0;
	b.pool.health.type = LB_HEALTH_NONE;
	cr_assert_eq(health_configure(b.health, &b.config), 0);
	cr_expect_eq(health_count(b.health, "p", HEALTH_UNKNOWN), MEMBERS);
	run(&b, 300);
	cr_expect_eq(b.changes, MEMBERS);
	cr_expect_eq(results(&b), 0);
	end(&b);
}

/* A server that takes connections and says nothing: each probe takes all the time it has. However
 * often the config is read meanwhile, probes under way go on. */
Test(health, reload_does_not_starve)
{
	struct bench b;
	long long until;

	begin(&b, LB_HEALTH_HTTP);
	until = (long long)monotonic_ms() + 20000;
	while (health_count(b.health, "p", HEALTH_DOWN) < MEMBERS &&
	       (long long)monotonic_ms() < until) {
		cr_assert_eq(health_configure(b.health, &b.config), 0);
		run(&b, 10);
	}
	cr_expect_eq(health_count(b.health, "p", HEALTH_DOWN), MEMBERS);
	run(&b, 1);
	cr_expect_str_eq(b.why, "connected, but no answer in time");
	end(&b);
}

Test(health, configured_in_a_change)
{
	struct bench b;

	begin(&b, LB_HEALTH_TCP);
	b.configure_in_change = true;
	cr_expect(becomes(&b, HEALTH_UP, MEMBERS));
	run(&b, 1);
	cr_expect_eq(b.changes, MEMBERS);
	close(b.listener);
	cr_expect(becomes(&b, HEALTH_DOWN, MEMBERS));
	run(&b, 1);
	cr_expect_eq(b.changes, 2 * MEMBERS);
	end(&b);
}

/* Probes that ask for something else do not count for it. */
Test(health, another_question)
{
	struct bench b;

	begin(&b, LB_HEALTH_TCP);
	cr_expect(becomes(&b, HEALTH_UP, MEMBERS));
	b.pool.health.type = LB_HEALTH_HTTP;
	cr_assert_eq(health_configure(b.health, &b.config), 0);
	cr_expect_eq(health_count(b.health, "p", HEALTH_UP), MEMBERS, "the state is kept");
	cr_expect(becomes(&b, HEALTH_DOWN, MEMBERS));
	end(&b);
}

Test(health, vip_of_another_machine)
{
	struct bench b;

	begin(&b, LB_HEALTH_TCP);
	b.vip.addr = ip_of("192.0.2.1");
	cr_assert_eq(health_configure(b.health, &b.config), 0);
	cr_expect(becomes(&b, HEALTH_DOWN, MEMBERS));
	run(&b, 1);
	cr_expect_str_eq(b.why, "the VIP is not an address of this machine");
	end(&b);
}

/* A server: answers each request with that. Its process is to be ended. */
static pid_t serve(const struct bench *b, const char *answer)
{
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fcntl(b->listener, F_SETFL, 0);
	for (;;) {
		int client = accept(b->listener, NULL, NULL);
		char request[512] = "";

		if (client < 0 || recv(client, request, sizeof(request) - 1, 0) <= 0 ||
		    strncmp(request, "GET /up HTTP/1.1\r\nHost: 127.0.0.1:", 34) != 0 ||
		    !strstr(request, "\r\nConnection: close\r\n\r\n"))
			_exit(1);
		send(client, answer, strlen(answer), MSG_NOSIGNAL);
		close(client);
	}
}

static void asks(const char *answer, enum health_state state, const char *why)
{
	struct bench b;
	pid_t server;

	begin(&b, LB_HEALTH_HTTP);
	server = serve(&b, answer);
	b.pool.health.body = "well";
	b.pool.health.timeout_ms = 100;
	cr_assert_eq(health_configure(b.health, &b.config), 0);
	cr_expect(becomes(&b, state, MEMBERS), "%s", answer);
	run(&b, 1);
	cr_expect_str_eq(b.why, why);
	cr_expect_eq(kill(server, 0), 0, "the server did not like the request");
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	end(&b);
}

Test(health, http)
{
	asks("HTTP/1.1 200 OK\r\n\r\nwell", HEALTH_UP, "");
	asks("HTTP/1.1 200 OK\r\n\r\nill", HEALTH_DOWN, "\"well\" is not in the body");
	asks("HTTP/1.1 500 Oh\r\n\r\nwell", HEALTH_DOWN, "status 500");
	asks("", HEALTH_DOWN, "no answer: connection closed");
}

/* Probes are no more often than asked for, and not much: an interval may be a twentieth less. */
Test(health, interval)
{
	struct bench b;
	uint64_t before;
	long long took;

	begin(&b, LB_HEALTH_TCP);
	cr_expect(becomes(&b, HEALTH_UP, MEMBERS));
	before = results(&b);
	took = (long long)monotonic_ms();
	run(&b, 1000);
	took = (long long)monotonic_ms() - took;
	cr_expect_leq(results(&b) - before, (uint64_t)(took / 95 + 1) * MEMBERS);
	cr_expect_geq(results(&b) - before, MEMBERS);
	end(&b);
}
