/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_SERVER_ITEM_H
#define MPLB_SERVER_ITEM_H

#include "config.h"
#include "machine.h"
#include "state.h"

/*
 * The things that server-pm keeps in place, one by one: a sysctl, a limit, an address, an endpoint,
 * the decapsulation. How each is looked at, set and taken back is the matter of its kind.
 */
struct item_place {
	struct machine *machine; /* as of the last machine_look() */
	struct server_state *state;
};

#define ITEM_TEXT 160

/* 1 where the item is in place, 0 where not; -EEXIST where an operator's endpoint is in its way;
 * -errno where that cannot be known. Nothing is logged. */
int item_look(const struct item_place *place, const struct mplb_server_item *item);
/* Writes the value as it is now into item->before, for kinds that have one. */
void item_remember(const struct item_place *place, struct mplb_server_item *item);
/* Sets the item. 0 or -errno, logged. */
int item_put(const struct item_place *place, const struct mplb_server_item *item);
/* Brings back what was there before item_put(). What someone else has changed since, or is gone, is
 * left alone and no error. 0 or -errno, logged. */
int item_take(const struct item_place *place, const struct mplb_server_item *item);

/*
 * Makes a `backup` endpoint one without effect, and *item say so. Deleting it would close the
 * subflow through the VIP of every live connection, which ends those that have no other.
 */
int item_rest(const struct item_place *place, struct mplb_server_item *item);

/* The kind in a word, and "sysctl net.mptcp... = 0", "endpoint 203.0.113.11 signal", .... */
const char *item_kind(const struct mplb_server_item *item);
const char *item_subject(const struct mplb_server_item *item, char buf[static ITEM_TEXT]);
const char *item_text(const struct mplb_server_item *item, char buf[static ITEM_TEXT]);

/*
 * What a config asks for, in the order in which it is to be set. *out is malloc'ed, to be freed by
 * the caller; the number of items, or -ENOMEM, logged.
 */
int item_plan(const struct server_config *config, struct mplb_server_item **out);

#endif
