/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_MEMBERS_H
#define MPLB_MEMBERS_H

#include "state.h"

/*
 * mplb_members: whom the joins of a pool's VIPs may reach. Of pools with join ports, their members
 * by id; of pools with `mp_join: steer`, their members by every backend that is the same server:
 * itself, and those of other such pools with the same address, or the same name and id (so the IPv4
 * and the IPv6 VIP of a service may have pools of their own).
 */
struct members;

/* What a state whose places are given needs. 0 with *out to be freed by members_free(), or -errno,
 * logged. */
int members_plan(const struct state *want, struct members **out);
void members_free(struct members *members);

/* Adds all of it: before the VIP table that leads there. 0 or -errno, logged. */
int members_write(const struct datapath *dp, const struct members *members);
/* Removes all else: once no packet sees the VIP table of before. */
void members_prune(const struct datapath *dp, const struct members *members);

#endif
