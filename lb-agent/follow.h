/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_FOLLOW_H
#define MPLB_FOLLOW_H

#include "loader/datapath.h"

/*
 * Keeps the backends' next hops as the kernel has them. Events of rtnetlink (links, addresses,
 * routes, rules, neighbours) are gathered for 10 ms, then the backends they may be about are looked
 * up, and the entries of those that changed are rewritten in place. All backends in force are
 * followed, whoever put them there. Neighbours are asked when nobody has heard of them lately, for
 * the kernel asks only about those that its own stack sends to.
 */
struct event_base;
struct follower;

/* Listens from now on; looks at everything when the loop runs. gone(data) is called when the maps
 * are not pinned any more: the data plane was taken away. 0 or -errno, logged. */
int follower_open(struct datapath *dp, struct event_base *base, void (*gone)(void *data),
		  void *data, struct follower **out);
void follower_close(struct follower *f);

/* Looks for backends that are new, soon. */
void follower_look(struct follower *f);

#endif
