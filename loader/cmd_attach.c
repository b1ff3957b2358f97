/* SPDX-License-Identifier: GPL-2.0-only */
/* lbctl attach, detach */
#include "lbctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datapath.h"
#include "lib/log.h"
#include "lib/out.h"

static void print_attached(const struct lbctl *ctl, const char *dev,
			   const struct datapath_attached *done)
{
	const char *mode = done->generic ? "generic" : "native";

	if (ctl->json) {
		json_t *result =
			json_pack("{s:s, s:s, s:i, s:i}", "device", dev, "mode", mode, "program",
				  (int)done->program, "replaced", (int)done->replaced);

		out_json(result);
		json_decref(result);
	} else if (done->replaced) {
		printf("%s: replaced program %u by %u\n", dev, done->replaced, done->program);
	} else {
		printf("%s: attached program %u, %s mode\n", dev, done->program, mode);
	}
}

int cmd_attach(const struct lbctl *ctl, int argc, char **argv)
{
	static const char *const modes[] = { "auto", "native", "generic", NULL };
	struct datapath_attached done;
	int mode = DATAPATH_AUTO, err;

	if (argc < 2)
		return lbctl_usage("attach", "which NIC?");
	if (argc != 2 && (argc != 4 || strcmp(argv[2], "mode") != 0))
		return lbctl_usage("attach", "cannot read \"%s\"", argv[2]);
	if (argc == 4)
		mode = lbctl_word(argv[3], modes);
	if (mode < 0)
		return lbctl_usage("attach", "no mode \"%s\"", argv[3]);
	err = datapath_attach(ctl->pin_dir, argv[1], (enum datapath_mode)mode, &done);
	if (!err)
		print_attached(ctl, argv[1], &done);
	return lbctl_exit(err);
}

/* 0 or -errno, logged. */
static int detach_from(const struct datapath *dp, const char *dev)
{
	struct datapath_nic *nics = NULL;
	int err, found = 0;
	size_t n = 0;

	err = datapath_nics(dp->vips, &nics, &n);
	if (err)
		return log_err_r(err, "cannot list the NICs: %s", strerror(-err));
	for (size_t i = 0; i < n && !err; i++) {
		if (strcmp(nics[i].name, dev) != 0)
			continue;
		err = datapath_detach(&nics[i]);
		found++;
	}
	free(nics);
	if (!err && !found)
		err = log_err_r(-ENODEV, "%s: mplb is not attached here; see: lbctl show attach",
				dev);
	return err;
}

int cmd_detach(const struct lbctl *ctl, int argc, char **argv)
{
	struct datapath *dp;
	int err;

	if (argc != 2)
		return lbctl_usage("detach", "which NIC?");
	if (!strcmp(argv[1], "all"))
		return lbctl_exit(datapath_remove(ctl->pin_dir));
	err = datapath_open(ctl->pin_dir, &dp);
	if (err)
		return lbctl_exit(err);
	err = detach_from(dp, argv[1]);
	datapath_close(dp);
	return lbctl_exit(err);
}
