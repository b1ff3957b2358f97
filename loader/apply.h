/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_APPLY_H
#define MPLB_APPLY_H

#include <jansson.h>
#include "plan.h"

/*
 * Changes the data plane, all of it or nothing: what is new is written into places that no packet
 * looks at, then one pointer is changed (loader/viptable.h), then what nothing points to any more
 * is freed. A process that dies in between leaves the old or the new state in force, and garbage
 * that the next change collects.
 *
 * What is unchanged keeps its index, and so its counters: a VIP by address, port and protocol; a
 * backend by pool, id, address and forwarding mode; a pool's table if the members, their weights
 * and the seed are the same.
 *
 * changes: an array to which what changed is appended, see loader/notes.h. Each takes the lock of
 * the pins. 0 or -errno, logged; -EINVAL: the config or the order is at fault.
 */

/* Makes the data plane what is demanded: a config, orders, health, or several of them in one
 * change. Where a config is given, routes and neighbours of all backends are looked up. Demanding
 * what is in force already changes nothing. */
int apply(struct datapath *dp, const struct demand *demand, json_t *changes);

/* One of them alone. */
int apply_config(struct datapath *dp, const struct lb_config *config, json_t *changes);
int apply_order(struct datapath *dp, const struct order *order, json_t *changes);

#endif
