/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_VIPTABLE_H
#define MPLB_VIPTABLE_H

#include "datapath.h"

/*
 * The VIP table: an array of MPLB_VIP_SLOTS slots that the program probes (include/mplb/abi.h).
 * Built here in full, then put in force by one pointer.
 */
struct mplb_vip_slot *viptable_new(void);

/* Puts a slot in at its place. *vip is as the program shall see it, but for the flags that
 * viptable_seal() adds. -EEXIST for a key twice, -ENOSPC where the probe would be longer than the
 * program looks. */
int viptable_insert(struct mplb_vip_slot *table, const struct mplb_vip_slot *vip);

/* Sets the flags that every slot carries, MPLB_VIP_F_WILDCARD and _RANGES; after the last insert.
 */
void viptable_seal(struct mplb_vip_slot *table);

/* Makes a map of the table and puts it in force: packets see the old one or the new one. On return
 * no packet is under way that saw the old one. 0 or -errno. */
int viptable_commit(const struct datapath *dp, const struct mplb_vip_slot *table);

/* The table in force, read only, to munmap() with VIPTABLE_BYTES. NULL: none yet, or failure with
 * errno set (ENOENT: none yet). */
const struct mplb_vip_slot *viptable_live(const struct datapath *dp);

#define VIPTABLE_BYTES (MPLB_VIP_SLOTS * sizeof(struct mplb_vip_slot))

#endif
