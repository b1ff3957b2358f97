/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_SERVER_KEEP_H
#define MPLB_SERVER_KEEP_H

#include "item.h"

/* When a failed item is tried again: after 1, 2, 4, ... passes, so that the log stays readable. */
struct keeper_retry {
	unsigned int wait, left; /* passes */
};

/* Makes the machine match a plan, and keeps it so. */
struct keeper {
	struct item_place place;
	const struct mplb_server_item *item; /* the plan */
	size_t n;
	struct keeper_retry *retry; /* per item */
	bool settled; /* the first pass is over: what is missing from now on, someone removed */
};

/* Sets every item that is not in place, noting it in the state first. Goes on past failures;
 * returns the first one (-errno), each logged. */
int keeper_pass(struct keeper *k);

/* Takes back what the state has and the plan (n items, may be 0) has not, last things first, but,
 * with leave_endpoints, no endpoint. 0 or the first -errno, logged; what could not be taken back
 * stays in the state. */
int keeper_take_back(const struct item_place *place, const struct mplb_server_item *plan, size_t n,
		     bool leave_endpoints);

#endif
