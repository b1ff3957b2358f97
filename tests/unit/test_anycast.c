/* SPDX-License-Identifier: GPL-2.0-only */
/* lb-agent/anycast.c: what a config says is announced, with a BIRD that does as it is told. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#include "lb-agent/anycast.h"
#include "lib/log.h"
#include "lib/monotonic.h"
#include "loader/config.h"
#include "support.h"

static const char *const names[] = { "a_web", "a_dns", "a_node" };
#define N_NAMES (sizeof(names) / sizeof(*names))

/* Everything that the agent would bring. */
static struct world {
	struct event_base *base;
	struct evconnlistener *listener;
	struct bufferevent *client;
	char path[64];
	bool enabled[N_NAMES], silent;
	unsigned int web_up, web_undecided, dns_up;
	bool attached;
	struct anycast *anycast;
	struct lb_config *config;
	bool left;
} w;

static struct capture capture;

/* ---- BIRD ---- */

static void answer(const char *line)
{
	struct evbuffer *out = bufferevent_get_output(w.client);
	char word[16], name[32];

	if (!strcmp(line, "show protocols")) {
		evbuffer_add_printf(out, "2002-Name Proto Table State Since Info\n");
		for (size_t i = 0; i < N_NAMES; i++)
			evbuffer_add_printf(out, "1002-%s Static master4 %s 1\n", names[i],
					    w.enabled[i] ? "up" : "down");
		evbuffer_add_printf(out, "0000 \n");
		return;
	}
	cr_assert_eq(sscanf(line, "%15s \"%31[^\"]\"", word, name), 2, "%s", line);
	for (size_t i = 0; i < N_NAMES; i++) {
		if (strcmp(names[i], name) != 0)
			continue;
		w.enabled[i] = !strcmp(word, "enable");
		evbuffer_add_printf(out, "%04d-%s: done\n0000 \n", w.enabled[i] ? 11 : 9, name);
		return;
	}
	evbuffer_add_printf(out, "8003 No protocols match\n");
}

static void on_read(struct bufferevent *client, void *data)
{
	char *line;

	(void)data;
	while ((line = evbuffer_readln(bufferevent_get_input(client), NULL, EVBUFFER_EOL_LF))) {
		if (!w.silent)
			answer(line);
		free(line);
	}
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *addr,
		      int len, void *data)
{
	(void)listener;
	(void)addr;
	(void)len;
	(void)data;
	if (w.client)
		bufferevent_free(w.client);
	w.client = bufferevent_socket_new(w.base, fd, BEV_OPT_CLOSE_ON_FREE);
	bufferevent_setcb(w.client, on_read, NULL, NULL, NULL);
	bufferevent_enable(w.client, EV_READ);
	evbuffer_add_printf(bufferevent_get_output(w.client), "0001 BIRD 2.0.12 ready.\n");
}

/* ---- the agent ---- */

static struct anycast_health health(void *data, const struct lb_pool *pool)
{
	(void)data;
	if (strcmp(pool->name, "web") != 0)
		return (struct anycast_health){ .up = w.dns_up };
	return (struct anycast_health){ .up = w.web_up, .undecided = w.web_undecided };
}

static bool attached(void *data)
{
	(void)data;
	return w.attached;
}

static void on_left(void *data)
{
	(void)data;
	w.left = true;
}

#define ENTRY(more) "- {" more ", socket: %s, hold_down: 0s, drain_time: 300ms}\n"
#define WEB	    ENTRY("vip: web, protocol: a_web, min_healthy: 2")
#define DNS	    ENTRY("vip: dns, protocol: a_dns")
#define NODE	    ENTRY("protocol: a_node")

/* Takes a config with these entries; each needs the socket's path. */
static void configure(const char *entries)
{
	static const char head[] =
		"vips:\n"
		"- {name: web, address: 198.51.100.1, port: 80, protocol: tcp, pool: web}\n"
		"- {name: dns, address: 198.51.100.2, port: 53, protocol: udp, pool: dns}\n"
		"pools:\n"
		"- {name: web, forward: gue, backends: [{name: b1, id: 1, address: 10.0.0.1},\n"
		"   {name: b2, id: 2, address: 10.0.0.2}]}\n"
		"- {name: dns, forward: gue, backends: [{name: b1, id: 1, address: 10.0.0.1}]}\n";
	struct lb_config *config;
	char text[2048], file[32];
	size_t len =
		(size_t)snprintf(text, sizeof(text), "%s%s", head, *entries ? "anycast:\n" : "");

	for (const char *at = entries; *at; at = strchr(at, '\n') + 1) {
		int line = (int)strcspn(at, "\n") + 1, mark = (int)(strstr(at, "%s") - at);

		len += (size_t)snprintf(text + len, sizeof(text) - len, "%.*s%s%.*s", mark, at,
					w.path, line - mark - 2, at + mark + 2);
	}
	temp_file(file, text, len);
	cr_assert_eq(lb_config_load(file, &config), 0, "%s", text);
	unlink(file);
	cr_assert_eq(anycast_configure(w.anycast, config), 0);
	lb_config_free(w.config);
	w.config = config;
}

