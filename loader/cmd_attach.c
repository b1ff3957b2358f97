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

int cmd_attach(const struct lbctl *ctl, int argc, char **argv)
{
	static const char *const modes[] = { "auto", "native", "generic", NULL };
	int mode = DATAPATH_AUTO;

	if (argc < 2)
		return lbctl_usage("attach", "which NIC?");
	if (argc != 2 && (argc != 4 || strcmp(argv[2], "mode")))
		return lbctl_usage("attach", "cannot read \"%s\"", argv[2]);
	if (argc == 4)
		mode = lbctl_word(argv[3], modes);
	if (mode < 0)
		return lbctl_usage("attach", "no mode \"%s\"", argv[3]);
	return lbctl_exit(datapath_attach(ctl->pin_dir, argv[1], (enum datapath_mode)mode));
}

/* Takes the program off one NIC (dev) or all (NULL). Returns how many, or -errno. */
static int detach_from(const struct datapath *dp, const char *dev)
{
	struct datapath_nic *nics = NULL;
	int err, done = 0;
	size_t n = 0;

	err = datapath_nics(dp, &nics, &n);
	if (err)
		return log_err_r(err, "cannot list the NICs: %s", strerror(-err));
	for (size_t i = 0; i < n && !err; i++) {
		if (dev && strcmp(nics[i].name, dev))
			continue;
		err = datapath_detach(dp, &nics[i]);
		done++;
	}
	free(nics);
	return err ? err : done;
}

int cmd_detach(const struct lbctl *ctl, int argc, char **argv)
{
	struct datapath *dp;
	bool all;
	int err;

	if (argc != 2)
		return lbctl_usage("detach", "which NIC?");
	all = !strcmp(argv[1], "all");
	err = datapath_open(ctl->pin_dir, &dp);
	if (err)
		return lbctl_exit(err);
	err = detach_from(dp, all ? NULL : argv[1]);
	if (!err && !all)
		err = log_err_r(-ENODEV, "%s: mplb is not attached here; see: lbctl show attach",
				argv[1]);
	if (err >= 0)
		err = all ? datapath_unpin(dp) : 0;
	datapath_close(dp);
	return lbctl_exit(err);
}
