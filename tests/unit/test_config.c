/* SPDX-License-Identifier: GPL-2.0-only */
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include "lib/log.h"
#include "loader/config.h"
#include "mplb/maps.h"
#include "support.h"

static struct capture capture;

/* Loads text as a config file; *messages is what was logged, path the file's name in it. */
static int load(const char *text, size_t len, struct lb_config **config, char path[static 32],
		const char **messages)
{
	int err;

	temp_file(path, text, len);
	log_init("test", LOG_INFO);
	capture_begin(&capture, stderr);
	err = lb_config_load(path, config);
	*messages = capture_end(&capture);
	unlink(path);
	return err;
}

/* Whether a line "test: LEVEL: PATH:LINE: TEXT" was logged, TEXT being the beginning. */
static bool said(const char *messages, const char *level, const char *path, unsigned int line,
		 const char *text)
{
	char want[1024];

	snprintf(want, sizeof(want), "test: %s: %s:%u: %s", level, path, line, text);
	return strstr(messages, want);
}

/* Building blocks, one line each: a VIP list of line 1 and 2, a pool of lines 3 to 6. */
#define VIP                                                                                        \
	"vips:\n"                                                                                  \
	"- {name: web, address: 198.51.100.1, port: 443, protocol: tcp, pool: p}\n"
#define POOL                                                                                       \
	"pools:\n"                                                                                 \
	"- name: p\n"                                                                              \
	"  forward: ipip\n"                                                                        \
	"  backends:\n"
#define B1   "  - {name: b1, id: 1, address: 10.0.0.11}\n"
#define GOOD VIP POOL B1

/* A config whose only VIP is given. */
#define WITH_VIP(vip) "vips:\n- {" vip "}\n" POOL B1
/* One with this port, protocol and join_ports. */
#define WITH_JOIN_PORTS(port, protocol, ports)                                                     \
	WITH_VIP("name: w, address: 198.51.100.1, port: " #port ", protocol: " #protocol           \
		 ", pool: p, join_ports: " ports)
/* A config whose second backend, on line 8, is given. */
#define WITH_BACKEND(backend) VIP POOL B1 "  - {" backend "}\n"
/* A config with a second VIP, on line 3. */
#define WITH_VIP2(vip) VIP "- {" vip "}\n" POOL B1

