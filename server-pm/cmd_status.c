/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>
#include <jansson.h>
#include "cmd.h"
#include "connections.h"
#include "control.h"
#include "decap.h"
#include "guard.h"
#include "item.h"
#include "lib/log.h"
#include "lib/out.h"
#include "mib.h"

static const struct out_column item_columns[] = {
	{ "kind", "KIND" },	{ "name", "NAME" },	{ "value", "VALUE" }, { "state", "STATE" },
	{ "origin", "SET BY" }, { "before", "BEFORE" }, { NULL, NULL },
};

static const struct out_column count_columns[] = {
	{ "reason", "DECAPSULATION" }, { "packets", "PACKETS" }, { "bytes", "BYTES" },
	{ "text", "MEANING" },	       { NULL, NULL },
};

static const struct out_column guard_columns[] = {
	{ "reason", "GUARD" }, { "packets", "PACKETS" }, { "bytes", "BYTES" },
	{ "text", "MEANING" }, { NULL, NULL },
};

static const struct out_column mib_columns[] = {
	{ "counter", "MPTCP" },
	{ "value", "COUNT" },
	{ "text", "MEANING" },
	{ NULL, NULL },
};

static const struct out_column userspace_columns[] = {
	{ "counter", "USERSPACE" },
	{ "value", "COUNT" },
	{ "text", "MEANING" },
	{ NULL, NULL },
};

static const struct out_column join_columns[] = {
	{ "seconds", "JOINED WITHIN (S)" },
	{ "joins", "CONNECTIONS" },
	{ NULL, NULL },
};

static const struct {
	const char *name, *text;
} reasons[] = {
#define X(number, NAME, name, action, text) [number] = { name, text },
	MPLB_SERVER_REASONS(X)
#undef X
};

static const unsigned int guard_reasons[] = {
#define X(number, NAME, name, action, text) number,
	MPLB_GUARD_REASONS(X)
#undef X
};

static bool is_guard(unsigned int reason)
{
	for (size_t i = 0; i < sizeof(guard_reasons) / sizeof(*guard_reasons); i++)
		if (guard_reasons[i] == reason)
			return true;
	return false;
}

static json_t *item_json(const struct item_place *place, const struct mplb_server_item *item)
{
	int is = item_look(place, item);
	const char *how = is == 1 ? "ok" : is == -EEXIST ? "conflict" : is ? "unknown" : "missing";
	char subject[ITEM_TEXT];
	json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:s}", "kind", item_kind(item), "name",
				item_subject(item, subject), "value", item->value, "state", how,
				"origin", item->flags & MPLB_SERVER_F_OURS ? "server-pm" : "found");

	if (*item->before)
		json_object_set_new(row, "before", json_string(item->before));
	return row;
}

static json_t *items_json(const struct item_place *place)
{
	const struct mplb_server_item *items;
	size_t n = server_state_items(place->state, &items);
	json_t *rows = json_array();

	for (int kind = MPLB_SERVER_NETNS + 1; kind < MPLB_SERVER_KIND_MAX; kind++)
		for (size_t i = 0; i < n; i++)
			if (items[i].kind == kind)
				json_array_append_new(rows, item_json(place, &items[i]));
	return rows;
}

/* The guard's reasons, or all others. */
static json_t *counts_json(const struct server_state *state, bool guard)
{
	json_t *rows = json_array();

	for (unsigned int i = 0; i < MPLB_SERVER_R_MAX; i++) {
		struct mplb_server_count count;

		if (is_guard(i) == guard && !server_decap_count(state, i, &count))
			json_array_append_new(
				rows, json_pack("{s:s, s:I, s:I, s:s}", "reason", reasons[i].name,
						"packets", (json_int_t)count.packets, "bytes",
						(json_int_t)count.bytes, "text", reasons[i].text));
	}
	return rows;
}

/* The decapsulation that is configured, or null. */
static json_t *decapsulation_json(const struct server_state *state)
{
	const struct mplb_server_item *items;
	size_t n = server_state_items(state, &items);

	for (size_t i = 0; i < n; i++)
		if (items[i].kind == MPLB_SERVER_XDP)
			return json_pack("{s:s, s:s, s:o, s:o, s:o}", "device", items[i].name,
					 "mode", server_decap_mode(state, items[i].name),
					 "balancers",
					 server_state_addresses_json(
						 server_state_map(state, SERVER_MAP_BALANCERS)),
					 "vips",
					 server_state_addresses_json(
						 server_state_map(state, SERVER_MAP_VIPS)),
					 "counters", counts_json(state, false));
	return json_null();
}

/* The guard that is configured, or null. */
static json_t *guard_status_json(const struct server_state *state)
{
	json_t *guard = guard_json(state);

	if (json_is_object(guard))
		json_object_set_new(guard, "counters", counts_json(state, true));
	return guard;
}

