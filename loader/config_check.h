/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_CONFIG_CHECK_H
#define MPLB_CONFIG_CHECK_H

#include "config.h"

/*
 * What values of a config must not do to each other: names, ids and addresses twice, families that
 * do not go together, limits of the maps. An address that was not readable (family 0) and a pool
 * that was not found (NULL) are passed over: they were logged before. All else is logged, what is
 * merely odd as a warning. Returns the number of errors.
 */
unsigned int lb_config_check(const struct lb_config *config);

#endif
