/* SPDX-License-Identifier: GPL-2.0-only */
/* server-pm/config.c and server-pm/plan.c: what is refused, with which words, and what is asked of
 * the machine. */
#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/mptcp.h>
#include "lib/log.h"
#include "server-pm/announce.h"
#include "server-pm/config.h"
#include "server-pm/item.h"
#include "support.h"

#define CASES(a) (sizeof(a) / sizeof(*(a)))

/* Loads text as a config file. 0 or -errno as server_config_load(); *said is what was logged, good
 * until the next call. */
static int load(const char *text, struct server_config **out, const char **said)
{
	static struct capture capture;
	char path[32];
	int err;

	temp_file(path, text, strlen(text));
	log_init("t", LOG_INFO);
	capture_begin(&capture, stderr);
	err = server_config_load(path, out);
	*said = capture_end(&capture);
	unlink(path);
	return err;
}

#define GUARD	       "vips: [198.51.100.1]\ndedicated: [203.0.113.11]\nguard: on\n"
#define PER_CONNECTION GUARD "guard_devices: [eth0]\npath_manager: userspace\nper_connection: "

/* Each line expected is "LINE: KEY: words", as it follows the file's name. */
static const struct {
	const char *name, *text;
	const char *expect[3];
} bad[] = {
	{ "no vips", "dedicated: [10.0.0.1]\n", { "vips" } },
	{ "empty vips", "vips: []\n", { ":1: vips" } },
	{ "not an address",
	  "vips:\n - 198.51.100.1\n - nonsense\n",
	  { ":3: vips[1]: 'nonsense' is not an address; write it like 192.0.2.1" } },
	{ "a prefix length",
	  "vips: [198.51.100.1/32]\n",
	  { ":1: vips[0]: '198.51.100.1/32' is not" } },
	{ "a loopback VIP",
	  "vips: [127.0.0.1]\n",
	  { ":1: vips[0]: 127.0.0.1 cannot be a host's" } },
	{ "a multicast dedicated address",
	  "vips: [198.51.100.1]\ndedicated: [ff02::1]\n",
	  { ":2: dedicated[0]: ff02::1 cannot be a host's address" } },
	{ "a link-local dedicated address",
	  "vips: [198.51.100.1]\ndedicated: [\"fe80::1\"]\n",
	  { ":2: dedicated[0]: fe80::1 is link-local" } },
	{ "a word for join_vip that is none",
	  "vips: [198.51.100.1]\njoin_vip: steer\n",
	  { ":2: join_vip: 'steer' is unknown; write forbid, or" } },
	{ "a join port that is none",
	  "vips: [198.51.100.1]\njoin_port: 0\n",
	  { ":2: join_port: 0 is no port; write the balancer's join_ports base plus" } },
	{ "a join port beyond all",
	  "vips: [198.51.100.1]\njoin_port: 65536\n",
	  { ":2: join_port: 65536 is no port" } },
	{ "too many to announce",
	  "vips: [10.0.1.1, 10.0.1.2, 10.0.1.3, 10.0.1.4, 10.0.1.5]\njoin_port: 20003\n"
	  "dedicated: [10.0.2.1, 10.0.2.2, 10.0.2.3, 10.0.2.4]\npath_manager: userspace\n",
	  { ":2: join_port: 5 VIPs with it and 4 dedicated addresses, and there is room for 8" } },
	{ "a VIP twice",
	  "vips:\n- 198.51.100.1\n- 198.51.100.1\n",
	  { ":3: vips[1]: 198.51.100.1 is listed twice; remove one" } },
	{ "a VIP twice, written differently",
	  "vips:\n- 2001:db8::1\n- 2001:db8:0::1\n",
	  { ":3: vips[1]: 2001:db8:0::1 is listed twice" } },
	{ "a VIP that is dedicated",
	  "vips: [198.51.100.1]\ndedicated:\n- 10.0.0.1\n- 198.51.100.1\n",
	  { ":4: dedicated[1]: 198.51.100.1 is also in vips" } },
	{ "a VIP that is a balancer",
	  "vips: [198.51.100.1]\ndecapsulate: {device: eth0}\nbalancers: [198.51.100.1]\n",
	  { ":3: balancers[0]: 198.51.100.1 is also in vips; give the address that" } },
	{ "an unknown path manager",
	  "vips: [198.51.100.1]\npath_manager: magic\n",
	  { ":2: path_manager: 'magic' is no path manager; write kernel or userspace" } },
	{ "closing the initial subflow",
	  "vips: [198.51.100.1]\ninitial_subflow: close\n",
	  { ":2: initial_subflow: the kernel's path manager cannot close it" } },
	{ "an unknown initial subflow",
	  "vips: [198.51.100.1]\ninitial_subflow: drop\n",
	  { ":2: initial_subflow: 'drop' is unknown; write backup, keep, or close" } },
	{ "decapsulation for nobody",
	  "vips: [198.51.100.1]\ndecapsulate: {device: eth0}\n",
	  { ":2: decapsulate: nobody's packets would be decapsulated" } },
	{ "decapsulation for an empty list",
	  "vips: [198.51.100.1]\ndecapsulate: {device: eth0}\nbalancers: []\n",
	  { ":2: decapsulate: nobody's packets would be decapsulated" } },
	{ "decapsulation on no device",
	  "vips: [198.51.100.1]\ndecapsulate: {mode: auto}\nbalancers: [10.0.0.2]\n",
	  { "device" } },
	{ "an unknown mode",
	  "vips: [198.51.100.1]\ndecapsulate: {device: e, mode: offload}\nbalancers: [10.0.0.2]\n",
	  { ":2: decapsulate.mode: " } },
	{ "a MTU that no host need take",
	  "vips: [198.51.100.1]\ndecapsulate: {device: e, mtu: 575}\nbalancers: [10.0.0.2]\n",
	  { ":2: decapsulate.mtu: 575 is no MTU; write 576 to 65535, or 0 to" } },
	{ "a MTU that no packet has",
	  "vips: [198.51.100.1]\ndecapsulate: {device: e, mtu: 65536}\nbalancers: [10.0.0.2]\n",
	  { ":2: decapsulate.mtu: 65536 is no MTU" } },
	{ "a MTU that is a word",
	  "vips: [198.51.100.1]\ndecapsulate: {device: e, mtu: auto}\nbalancers: [10.0.0.2]\n",
	  { ":2: decapsulate.mtu: " } },
	{ "a first flight beyond any window",
	  "vips: [198.51.100.1]\ndecapsulate: {device: e, first_flight: 1001}\nbalancers: "
	  "[10.0.0.2]\n",
	  { ":2: decapsulate.first_flight: 1001 segments; write 1 to 1000, or 0 for no limit" } },
	{ "a first flight that is a word",
	  "vips: [198.51.100.1]\ndecapsulate: {device: e, first_flight: all}\nbalancers: "
	  "[10.0.0.2]\n",
	  { ":2: decapsulate.first_flight: " } },
	{ "a device name that is too long",
	  "vips: [198.51.100.1]\ndecapsulate: {device: abcdefghijklmnop}\nbalancers: [10.0.0.2]\n",
	  { ":2: decapsulate.device: " } },
	{ "balancers without decapsulation",
	  "vips: [198.51.100.1]\nbalancers: [10.0.0.2]\n",
	  { ":2: balancers: is of use with decapsulate only" } },
	{ "an unknown key", "vips: [198.51.100.1]\nguards: on\n", { ":2: ", "guard" } },
	{ "a guard that is neither on nor off",
	  "vips: [198.51.100.1]\nguard: maybe\n",
	  { ":2: guard: 'maybe' is unknown; write on or off" } },
	{ "a guard of nothing",
	  "vips: [198.51.100.1]\nguard: on\nguard_devices: [eth0]\n",
	  { ":2: guard: there is nothing to guard" } },
	{ "a guard nowhere", GUARD, { ":3: guard: on which device?" } },
	{ "allowing without a guard",
	  "vips: [198.51.100.1]\nguard_allow: [22/tcp]\n",
	  { ":2: guard_allow: is of use with the guard only; add guard: on" } },
	{ "a device without a guard",
	  "vips: [198.51.100.1]\nguard: off\nguard_devices: [eth0]\n",
	  { ":3: guard_devices: is of use with the guard only" } },
	{ "an unknown way to be stale",
	  GUARD "guard_devices: [eth0]\nguard_on_stale: fail\n",
	  { ":5: guard_on_stale: 'fail' is unknown; write open" } },
	{ "a guarded device twice",
	  GUARD "guard_devices: [eth0, eth1, eth0]\n",
	  { ":4: guard_devices[2]: eth0 is listed twice" } },
	{ "allowing what is no port",
	  GUARD "guard_devices: [eth0]\nguard_allow: [22, 0/tcp, 65536/udp, ssh, 22/sctp, icmp6,"
		" 256/ip, -1/ip, \"22/tcp \", /tcp]\n",
	  { ":5: guard_allow[0]: '22' is unknown; write a port (22/tcp, 53/udp), icmp",
	    ":5: guard_allow[2]: '65536/udp'", ":5: guard_allow[9]: '/tcp'" } },
	{ "allowing all of TCP",
	  GUARD "guard_devices: [eth0]\nguard_allow: [6/ip]\n",
	  { ":5: guard_allow[0]: 6 is all of TCP, which would leave no guard", "22/tcp" } },
	{ "allowing all of UDP",
	  GUARD "guard_devices: [eth0]\nguard_allow: [17/ip]\n",
	  { ":5: guard_allow[0]: 17 is all of UDP" } },
	{ "allowing an extension header",
	  GUARD "guard_devices: [eth0]\nguard_allow: [4/ip, 60/ip]\n",
	  { ":5: guard_allow[1]: 60 is an extension header of IPv6" } },
	{ "addresses per connection without a guard",
	  "vips: [198.51.100.1]\npath_manager: userspace\nper_connection: \"2001:db8:0:1::/64\"\n",
	  { ":3: per_connection: without the guard" } },
	{ "addresses per connection in kernel mode",
	  GUARD "guard_devices: [eth0]\nper_connection: \"2001:db8:0:1::/64\"\n",
	  { ":5: per_connection: the kernel's path manager", "path_manager: userspace" } },
	{ "a prefix of another length",
	  PER_CONNECTION "\"2001:db8:0:1::/48\"\n",
	  { ":6: per_connection: '2001:db8:0:1::/48' is no prefix", "64 bits" } },
	{ "a prefix with bits behind it", PER_CONNECTION "\"2001:db8::1/64\"\n", { ":6: per_c" } },
	{ "an IPv4 prefix", PER_CONNECTION "192.0.2.0/64\n", { ":6: per_connection: '192.0.2.0" } },
	{ "a link-local prefix",
	  PER_CONNECTION "\"fe80::/64\"\n",
	  { ":6: per_connection: 'fe80:" } },
	{ "a prefix without an address", PER_CONNECTION "/64\n", { ":6: per_connection: '/64'" } },
	{ "a VIP in the prefix",
	  "vips: [\"2001:db8::1\"]\nguard: on\nguard_devices: [eth0]\npath_manager: userspace\n"
	  "per_connection: \"2001:db8::/64\"\n",
	  { ":5: per_connection: 2001:db8::1 of vips is in the prefix" } },
	{ "a dedicated address in the prefix",
	  "vips: [198.51.100.1]\ndedicated: [\"2001:db8::7\"]\nguard: on\nguard_devices: [eth0]\n"
	  "path_manager: userspace\nper_connection: \"2001:db8::/64\"\n",
	  { ":6: per_connection: 2001:db8::7 of dedicated is in the prefix" } },
	{ "metrics on a port alone",
	  "vips: [198.51.100.1]\nmetrics: {listen: \"9181\"}\n",
	  { ":2: metrics.listen: '9181' is not an address and port" } },
	{ "metrics without a port",
	  "vips: [198.51.100.1]\nmetrics: {listen: \"127.0.0.1\"}\n",
	  { ":2: metrics.listen: '127.0.0.1' is not an address and port" } },
	{ "metrics nowhere", "vips: [198.51.100.1]\nmetrics: {}\n", { ":2: ", "listen" } },
	{ "more endpoints than the kernel takes",
	  "vips: [192.0.2.1, 192.0.2.2, 192.0.2.3, 192.0.2.4, 192.0.2.5, 192.0.2.6, 192.0.2.7, "
	  "192.0.2.8]\ndedicated: [10.0.0.1]\n",
	  { ":1: vips: 8 VIPs and 1 dedicated addresses", "initial_subflow: keep" } },
	{ "more dedicated addresses than the kernel takes",
	  "vips: [192.0.2.1]\ninitial_subflow: keep\ndedicated: [10.0.0.1, 10.0.0.2, 10.0.0.3, "
	  "10.0.0.4, 10.0.0.5, 10.0.0.6, 10.0.0.7, 10.0.0.8, 10.0.0.9]\n",
	  { ":3: dedicated: 9 addresses" } },
	{ "two mistakes, both named",
	  "vips: [0.0.0.0]\ndedicated: [x]\npath_manager: y\n",
	  { ":1: vips[0]: ", ":2: dedicated[0]: ", ":3: path_manager: " } },
};

