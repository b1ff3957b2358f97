/* SPDX-License-Identifier: GPL-2.0-only */
/* Another set of VIPs and announced addresses while connections live. */
#include "pm_engine_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NONE 0xff

static bool same(const struct announced *a, const struct announced *b)
{
	return a->port == b->port && ip_equal(&a->addr, &b->addr);
}

size_t pm_engine_find(const struct pm_engine *engine, const struct announced *address)
{
	size_t i = 0;

	while (i < engine->n_announced && !same(&engine->announced[i], address))
		i++;
	return i;
}

struct change {
	struct pm_engine *engine;
	__u16 *vip; /* new place of each VIP, or PM_NO_VIP */
	__u8 announced[PM_MAX_ANNOUNCED]; /* new place of each announced address, or NONE */
};

/* A connection to what is no VIP any more is left to itself. */
static void move(struct pm_conn *conn, void *data)
{
	const struct change *change = data;
	__u8 announced = 0;

	if (conn->vip != PM_NO_VIP && change->vip[conn->vip] == PM_NO_VIP) {
		pm_forget(change->engine, conn);
		return;
	}
	if (conn->vip != PM_NO_VIP)
		conn->vip = change->vip[conn->vip];
	for (size_t i = 0; i < PM_MAX_ANNOUNCED; i++)
		if (conn->announced & 1 << i && change->announced[i] != NONE)
			announced |= (__u8)(1 << change->announced[i]);
	conn->announced = announced;
}

static __u16 new_vip(const struct pm_setup *setup, const struct ip *vip)
{
	for (size_t i = 0; i < setup->n_vip; i++)
		if (ip_equal(&setup->vip[i], vip))
			return (__u16)i;
	return PM_NO_VIP;
}

/* Clients know an address that stays by its id: it keeps it. */
static void keep_ids(const struct change *change, const struct pm_engine *old,
		     struct pm_engine *new)
{
	bool taken[256] = { false };

	memset(new->id, 0, sizeof(new->id));
	for (size_t i = 0; i < old->n_announced; i++)
		if (change->announced[i] != NONE)
			new->id[change->announced[i]] = old->id[i];
	for (size_t i = 0; i < old->n_announced; i++)
		taken[old->id[i]] = true;
	for (size_t i = 0; i < new->n_announced; i++) {
		__u8 id = pm_address_hash(&new->announced[i].addr);

		if (new->id[i])
			continue;
		while (taken[id])
			id = (__u8)(id % 254 + 1);
		new->id[i] = id;
		taken[id] = true;
	}
}

int pm_engine_change(struct pm_engine *engine, const struct pm_setup *setup, __u64 now)
{
	struct change change = { .engine = engine };
	struct pm_engine old = *engine;
	struct ip *vip = calloc(setup->n_vip ? setup->n_vip : 1, sizeof(*vip));

	change.vip = calloc(old.n_vip ? old.n_vip : 1, sizeof(*change.vip));
	if (!vip || !change.vip) {
		free(vip);
		free(change.vip);
		return -ENOMEM;
	}
	for (size_t i = 0; i < setup->n_vip; i++)
		vip[i] = setup->vip[i];
	for (size_t i = 0; i < old.n_vip; i++)
		change.vip[i] = new_vip(setup, &old.vip[i]);
	engine->vip = vip;
	engine->n_vip = setup->n_vip;
	engine->initial = setup->initial;
	engine->there = 0;
	engine->n_announced = setup->n_announced;
	for (size_t i = 0; i < setup->n_announced; i++)
		engine->announced[i] = setup->announced[i];
	memset(change.announced, NONE, sizeof(change.announced));
	for (size_t i = 0; i < old.n_announced; i++) {
		size_t to = pm_engine_find(engine, &old.announced[i]);

		if (to == engine->n_announced)
			continue;
		change.announced[i] = (__u8)to;
		engine->there |= (__u8)((old.there >> i & 1) << to);
	}
	keep_ids(&change, &old, engine);
	pm_table_each(engine->table, move, &change);
	for (size_t i = 0; i < engine->n_announced; i++)
		if (pm_engine_find(&old, &engine->announced[i]) == old.n_announced)
			pm_engine_address(engine, i, true, now);
	free(change.vip);
	free(old.vip);
	return 0;
}
