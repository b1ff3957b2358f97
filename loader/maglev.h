/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_MAGLEV_H
#define MPLB_MAGLEV_H

#include <stddef.h>
#include <stdint.h>
#include "mplb/abi.h"

/*
 * The pair of Maglev tables of a pool (Eisenbud et al., "Maglev", NSDI 2016, section 3.4, with
 * weights): which member owns each slot for new flows, and which owned it before the changes under
 * way. Both depend on the members' ids, weights (now and then) and the seed alone, so that
 * balancers agree without talking.
 */
struct maglev_member {
	uint16_t id; /* the same on every balancer */
	uint16_t index; /* what is written into the slots: index into mplb_backends */
	uint32_t weight; /* for new flows; 0: not in the owner table */
	uint32_t base; /* before the changes under way; 0: not in the fallback table */
	uint32_t prev; /* before the latest of several changes under way; 0: not there */
};

/*
 * Fills slots[MPLB_TABLE_SLOTS]: owner over the members with a weight, fallback over those with a
 * base, and where that is the owner again, over those with a prev. A table without members is
 * MPLB_NO_BACKEND throughout. The order of members[] does not matter. 0, -EINVAL for an id twice in
 * one table, or -ENOMEM, slots then untouched.
 */
int maglev_build(const struct maglev_member *members, size_t n, uint64_t seed,
		 struct mplb_table_slot *slots);

/* A 64-bit key from the seed and a number: the keys of tables and of the flow hash
 * (splitmix64's finaliser, Steele et al., OOPSLA 2014). */
uint64_t mplb_key(uint64_t seed, uint64_t number);

#endif