static const struct bad {
	const char *what;
	const char *text;
	unsigned int line;
	const char *message;
} bad[] = {
	/* YAML */
	{ "empty file", "", 1, "the file is empty; " },
	{ "comments only", "# nothing\n", 1, "the file is empty; " },
	{ "tab as indentation", "vips:\n\t- {name: web}\n", 2,
	  "YAML syntax: a character that cannot stand here; indent with spaces" },
	{ "list not closed", "vips: [1,\n2\npools:\n", 3,
	  "YAML syntax (in what begins on line 1)" },
	{ "mapping not closed", VIP "pools: {name: p\n", 3, "YAML syntax" },
	{ "quote not closed", "vips:\n- {name: \"web}\n", 2, "YAML syntax" },
	{ "bad indentation", "vips:\n  - name: web\n port: 1\n", 3, "YAML syntax" },
	{ "two colons", "vips: a: b\n", 1, "YAML syntax: a ':' that cannot stand here" },
	{ "control character", "vips:\n- \x01\n", 2, "YAML syntax: a control character" },
	{ "not UTF-8", "vips:\n- \xff\xfe\n", 2, "YAML syntax: not UTF-8" },
	{ "alias", "hash_seed: &a 1\nvips: *a\n", 2, "*a: aliases are not supported" },
	{ "endless alias", "vips: &a [*a]\n", 1, "*a: aliases are not supported" },
	{ "merge key", "vips: &a {x: 1}\npools: {<<: *a}\n", 2, "*a: aliases are not supported" },
	{ "two documents", GOOD "---\n" GOOD, 8, "a second YAML document begins here" },
	/* schema */
	{ "list at the top", "- a\n", 1,
	  "a list cannot stand here; give KEY: VALUE pairs with the keys hash_seed, " },
	{ "word at the top", "web\n", 1, "a single value cannot stand here" },
	{ "unknown key at the top", GOOD "colour: {listen: 1}\n", 8,
	  "colour: unknown key; known keys here: hash_seed, " },
	{ "unknown key of a VIP",
	  WITH_VIP("name: w, address: 198.51.100.1, port: 1, protocol: tcp, pool: p, sticky: 1"), 2,
	  "vips[0].sticky: unknown key; known keys here: name, address, port, protocol, " },
	{ "unknown key of a pool", VIP POOL B1 "  colour: {type: tcp}\n", 8,
	  "pools[0].colour: unknown key; known keys here: name, forward, hash, " },
	{ "settle_after without a unit", GOOD "settle_after: 10\n", 8, "settle_after: " },
	{ "port of metrics out of range", VIP POOL B1 "  metrics_port: 65536\n", 8,
	  "pools[0].metrics_port: " },
	{ "unknown key of a backend",
	  WITH_BACKEND("name: b2, id: 2, address: 10.0.0.12, wieght: 1"), 8,
	  "pools[0].backends[1].wieght: unknown key; known keys here: name, id, address, weight" },
	{ "key that is a list", GOOD "[a, b]: 1\n", 8, "a key that is not a word; known keys" },
	{ "empty key", GOOD "\"\": 1\n", 8, "a key that is not a word; known keys" },
	{ "no vips", POOL B1, 1, "vips: missing; give a list" },
	{ "no pools", VIP, 1, "pools: missing; give a list" },
	{ "empty vips", "vips: []\n" POOL B1, 1, "vips: the list is empty; give at least 1" },
	{ "vips without value", "vips:\n" POOL B1, 1, "vips: has no value; give a list" },
	{ "vips as a mapping", "vips: {name: web}\n" POOL B1, 1,
	  "vips: KEY: VALUE pairs cannot stand here; give a list" },
	{ "VIP without name", WITH_VIP("address: 198.51.100.1, port: 1, protocol: tcp, pool: p"), 2,
	  "vips[0].name: missing; give a text" },
	{ "VIP without port", WITH_VIP("name: w, address: 198.51.100.1, protocol: tcp, pool: p"), 2,
	  "vips[0].port: missing; give a number from 0 to 65535" },
	{ "VIP without protocol", WITH_VIP("name: w, address: 198.51.100.1, port: 1, pool: p"), 2,
	  "vips[0].protocol: missing; give one of: tcp, udp" },
	{ "port as a word",
	  WITH_VIP("name: w, address: 198.51.100.1, port: https, protocol: tcp, pool: p"), 2,
	  "vips[0].port: 'https' is not a decimal or 0x number; give a number from 0 to 65535" },
	{ "port too large",
	  WITH_VIP("name: w, address: 198.51.100.1, port: 65536, protocol: tcp, pool: p"), 2,
	  "vips[0].port: '65536' is out of range; give a number from 0 to 65535" },
	{ "port negative",
	  WITH_VIP("name: w, address: 198.51.100.1, port: -1, protocol: tcp, pool: p"), 2,
	  "vips[0].port: '-1' is out of range" },
	{ "port in octal",
	  WITH_VIP("name: w, address: 198.51.100.1, port: 0443, protocol: tcp, pool: p"), 2,
	  "vips[0].port: '0443' is not a decimal or 0x number" },
	{ "port empty", WITH_VIP("name: w, address: 198.51.100.1, port: , protocol: tcp, pool: p"),
	  2, "vips[0].port: has no value; give a number" },
	{ "port as a list",
	  WITH_VIP("name: w, address: 198.51.100.1, port: [1], protocol: tcp, pool: p"), 2,
	  "vips[0].port: a list cannot stand here" },
	{ "unknown protocol",
	  WITH_VIP("name: w, address: 198.51.100.1, port: 1, protocol: sctp, pool: p"), 2,
	  "vips[0].protocol: 'sctp' is not allowed here; give one of: tcp, udp" },
	{ "protocol as a number",
	  WITH_VIP("name: w, address: 198.51.100.1, port: 1, protocol: 6, pool: p"), 2,
	  "vips[0].protocol: '6' is not allowed here" },
	{ "unknown mp_join",
	  WITH_VIP("name: w, address: 198.51.100.1, port: 1, protocol: tcp, pool: p, mp_join: "
		   "follow"),
	  2, "vips[0].mp_join: 'follow' is not allowed here; give one of: reject, hash, steer" },
	{ "join_ports as a number",
	  WITH_VIP(
		  "name: w, address: 198.51.100.1, port: 1, protocol: tcp, pool: p, join_ports: 1"),
	  2, "vips[0].join_ports: a single value cannot stand here; give KEY: VALUE pairs" },
	{ "join_ports without base", WITH_JOIN_PORTS(1, tcp, "{}"), 2,
	  "vips[0].join_ports.base: missing; give a number from 0 to 65535" },
	{ "unknown key of join_ports", WITH_JOIN_PORTS(1, tcp, "{base: 1000, size: 3}"), 2,
	  "vips[0].join_ports.size: unknown key; known keys here: base" },
	{ "unknown forward", VIP "pools:\n- name: p\n  forward: vxlan\n  backends:\n" B1, 5,
	  "pools[0].forward: 'vxlan' is not allowed here; give one of: l2, ipip, gue" },
	{ "unknown hash", VIP POOL B1 "  hash: ports\n", 8,
	  "pools[0].hash: 'ports' is not allowed here; give one of: flow, addresses" },
	{ "hash_seed too large", "hash_seed: 0x10000000000000000\n" GOOD, 1,
	  "hash_seed: '0x10000000000000000' is out of range" },
	{ "hash_seed as a word", "hash_seed: 5eed\n" GOOD, 1,
	  "hash_seed: '5eed' is not a decimal" },
	{ "hash_seed only 0x", "hash_seed: 0x\n" GOOD, 1, "hash_seed: '0x' is not a decimal" },
	{ "key twice", "hash_seed: 1\n" GOOD "hash_seed: 2\n", 9,
	  "hash_seed: given twice (before on line 1); remove one" },
	{ "key twice in an entry", WITH_BACKEND("name: b2, id: 2, address: 10.0.0.12, id: 3"), 8,
	  "pools[0].backends[1].id: given twice (before on line 8)" },
	{ "name empty",
	  WITH_VIP("name: '', address: 198.51.100.1, port: 1, protocol: tcp, pool: p"), 2,
	  "vips[0].name: too short; give at least 1 character" },
	{ "name too long",
	  WITH_VIP("name: a123456789b123456789c123456789d123456789e123456789f123456789g123, "
		   "address: 198.51.100.1, port: 1, protocol: tcp, pool: p"),
	  2, "vips[0].name: has 64 characters; give at most 63" },
	{ "name with a newline",
	  WITH_VIP("name: \"a\\nb\", address: 198.51.100.1, port: 1, protocol: tcp, pool: p"), 2,
	  "vips[0].name: has a control character" },
	{ "name with a NUL",
	  WITH_VIP("name: \"a\\0b\", address: 198.51.100.1, port: 1, protocol: tcp, pool: p"), 2,
	  "vips[0].name: has a control character" },
	{ "backends empty", VIP "pools:\n- {name: p, forward: l2, backends: []}\n", 4,
	  "pools[0].backends: the list is empty; give at least 1" },
	{ "backends missing", VIP "pools:\n- {name: p, forward: l2}\n", 4,
	  "pools[0].backends: missing; give a list" },
	{ "entry without value", VIP POOL B1 "  -\n", 8,
	  "pools[0].backends[1]: has no value; give KEY: VALUE pairs" },
	/* values */
	{ "name with a blank",
	  WITH_VIP("name: a b, address: 198.51.100.1, port: 1, protocol: tcp, pool: p"), 2,
	  "vips[0].name: 'a b': use letters, digits" },
	{ "pool name with a slash",
	  VIP POOL B1
	  "- {name: a/b, forward: l2, backends: [{name: b, id: 1, address: 10.0.0.1}]}\n",
	  8, "pools[1].name: 'a/b': use letters" },
	{ "backend name not ASCII", WITH_BACKEND("name: \xc3\xa9, id: 2, address: 10.0.0.12"), 8,
	  "pools[0].backends[1].name: '\xc3\xa9': use letters" },
	{ "no address", WITH_VIP("name: w, address: web, port: 1, protocol: tcp, pool: p"), 2,
	  "vips[0].address: 'web' is not an address; write it like" },
	{ "address with port",
	  WITH_VIP("name: w, address: \"198.51.100.1:1\", port: 1, protocol: tcp, pool: p"), 2,
	  "vips[0].address: '198.51.100.1:1' is not an address" },
	{ "address with prefix length", WITH_BACKEND("name: b2, id: 2, address: 10.0.0.12/32"), 8,
	  "pools[0].backends[1].address: '10.0.0.12/32' is not an address" },
	{ "address short of a byte", WITH_BACKEND("name: b2, id: 2, address: 10.0.12"), 8,
	  "pools[0].backends[1].address: '10.0.12' is not an address" },
	{ "unspecified address",
	  WITH_VIP("name: w, address: 0.0.0.0, port: 1, protocol: tcp, pool: p"), 2,
	  "vips[0].address: 0.0.0.0 cannot be a host's address" },
	{ "multicast address", WITH_BACKEND("name: b2, id: 2, address: 224.0.0.1"), 8,
	  "pools[0].backends[1].address: 224.0.0.1 cannot be" },
	{ "IPv6 loopback", WITH_BACKEND("name: b2, id: 2, address: \"::1\""), 8,
	  "pools[0].backends[1].address: ::1 cannot be" },
	{ "IPv4-mapped", WITH_BACKEND("name: b2, id: 2, address: \"::ffff:10.0.0.1\""), 8,
	  "pools[0].backends[1].address: ::ffff:10.0.0.1 cannot be" },
	{ "link-local", WITH_BACKEND("name: b2, id: 2, address: fe80::1"), 8,
	  "pools[0].backends[1].address: fe80::1 is link-local" },
	{ "id 0", WITH_BACKEND("name: b2, id: 0, address: 10.0.0.12"), 8,
	  "pools[0].backends[1].id: 0 is not an id; give a number from 1 to 65535" },
	{ "id too large", WITH_BACKEND("name: b2, id: 65536, address: 10.0.0.12"), 8,
	  "pools[0].backends[1].id: '65536' is out of range" },
	{ "weight too large", WITH_BACKEND("name: b2, id: 2, address: 10.0.0.12, weight: 65536"), 8,
	  "pools[0].backends[1].weight: '65536' is out of range; give a number from 0 to 65535" },
	{ "weight negative", WITH_BACKEND("name: b2, id: 2, address: 10.0.0.12, weight: -1"), 8,
	  "pools[0].backends[1].weight: '-1' is out of range" },
	{ "weight with a fraction",
	  WITH_BACKEND("name: b2, id: 2, address: 10.0.0.12, weight: 1.5"), 8,
	  "pools[0].backends[1].weight: '1.5' is not a decimal" },
	{ "mp_join for udp",
	  WITH_VIP(
		  "name: w, address: 198.51.100.1, port: 1, protocol: udp, pool: p, mp_join: hash"),
	  2, "vips[0].mp_join: MPTCP is TCP, and this VIP is udp; remove the key" },
	{ "steer for udp",
	  WITH_VIP("name: w, address: 198.51.100.1, port: 1, protocol: udp, pool: p, mp_join: "
		   "steer"),
	  2, "vips[0].mp_join: MPTCP is TCP, and this VIP is udp; remove the key" },
	{ "join_ports for udp", WITH_JOIN_PORTS(1, udp, "{base: 20000}"), 2,
	  "vips[0].join_ports: MPTCP is TCP, and this VIP is udp; remove the key" },
	{ "join_ports of any port", WITH_JOIN_PORTS(0, tcp, "{base: 20000}"), 2,
	  "vips[0].join_ports: this VIP has port 0, any port, and leaves none for joins" },
	{ "join_ports from 0", WITH_JOIN_PORTS(1, tcp, "{base: 0}"), 2,
	  "vips[0].join_ports.base: 0 is not a base" },
	/* values against each other */
	{ "join port above 65535", WITH_JOIN_PORTS(1, tcp, "{base: 65535}"), 2,
	  "vips[0].join_ports.base: 65535 leaves no port to backend 'b1' of pool 'p', whose id is "
	  "1: 65536 is above 65535" },
	{ "join ports over the VIP's own port", WITH_JOIN_PORTS(1000, tcp, "{base: 900}"), 2,
	  "vips[0].join_ports.base: the join ports 901 to 1023 are also VIP 'w''s (port 1000)" },
	{ "join ports over another VIP's",
	  "vips:\n"
	  "- {name: v1, address: 198.51.100.1, port: 20255, protocol: tcp, pool: p}\n"
	  "- {name: v2, address: 198.51.100.1, port: 1, protocol: tcp, pool: p, join_ports: "
	  "{base: 20223}}\n" POOL B1,
	  3,
	  "vips[1].join_ports.base: the join ports 20224 to 20479 are also VIP 'v1''s (port "
	  "20255)" },
	{ "join ports beside any port",
	  "vips:\n"
	  "- {name: v1, address: 198.51.100.1, port: 1, protocol: tcp, pool: p, join_ports: "
	  "{base: 20000}}\n"
	  "- {name: v2, address: 198.51.100.1, port: 0, protocol: tcp, pool: p}\n" POOL B1,
	  2,
	  "vips[0].join_ports.base: the join ports 20001 to 20223 are also VIP 'v2''s (port 0, "
	  "any" },
	{ "join ports of two VIPs",
	  "vips:\n"
	  "- {name: v1, address: 198.51.100.1, port: 1, protocol: tcp, pool: p, join_ports: "
	  "{base: 20000}}\n"
	  "- {name: v2, address: 198.51.100.1, port: 2, protocol: tcp, pool: p, join_ports: "
	  "{base: 20222}}\n" POOL B1,
	  3,
	  "vips[1].join_ports.base: the join ports 20223 to 20223 overlap with those of VIP 'v1', "
	  "20001 to 20223" },
	{ "unknown pool",
	  WITH_VIP("name: w, address: 198.51.100.1, port: 1, protocol: tcp, pool: q"), 2,
	  "vips[0].pool: no pool is called 'q'; known pools: p" },
	{ "VIP name twice",
	  WITH_VIP2("name: web, address: 198.51.100.2, port: 1, protocol: tcp, pool: p"), 3,
	  "vips[1].name: 'web' is already the name of vips[0]" },
	{ "VIP twice",
	  WITH_VIP2("name: w2, address: 198.51.100.1, port: 443, protocol: tcp, pool: p"), 3,
	  "vips[1].address: 198.51.100.1 port 443 tcp is already served by VIP 'web'" },
	{ "VIP with port 0 twice",
	  "vips:\n"
	  "- {name: v1, address: 2001:db8::1, port: 0, protocol: udp, pool: p}\n"
	  "- {name: v2, address: \"2001:db8:0::1\", port: 0, protocol: udp, pool: p}\n" POOL B1,
	  3, "vips[1].address: 2001:db8::1 port 0 udp is already served by VIP 'v1'" },
	{ "pool name twice",
	  GOOD "- {name: p, forward: l2, backends: [{name: b, id: 1, address: 10.0.0.1}]}\n", 8,
	  "pools[1].name: 'p' is already the name of pools[0]" },
	{ "backend name twice", WITH_BACKEND("name: b1, id: 2, address: 10.0.0.12"), 8,
	  "pools[0].backends[1].name: 'b1' is already the name of backends[0]" },
	{ "id twice", WITH_BACKEND("name: b2, id: 0x1, address: 10.0.0.12"), 8,
	  "pools[0].backends[1].id: 1 is already the id of backend 'b1'" },
	{ "backend address twice", WITH_BACKEND("name: b2, id: 2, address: 10.0.0.11"), 8,
	  "pools[0].backends[1].address: 10.0.0.11 is already the address of backend 'b1'" },
	{ "backend at a VIP", WITH_BACKEND("name: b2, id: 2, address: 198.51.100.1"), 8,
	  "pools[0].backends[1].address: 198.51.100.1 is also the address of VIP 'web'" },
	{ "l2, IPv6 backend of an IPv4 VIP",
	  VIP "pools:\n- name: p\n  forward: l2\n  backends:\n"
	      "  - {name: b1, id: 1, address: 2001:db8::11}\n",
	  7,
	  "pools[0].backends[0].address: an address of the wrong family: IPv6, but VIP 'web' of "
	  "this pool is IPv4; use an IPv4 address, or forward: ipip or gue" },
	{ "gue, backends of both families",
	  VIP "pools:\n- name: p\n  forward: gue\n  backends:\n" B1
	      "  - {name: b2, id: 2, address: 2001:db8::12}\n",
	  8,
	  "pools[0].backends[1].address: an address of the wrong family: IPv6, but backend 'b1' "
	  "has an IPv4 address" },
	{ "l2, VIPs of both families",
	  VIP "- {name: w6, address: 2001:db8::1, port: 443, protocol: tcp, pool: p}\n"
	      "pools:\n- name: p\n  forward: l2\n  backends:\n" B1,
	  8, "pools[0].backends[0].address: an address of the wrong family: IPv4, but VIP 'w6'" },
};