Test(server_config, bad_configs_are_refused_with_line_and_key)
{
	for (size_t i = 0; i < CASES(bad); i++) {
		struct server_config *config = NULL;
		const char *said;

		cr_expect_lt(load(bad[i].text, &config, &said), 0, "%s: accepted", bad[i].name);
		cr_expect_null(config, "%s: output touched", bad[i].name);
		for (size_t e = 0; e < 3 && bad[i].expect[e]; e++)
			cr_expect(strstr(said, bad[i].expect[e]), "%s: \"%s\" not in: %s",
				  bad[i].name, bad[i].expect[e], said);
	}
	cr_expect_not(has_leaks());
}

static struct server_config *load_good(const char *text)
{
	struct server_config *config = NULL;
	const char *said;
	int err = load(text, &config, &said);

	cr_assert_eq(err, 0, "%s", said);
	cr_expect_str_empty(said);
	return config;
}

Test(server_config, defaults)
{
	struct server_config *c = load_good("vips: [198.51.100.1]\n");

	cr_expect_eq(c->vips.n, 1);
	cr_expect_eq(c->dedicated.n, 0);
	cr_expect_eq(c->balancers.n, 0);
	cr_expect_eq(c->initial, SERVER_INITIAL_BACKUP);
	cr_expect_null(c->device);
	cr_expect_eq(server_config_endpoints(c), 0, "nothing to prefer to the VIP");
	server_config_free(c);
	cr_expect_not(has_leaks());
}

