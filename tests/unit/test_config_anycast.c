/* SPDX-License-Identifier: GPL-2.0-only */
/* loader/config_anycast.c: a config's anycast, metrics and data_plane. */
#include <criterion/criterion.h>
#include <errno.h>

#include "lib/log.h"
#include "loader/config.h"
#include "support.h"

static struct capture capture;

#define HEAD                                                                                       \
	"vips:\n"                                                                                  \
	"- {name: web, address: 198.51.100.1, port: 443, protocol: tcp, pool: p}\n"                \
	"- {name: dns, address: 198.51.100.2, port: 53, protocol: udp, pool: p}\n"
#define BACKENDS                                                                                   \
	"  backends:\n"                                                                            \
	"  - {name: b1, id: 1, address: 10.0.0.11}\n"                                              \
	"  - {name: b2, id: 2, address: 10.0.0.12}\n"
/* Nine lines. */
#define GOOD	   HEAD "pools:\n- name: p\n  forward: gue\n" BACKENDS
#define ENTRY(one) GOOD "anycast:\n- {" one "}\n"

static const struct {
	const char *what, *text;
	unsigned int line;
	const char *message;
} bad[] = {
	{ "unknown key", ENTRY("protocol: a, colour: blue"), 11, "anycast[0].colour: unknown key" },
	{ "no protocol", ENTRY("vip: web"), 11, "anycast[0].protocol: missing" },
	{ "another speaker", ENTRY("protocol: a, speaker: frr"), 11,
	  "anycast[0].speaker: 'frr' is not allowed here; give one of: bird" },
	{ "unknown VIP", ENTRY("vip: nope, protocol: a"), 11,
	  "anycast[0].vip: no VIP is called 'nope'; known VIPs: web, dns; without the key it is" },
	{ "a quote in the protocol", ENTRY("protocol: 'a\" all'"), 11,
	  "anycast[0].protocol: 'a\" all' is no name of a protocol" },
	{ "a pattern", ENTRY("protocol: 'any*'"), 11, "anycast[0].protocol: 'any*' is no name" },
	{ "two words", ENTRY("protocol: a b"), 11, "anycast[0].protocol: 'a b' is no name" },
	{ "a protocol too long",
	  ENTRY("protocol: a123456789b123456789c123456789d123456789e123456789f123456789g1234"), 11,
	  "anycast[0].protocol: has 65 characters; give at most 64" },
	{ "a protocol twice", ENTRY("protocol: a") "- {protocol: a, vip: web}\n", 12,
	  "anycast[1].protocol: 'a' is already that of anycast[0]" },
	{ "a socket without path", ENTRY("protocol: a, socket: bird.ctl"), 11,
	  "anycast[0].socket: 'bird.ctl' is no full path" },
	{ "more backends than there are", ENTRY("vip: web, protocol: a, min_healthy: 3"), 11,
	  "anycast[0].min_healthy: 3 is out of range; give 1 to 2, the number of backends" },
	{ "no backend", ENTRY("protocol: a, min_healthy: 0"), 11,
	  "anycast[0].min_healthy: 0 is out of range; give 1 to 4096" },
	{ "a duration without unit", ENTRY("protocol: a, hold_down: 10"), 11,
	  "anycast[0].hold_down: '10' is not a duration" },
	{ "a long duration", ENTRY("protocol: a, drain_time: 2h"), 11,
	  "anycast[0].drain_time: '2h' is out of range" },
	{ "empty list", GOOD "anycast: []\n", 10, "anycast: the list is empty" },
	{ "metrics without port", GOOD "metrics: {listen: 127.0.0.1}\n", 10,
	  "metrics.listen: '127.0.0.1' is not an address and port" },
	{ "metrics nowhere", GOOD "metrics: {}\n", 10, "metrics.listen: missing" },
	{ "no forward", HEAD "pools:\n- name: p\n" BACKENDS, 5,
	  "pools[0].forward: missing; give one of: l2, ipip, gue" },
	{ "forward without data plane", GOOD "data_plane: none\n", 6,
	  "pools[0].forward: nothing is forwarded with data_plane: none" },
	{ "another data plane", GOOD "data_plane: ipvs\n", 10,
	  "data_plane: 'ipvs' is not allowed here; give one of: xdp, none" },
};

static int load(const char *text, struct lb_config **config, char path[static 32],
		const char **messages)
{
	int err;

	temp_file(path, text, strlen(text));
	log_init("test", LOG_INFO);
	capture_begin(&capture, stderr);
	err = lb_config_load(path, config);
	*messages = capture_end(&capture);
	unlink(path);
	return err;
}

Test(config_anycast, bad)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct lb_config *config = NULL;
		const char *messages;
		char path[32], want[512];
		int err = load(bad[i].text, &config, path, &messages);

		snprintf(want, sizeof(want), "test: error: %s:%u: %s", path, bad[i].line,
			 bad[i].message);
		cr_expect_eq(err, -EINVAL, "%s: returned %d", bad[i].what, err);
		cr_expect(strstr(messages, want), "%s: want %s\ngot %s", bad[i].what, want,
			  messages);
		cr_expect_eq(strcspn(messages, "\n") + 1, strlen(messages),
			     "%s: one fault, one line: %s", bad[i].what, messages);
	}
	cr_assert(!has_leaks());
}

Test(config_anycast, good)
{
	struct lb_config *config;
	const char *messages;
	char path[32];

	cr_assert_eq(
		load(ENTRY("protocol: a") "- {vip: dns, speaker: bird, socket: /x/b.ctl, protocol: "
					  "any-cast.2_B,\n"
					  "   min_healthy: 2, hold_down: 500ms, drain_time: 0s}\n"
					  "metrics: {listen: \"[::1]:9180\"}\n"
					  "data_plane: xdp\n",
		     &config, path, &messages),
		0, "%s", messages);
	cr_assert_str_empty(messages);
	cr_assert_eq(config->n_anycast, 2);
	cr_expect_null(config->anycast[0].vip);
	cr_expect_str_eq(config->anycast[0].socket, "/run/bird/bird.ctl");
	cr_expect_eq(config->anycast[0].min_healthy, 1);
	cr_expect_eq(config->anycast[0].hold_down_ms, 10000);
	cr_expect_eq(config->anycast[0].drain_ms, 5000);
	cr_expect_str_eq(config->anycast[1].vip->name, "dns");
	cr_expect_str_eq(config->anycast[1].socket, "/x/b.ctl");
	cr_expect_str_eq(config->anycast[1].protocol, "any-cast.2_B");
	cr_expect_eq(config->anycast[1].min_healthy, 2);
	cr_expect_eq(config->anycast[1].hold_down_ms, 500);
	cr_expect_eq(config->anycast[1].drain_ms, 0);
	cr_expect_eq(config->metrics.family, MPLB_FAMILY_6);
	cr_expect_eq(config->metrics_port, 9180);
	cr_expect(!config->no_data_plane);
	lb_config_free(config);
	cr_assert(!has_leaks());
}

Test(config_anycast, no_data_plane)
{
	struct lb_config *config;
	const char *messages;
	char path[32];

	cr_assert_eq(load(HEAD "pools:\n- name: p\n" BACKENDS "data_plane: none\n", &config, path,
			  &messages),
		     0, "%s", messages);
	cr_expect(config->no_data_plane);
	cr_expect_eq(config->n_anycast, 0);
	cr_expect_eq(config->metrics.family, 0);
	lb_config_free(config);
}
