/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_SERVER_STATE_H
#define MPLB_SERVER_STATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include "mplb/server.h"

/*
 * What outlives the daemon: the pinned maps of bpf/server.bpf.c below PIN_DIR/v<MPLB_ABI>/server/,
 * and among them the list of everything that server-pm set, with the values from before.
 */
struct server_state;

enum server_map {
	SERVER_MAP_BALANCERS,
	SERVER_MAP_VIPS,
	SERVER_MAP_COUNTS,
	SERVER_MAP_SETTINGS,
	SERVER_MAP_STATE,
	SERVER_MAP_MAX
};

/* Opens the maps below pin_dir, made first where create is set and they are not there. 0 with *out
 * to be closed; -ENOENT without a word where there are none; else -errno, logged. */
int server_state_open(const char *pin_dir, bool create, struct server_state **out);
void server_state_close(struct server_state *state);

/* Keeps other server-pm processes from changing anything below pin_dir until the state is closed.
 * 0, -EBUSY where another one has it, or -errno; nothing is logged. */
int server_state_lock(struct server_state *state);

/* True while another process has it locked. */
bool server_state_is_locked(const struct server_state *state);

/* Notes the caller's network namespace where none is noted. -EXDEV, logged, where the state is
 * about another one. */
int server_state_claim_netns(struct server_state *state);

/* The entries in use, for reading: n of them from *items (unused ones have kind 0). */
size_t server_state_items(const struct server_state *state, const struct mplb_server_item **items);

/* The entry about the same thing (kind, address, port and name), or NULL. */
const struct mplb_server_item *server_state_find(const struct server_state *state,
						 const struct mplb_server_item *item);

/* Writes the entry, in place of that about the same thing. 0 or -errno, logged. */
int server_state_save(struct server_state *state, const struct mplb_server_item *item);
int server_state_forget(struct server_state *state, const struct mplb_server_item *item);

/* Removes the pins and the folders that are empty then. 0 or -errno, logged. */
int server_state_remove(struct server_state *state);

/* A map's descriptor, and the folder with the pins; both owned by the state. */
int server_state_map(const struct server_state *state, enum server_map map);
const char *server_state_path(const struct server_state *state);

/* The addresses that are the keys of a map, as an array of text, to be freed. */
json_t *server_state_addresses_json(int fd);

/* True where two entries are about the same thing. */
bool server_item_same(const struct mplb_server_item *a, const struct mplb_server_item *b);

#endif
