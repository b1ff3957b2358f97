/* SPDX-License-Identifier: GPL-2.0-only */
/* lbctl drain, undrain, weight, settle */
#include "lbctl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "apply.h"
#include "cmd_drain.h"
#include "lib/duration.h"

/* Carries the order out, through the agent if one runs. Returns the exit status. */
static int give(const struct lbctl *ctl, const struct order *order, json_t *request,
		json_t **changes)
{
	struct datapath *dp = NULL;
	json_t *answer;
	int code, err;

	*changes = NULL;
	if (lbctl_ask(ctl, request, &code, &answer)) {
		*changes = json_incref(json_object_get(answer, "changes"));
		json_decref(answer);
		return code;
	}
	*changes = json_array();
	err = datapath_open(ctl->pin_dir, &dp);
	if (!err)
		err = apply_order(dp, order, *changes);
	datapath_close(dp);
	return lbctl_exit(err);
}

static int carry_out(const struct lbctl *ctl, const struct order *order, json_t *request)
{
	json_t *changes;
	int code = give(ctl, order, request, &changes);

	if (code == LBCTL_OK)
		lbctl_print_changes(ctl, changes);
	json_decref(changes);
	return code;
}

static json_t *request_about(const char *verb, const char *backend)
{
	return json_pack("{s:s, s:s}", "request", verb, "backend", backend);
}

/* The words behind the backend's name: [wait] [deadline TIME]. */
static int read_wait(int argc, char **argv, struct drain_wait *out)
{
	static const char *const words[] = { "wait", "deadline", NULL };

	for (int i = 2; i < argc; i++) {
		int word = lbctl_word(argv[i], words);

		if (word < 0)
			return lbctl_usage("drain", "no word \"%s\"", argv[i]);
		out->wait = true;
		if (word == 0)
			continue;
		if (++i == argc)
			return lbctl_usage("drain", "how long until the deadline?");
		if (duration_parse(argv[i], &out->deadline_ms) || !out->deadline_ms)
			return lbctl_usage("drain", "\"%s\" is no time such as 30s, 10m or 1h",
					   argv[i]);
	}
	return LBCTL_OK;
}

int cmd_drain(const struct lbctl *ctl, int argc, char **argv)
{
	const struct order order = { .verb = ORDER_DRAIN, .name = argv[1] };
	struct drain_wait wait = { 0 };
	json_t *changes;
	int code;

	if (argc < 2)
		return lbctl_usage("drain", "which backend?");
	code = read_wait(argc, argv, &wait);
	if (code != LBCTL_OK)
		return code;
	if (!wait.wait)
		return carry_out(ctl, &order, request_about("drain", argv[1]));
	code = give(ctl, &order, request_about("drain", argv[1]), &changes);
	if (code == LBCTL_OK && !ctl->json)
		lbctl_print_changes(ctl, changes);
	if (code == LBCTL_OK)
		code = drain_wait(ctl, argv[1], &wait, changes);
	json_decref(changes);
	return code;
}

int cmd_undrain(const struct lbctl *ctl, int argc, char **argv)
{
	const struct order order = { .verb = ORDER_UNDRAIN, .name = argv[1] };

	if (argc != 2)
		return lbctl_usage("undrain", "which backend?");
	return carry_out(ctl, &order, request_about("undrain", argv[1]));
}

int cmd_weight(const struct lbctl *ctl, int argc, char **argv)
{
	struct order order = { .verb = ORDER_WEIGHT, .name = argv[1] };
	json_t *request;
	unsigned long weight = 0;
	char *rest;

	if (argc != 3)
		return lbctl_usage("weight", argc < 2 ? "which backend?" : "which weight?");
	errno = 0;
	if (!strcmp(argv[2], "config")) {
		order.verb = ORDER_UNWEIGHT;
	} else {
		weight = strtoul(argv[2], &rest, 10);
		if (errno || argv[2][0] < '0' || argv[2][0] > '9' || *rest || weight > 65535)
			return lbctl_usage("weight", "\"%s\" is no weight from 0 to 65535",
					   argv[2]);
	}
	order.weight = (__u32)weight;
	request = request_about("weight", argv[1]);
	json_object_set_new(request, "weight",
			    order.verb == ORDER_WEIGHT ? json_integer((json_int_t)weight)
						       : json_null());
	return carry_out(ctl, &order, request);
}

int cmd_settle(const struct lbctl *ctl, int argc, char **argv)
{
	const struct order order = { .verb = ORDER_SETTLE, .name = argc > 1 ? argv[1] : NULL };

	if (argc > 2)
		return lbctl_usage("settle", "one pool, or none for all, not \"%s\" too", argv[2]);
	return carry_out(ctl, &order,
			 json_pack("{s:s, s:s*}", "request", "settle", "pool", order.name));
}