Test(config, bad)
{
	struct lb_config *config;
	const char *messages;
	char path[32];
	size_t i;

	cr_assert_geq(sizeof(bad) / sizeof(*bad), 40);
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		int err;

		config = (void *)1;
		err = load(bad[i].text, strlen(bad[i].text), &config, path, &messages);
		cr_expect_eq(err, -EINVAL, "%s: returned %d", bad[i].what, err);
		cr_expect(config == (void *)1, "%s: output touched", bad[i].what);
		cr_expect(said(messages, "error", path, bad[i].line, bad[i].message),
			  "%s: wanted line %u: %s\ngot: %s", bad[i].what, bad[i].line,
			  bad[i].message, messages);
	}
	cr_assert(!has_leaks());
}

/* gue goes over either family, whatever the VIPs' is; hash is flow unless it is said. */
Test(config, gue_and_hash)
{
	static const char text[] =
		VIP "- {name: w6, address: 2001:db8::1, port: 443, protocol: tcp, pool: p}\n"
		    "- {name: q, address: 198.51.100.1, port: 80, protocol: tcp, pool: q}\n"
		    "pools:\n- name: p\n  forward: gue\n  hash: addresses\n  backends:\n" B1
		    "- name: q\n  forward: gue\n  hash: flow\n  backends:\n"
		    "  - {name: b1, id: 1, address: 2001:db8::11}\n"
		    "  - {name: b2, id: 2, address: 2001:db8::12}\n";
	struct lb_config *config = NULL;
	const char *messages;
	char path[32];

	cr_assert_eq(load(text, strlen(text), &config, path, &messages), 0, "%s", messages);
	cr_expect_str_empty(messages);
	cr_expect_eq(config->pools[0].forward, MPLB_FORWARD_GUE);
	cr_expect(config->pools[0].hash_addresses);
	cr_expect_eq(config->pools[1].forward, MPLB_FORWARD_GUE);
	cr_expect(!config->pools[1].hash_addresses);
	lb_config_free(config);
}

