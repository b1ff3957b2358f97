/* SPDX-License-Identifier: GPL-2.0-only */
/* lbctl drain, undrain, weight, settle */
#include "lbctl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "apply.h"
#include "lib/out.h"

static int carry_out(const struct lbctl *ctl, const struct order *order)
{
	json_t *changes = json_array();
	struct datapath *dp = NULL;
	int err = datapath_open(ctl->pin_dir, &dp);

	if (!err)
		err = apply_order(dp, order, changes);
	if (!err)
		lbctl_print_changes(ctl, changes);
	json_decref(changes);
	datapath_close(dp);
	return lbctl_exit(err);
}

int cmd_drain(const struct lbctl *ctl, int argc, char **argv)
{
	const struct order order = { .verb = ORDER_DRAIN, .name = argv[1] };

	if (argc != 2)
		return lbctl_usage("drain", "which backend?");
	return carry_out(ctl, &order);
}

int cmd_undrain(const struct lbctl *ctl, int argc, char **argv)
{
	const struct order order = { .verb = ORDER_UNDRAIN, .name = argv[1] };

	if (argc != 2)
		return lbctl_usage("undrain", "which backend?");
	return carry_out(ctl, &order);
}

int cmd_weight(const struct lbctl *ctl, int argc, char **argv)
{
	struct order order = { .verb = ORDER_WEIGHT, .name = argv[1] };
	unsigned long weight;
	char *rest;

	if (argc != 3)
		return lbctl_usage("weight", argc < 2 ? "which backend?" : "which weight?");
	if (!strcmp(argv[2], "config")) {
		order.verb = ORDER_UNWEIGHT;
		return carry_out(ctl, &order);
	}
	errno = 0;
	weight = strtoul(argv[2], &rest, 10);
	if (errno || argv[2][0] < '0' || argv[2][0] > '9' || *rest || weight > 65535)
		return lbctl_usage("weight", "\"%s\" is no weight from 0 to 65535", argv[2]);
	order.weight = (__u32)weight;
	return carry_out(ctl, &order);
}

int cmd_settle(const struct lbctl *ctl, int argc, char **argv)
{
	const struct order order = { .verb = ORDER_SETTLE, .name = argc > 1 ? argv[1] : NULL };

	if (argc > 2)
		return lbctl_usage("settle", "one pool, or none for all, not \"%s\" too", argv[2]);
	return carry_out(ctl, &order);
}
