/* SPDX-License-Identifier: GPL-2.0-only */
#include <criterion/criterion.h>
#include "lib/log.h"
#include "loader/config.h"
#include "mplb/maps.h"
#include "support.h"

static struct capture capture;

/* Loads a config whose pool has this `health`, on line 7, and whose VIP is on line 2. "": none.
 * Returns what was logged. */
static const char *load(const char *vip, const char *health, struct lb_config **out)
{
	char text[2048], path[32];
	const char *messages;

	snprintf(text, sizeof(text),
		 "vips:\n- {name: web, address: 198.51.100.1, %s, pool: p}\n"
		 "pools:\n- name: p\n  forward: gue\n  backends: [{name: b, id: 1, address: "
		 "10.0.0.1}]\n%s%s\n",
		 vip, *health ? "  health: " : "", health);
	temp_file(path, text, strlen(text));
	log_init("test", LOG_INFO);
	*out = NULL;
	capture_begin(&capture, stderr);
	lb_config_load(path, out);
	messages = capture_end(&capture);
	unlink(path);
	return messages;
}

#define TCP "port: 443, protocol: tcp"

Test(config_health, defaults)
{
	struct lb_config *config;
	const struct lb_health *h;

	load(TCP, "", &config);
	cr_assert_not_null(config);
	cr_expect_eq(config->pools[0].health.type, LB_HEALTH_NONE);
	cr_expect_eq(config->probe_mark, MPLB_PROBE_MARK);
	lb_config_free(config);
	load(TCP, "{type: http}", &config);
	cr_assert_not_null(config);
	h = &config->pools[0].health;
	cr_expect_eq(h->type, LB_HEALTH_HTTP);
	cr_expect(h->interval_ms == 1000 && h->timeout_ms == 500 && h->rise == 2 && h->fall == 3);
	cr_expect(!h->port && !h->host && !h->body && h->status_least == 200 &&
		  h->status_most == 399);
	cr_expect_str_eq(h->path, "/");
	cr_expect_eq(h->all_down, MPLB_ALL_DOWN_KEEP);
	cr_expect(h->damping.downs == 5 && h->damping.within_ms == 60000 &&
		  h->damping.hold_ms == 60000);
	lb_config_free(config);
	cr_expect_not(has_leaks());
}

Test(config_health, all_keys)
{
	struct lb_config *config;
	const struct lb_health *h;

	load(TCP,
	     "{type: http, interval: 2m, timeout: 3s, rise: 1, fall: 100, port: 8080, path: "
	     "\"/a?b=c\", host: \"www.example.com:80\", status: 204, body: is well, all_down: "
	     "stop, "
	     "damping: {downs: 7, within: 1h, hold: 90s}}",
	     &config);
	cr_assert_not_null(config);
	h = &config->pools[0].health;
	cr_expect(h->interval_ms == 120000 && h->timeout_ms == 3000 && h->rise == 1 &&
		  h->fall == 100 && h->port == 8080);
	cr_expect_str_eq(h->path, "/a?b=c");
	cr_expect_str_eq(h->host, "www.example.com:80");
	cr_expect_str_eq(h->body, "is well");
	cr_expect(h->status_least == 204 && h->status_most == 204);
	cr_expect_eq(h->all_down, MPLB_ALL_DOWN_STOP);
	cr_expect(h->damping.downs == 7 && h->damping.within_ms == 3600000 &&
		  h->damping.hold_ms == 90000);
	lb_config_free(config);
}

/* A short interval takes the timeout along. */
Test(config_health, timeout_follows)
{
	struct lb_config *config;

	load(TCP, "{type: tcp, interval: 200ms}", &config);
	cr_assert_not_null(config);
	cr_expect_eq(config->pools[0].health.timeout_ms, 200);
	lb_config_free(config);
}