/* Join ports touch where they may: another address, another protocol, the block behind them. */
Test(config, steer_and_join_ports)
{
	static const char text[] =
		"vips:\n"
		"- {name: v1, address: 198.51.100.1, port: 443, protocol: tcp, pool: p, mp_join: "
		"steer,"
		" join_ports: {base: 20000}}\n"
		"- {name: v2, address: 198.51.100.1, port: 20224, protocol: tcp, pool: p}\n"
		"- {name: v3, address: 198.51.100.1, port: 20000, protocol: tcp, pool: p}\n"
		"- {name: v4, address: 198.51.100.1, port: 20001, protocol: udp, pool: p}\n"
		"- {name: v5, address: 198.51.100.2, port: 20001, protocol: tcp, pool: p,"
		" join_ports: {base: 65279}}\n"
		"- {name: v6, address: 198.51.100.1, port: 80, protocol: tcp, pool: p,"
		" join_ports: {base: 20223}}\n" POOL B1;
	struct lb_config *config = NULL;
	const char *messages;
	char path[32];

	cr_assert_eq(load(text, strlen(text), &config, path, &messages), -EINVAL);
	cr_expect(
		said(messages, "error", path, 7,
		     "vips[5].join_ports.base: the join ports 20224 to 20479 are also VIP 'v2''s"),
		"%s", messages);
	cr_expect_null(strchr(strchr(messages, '\n') + 1, '\n'), "%s", messages);
}

