/* SPDX-License-Identifier: GPL-2.0-only */
/* Reports of what was counted. */
#include "report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "report_lib.h"

struct reason {
	const char *name, *action, *text;
};

#define X(number, NAME, name, action, text) [number] = { name, #action, text },
static const struct reason reasons[MPLB_R_MAX] = { MPLB_REASONS(X) };
#undef X

const char *report_reason_name(unsigned int reason)
{
	return reason < MPLB_R_MAX ? reasons[reason].name : "?";
}

const char *report_reason_text(unsigned int reason)
{
	return reason < MPLB_R_MAX ? reasons[reason].text : "?";
}

/* What is done with a packet for this reason. */
static const char *reason_action(unsigned int reason)
{
	if (reason >= MPLB_R_MAX)
		return "?";
	return !strcmp(reasons[reason].action, "PASS")	 ? "pass"
	       : !strcmp(reasons[reason].action, "DROP") ? "drop"
							 : "tx";
}

json_t *report_vip_stats(const struct datapath *dp)
{
#define X(NAME, name, text) name,
	static const char *const names[] = { MPLB_VIP_COUNTERS(X) };
#undef X
	struct in_force *now = report_in_force(dp);
	json_t *rows = now ? json_array() : NULL;
	int err = 0;

	for (__u32 i = 0; now && !err && i < MPLB_MAX_VIPS; i++) {
		__u64 counter[MPLB_VIP_C_MAX];
		json_t *row;

		if (!now->vip[i])
			continue;
		err = datapath_sum(dp->vip_stats, i, counter, MPLB_VIP_C_MAX);
		if (err)
			break;
		row = json_pack("{s:s}", "name", dp->vip_info[i].name);
		for (size_t c = 0; c < MPLB_VIP_C_MAX; c++)
			json_object_set_new(row, names[c], json_integer((json_int_t)counter[c]));
		json_array_append_new(rows, row);
	}
	free(now);
	if (!err)
		return rows;
	json_decref(rows);
	return report_failed("the VIPs' counters", err);
}

json_t *report_backend_stats(const struct datapath *dp)
{
	struct in_force *now = report_in_force(dp);
	json_t *rows = now ? json_array() : NULL;
	int err = 0;

	for (__u32 i = 0; now && !err && i < MPLB_MAX_BACKENDS; i++) {
		const struct mplb_backend_info *info = &dp->backend_info[i];
		struct mplb_backend_stats sum;

		if (!now->backend[i])
			continue;
		err = datapath_sum(dp->backend_stats, i, (__u64 *)&sum, sizeof(sum) / 8);
		if (!err)
			json_array_append_new(rows, json_pack("{s:s, s:s, s:I, s:I}", "name",
							      info->name, "pool", info->pool,
							      "packets", (json_int_t)sum.packets,
							      "bytes", (json_int_t)sum.bytes));
	}
	free(now);
	if (!err)
		return rows;
	json_decref(rows);
	return report_failed("the backends' counters", err);
}

json_t *report_reasons(const struct datapath *dp)
{
	json_t *rows = json_array();

	/* Forwarded packets are counted by VIP and backend. */
	for (__u32 r = 1; r < MPLB_R_MAX; r++) {
		__u64 packets;
		int err = datapath_sum(dp->reasons, r, &packets, 1);

		if (err) {
			json_decref(rows);
			return report_failed("the reasons", err);
		}
		json_array_append_new(rows,
				      json_pack("{s:s, s:s, s:I, s:s}", "reason", reasons[r].name,
						"action", reason_action(r), "packets",
						(json_int_t)packets, "text", reasons[r].text));
	}
	return rows;
}
