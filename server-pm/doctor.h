/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_SERVER_DOCTOR_H
#define MPLB_SERVER_DOCTOR_H

#include <jansson.h>
#include "config.h"

/*
 * What on this machine keeps a config from working: connections stay on the balancer, or break.
 * docs/doctor.md says what each finding means.
 */

enum doctor_when {
	DOCTOR_BEFORE_RUN, /* what `run` could not set right */
	DOCTOR_WHOLE, /* that, and whether everything is in place and at work */
};

struct doctor_report {
	unsigned int blockers; /* the config cannot be set up at all */
	unsigned int faults; /* it can, and clients will suffer */
	unsigned int warnings; /* some clients may suffer, in some cases */
	json_t *findings; /* {"finding", "grade", "text", "mend", "command"}, owned by the caller */
};

/* Examines the machine, changes nothing. 0 with *out, or -errno, logged. */
int doctor_examine(const struct server_config *config, const char *pin_dir, enum doctor_when when,
		   struct doctor_report *out);

/* Logs each finding: what is wrong, and the command that mends it. */
void doctor_log(const struct doctor_report *report);

#endif
