/* SPDX-License-Identifier: GPL-2.0-only */
/* What lb-agent keeps beside the maps: when pools are settled, orders on disk, what is left, and
 * where its socket is. */
#include <criterion/criterion.h>
#include <errno.h>
#include <sys/stat.h>
#include "lb-agent/left.h"
#include "lb-agent/orders_file.h"
#include "lb-agent/settler.h"
#include "lib/control.h"
#include "lib/log.h"
#include "loader/agent_socket.h"
#include "mplb/maps.h"
#include "support.h"

static struct capture capture;

/* Settling */

/* "p" changed, "u" under way: "u:a u:b p:a/x". */
static json_t *changes(const char *words)
{
	json_t *list = json_array();
	char name[32];
	char kind;
	int n;

	for (; sscanf(words, " %c:%31s%n", &kind, name, &n) == 2; words += n)
		json_array_append_new(
			list,
			json_pack("{s:s, s:s, s:s}", "action", kind == 'u' ? "unsettled" : "change",
				  "object", kind == 'u' || !strchr(name, '/') ? "pool" : "backend",
				  "name", name));
	return list;
}

static void see(struct settler *s, const char *words, uint64_t now)
{
	json_t *list = changes(words);

	settler_see(s, list, now);
	json_decref(list);
}

Test(settler, latest_change_counts)
{
	struct settler *s = settler_new();
	json_t *rows;

	cr_expect_eq(settler_next(s, 1000), UINT64_MAX);
	see(s, "p:a/x u:a", 100);
	see(s, "p:b/x u:a u:b", 500);
	cr_expect_eq(settler_next(s, 1000), 1100);
	cr_expect_eq(settler_next(s, 0), UINT64_MAX, "0: never");
	cr_expect_null(settler_due(s, 0, 99999));
	/* a is changed once more; b is not, though its name begins alike. */
	see(s, "p:bb/x p:a/y u:a u:b", 900);
	cr_expect_eq(settler_next(s, 1000), 1500);
	cr_expect_null(settler_due(s, 1000, 1499));
	cr_expect_str_eq(settler_due(s, 1000, 1500), "b");
	cr_expect_null(settler_due(s, 1000, 1500), "it is not due at once again");
	rows = settler_json(s, 1000, 1500);
	cr_expect_eq(json_array_size(rows), 2);
	json_decref(rows);
	/* Settled, by whomever. */
	see(s, "p:b u:a", 1600);
	cr_expect_eq(settler_next(s, 1000), 1900);
	see(s, "", 1700);
	cr_expect_eq(settler_next(s, 1000), UINT64_MAX);
	settler_free(s);
	cr_assert(!has_leaks());
}

/* Orders on disk */

static struct state *two(void)
{
	struct state *state = state_new(0, 1);

	state->n_pools = 1;
	strcpy(state->pools[0].name, "web");
	cr_assert_eq(state_room(&state->pools[0], 2), 0);
	state->pools[0].n_members = 2;
	for (int i = 0; i < 2; i++) {
		struct state_member *m = &state->pools[0].members[i];

		*m = (struct state_member){ .id = (__u16)(i + 1), .weight = 7 };
		snprintf(m->name, sizeof(m->name), "b%d", i + 1);
		ip_parse(i ? "10.0.0.2" : "10.0.0.1", &m->addr);
	}
	return state;
}

static struct lb_config *config_of(const char *backends)
{
	struct lb_config *config = NULL;
	char text[1024];
	int len = snprintf(
		text, sizeof(text),
		"vips:\n- {name: v, address: 198.51.100.1, port: 80, protocol: tcp, pool: web}\n"
		"pools:\n- {name: web, forward: gue, backends: [%s]}\n",
		backends);

	cr_assert_eq(lb_config_parse("test", text, (size_t)len, &config), 0);
	return config;
}

Test(orders_file, there_and_back)
{
	char folder[] = "/tmp/mplb-test-XXXXXX", path[64], *last = NULL;
	struct lb_config *config = config_of("{name: first, id: 1, address: 10.0.0.1}, "
					     "{name: b2, id: 2, address: 10.0.0.9}");
	struct state *state = two();
	struct orders orders;
	struct stat before, after;

	log_init("test", LOG_INFO);
	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/sub/orders.json", folder);
	cr_expect_eq(orders_file_load(path, config, &orders), 0, "no file, no orders");
	cr_expect_eq(orders.n, 0);
	state->pools[0].members[0].flags = MPLB_MEMBER_F_DRAIN | MPLB_MEMBER_F_WEIGHT;
	state->pools[0].members[1].flags = MPLB_MEMBER_F_DRAIN;
	cr_expect_eq(orders_file_save(path, state, &last), 0);
	cr_assert_eq(stat(path, &before), 0);
	cr_expect_eq(orders_file_save(path, state, &last), 0);
	cr_assert_eq(stat(path, &after), 0);
	cr_expect_eq(before.st_ino, after.st_ino, "the same again is not written");
	/* b1 has another name now; b2 is another machine. */
	cr_assert_eq(orders_file_load(path, config, &orders), 0);
	cr_assert_eq(orders.n, 2);
	cr_expect(orders.order[0].verb == ORDER_DRAIN && orders.order[1].verb == ORDER_WEIGHT);
	cr_expect_str_eq(orders.order[0].name, "web/first");
	cr_expect_eq(orders.order[1].weight, 7);
	orders_drop(&orders);
	unlink(path);
	path[strlen(path) - strlen("/orders.json")] = '\0';
	rmdir(path);
	/* Nothing can be written there; what was known stays known. */
	capture_begin(&capture, stderr);
	state->pools[0].members[1].flags = 0;
	cr_expect_eq(orders_file_save("/proc/nobody/orders.json", state, &last), -ENOENT);
	cr_expect(strstr(capture_end(&capture), "will not outlast a reboot"));
	rmdir(folder);
	free(last);
	state_free(state);
	lb_config_free(config);
	cr_assert(!has_leaks());
}

