/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_DESCRIBE_H
#define MPLB_DESCRIBE_H

#include "places.h"

/*
 * The info maps: names and settings behind the indexes. What comes anew is described before it is
 * in force, what stays afterwards, so that a process that dies in between leaves descriptions of
 * what is in force, if maybe old ones (loader/in_force.c sorts them out).
 */
void describe_new(const struct datapath *dp, const struct state *want, const struct places *places);
void describe_kept(const struct datapath *dp, const struct state *want,
		   const struct places *places);

/* Forgets the VIPs and backends that are not in force any more. */
void describe_forget(const struct datapath *dp, const struct places *places);

#endif