Test(server_config, everything)
{
	struct server_config *c = load_good("vips: [198.51.100.1, \"2001:db8::1\"]\n"
					    "dedicated: [203.0.113.11]\n"
					    "path_manager: kernel\n"
					    "initial_subflow: keep\n"
					    "decapsulate: {device: eth0, mode: generic}\n"
					    "balancers: [10.0.0.2, \"fd00::2\"]\n");
	char text[IP_STRLEN];

	cr_expect_eq(c->vips.n, 2);
	cr_expect_str_eq(ip_format(&c->vips.ip[1], text), "2001:db8::1");
	cr_expect_str_eq(ip_format(&c->dedicated.ip[0], text), "203.0.113.11");
	cr_expect_str_eq(ip_format(&c->balancers.ip[1], text), "fd00::2");
	cr_expect_eq(c->initial, SERVER_INITIAL_KEEP);
	cr_expect_str_eq(c->device, "eth0");
	cr_expect_eq(c->mode, SERVER_MODE_GENERIC);
	cr_expect_eq(server_config_endpoints(c), 1);
	server_config_free(c);
	cr_expect_not(has_leaks());
}

Test(server_config, userspace)
{
	struct server_config *c = load_good("vips: [198.51.100.1, 198.51.100.2]\n"
					    "dedicated: [10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4, "
					    "10.0.0.5, 10.0.0.6, 10.0.0.7, 10.0.0.8]\n"
					    "path_manager: userspace\n"
					    "initial_subflow: close\n"
					    "metrics: {listen: \"[::1]:9181\"}\n");
	char text[IP_STRLEN];

	cr_expect_eq(c->manager, SERVER_MANAGER_USERSPACE);
	cr_expect_eq(c->initial, SERVER_INITIAL_CLOSE);
	cr_expect_eq(server_config_endpoints(c), 0, "it makes no endpoints");
	cr_expect_str_eq(ip_format(&c->metrics, text), "::1");
	cr_expect_eq(c->metrics_port, 9181);
	server_config_free(c);
	cr_expect_not(has_leaks());
}

