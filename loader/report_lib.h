/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_REPORT_LIB_H
#define MPLB_REPORT_LIB_H

/* What the reports of both kinds use. */
#include <jansson.h>
#include "in_force.h"

/* Logs that this cannot be read, and returns NULL. */
json_t *report_failed(const char *what, int err);

/* Reads what is in force into memory to be freed. NULL on failure, logged. */
struct in_force *report_in_force(const struct datapath *dp);

#endif
