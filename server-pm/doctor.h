/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_SERVER_DOCTOR_H
#define MPLB_SERVER_DOCTOR_H

#include "config.h"

/* What on this machine keeps a config from working. */
struct doctor_report {
	unsigned int blockers; /* the config cannot be set up at all */
	unsigned int faults; /* it can, and clients will suffer */
};

/* Examines the machine, changes nothing. Everything found is logged: what is wrong and the command
 * that mends it. 0 with *out, or -errno, logged. */
int doctor_examine(const struct server_config *config, const char *pin_dir,
		   struct doctor_report *out);

#endif