/* The plan's item of this kind about this subject, or NULL. */
static const struct mplb_server_item *planned(const struct mplb_server_item *plan, int n, int kind,
					      const char *subject)
{
	char text[ITEM_TEXT];

	for (int i = 0; i < n; i++)
		if (plan[i].kind == kind && !strcmp(item_subject(&plan[i], text), subject))
			return &plan[i];
	return NULL;
}

Test(server_plan, what_a_config_asks_for)
{
	struct server_config *c = load_good("vips: [198.51.100.1]\ndedicated: [\"2001:db8::b\"]\n"
					    "decapsulate: {device: eth0}\nbalancers: [10.0.0.2]\n");
	const struct mplb_server_item *item;
	struct mplb_server_item *plan;
	int n = item_plan(c, &plan);

	cr_assert_gt(n, 0);
	item = planned(plan, n, MPLB_SERVER_SYSCTL, "net.mptcp.allow_join_initial_addr_port");
	cr_assert(item);
	cr_expect_str_eq(item->value, "0");
	cr_expect(planned(plan, n, MPLB_SERVER_SYSCTL, "net.ipv4.conf.all.arp_ignore"));
	cr_expect(planned(plan, n, MPLB_SERVER_ADDRESS, "198.51.100.1"));
	item = planned(plan, n, MPLB_SERVER_ENDPOINT, "2001:db8::b");
	cr_assert(item);
	cr_expect_eq(item->endpoint_flags, MPTCP_PM_ADDR_FLAG_SIGNAL);
	item = planned(plan, n, MPLB_SERVER_ENDPOINT, "198.51.100.1");
	cr_assert(item);
	cr_expect_eq(item->endpoint_flags, MPTCP_PM_ADDR_FLAG_BACKUP);
	cr_expect_eq(plan[n - 1].kind, MPLB_SERVER_XDP, "the decapsulation comes last");
	for (int i = 1; i < n; i++)
		cr_expect_leq(plan[i - 1].kind, plan[i].kind, "kinds are in order");
	free(plan);
	server_config_free(c);
	cr_expect_not(has_leaks());
}

