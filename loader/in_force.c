/* SPDX-License-Identifier: GPL-2.0-only */
#include "in_force.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "pooltable.h"
#include "viptable.h"

/* The table in force of the pool with this name; -1: none. */
static int pool_named(const struct datapath *dp, const struct in_force *now, const char *name)
{
	for (int t = 0; t < MPLB_MAX_POOLS; t++)
		if (now->table[t] && !strcmp(dp->pool_info[t].name, name))
			return t;
	return -1;
}

static int mark_vips(const struct datapath *dp, struct in_force *out)
{
	const struct mplb_vip_slot *slots = viptable_live(dp);

	if (!slots)
		return errno == ENOENT ? 0 : -errno;
	for (size_t i = 0; i < MPLB_VIP_SLOTS; i++) {
		/* Address entries (protocol 0) lead nowhere. */
		if (!(slots[i].service >> 16 & 0xff))
			continue;
		out->vip[slots[i].vip % MPLB_MAX_VIPS] = true;
		out->table[slots[i].table % MPLB_MAX_POOLS] = true;
	}
	munmap((void *)slots, VIPTABLE_BYTES);
	return 0;
}

/* Marks what a table names, whatever the descriptions say. */
static int mark_from_table(const struct datapath *dp, __u32 table, struct in_force *out)
{
	const struct mplb_table_slot *slots = pooltable_live(dp, table);

	if (!slots)
		return -errno;
	for (size_t i = 0; i < MPLB_TABLE_SLOTS; i++) {
		if (slots[i].owner < MPLB_MAX_BACKENDS)
			out->backend[slots[i].owner] = true;
		if (slots[i].fallback < MPLB_MAX_BACKENDS)
			out->backend[slots[i].fallback] = true;
	}
	pooltable_unmap(slots);
	return 0;
}

/* A description says in which table a backend is. One that names a table out of force, but a pool
 * in force, is of an apply that ended half way: before its one pointer was changed (a backend that
 * never came), or after it, with the descriptions not yet brought up to date. The table knows. */
static int mark_backends(const struct datapath *dp, struct in_force *out)
{
	bool torn[MPLB_MAX_POOLS] = { false };
	int err = 0;

	for (size_t i = 0; i < MPLB_MAX_BACKENDS; i++) {
		const struct mplb_backend_info *info = &dp->backend_info[i];
		int table;

		if (!info->name[0])
			continue;
		out->backend[i] = info->table < MPLB_MAX_POOLS && out->table[info->table];
		table = out->backend[i] ? -1 : pool_named(dp, out, info->pool);
		if (table >= 0)
			torn[table] = true;
	}
	for (__u32 t = 0; !err && t < MPLB_MAX_POOLS; t++)
		if (torn[t])
			err = mark_from_table(dp, t, out);
	return err;
}

int in_force_read(const struct datapath *dp, struct in_force *out)
{
	int err;

	memset(out, 0, sizeof(*out));
	err = mark_vips(dp, out);
	return err ? err : mark_backends(dp, out);
}