Test(orders_file, nonsense)
{
	static const char *const texts[] = {
		"",
		"[]",
		"{",
		"{\"version\": 2, \"orders\": []}",
		"{\"version\": 1}",
		"{\"version\": 1, \"orders\": [7]}",
		"{\"version\": 1, \"orders\": [{}]}",
		"{\"version\": 1, \"orders\": [{\"pool\": \"web\", \"id\": 1, \"address\": "
		"\"here\", "
		"\"drain\": true}]}",
		"{\"version\": 1, \"orders\": [{\"pool\": \"web\", \"id\": 1, \"address\": "
		"\"10.0.0.1\", "
		"\"drain\": false, \"weight\": 65536}]}",
		"{\"version\": 1, \"orders\": [{\"pool\": \"web\", \"id\": 1, \"address\": "
		"\"10.0.0.1\", "
		"\"drain\": false, \"weight\": \"x\"}]}",
	};
	struct lb_config *config = config_of("{name: b1, id: 1, address: 10.0.0.1}");
	struct orders orders;
	char path[32];

	log_init("test", LOG_INFO);
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		temp_file(path, texts[i], strlen(texts[i]));
		capture_begin(&capture, stderr);
		cr_expect_eq(orders_file_load(path, config, &orders), -EINVAL, "%s", texts[i]);
		cr_expect(strstr(capture_end(&capture), "makes no sense"), "%s", texts[i]);
		cr_expect_eq(orders.n, 0);
		unlink(path);
	}
	lb_config_free(config);
	cr_assert(!has_leaks());
}

/* What is left */

static void expect_left(const char *text, const char *want)
{
	json_t *left = left_parse(text, strlen(text));
	char *got = left ? json_dumps(left, JSON_COMPACT) : strdup("nothing");

	cr_expect_str_eq(got, want, "%s", text);
	free(got);
	json_decref(left);
}

Test(left, metrics)
{
	static const char off[] = "mplb_server_connections{state=\"off_path\"} 5\n";
	char text[256];

	snprintf(text, sizeof(text),
		 "# HELP mplb_server_vip_sockets x\n%smplb_server_vip_sockets 12\n", off);
	expect_left(text, "{\"vip_sockets\":12,\"off_path\":5}");
	snprintf(text, sizeof(text), "mplb_server_vip_sockets 0\n%.*s", (int)strlen(off) - 1, off);
	expect_left(text, "{\"vip_sockets\":0,\"off_path\":5}");
	expect_left("", "nothing");
	expect_left(off, "nothing");
	snprintf(text, sizeof(text), "%smplb_server_vip_sockets -1\n", off);
	expect_left(text, "nothing");
	snprintf(text, sizeof(text), "%smplb_server_vip_sockets 12x\n", off);
	expect_left(text, "nothing");
	snprintf(text, sizeof(text), "%smplb_server_vip_sockets\n", off);
	expect_left(text, "nothing");
	snprintf(text, sizeof(text), "%smplb_server_vip_sockets 99999999999999999999\n", off);
	expect_left(text, "nothing");
	cr_assert(!has_leaks());
}

/* The socket's place */

Test(agent_socket, by_default)
{
	char path[AGENT_SOCKET_MAX], other[AGENT_SOCKET_MAX], longest[300];
	struct sockaddr_un name;
	socklen_t len;

	agent_socket_default(MPLB_PIN_ROOT, path);
	cr_expect_str_eq(path, "/run/mplb/agent.sock");
	agent_socket_default("/sys/fs/bpf/other", path);
	cr_expect_str_eq(path, "/run/mplb/agent-sys-fs-bpf-other.sock");
	memset(longest, 'a', sizeof(longest));
	longest[0] = '/';
	strcpy(longest + 250, "/one");
	agent_socket_default(longest, path);
	cr_expect_eq(control_address(path, &name, &len), 0);
	strcpy(longest + 250, "/two");
	agent_socket_default(longest, other);
	cr_expect_str_neq(path, other, "they differ at their end");
	cr_expect_eq(control_address("", &name, &len), -ENAMETOOLONG);
	cr_expect_eq(control_address(longest, &name, &len), -ENAMETOOLONG);
}