/* What XDP makes packets for another backend, tc must be there to send. */
Test(server_plan, the_second_chance_comes_before_the_decapsulation)
{
	struct server_config *c = load_good("vips: [198.51.100.1]\n"
					    "decapsulate: {device: eth0}\nbalancers: [10.0.0.2]\n");
	struct mplb_server_item *plan;
	int n = item_plan(c, &plan);

	cr_assert_geq(n, 3);
	cr_expect_eq(plan[n - 3].kind, MPLB_SERVER_PASS_ON);
	cr_expect_eq(plan[n - 2].kind, MPLB_SERVER_MSS);
	cr_expect_eq(plan[n - 1].kind, MPLB_SERVER_XDP);
	cr_expect_str_eq(plan[n - 2].value, "by the device's MTU");
	free(plan);
	server_config_free(c);
	cr_expect_not(has_leaks());
}

/* Of this config, the item of that kind on eth0 has this value; NULL: there is none. */
static void expect_planned(const char *text, enum mplb_server_kind kind, const char *value)
{
	struct server_config *c = load_good(text);
	const struct mplb_server_item *item;
	struct mplb_server_item *plan;
	int n = item_plan(c, &plan);

	cr_assert_gt(n, 0);
	item = planned(plan, n, kind, "eth0");
	cr_expect_eq(!item, !value, "%s", text);
	if (item && value)
		cr_expect_str_eq(item->value, value);
	free(plan);
	server_config_free(c);
}

