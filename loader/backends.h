/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_BACKENDS_H
#define MPLB_BACKENDS_H

#include "apply.h"

/*
 * Entries of mplb_backends: where a backend's packets go. Writes those of every backend of the
 * config at index[pool][backend]; now says which of these packets may be reading. Route and
 * neighbour come from the kernel; a neighbour that is not known yet is asked for and waited for,
 * a second at most in all. A backend without route or neighbour is a warning, not an error: its
 * entry says so, and the program asks the FIB itself. 0 or -errno, logged.
 */
int backends_write(struct datapath *dp, const struct lb_config *config, __u32 **index,
		   const struct in_force *now);

#endif
