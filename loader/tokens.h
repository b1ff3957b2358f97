/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_TOKENS_H
#define MPLB_TOKENS_H

#include "datapath.h"

/* What the program has learnt of MPTCP connections (include/mplb/steer.h). */

/* Counts, for each index of a backend, the tokens that it owns. tokens[MPLB_MAX_BACKENDS]. */
void tokens_count(const struct datapath *dp, __u32 *tokens);

/*
 * Frees what belongs to these backends, backends[MPLB_MAX_BACKENDS]. The subflows of those that
 * have left: their packets go where the hash says, and are reset there. And all of those whose
 * index is given to others: before any packet can reach these.
 */
void tokens_forget_subflows(const struct datapath *dp, const bool *backends);
void tokens_forget(const struct datapath *dp, const bool *backends);

#endif