Test(server_plan, the_mss_follows_the_mtu_that_is_given)
{
	static const struct {
		const char *mtu, *value;
	} cases[] = { { "0", NULL }, { "576", "by MTU 576" }, { "65535", "by MTU 65535" } };

	for (size_t i = 0; i < CASES(cases); i++) {
		char text[256];

		snprintf(text, sizeof(text),
			 "vips: [198.51.100.1]\ndecapsulate: {device: eth0, mtu: %s}\n"
			 "balancers: [10.0.0.2]\n",
			 cases[i].mtu);
		expect_planned(text, MPLB_SERVER_MSS, cases[i].value);
	}
	cr_expect_not(has_leaks());
}

/* Where there is no way around the balancer, nothing is gained by a limit. */
Test(server_plan, the_first_flight_is_limited_where_clients_may_leave)
{
	static const struct {
		const char *key, *dedicated, *value;
	} cases[] = { { "", "", NULL },
		      { "", "dedicated: [203.0.113.11]\n", "of 10 segments" },
		      { ", first_flight: 0", "dedicated: [203.0.113.11]\n", NULL },
		      { ", first_flight: 30", "", "of 30 segments" } };

	for (size_t i = 0; i < CASES(cases); i++) {
		char text[256];

		snprintf(text, sizeof(text),
			 "vips: [198.51.100.1]\ndecapsulate: {device: eth0%s}\n"
			 "balancers: [10.0.0.2]\n%s",
			 cases[i].key, cases[i].dedicated);
		expect_planned(text, MPLB_SERVER_FIRST_FLIGHT, cases[i].value);
	}
	cr_expect_not(has_leaks());
}

Test(server_plan, userspace_needs_no_endpoints)
{
	struct server_config *c = load_good("vips: [198.51.100.1]\ndedicated: [10.0.0.1]\n"
					    "path_manager: userspace\n");
	struct mplb_server_item *plan;
	int n = item_plan(c, &plan);

	cr_assert_gt(n, 0);
	for (int i = 0; i < n; i++)
		cr_expect_neq(plan[i].kind, MPLB_SERVER_ENDPOINT);
	cr_expect(planned(plan, n, MPLB_SERVER_SYSCTL, "net.mptcp.allow_join_initial_addr_port"));
	free(plan);
	server_config_free(c);
	cr_expect_not(has_leaks());
}

Test(server_plan, keep_needs_no_backup_endpoint_and_ipv6_no_arp)
{
	struct server_config *c = load_good("vips: [\"2001:db8::1\"]\ndedicated: [10.0.0.1]\n"
					    "initial_subflow: keep\n");
	struct mplb_server_item *plan;
	int n = item_plan(c, &plan);

	cr_assert_gt(n, 0);
	cr_expect_null(planned(plan, n, MPLB_SERVER_ENDPOINT, "2001:db8::1"));
	cr_expect_null(planned(plan, n, MPLB_SERVER_SYSCTL, "net.ipv4.conf.all.arp_ignore"));
	free(plan);
	server_config_free(c);
	cr_expect_not(has_leaks());
}

Test(server_plan, a_join_port_is_announced_of_every_vip)
{
	struct server_config *c =
		load_good("vips: [198.51.100.1, 198.51.100.2]\njoin_port: 20003\n");
	const struct mplb_server_item *item;
	struct mplb_server_item *plan;
	int n = item_plan(c, &plan), endpoints = 0;

	cr_assert_gt(n, 0);
	item = planned(plan, n, MPLB_SERVER_ENDPOINT, "198.51.100.1");
	cr_assert(item);
	cr_expect_eq(item->endpoint_flags, MPTCP_PM_ADDR_FLAG_SIGNAL);
	cr_expect_eq(item->port, 20003);
	cr_expect_str_eq(item->value, "port 20003 signal");
	for (int i = 0; i < n; i++)
		endpoints += plan[i].kind == MPLB_SERVER_ENDPOINT;
	cr_expect_eq(endpoints, 2, "no backups: joins cross the balancer, too");
	cr_expect_eq(server_config_endpoints(c), 2);
	free(plan);
	server_config_free(c);
	cr_expect_not(has_leaks());
}