static const struct bad {
	const char *health, *message;
} bad[] = {
	{ "tcp", ":7: pools[0].health: a single value cannot stand here; give KEY: VALUE pairs" },
	{ "{interval: 1s}", ":7: pools[0].health.type: missing; give one of: none, tcp, http, " },
	{ "{type: udp}", ":7: pools[0].health.type: 'udp' is not allowed here; give one of: " },
	{ "{type: tcp, intervall: 1s}", ":7: pools[0].health.intervall: unknown key; known keys" },
	{ "{type: tcp, interval: 1}", ":7: pools[0].health.interval: '1' is not a duration; give a "
				      "whole number with its unit, ms, s, m or h, like 500ms" },
	{ "{type: tcp, interval: 99ms}",
	  ":7: pools[0].health.interval: '99ms' is out of range; give 100ms to 1h" },
	{ "{type: tcp, interval: 2h}", ":7: pools[0].health.interval: '2h' is out of range; " },
	{ "{type: tcp, timeout: 9ms}", ":7: pools[0].health.timeout: '9ms' is out of range; " },
	{ "{type: tcp, timeout: 2s}",
	  ":7: pools[0].health.timeout: 2s is longer than the interval, and a probe must end" },
	{ "{type: tcp, rise: 0}", ":7: pools[0].health.rise: 0 is out of range; give 1 to 100" },
	{ "{type: tcp, fall: 101}", ":7: pools[0].health.fall: 101 is out of range; give 1 to" },
	{ "{type: tcp, port: 0}", ":7: pools[0].health.port: 0 is no port to connect to; give " },
	{ "{type: tcp, port: 65536}", ":7: pools[0].health.port: '65536' is out of range; give" },
	{ "{type: tcp, path: /x}", ":7: pools[0].health.path: type: tcp does not use this; remove "
				   "it, or give type: http" },
	{ "{type: none, port: 80}", ":7: pools[0].health.port: type: none does not use this; "
				    "remove it, or give type: tcp, " },
	{ "{type: http, path: x}", ":7: pools[0].health.path: 'x' is no path; begin it with '/'" },
	{ "{type: http, path: \"/a b\"}", ":7: pools[0].health.path: '/a b' is no path; " },
	{ "{type: http, host: \"a b\"}",
	  ":7: pools[0].health.host: 'a b' cannot be a Host header; " },
	{ "{type: http, host: \"a\\r\\nb\"}",
	  ":7: pools[0].health.host: has a control character; " },
	{ "{type: http, status: 99}", ":7: pools[0].health.status: '99' is no HTTP status; " },
	{ "{type: http, status: 300-200}", ":7: pools[0].health.status: '300-200' is no HTTP " },
	{ "{type: http, status: 200-}", ":7: pools[0].health.status: '200-' is no HTTP status; " },
	{ "{type: http, status: -200}", ":7: pools[0].health.status: '-200' is no HTTP status; " },
	{ "{type: http, status: 200--300}", ":7: pools[0].health.status: '200--300' is no " },
	{ "{type: http, status: 2xx}", ":7: pools[0].health.status: '2xx' is no HTTP status; " },
	{ "{type: tcp, all_down: drop}",
	  ":7: pools[0].health.all_down: 'drop' is not allowed here; give one of: keep, stop" },
	{ "{type: tcp, damping: {downs: 101}}",
	  ":7: pools[0].health.damping.downs: 101 is out of range; give 0 to 100" },
	{ "{type: tcp, damping: {hold: 999ms}}",
	  ":7: pools[0].health.damping.hold: '999ms' is out of range; give 1s to 24h" },
	{ "{type: tcp, damping: {within: 25h}}",
	  ":7: pools[0].health.damping.within: '25h' is out of range; give 1s to 24h" },
};

Test(config_health, bad)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct lb_config *config;
		const char *messages = load(TCP, bad[i].health, &config);

		cr_expect_null(config, "%s: taken", bad[i].health);
		cr_expect(strstr(messages, bad[i].message), "%s: wanted %s\ngot: %s", bad[i].health,
			  bad[i].message, messages);
	}
	cr_expect_not(has_leaks());
}

Test(config_health, needs_a_port)
{
	static const char *const vips[] = { "port: 53, protocol: udp", "port: 0, protocol: tcp" };
	struct lb_config *config;

	for (size_t i = 0; i < 2; i++) {
		const char *messages = load(vips[i], "{type: tcp}", &config);

		cr_expect_null(config);
		cr_expect(strstr(messages, ":7: pools[0].health: no VIP of pool 'p' has a TCP port "
					   "to connect to; give the port of a TCP service"),
			  "%s", messages);
		load(vips[i], "{type: tcp, port: 8080}", &config);
		cr_expect_not_null(config);
		lb_config_free(config);
	}
}

Test(config_health, probe_mark)
{
	static const struct {
		const char *key;
		uint32_t mark; /* 0: refused */
	} cases[] = {
		{ "{type: tcp}\nprobe_mark: 0x1000", 0x1000 },
		{ "{type: tcp}\nprobe_mark: 0xfffff000", 0xfffff000 },
		{ "{type: tcp}\nprobe_mark: 0", 0 },
		{ "{type: tcp}\nprobe_mark: 0x1001", 0 },
		{ "{type: tcp}\nprobe_mark: 0x800", 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct lb_config *config;
		const char *messages = load(TCP, cases[i].key, &config);

		cr_expect_eq(config != NULL, cases[i].mark != 0, "%s: %s", cases[i].key, messages);
		if (config)
			cr_expect_eq(config->probe_mark, cases[i].mark);
		else
			cr_expect(strstr(messages, ":8: probe_mark: 0x"), "%s", messages);
		lb_config_free(config);
	}
}