/* As the sockets say: it needs no server-pm that runs, and the kernel's path manager will do. */
static json_t *live_json(void)
{
	struct connection_counts live;
	json_t *row = json_null();
	struct nl *nl;

	if (nl_open(NETLINK_SOCK_DIAG, 0, &nl))
		return row;
	if (!connections_count(nl, &live))
		row = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "vip", (json_int_t)live.vip,
				"joined", (json_int_t)live.joined, "off_path",
				(json_int_t)live.off_path, "vip_bytes_received",
				(json_int_t)live.vip_bytes.received, "vip_bytes_sent",
				(json_int_t)live.vip_bytes.sent, "dedicated_bytes_received",
				(json_int_t)live.dedicated_bytes.received, "dedicated_bytes_sent",
				(json_int_t)live.dedicated_bytes.sent);
	nl_close(nl);
	return row;
}

static json_t *status_json(struct server_state *state, struct machine *machine, const char *pin_dir)
{
	const struct item_place place = { .machine = machine, .state = state };
	bool running = state && server_state_is_locked(state);
	json_t *daemon = running ? server_control_ask(pin_dir) : NULL;
	json_t *userspace = json_incref(json_object_get(daemon, "userspace"));

	json_decref(daemon);
	return json_pack("{s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:o}", "pin_dir", pin_dir, "running",
			 running, "items", state ? items_json(&place) : json_array(),
			 "decapsulation", state ? decapsulation_json(state) : json_null(), "guard",
			 state ? guard_status_json(state) : json_null(), "connections", live_json(),
			 "userspace", userspace ? userspace : json_null(), "mptcp", mib_json());
}

static long long count_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void print_connections(const json_t *status)
{
	const json_t *live = json_object_get(status, "connections");
	const json_t *userspace = json_object_get(status, "userspace");

	if (json_is_object(live))
		printf("\nMPTCP connections: %lld on the VIP only, %lld joined, %lld off the VIP's "
		       "path\nBytes by their open subflows: through VIPs %lld received, %lld sent; "
		       "around the balancer %lld received, %lld sent\n",
		       count_of(live, "vip"), count_of(live, "joined"), count_of(live, "off_path"),
		       count_of(live, "vip_bytes_received"), count_of(live, "vip_bytes_sent"),
		       count_of(live, "dedicated_bytes_received"),
		       count_of(live, "dedicated_bytes_sent"));
	if (!json_is_object(userspace))
		return;
	printf("\n");
	out_table(json_object_get(userspace, "counters"), userspace_columns);
	printf("\n");
	out_table(json_object_get(userspace, "join_seconds"), join_columns);
}

static void print_guard(const json_t *guard)
{
	const char *on_stale = json_string_value(json_object_get(guard, "on_stale"));

	printf("\nGuard: %" JSON_INTEGER_FORMAT " live connections known",
	       json_integer_value(json_object_get(guard, "tokens")));
	if (json_is_true(json_object_get(guard, "stale")))
		printf("; nothing heard of server-pm for more than %llu s, so %s (guard_on_stale: "
		       "%s)",
		       MPLB_GUARD_STALE_NS / 1000000000,
		       !strcmp(on_stale, "open") ? "any join gets in"
						 : "joins to others do not get in",
		       on_stale);
	printf("\n\n");
	out_table(json_object_get(guard, "counters"), guard_columns);
}

static void print_tables(const json_t *status)
{
	const json_t *guard = json_object_get(status, "guard");
	json_t *decapsulation = json_object_get(status, "decapsulation");

	printf("server-pm in %s: %s\n\n", json_string_value(json_object_get(status, "pin_dir")),
	       json_is_true(json_object_get(status, "running")) ? "running" : "not running");
	if (json_array_size(json_object_get(status, "items")))
		out_table(json_object_get(status, "items"), item_columns);
	else
		printf("Nothing is set up; `server-pm run -c FILE` does it.\n");
	if (json_is_object(decapsulation)) {
		printf("\n");
		out_table(json_object_get(decapsulation, "counters"), count_columns);
	}
	if (json_is_object(guard))
		print_guard(guard);
	print_connections(status);
	printf("\n");
	out_table(json_object_get(status, "mptcp"), mib_columns);
}

int server_cmd_status(const struct server_options *options)
{
	struct server_state *state = NULL;
	struct machine machine;
	json_t *status;
	int err = server_state_open(options->pin_dir, false, &state);

	if ((err && err != -ENOENT) || machine_open(&machine))
		return SERVER_REFUSED;
	err = machine_look(&machine);
	if (!err) {
		status = status_json(state, &machine, options->pin_dir);
		if (options->json)
			out_json(status);
		else
			print_tables(status);
		json_decref(status);
	}
	machine_close(&machine);
	server_state_close(state);
	return err ? SERVER_REFUSED : SERVER_OK;
}
