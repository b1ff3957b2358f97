/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_DESCRIBE_H
#define MPLB_DESCRIBE_H

#include "places.h"

/*
 * The info maps: names and settings behind the indexes. What comes anew is described before it is
 * in force, what stays afterwards. The weights that a pool's table was built from must be known for
 * every table that is in force, or connections that began under it are not found again after the
 * next change: members that stay are described in mplb_backend_next before, with the table that
 * they belong to; once that table is in force the description counts, and whoever comes next takes
 * it over, if the process that made the change dies.
 */
void describe_new(const struct datapath *dp, const struct state *want, const struct places *places);
void describe_kept(const struct datapath *dp, const struct state *want,
		   const struct places *places);

/* Takes over what counts of mplb_backend_next, and forgets the rest: of a change that came to its
 * end, or died after it was in force, or before. now: the tables in force. True: descriptions of
 * backends have changed. */
bool describe_finish(const struct datapath *dp, const struct in_force *now);

/* Forgets the VIPs and backends that are not in force any more. */
void describe_forget(const struct datapath *dp, const struct places *places);

#endif
