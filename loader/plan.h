/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_PLAN_H
#define MPLB_PLAN_H

#include "config.h"
#include "state.h"

/*
 * What shall be, from what is and what is demanded: a config, operators' orders, health. Nothing
 * here touches the data plane.
 *
 * In a pool with a second chance (forward: gue) the fallback table is the members as they were when
 * the pool was last settled: a member's base. It stands still whatever is demanded in between, so
 * that a connection established before finds its backend. So a new member has no base (it is
 * joining), a weight that changes leaves the base, and a member that is taken out of the config
 * stays, with MPLB_MEMBER_F_GONE, until the pool is settled. Where a slot is back with its base,
 * its fallback is who had it before the latest change instead: a member's prev. So a member may go
 * and come back without harm to connections made in between. In other pools the base follows at
 * once.
 *
 * A member is known by its pool's name, id and address. Operators' orders and health belong to it
 * and last as long as it does.
 */

enum order_verb { ORDER_DRAIN, ORDER_UNDRAIN, ORDER_WEIGHT, ORDER_UNWEIGHT, ORDER_SETTLE };

struct order {
	enum order_verb verb;
	__u32 weight; /* ORDER_WEIGHT */
	const char *name; /* backend: NAME or POOL/NAME; ORDER_SETTLE: pool, NULL for all */
};

/* What health checks say of a member. */
struct verdict {
	const char *pool;
	__u16 id;
	struct ip addr;
	bool down;
};

struct demand {
	const struct lb_config *config; /* NULL: as in force */
	const struct order *orders; /* carried out in this order, those to settle last */
	size_t n_orders;
	const struct verdict *verdicts; /* of members that are not there: ignored */
	size_t n_verdicts;
};

/* The state that is demanded. A pool that no VIP uses is left out. Warns, in the log, of
 * connections that will break. 0 with *out to be freed by state_free(); -EINVAL for an order about
 * a name that is none or several, logged; or -ENOMEM. */
int plan(const struct demand *demand, const struct state *now, struct state **out);

#endif