/* The kernel would take it, and send nothing. */
Test(server_plan, ipv6_with_a_port_is_left_out_where_it_cannot_be_sent)
{
	struct server_config *c =
		load_good("vips: [\"2001:db8::1\", 198.51.100.1]\njoin_port: 20003\n"
			  "dedicated: [\"2001:db8::b\"]\n");
	struct announced list[8];

	cr_expect_eq(announce_list(c, true, list), 3);
	cr_expect_eq(announce_list(c, false, list), 2);
	cr_expect_eq(list[0].port, 0);
	cr_expect_eq(list[1].addr.family, MPLB_FAMILY_4);
	cr_expect_eq(list[1].port, 20003);
	server_config_free(c);
	cr_expect_not(has_leaks());
}

Test(server_plan, joins_to_the_vip_are_forbidden_unless_allowed)
{
	static const struct {
		const char *line, *value;
	} cases[] = { { "", "0" }, { "join_vip: forbid\n", "0" }, { "join_vip: allow\n", "1" } };

	for (size_t i = 0; i < CASES(cases); i++) {
		const struct mplb_server_item *item;
		struct mplb_server_item *plan;
		struct server_config *c;
		char text[64];
		int n;

		snprintf(text, sizeof(text), "vips: [198.51.100.1]\n%s", cases[i].line);
		c = load_good(text);
		n = item_plan(c, &plan);
		cr_assert_gt(n, 0);
		item = planned(plan, n, MPLB_SERVER_SYSCTL,
			       "net.mptcp.allow_join_initial_addr_port");
		cr_assert(item);
		cr_expect_str_eq(item->value, cases[i].value, "%s", cases[i].line);
		free(plan);
		server_config_free(c);
	}
	cr_expect_not(has_leaks());
}

Test(server_config, guard)
{
	struct server_config *c = load_good(
		GUARD "guard_devices: [eth0, eth1]\nguard_on_stale: closed\n"
		      "guard_allow: [22/tcp, 53/udp, icmp, 4/ip]\npath_manager: userspace\n"
		      "per_connection: \"2001:db8:0:1::/64\"\n");
	static const struct {
		unsigned int proto, port;
	} want[] = { { IPPROTO_TCP, 22 },
		     { IPPROTO_UDP, 53 },
		     { IPPROTO_ICMP, 0 },
		     { IPPROTO_ICMPV6, 0 },
		     { 4, 0 } };
	char text[IP_STRLEN];

	cr_expect(c->guard.on && c->guard.closed);
	cr_assert_eq(c->guard.n_devices, 2);
	cr_expect_str_eq(c->guard.device[1], "eth1");
	cr_assert_eq(c->guard.n_allow, CASES(want));
	for (size_t i = 0; i < CASES(want); i++) {
		cr_expect_eq(c->guard.allow[i].proto, want[i].proto);
		cr_expect_eq(ntohs(c->guard.allow[i].port), want[i].port);
	}
	cr_expect_str_eq(ip_format(&c->guard.prefix, text), "2001:db8:0:1::");
	server_config_free(c);
	cr_expect_not(has_leaks());
}

Test(server_config, the_guard_is_where_the_tunnel_is)
{
	struct server_config *c = load_good(GUARD "decapsulate: {device: eth7}\n"
						  "balancers: [10.0.0.2]\n");

	cr_assert_eq(c->guard.n_devices, 1);
	cr_expect_str_eq(c->guard.device[0], "eth7");
	cr_expect_not(c->guard.closed);
	cr_expect_eq(c->guard.prefix.family, 0);
	server_config_free(c);
	cr_expect_not(has_leaks());
}

Test(server_plan, the_guard_comes_before_the_route_of_the_prefix)
{
	struct server_config *c = load_good(PER_CONNECTION "\"2001:db8:0:1::/64\"\n");
	const struct mplb_server_item *guard, *route;
	struct mplb_server_item *plan;
	int n = item_plan(c, &plan);

	cr_assert_gt(n, 0);
	guard = planned(plan, n, MPLB_SERVER_GUARD, "eth0");
	route = planned(plan, n, MPLB_SERVER_ROUTE, "2001:db8:0:1::");
	cr_assert(guard && route);
	cr_expect_lt(guard, route);
	/* What is taken back goes by kinds, the highest first. */
	cr_expect_gt(route->kind, guard->kind);
	free(plan);
	server_config_free(c);
	cr_expect_not(has_leaks());
}
