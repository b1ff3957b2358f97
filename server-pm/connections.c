/* SPDX-License-Identifier: GPL-2.0-only */
#include "connections.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pm_diag.h"

/* The subflows, to be sorted by connection. */
struct list {
	struct pm_subflow *subflow;
	size_t n, room;
};

static int collect(const struct pm_subflow *subflow, void *data)
{
	struct list *list = data;

	if (!subflow->server_side || !subflow->up)
		return 0;
	if (list->n == list->room) {
		size_t room = list->room ? list->room * 2 : 256;
		void *more = reallocarray(list->subflow, room, sizeof(*subflow));

		if (!more)
			return -ENOMEM;
		list->subflow = more;
		list->room = room;
	}
	list->subflow[list->n++] = *subflow;
	return 0;
}

/* By connection, the initial subflow first. */
static int compare(const void *left, const void *right)
{
	const struct pm_subflow *a = left, *b = right;

	if (a->token != b->token)
		return a->token < b->token ? -1 : 1;
	return (int)b->initial - (int)a->initial;
}

static int take(struct nl *nl, struct list *out)
{
	struct list list = { 0 };
	int err = pm_diag_subflows(nl, collect, &list);

	if (err) {
		free(list.subflow);
		return err;
	}
	if (list.n)
		qsort(list.subflow, list.n, sizeof(*list.subflow), compare);
	*out = list;
	return 0;
}

/* The number of subflows that belong to the connection of the first one. */
static size_t group(const struct pm_subflow *first, size_t left)
{
	size_t n = 1;

	while (n < left && first[n].token == first->token)
		n++;
	return n;
}

/* True for a subflow that does not go the way of the initial one. */
static bool is_dedicated(const struct pm_subflow *first, const struct pm_subflow *subflow)
{
	return !subflow->initial &&
	       !(first->initial && ip_equal(&first->flow.local, &subflow->flow.local) &&
		 first->flow.local_port == subflow->flow.local_port);
}

static const char *state_of(const struct pm_subflow *first, size_t n)
{
	bool dedicated = false;

	for (size_t i = 0; i < n; i++)
		dedicated = dedicated || is_dedicated(first, &first[i]);
	if (!dedicated)
		return "vip";
	return first->initial && !first->backup ? "joined" : "off_path";
}

static void add_bytes(const struct pm_subflow *first, size_t n, struct connection_counts *out)
{
	for (size_t i = 0; i < n; i++) {
		if (is_dedicated(first, &first[i])) {
			out->dedicated_bytes.received += first[i].received;
			out->dedicated_bytes.sent += first[i].sent;
		} else {
			out->vip_bytes.received += first[i].received;
			out->vip_bytes.sent += first[i].sent;
		}
	}
}

int connections_count(struct nl *nl, struct connection_counts *out)
{
	struct connection_counts counts = { 0 };
	struct list list;
	int err = take(nl, &list);

	if (err)
		return err;
	for (size_t i = 0; i < list.n;) {
		size_t n = group(&list.subflow[i], list.n - i);
		const char *state = state_of(&list.subflow[i], n);

		counts.vip += !strcmp(state, "vip");
		counts.joined += !strcmp(state, "joined");
		counts.off_path += !strcmp(state, "off_path");
		add_bytes(&list.subflow[i], n, &counts);
		i += n;
	}
	free(list.subflow);
	*out = counts;
	return 0;
}

static json_t *connection_json(const struct pm_subflow *first, size_t n)
{
	char token[16], local[PM_END_STRLEN], remote[PM_END_STRLEN], end[PM_END_STRLEN];
	json_t *dedicated = json_array(), *row;
	__u64 by_initial = 0, by_dedicated = 0;

	for (size_t i = 0; i < n; i++) {
		const struct pm_flow *flow = &first[i].flow;
		__u64 bytes = first[i].received + first[i].sent;

		if (!is_dedicated(first, &first[i])) {
			by_initial += bytes;
			continue;
		}
		by_dedicated += bytes;
		json_array_append_new(
			dedicated, json_string(pm_end_format(&flow->local, flow->local_port, end)));
	}
	snprintf(token, sizeof(token), "0x%08x", first->token);
	row = json_pack("{s:s, s:s, s:s, s:s, s:o, s:I, s:I, s:I}", "token", token, "local",
			pm_end_format(&first->flow.local, first->flow.local_port, local), "remote",
			pm_end_format(&first->flow.remote, first->flow.remote_port, remote),
			"state", state_of(first, n), "dedicated", dedicated, "subflows",
			(json_int_t)n, "initial_bytes", (json_int_t)by_initial, "dedicated_bytes",
			(json_int_t)by_dedicated);
	/* Without its initial subflow a connection is known by the others alone. */
	if (row && !first->initial)
		json_object_set_new(row, "local", json_null());
	return row;
}

json_t *connections_json(struct nl *nl, int *err)
{
	json_t *rows = json_array();
	struct list list;

	*err = take(nl, &list);
	if (*err) {
		json_decref(rows);
		return NULL;
	}
	for (size_t i = 0; i < list.n;) {
		size_t n = group(&list.subflow[i], list.n - i);

		json_array_append_new(rows, connection_json(&list.subflow[i], n));
		i += n;
	}
	free(list.subflow);
	return rows;
}
