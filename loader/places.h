/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_PLACES_H
#define MPLB_PLACES_H

#include "state.h"

/*
 * The places, indexes into the maps, that the parts of a state get: the ones they have, or free
 * ones. A place that packets may be reading is never given to something else.
 */
struct places {
	struct in_force now, next;
	bool keeps_table[MPLB_MAX_POOLS]; /* per pool of the new state: the one in force is right */
};

/* Fills in all indexes of want, and places->next; places->now is given. 0, or -ENOSPC, logged,
 * where old and new together find no room. */
int places_give(const struct state *was, struct state *want, struct places *places);

#endif
