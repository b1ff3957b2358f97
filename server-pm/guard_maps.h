/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_SERVER_GUARD_MAPS_H
#define MPLB_SERVER_GUARD_MAPS_H

#include "config.h"
#include "state.h"

/*
 * What the guard's maps (bpf/guard_maps.h) hold. They are pinned beside those of the state while a
 * config has a guard.
 */
struct guard_maps {
	int settings, addresses, allow, beat, tokens; /* descriptors */
};

/* Opens the maps, made first where create is set and they are not there. 0 with *out to be closed;
 * -ENOENT without a word where there are none; else -errno, logged. */
int guard_maps_open(const struct server_state *state, bool create, struct guard_maps *out);
void guard_maps_close(struct guard_maps *maps);

/* Makes them hold what the config says, and a secret. The tokens stay. 0 or -errno, logged. */
int guard_maps_fill(const struct guard_maps *maps, const struct server_config *config);

/* Removes the pins, which nobody is to use any more. 0 or -errno, logged. */
int guard_maps_remove(const struct server_state *state);

/* The address of a connection in the prefix, under the secret. The prefix of the settings may be an
 * older one. */
void guard_address(const struct mplb_guard *settings, const struct ip *prefix, __u32 token,
		   struct ip *out);

/* The settings, with the secret. 0 or -errno. */
int guard_maps_settings(const struct guard_maps *maps, struct mplb_guard *out);

/* Says that the tokens are right at this moment. */
void guard_maps_beat(const struct guard_maps *maps);
/* Milliseconds since that was last said; -1: never. */
long long guard_maps_silence(const struct guard_maps *maps);

/* A token is live, as of the look of that number. 0 or -errno (-E2BIG: there are too many). */
int guard_maps_token_add(const struct guard_maps *maps, __u32 token, __u32 look);
void guard_maps_token_remove(const struct guard_maps *maps, __u32 token);
/* Removes the tokens that were seen neither by the look of that number nor by the one before;
 * look 0: none. The number of those that are left, or -errno. */
long guard_maps_tokens_prune(const struct guard_maps *maps, __u32 look);

#endif
