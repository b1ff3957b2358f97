/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_APPLY_H
#define MPLB_APPLY_H

#include <jansson.h>
#include "config.h"
#include "datapath.h"

/*
 * Makes the data plane match a config, all of it or nothing: what is new is written into places
 * that no packet looks at, then one pointer is changed (loader/viptable.h), then what nothing
 * points to any more is freed. A process that dies in between leaves the old or the new state in
 * force, and garbage that the next apply collects.
 *
 * What is unchanged keeps its index, and so its counters: a VIP by address, port and protocol; a
 * backend by pool, id, address and forwarding mode; a pool's table if the members, their weights
 * and the seed are the same.
 *
 * changes: an array to which {"action": "add" | "remove" | "change", "object": "vip" | "backend",
 * "name", "detail"} are appended. 0 or -errno, logged.
 */
int apply_config(struct datapath *dp, const struct lb_config *config, json_t *changes);

/* What is in force: reachable from the VIP table. */
struct in_force {
	bool vip[MPLB_MAX_VIPS];
	bool table[MPLB_MAX_POOLS];
	bool backend[MPLB_MAX_BACKENDS];
};

/* Reads it. 0 or -errno. */
int in_force_read(const struct datapath *dp, struct in_force *out);

#endif
