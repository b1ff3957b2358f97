/* SPDX-License-Identifier: GPL-2.0-only */
/* lbctl stats, drops */
#include "lbctl.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "datapath.h"
#include "lib/log.h"
#include "lib/out.h"
#include "report.h"

static const struct out_column vip_columns[] = {
	{ "name", "VIP" },
	{ "packets", "PACKETS" },
	{ "bytes", "BYTES" },
	{ "syn_mp_capable", "MPTCP SYNS" },
	{ "syn_plain", "TCP SYNS" },
	{ "mp_join_rejected", "JOINS REJECTED" },
	{ "mp_join_hashed", "JOINS HASHED" },
	{ "mp_join_steered", "STEERED" },
	{ "mp_join_by_port", "BY PORT" },
	{ "mp_join_unknown", "UNKNOWN" },
	{ "learnt_ack", "LEARNT BY ACK" },
	{ "learnt_data", "BY DATA" },
	{ NULL, NULL },
};
static const struct out_column backend_columns[] = {
	{ "name", "BACKEND" }, { "pool", "POOL" }, { "packets", "PACKETS" },
	{ "bytes", "BYTES" },  { NULL, NULL },
};
static const struct out_column drop_columns[] = {
	{ "reason", "REASON" },	     { "action", "ACTION" }, { "packets", "PACKETS" },
	{ "text", "WHAT IT MEANS" }, { NULL, NULL },
};

/* Every counter of row minus the same one of before, where a row of this name and pool was there.
 */
static void subtract(json_t *row, const json_t *before)
{
	const char *name = json_string_value(json_object_get(row, "name"));
	json_t *pool = json_object_get(row, "pool"), *value;
	const json_t *old;
	const char *key;
	size_t i;

	json_array_foreach (before, i, old) {
		if (strcmp(name, json_string_value(json_object_get(old, "name"))) != 0 ||
		    (pool && !json_equal(pool, json_object_get(old, "pool"))))
			continue;
		json_object_foreach (row, key, value)
			if (json_is_integer(value))
				json_integer_set(value, json_integer_value(value) -
								json_integer_value(
									json_object_get(old, key)));
	}
}

static json_t *read_stats(const struct datapath *dp)
{
	json_t *vips = report_vip_stats(dp), *backends = report_backend_stats(dp);

	if (!vips || !backends) {
		json_decref(vips);
		json_decref(backends);
		return NULL;
	}
	return json_pack("{s:o, s:o}", "vips", vips, "backends", backends);
}

static void print_stats(const struct lbctl *ctl, const json_t *stats)
{
	if (ctl->json) {
		out_json(stats);
	} else {
		out_table(json_object_get(stats, "vips"), vip_columns);
		putchar('\n');
		out_table(json_object_get(stats, "backends"), backend_columns);
	}
	fflush(stdout);
}

/* Prints what was counted in each second, until interrupted or stdout is gone. */
static int watch(const struct lbctl *ctl, const struct datapath *dp, json_t *before)
{
	while (!ferror(stdout)) {
		json_t *now, *rate, *rows;
		const char *key;

		sleep(1);
		now = read_stats(dp);
		if (!now)
			return LBCTL_KERNEL;
		rate = json_deep_copy(now);
		json_object_foreach (rate, key, rows) {
			json_t *row;
			size_t i;

			json_array_foreach (rows, i, row)
				subtract(row, json_object_get(before, key));
		}
		if (!ctl->json)
			puts("\nper second");
		print_stats(ctl, rate);
		json_decref(rate);
		json_object_update(before, now);
		json_decref(now);
	}
	return LBCTL_OK;
}

int cmd_stats(const struct lbctl *ctl, int argc, char **argv)
{
	struct datapath *dp;
	json_t *stats;
	int err, code = LBCTL_KERNEL;

	if (argc > 2 || (argc == 2 && strcmp(argv[1], "--watch") != 0))
		return lbctl_usage("stats", "cannot read \"%s\"", argv[argc - 1]);
	err = datapath_open(ctl->pin_dir, &dp);
	if (err)
		return lbctl_exit(err);
	stats = read_stats(dp);
	if (stats && argc == 2) {
		code = watch(ctl, dp, stats);
	} else if (stats) {
		print_stats(ctl, stats);
		code = LBCTL_OK;
	}
	json_decref(stats);
	datapath_close(dp);
	return code;
}

/* Without -j only what was counted, so that the table is worth reading. */
static void drop_zeros(json_t *rows)
{
	for (size_t i = json_array_size(rows); i-- > 0;)
		if (!json_integer_value(json_object_get(json_array_get(rows, i), "packets")))
			json_array_remove(rows, i);
}

int cmd_drops(const struct lbctl *ctl, int argc, char **argv)
{
	struct datapath *dp;
	json_t *rows;
	int err;

	if (argc > 1)
		return lbctl_usage("drops", "takes no argument such as \"%s\"", argv[1]);
	err = datapath_open(ctl->pin_dir, &dp);
	if (err)
		return lbctl_exit(err);
	rows = report_reasons(dp);
	datapath_close(dp);
	if (!rows)
		return LBCTL_KERNEL;
	if (ctl->json) {
		out_json(rows);
	} else {
		drop_zeros(rows);
		out_table(rows, drop_columns);
	}
	json_decref(rows);
	return LBCTL_OK;
}
