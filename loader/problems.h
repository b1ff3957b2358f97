/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_PROBLEMS_H
#define MPLB_PROBLEMS_H

#include "in_force.h"
#include "nexthop.h"

/*
 * What is wrong with the way to each backend in force, asked of the kernel now: a word or two per
 * index of mplb_backends, "" where nothing is. Neighbours are asked, and waited for, a fifth of
 * a second at most in all.
 */
struct problems {
	char text[MPLB_MAX_BACKENDS][NEXTHOP_TEXT];
	char device[MPLB_MAX_BACKENDS][16]; /* of the route; "": none */
};

/* 0 or -errno, logged. */
int problems_find(const struct datapath *dp, const struct in_force *now, struct problems *out);

#endif