static void begin(void)
{
	struct anycast_env env = { .health = health, .attached = attached };
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	memset(&w, 0, sizeof(w));
	w.base = env.base = event_base_new();
	w.web_up = 2;
	w.dns_up = 1;
	w.attached = true;
	snprintf(w.path, sizeof(w.path), "/tmp/mplb-anycast-%d", getpid());
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", w.path);
	unlink(w.path);
	w.listener = evconnlistener_new_bind(w.base, on_accept, NULL, LEV_OPT_CLOSE_ON_FREE, 8,
					     (struct sockaddr *)&addr, sizeof(addr));
	cr_assert(w.listener);
	log_init("test", LOG_INFO);
	capture_begin(&capture, stderr);
	cr_assert_eq(anycast_open(&env, &w.anycast), 0);
}

static void end(void)
{
	anycast_close(w.anycast);
	lb_config_free(w.config);
	if (w.client)
		bufferevent_free(w.client);
	evconnlistener_free(w.listener);
	event_base_free(w.base);
	unlink(w.path);
	capture_end(&capture);
	cr_assert(!has_leaks());
}

static double now(void)
{
	return (double)monotonic_ns() / 1e9;
}

/* Runs for so long. */
static void run(double seconds)
{
	double until = now() + seconds;

	do {
		event_base_loop(w.base, EVLOOP_NONBLOCK);
		usleep(2000);
	} while (now() < until);
}

/* Runs until BIRD has enabled exactly these, "100": the first one; at most 10 s. */
static void announced(const char *want)
{
	double until = now() + 10;
	char is[N_NAMES + 1] = "";

	do {
		run(0.02);
		for (size_t i = 0; i < N_NAMES; i++)
			is[i] = w.enabled[i] ? '1' : '0';
	} while (strcmp(is, want) != 0 && now() < until);
	cr_assert_str_eq(is, want);
}

Test(anycast, each_by_its_own_health)
{
	begin();
	configure(WEB DNS NODE);
	announced("111");
	w.web_up = 1; /* of two that are asked for */
	anycast_look(w.anycast);
	announced("011");
	w.dns_up = 0; /* and one is enough for the node */
	anycast_look(w.anycast);
	announced("001");
	w.web_up = 0;
	anycast_look(w.anycast);
	announced("000");
	w.web_up = 2;
	anycast_look(w.anycast);
	announced("101");
	w.attached = false;
	anycast_look(w.anycast);
	announced("000");
	end();
}

Test(anycast, undecided_is_waited_for)
{
	begin();
	w.web_up = 0;
	w.web_undecided = 2;
	w.enabled[0] = true; /* by the agent before */
	configure(WEB DNS);
	run(0.3);
	cr_assert(w.enabled[0]);
	w.web_undecided = 0;
	anycast_look(w.anycast);
	announced("010");
	end();
}

Test(anycast, configs)
{
	json_t *rows;

	begin();
	configure(WEB DNS);
	announced("110");
	configure(DNS);
	announced("010");
	configure(DNS NODE);
	announced("011");
	rows = anycast_json(w.anycast);
	cr_assert_eq(json_array_size(rows), 2);
	cr_assert(json_is_null(json_object_get(json_array_get(rows, 1), "vip")));
	json_decref(rows);
	configure("");
	announced("000");
	run(0.1); /* and nothing is left that would poll */
	rows = anycast_bird_json(w.anycast);
	cr_assert_eq(json_array_size(rows), 0);
	json_decref(rows);
	end();
}

Test(anycast, leaves)
{
	double at;

	begin();
	configure(WEB DNS);
	announced("110");
	at = now();
	anycast_leave(w.anycast, on_left, NULL);
	announced("000");
	cr_assert(!w.left, "it waits for the drain time");
	while (!w.left && now() < at + 10)
		run(0.01);
	cr_assert(w.left);
	cr_assert_geq(now() - at, 0.3);
	cr_assert(anycast_is_withdrawn(w.anycast));
	end();
}

Test(anycast, leaves_without_bird)
{
	double at;

	begin();
	configure(WEB);
	announced("100");
	w.silent = true;
	at = now();
	anycast_leave(w.anycast, on_left, NULL);
	while (!w.left && now() < at + 20)
		run(0.05);
	cr_assert(w.left, "it does not wait for ever");
	cr_assert(!anycast_is_withdrawn(w.anycast));
	end();
	cr_assert(strstr(capture.text, "has not confirmed the withdrawal of \"a_web\""));
}

/* Nothing was announced: there is nothing to wait for. */
Test(anycast, leaves_at_once)
{
	double at;

	begin();
	w.web_up = 0;
	configure(WEB);
	run(0.2);
	at = now();
	anycast_leave(w.anycast, on_left, NULL);
	while (!w.left && now() < at + 10)
		run(0.01);
	cr_assert(w.left);
	cr_assert(anycast_is_withdrawn(w.anycast));
	cr_assert_null(strstr(capture.text, "drain_time"));
	end();
}