Test(config, join_ports_beside_each_other)
{
	static const char text[] =
		"vips:\n"
		"- {name: v1, address: 198.51.100.1, port: 443, protocol: tcp, pool: p, mp_join: "
		"steer,"
		" join_ports: {base: 20000}}\n"
		"- {name: v2, address: 198.51.100.1, port: 20000, protocol: tcp, pool: p}\n"
		"- {name: v3, address: 198.51.100.1, port: 80, protocol: tcp, pool: p,"
		" join_ports: {base: 20223}}\n" POOL B1;
	struct lb_config *config = NULL;
	const char *messages;
	char path[32];

	cr_assert_eq(load(text, strlen(text), &config, path, &messages), 0, "%s", messages);
	cr_expect_str_empty(messages);
	cr_expect_eq(config->vips[0].mp_join, MPLB_MP_JOIN_STEER);
	cr_expect_eq(config->vips[0].join_base, 20000);
	cr_expect_eq(config->vips[1].join_base, 0);
	lb_config_free(config);
}

/* Counts the lines logged. */
static unsigned int lines(const char *messages)
{
	unsigned int n = 0;

	for (; *messages; messages++)
		n += *messages == '\n';
	return n;
}

/* Each bad file has one fault: one line says so, and nothing else is made of it. */
Test(config, one_fault_one_line)
{
	struct lb_config *config = NULL;
	const char *messages;
	char path[32];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		if (strstr(bad[i].what, "pool name with a slash") ||
		    !strcmp(bad[i].what, "pool name twice"))
			continue; /* and a pool that no VIP uses: a warning besides */
		load(bad[i].text, strlen(bad[i].text), &config, path, &messages);
		cr_expect_eq(lines(messages), 1, "%s: %s", bad[i].what, messages);
	}
}

