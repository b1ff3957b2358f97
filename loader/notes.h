/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_NOTES_H
#define MPLB_NOTES_H

#include <jansson.h>
#include "state.h"

/*
 * What a change is, for people and programs: to the array changes are appended
 *   {"action": "add" | "remove" | "change", "object": "vip" | "pool" | "backend", "name", "detail"}
 * and, last, {"action": "unsettled", "object": "pool", ...} for each pool that has changes under
 * way afterwards.
 */
void notes_write(const struct state *was, const struct state *want, json_t *changes);

/* What is said of a pool with changes under way. */
#define NOTES_UNSETTLED "changes under way: settle it when old connections have ended"

/* "joining", "active", "draining", "down"; "l2", "ipip", "gue"; "reject", "hash". */
const char *state_word(enum mplb_member_state state);
const char *forward_word(enum mplb_forward forward);
const char *mp_join_word(enum mplb_mp_join mp_join);

#endif
