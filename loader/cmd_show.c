/* SPDX-License-Identifier: GPL-2.0-only */
/* lbctl show */
#include "lbctl.h"

#include <stdio.h>

#include "datapath.h"
#include "lib/out.h"
#include "report.h"

static const struct out_column nic_columns[] = {
	{ "device", "DEVICE" }, { "mode", "MODE" }, { "program", "PROGRAM" },
	{ "shared", "SHARED" }, { NULL, NULL },
};
static const struct out_column vip_columns[] = {
	{ "name", "VIP" },
	{ "address", "ADDRESS" },
	{ "port", "PORT" },
	{ "protocol", "PROTOCOL" },
	{ "pool", "POOL" },
	{ "mp_join", "MP_JOIN" },
	{ "join_ports", "JOIN PORTS" },
	{ NULL, NULL },
};
static const struct out_column pool_columns[] = {
	{ "name", "POOL" },	  { "forward", "FORWARD" },
	{ "hash", "HASH" },	  { "backends", "BACKENDS" },
	{ "settled", "SETTLED" }, { "note", "NOTE" },
	{ NULL, NULL },
};
static const struct out_column backend_columns[] = {
	{ "name", "BACKEND" },
	{ "pool", "POOL" },
	{ "address", "ADDRESS" },
	{ "id", "ID" },
	{ "state", "STATE" },
	{ "marks", "MARKS" },
	{ "weight", "WEIGHT" },
	{ "base_weight", "BASE" },
	{ "share", "SHARE" },
	{ "fallback_share", "FALLBACK" },
	{ "tokens", "TOKENS" },
	{ "device", "DEVICE" },
	{ "vlan", "VLAN" },
	{ "mtu", "MTU" },
	{ "next_hop", "NEXT HOP" },
	{ "problem", "PROBLEM" },
	{ NULL, NULL },
};
static const struct out_column table_columns[] = {
	{ "pool", "POOL" },	   { "backend", "BACKEND" }, { "weight", "WEIGHT" },
	{ "base_weight", "BASE" }, { "owner", "OWNER" },     { "fallback", "FALLBACK" },
	{ "share", "SHARE" },	   { NULL, NULL },
};

static const struct out_column settle_columns[] = {
	{ "pool", "POOL" },
	{ "seconds", "SETTLED IN" },
	{ NULL, NULL },
};
static const struct out_column health_columns[] = {
	{ "pool", "POOL" },	  { "backend", "BACKEND" }, { "state", "STATE" },
	{ "for_s", "FOR" },	  { "rtt_ms", "RTT" },	    { "probes", "PROBES" },
	{ "failures", "FAILED" }, { "changes", "CHANGES" }, { "why", "WHY" },
	{ NULL, NULL },
};
static const struct out_column anycast_columns[] = {
	{ "vip", "VIP" },   { "protocol", "PROTOCOL" }, { "state", "STATE" }, { "for_s", "FOR" },
	{ "bird", "BIRD" }, { "problem", "PROBLEM" },	{ NULL, NULL },
};

/* An object of `show`. */
static const struct view {
	const char *name;
	json_t *(*report)(const struct datapath *dp); /* NULL: the agent is asked */
	const struct out_column *columns;
	bool overview; /* part of the bare command */
} views[] = {
	{ "attach", report_nics, nic_columns, true },
	{ "vip", report_vips, vip_columns, true },
	{ "pool", report_pools, pool_columns, true },
	{ "backend", report_backends, backend_columns, true },
	{ "table", report_tables, table_columns, false },
	{ "health", NULL, health_columns, false },
	{ "anycast", NULL, anycast_columns, false },
	{ "settle", NULL, settle_columns, false },
};

#define N_VIEWS (sizeof(views) / sizeof(views[0]))

/* One object, or with only < 0 the overview: several tables, or one JSON object of them. */
static int show(const struct lbctl *ctl, const struct datapath *dp, int only)
{
	json_t *all = json_object();
	bool first = true, failed = false;

	for (size_t i = 0; i < N_VIEWS; i++) {
		json_t *rows;

		if (only >= 0 ? only != (int)i : !views[i].overview)
			continue;
		rows = views[i].report(dp);
		if (!rows) {
			failed = true;
			break;
		}
		if (!ctl->json) {
			if (!first)
				putchar('\n');
			out_table(rows, views[i].columns);
		} else if (only >= 0) {
			out_json(rows);
		}
		json_object_set_new(all, views[i].name, rows);
		first = false;
	}
	if (ctl->json && only < 0 && !failed)
		out_json(all);
	json_decref(all);
	return failed ? LBCTL_KERNEL : LBCTL_OK;
}

/* What the agent knows. */
static int show_asked(const struct lbctl *ctl, const struct view *view)
{
	json_t *answer, *rows;
	int code = lbctl_need(ctl, json_pack("{s:s}", "request", "status"), &answer);

	rows = json_object_get(answer, view->name);
	if (code == LBCTL_OK && ctl->json)
		out_json(rows);
	else if (code == LBCTL_OK)
		out_table(rows, view->columns);
	json_decref(answer);
	return code;
}

int cmd_show(const struct lbctl *ctl, int argc, char **argv)
{
	const char *names[N_VIEWS + 1] = { NULL };
	struct datapath *dp;
	int only = -1, err;

	for (size_t i = 0; i < N_VIEWS; i++)
		names[i] = views[i].name;
	if (argc > 2)
		return lbctl_usage("show", "one object at a time, not \"%s\" too", argv[2]);
	if (argc == 2) {
		only = lbctl_word(argv[1], names);
		if (only < 0)
			return lbctl_usage("show", "no object \"%s\"", argv[1]);
	}
	if (only >= 0 && !views[only].report)
		return show_asked(ctl, &views[only]);
	err = datapath_open(ctl->pin_dir, &dp);
	if (err)
		return lbctl_exit(err);
	err = show(ctl, dp, only);
	datapath_close(dp);
	return err;
}