Test(config, all_faults_are_logged)
{
	static const char text[] = "vips:\n"
				   "- {name: w!, address: 1.2.3, port: 1, protocol: tcp, pool: q}\n"
				   "pools:\n"
				   "- name: p\n"
				   "  forward: l2\n"
				   "  backends:\n"
				   "  - {name: b1, id: 0, address: 10.0.0.11}\n"
				   "  - {name: b1, id: 1, address: 10.0.0.11}\n";
	struct lb_config *config = NULL;
	const char *messages;
	char path[32];

	cr_assert_eq(load(text, strlen(text), &config, path, &messages), -EINVAL);
	cr_expect(said(messages, "error", path, 2, "vips[0].name: "));
	cr_expect(said(messages, "error", path, 2, "vips[0].address: "));
	cr_expect(said(messages, "error", path, 2, "vips[0].pool: "));
	cr_expect(said(messages, "error", path, 7, "pools[0].backends[0].id: "));
	cr_expect(said(messages, "error", path, 8, "pools[0].backends[1].name: "));
	cr_expect(said(messages, "error", path, 8, "pools[0].backends[1].address: "));
	cr_expect_eq(lines(messages), 6, "%s", messages);
}

/* The last quoted text as a config of its own; NULL-terminated list of good ones. */
static struct lb_config *load_good(const char *text, const char **messages)
{
	struct lb_config *config = NULL;
	char path[32];
	int err = load(text, strlen(text), &config, path, messages);

