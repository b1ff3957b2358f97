/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_SERVER_GUARD_H
#define MPLB_SERVER_GUARD_H

#include <jansson.h>
#include "guard_maps.h"

/*
 * What the guard needs while server-pm runs: the tokens of all live MPTCP connections, by the
 * kernel's events, and now and then by a look at all sockets. Whoever manages the paths.
 */
struct event_base;
struct guard;

struct guard_stats {
	__u64 looks; /* at all sockets */
	__u64 lost; /* times that events were lost */
	__u64 full; /* tokens for which there was no room */
};

/* Makes and fills the guard's maps, tokens included, before its program is put in place, and keeps
 * the tokens right from the base's loop on. 0 with *out to be freed, or -errno, logged. */
int guard_new(struct event_base *base, const struct server_state *state,
	      const struct server_config *config, struct guard **out);
void guard_free(struct guard *guard);

/* Has the guard go by another config, which has one, too. 0 or -errno, logged. */
int guard_change(struct guard *guard, const struct server_config *config);

const struct guard_stats *guard_stats(const struct guard *guard);

/* The settings, with the secret. */
const struct mplb_guard *guard_settings(const struct guard *guard);

/* What `status` shows: {"on_stale", "stale", "silence", "tokens", "addresses", "per_connection"},
 * or null where there is no guard. Needs no server-pm that runs. */
json_t *guard_json(const struct server_state *state);

#endif
