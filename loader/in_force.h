/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_IN_FORCE_H
#define MPLB_IN_FORCE_H

#include "datapath.h"

/* The places that packets may be reading: what the VIP table leads to. */
struct in_force {
	bool vip[MPLB_MAX_VIPS];
	bool table[MPLB_MAX_POOLS];
	bool backend[MPLB_MAX_BACKENDS];
};

/* Reads it. 0 or -errno. */
int in_force_read(const struct datapath *dp, struct in_force *out);

#endif