	cr_assert_eq(err, 0, "%d: %s", err, *messages);
	return config;
}

Test(config, good)
{
	struct lb_config *config;
	const char *messages;
	struct ip addr;

	config = load_good("hash_seed: 0xFEDCBA9876543210\n" GOOD
			   "  - {name: b2, id: 65535, address: 2001:db8::12, weight: 0}\n",
			   &messages);
	cr_expect_str_empty(messages);
	cr_expect_eq(config->hash_seed, 0xfedcba9876543210);
	cr_assert_eq(config->n_vips, 1);
	cr_assert_eq(config->n_pools, 1);
	cr_expect_str_eq(config->vips[0].name, "web");
	cr_expect_eq(config->vips[0].port, 443);
	cr_expect_eq(config->vips[0].protocol, IPPROTO_TCP);
	cr_expect_eq(config->vips[0].mp_join, MPLB_MP_JOIN_REJECT);
	cr_expect_eq(config->vips[0].pool, &config->pools[0]);
	ip_parse("198.51.100.1", &addr);
	cr_expect(ip_equal(&config->vips[0].addr, &addr));
	cr_expect_str_eq(config->pools[0].name, "p");
	cr_expect_eq(config->pools[0].forward, MPLB_FORWARD_IPIP);
	cr_assert_eq(config->pools[0].n_backends, 2);
	cr_expect_str_eq(config->pools[0].backends[0].name, "b1");
	cr_expect_eq(config->pools[0].backends[0].id, 1);
	cr_expect_eq(config->pools[0].backends[0].weight, 100);
	cr_expect_eq(config->pools[0].backends[1].id, 65535);
	cr_expect_eq(config->pools[0].backends[1].weight, 0);
	ip_parse("2001:db8::12", &addr);
	cr_expect(ip_equal(&config->pools[0].backends[1].addr, &addr));
	lb_config_free(config);
	cr_assert(!has_leaks());
}

Test(config, good_ports)
{
	struct lb_config *config;
	const char *messages;

	config = load_good(
		VIP "- {name: any, address: 198.51.100.1, port: 0, protocol: tcp, pool: p}\n"
		    "- {name: udp, address: 198.51.100.1, port: 443, protocol: udp, pool: p}\n"
		    "- {name: six, address: 2001:db8::1, port: 443, protocol: tcp, pool: p, "
		    "mp_join: hash}\n" POOL B1,
		&messages);
	cr_expect_str_empty(messages);
	cr_expect_eq(config->n_vips, 4);
	cr_expect_eq(config->hash_seed, 0);
	cr_expect_eq(config->vips[1].port, 0);
	cr_expect_eq(config->vips[2].protocol, IPPROTO_UDP);
	cr_expect_eq(config->vips[3].mp_join, MPLB_MP_JOIN_HASH);
	lb_config_free(config);
}

/* Names and ids are unique in a pool only, and a backend may be in two pools. */
Test(config, good_two_pools)
{
	struct lb_config *config;
	const char *messages;

	config = load_good(
		VIP
		"- {name: w2, address: 198.51.100.2, port: 443, protocol: tcp, pool: q}\n" POOL B1
		"- {name: q, forward: l2, backends: [{name: b1, id: 1, address: "
		"10.0.0.11}]}\n",
		&messages);
	cr_expect_str_empty(messages);
	cr_expect_eq(config->vips[1].pool, &config->pools[1]);
	cr_expect_eq(config->pools[1].forward, MPLB_FORWARD_L2);
	lb_config_free(config);
}

