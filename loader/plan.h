/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_PLAN_H
#define MPLB_PLAN_H

#include "config.h"
#include "state.h"

/*
 * What shall be, from what is. Nothing here touches the data plane.
 *
 * In a pool with a second chance (forward: gue) the fallback table is the members as they were when
 * the pool was last settled: a member's base. It stands still whatever is applied or ordered in
 * between, so that a connection established before finds its backend. So a new member has no base
 * (it is joining), a weight that changes leaves the base, and a member that is taken out of the
 * config stays, with MPLB_MEMBER_F_GONE, until the pool is settled. In other pools the base follows
 * at once.
 *
 * A member is known by its pool's name, id and address. Operators' orders belong to it and last as
 * long as it does.
 */

/* The state that a config asks for. A pool that no VIP uses is left out. Warns, in the log, of
 * connections that will break. 0 with *out to be freed by state_free(), or -ENOMEM. */
int plan_config(const struct lb_config *config, const struct state *now, struct state **out);

enum order_verb { ORDER_DRAIN, ORDER_UNDRAIN, ORDER_WEIGHT, ORDER_UNWEIGHT, ORDER_SETTLE };

struct order {
	enum order_verb verb;
	const char *name; /* backend: NAME or POOL/NAME; ORDER_SETTLE: pool, NULL for all */
	__u32 weight; /* ORDER_WEIGHT */
};

/* What is in force as the order changes it. 0 with *out to be freed by state_free(), -EINVAL for a
 * name that is none or several, logged, or -ENOMEM. */
int plan_order(const struct order *order, const struct state *now, struct state **out);

#endif
