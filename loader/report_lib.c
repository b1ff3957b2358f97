/* SPDX-License-Identifier: GPL-2.0-only */
#include "report_lib.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"

json_t *report_failed(const char *what, int err)
{
	log_error("cannot read %s: %s%s", what, strerror(-err),
		  err == -EPERM ? "; run as root" : "");
	return NULL;
}

struct in_force *report_in_force(const struct datapath *dp)
{
	struct in_force *now = malloc(sizeof(*now));
	int err = now ? in_force_read(dp, now) : -ENOMEM;

	if (!err)
		return now;
	free(now);
	report_failed("what is in force", err);
	return NULL;
}
