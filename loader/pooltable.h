/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_POOLTABLE_H
#define MPLB_POOLTABLE_H

#include "datapath.h"

/* A pool's table in a map: MPLB_TABLE_SLOTS slots of (owner, fallback), one after the other. */

/* Makes an empty one and maps it into memory. Returns the map's descriptor with the slots in
 * *slots, or -errno. */
int pooltable_new(struct mplb_table_slot **slots);

/* Maps the table with this index in mplb_tables, for reading. NULL with errno set. */
const struct mplb_table_slot *pooltable_live(const struct datapath *dp, __u32 index);

void pooltable_unmap(const struct mplb_table_slot *slots);

#endif