Test(config, warnings)
{
	static const char unused[] =
		GOOD "- {name: q, forward: l2, backends: [{name: b, id: 1, address: 10.0.0.1}]}\n";
	static const char idle[] =
		VIP POOL "  - {name: b1, id: 1, address: 10.0.0.11, weight: 0}\n";
	struct lb_config *config = NULL;
	const char *messages;
	char path[32];

	cr_assert_eq(load(unused, strlen(unused), &config, path, &messages), 0);
	cr_expect(said(messages, "warning", path, 8, "pools[1]: no VIP uses pool 'q'"), "%s",
		  messages);
	lb_config_free(config);
	cr_assert_eq(load(idle, strlen(idle), &config, path, &messages), 0);
	cr_expect(said(messages, "warning", path, 6, "pools[0].backends: all weights are 0"), "%s",
		  messages);
	lb_config_free(config);
}

/* n VIPs and m pools of k backends each: what the limits of the maps allow, and one more. */
static int load_many(unsigned int n, unsigned int m, unsigned int k, const char **messages)
{
	struct lb_config *config = NULL;
	char *text, path[32];
	unsigned int i, j;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	int err;

	fprintf(f, "vips:\n");
	for (i = 0; i < n; i++)
		fprintf(f,
			"- {name: v%u, address: 198.51.%u.%u, port: 1, protocol: tcp, pool: p%u}\n",
			i, i >> 8, i & 0xff, i % m);
	fprintf(f, "pools:\n");
	for (i = 0; i < m; i++) {
		fprintf(f, "- name: p%u\n  forward: ipip\n  backends:\n", i);
		for (j = 0; j < k; j++)
			fprintf(f, "  - {name: b%u, id: %u, address: 10.%u.%u.%u}\n", j, j + 1,
				j >> 16, j >> 8 & 0xff, j & 0xff);
	}
	fclose(f);
	err = load(text, len, &config, path, messages);
	free(text);
	if (!err)
		lb_config_free(config);
	return err;
}

Test(config, limits, .timeout = 60)
{
	const char *messages;

	cr_expect_eq(load_many(MPLB_MAX_VIPS, MPLB_MAX_POOLS, 4, &messages), 0, "%s", messages);
	cr_expect_eq(load_many(1, 1, MPLB_MAX_BACKENDS, &messages), 0, "%s", messages);
	cr_expect_eq(load_many(MPLB_MAX_VIPS + 1, 1, 1, &messages), -EINVAL);
	cr_expect(strstr(messages, "vips: has 1025 entries; give at most 1024"), "%s", messages);
	cr_expect_eq(load_many(MPLB_MAX_VIPS, MPLB_MAX_POOLS + 1, 1, &messages), -EINVAL);
	cr_expect(strstr(messages, "pools: has 1025 entries; give at most 1024"), "%s", messages);
	cr_expect_eq(load_many(2, 2, MPLB_MAX_BACKENDS / 2 + 1, &messages), -EINVAL);
	cr_expect(strstr(messages, "pools: 4098 backends in all; give at most 4096"), "%s",
		  messages);
	cr_assert(!has_leaks());
}

/* Whatever stands in a file, it is refused or loaded: good configs cut short and with single bytes
 * changed. Under the sanitizers this finds reads out of bounds. */
Test(config, damaged, .timeout = 60)
{
	static const char good[] = "hash_seed: 0x5eed\n" GOOD;
	static const char bytes[] = "\0\t\n :-[]{}\"'*&!#%@|>\x7f\xc2\xff";
	char text[sizeof(good)], path[32];
	struct lb_config *config;
	const char *messages;
	size_t i, j;

	for (i = 0; i < sizeof(good) - 1; i++) {
		if (!load(good, i, &config, path, &messages))
			lb_config_free(config);
		for (j = 0; j < sizeof(bytes) - 1; j++) {
			memcpy(text, good, sizeof(good));
			text[i] = bytes[j];
			if (!load(text, sizeof(good) - 1, &config, path, &messages))
				lb_config_free(config);
			else
				cr_expect_str_not_empty(messages);
		}
	}
	cr_assert(!has_leaks());
}

/* The example has every key and loads without a word. */
Test(config, example)
{
	struct lb_config *config = NULL;
	const char *messages;
	int err;

	if (access("loader/lbctl.yaml", R_OK))
		cr_skip_test("loader/lbctl.yaml is not here: run from the source tree");
	log_init("test", LOG_INFO);
	capture_begin(&capture, stderr);
	err = lb_config_load("loader/lbctl.yaml", &config);
	messages = capture_end(&capture);
	cr_assert_eq(err, 0, "%s", messages);
	cr_expect_str_empty(messages);
	cr_expect_eq(config->n_vips, 3);
	cr_expect_eq(config->n_pools, 2);
	lb_config_free(config);
}
