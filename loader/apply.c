/* SPDX-License-Identifier: GPL-2.0-only */
#include "apply.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "backends.h"
#include "describe.h"
#include "lib/log.h"
#include "joinports.h"
#include "maglev.h"
#include "members.h"
#include "mplb/hash.h"
#include "notes.h"
#include "places.h"
#include "pooltable.h"
#include "ports.h"
#include "tokens.h"
#include "viptable.h"

/* A change at work. */
struct change {
	struct datapath *dp;
	struct state *was, *want;
	struct places places;
	struct members *members;
};

/* Builds a pool's table in a map of its own. Returns its descriptor or -errno. */
static int build_table(const struct state_pool *pool)
{
	struct maglev_member *members = calloc(pool->n_members + 1, sizeof(*members));
	struct mplb_table_slot *slots = NULL;
	int fd, err = -ENOMEM;

	fd = pooltable_new(&slots);
	if (fd < 0 || !members)
		goto out;
	for (size_t i = 0; i < pool->n_members; i++)
		members[i] = (struct maglev_member){
			.id = pool->members[i].id,
			.index = (uint16_t)pool->members[i].index,
			.weight = member_owner(&pool->members[i]),
			.base = pool->members[i].base,
			.prev = pool->members[i].prev,
		};
	err = maglev_build(members, pool->n_members, pool->hash_seed, slots);
out:
	if (slots)
		pooltable_unmap(slots);
	free(members);
	if (err && fd >= 0) {
		close(fd);
		fd = err;
	}
	return fd;
}

/* Writes the tables of all pools that changed, in one call: the kernel waits for a grace period
 * after each, which would be the longest part of a large change. */
static int write_tables(const struct change *change)
{
	size_t pools = change->want->n_pools;
	__u32 *keys = calloc(pools + 1, sizeof(*keys)), n = 0;
	int *fds = calloc(pools + 1, sizeof(*fds)), err = 0;

	if (!keys || !fds)
		err = -ENOMEM;
	for (size_t p = 0; !err && p < pools; p++) {
		const struct state_pool *pool = &change->want->pools[p];
		int fd;

		if (change->places.keeps_table[p])
			continue;
		fd = build_table(pool);
		if (fd < 0) {
			err = log_err_r(fd, "pool %s: cannot build its table: %s", pool->name,
					strerror(-fd));
			break;
		}
		keys[n] = pool->table;
		fds[n++] = fd;
	}
	if (!err && n) {
		__u32 count = n;

		if (bpf_map_update_batch(change->dp->tables, keys, fds, &count, NULL))
			err = log_err_r(-errno, "cannot write the pools' tables: %s",
					strerror(errno));
	}
	for (__u32 i = 0; fds && i < n; i++)
		close(fds[i]);
	free(keys);
	free(fds);
	return err;
}

/* The key of a VIP's flow hash: the same on every balancer with the same config. */
static __u64 vip_hash_key(const struct mplb_vip_slot *slot, __u64 seed)
{
	__u64 word[2];

	memcpy(word, &slot->addr, sizeof(word));
	return mplb_key(mplb_key(mplb_key(seed, word[0]), word[1]), slot->service);
}

static __u16 max_id(const struct state_pool *pool)
{
	__u16 max = 0;

	for (size_t i = 0; i < pool->n_members; i++)
		if (pool->members[i].id > max)
			max = pool->members[i].id;
	return max;
}

/* The blocks of a VIP's join ports: as its slot, but for the key. */
static int insert_join_ports(struct mplb_vip_slot *table, const struct mplb_vip_slot *vip,
			     const struct state_pool *pool)
{
	struct joinports ports = joinports_of(vip->join_base, max_id(pool));
	__u32 port = ports.first & ~(MPLB_JOIN_BLOCK - 1u);
	struct mplb_vip_slot block = *vip;
	int err = 0;

	block.flags = (__u16)((vip->flags & MPLB_VIP_F_ADDRESSES) | MPLB_VIP_F_PORTS);
	for (; !err && ports.first && port <= ports.last && port <= 65535;
	     port += MPLB_JOIN_BLOCK) {
		block.service = mplb_vip_service(htons((__u16)port), MPLB_JOIN_PROTO,
						 vip->service >> 24 & 0xff);
		err = viptable_insert(table, &block);
		/* What is kept of a member that has left the config may lie where another VIP has
		 * its own by now. */
		if (err == -EEXIST)
			err = 0;
	}
	return err;
}

static int insert_vip(struct mplb_vip_slot *table, const struct state_vip *vip,
		      const struct state_pool *pool)
{
	struct mplb_vip_slot slot = {
		.addr = vip->addr.addr,
		.service = mplb_vip_service(htons(vip->port), vip->protocol, vip->addr.family),
		.flags = (__u16)((pool->hash_addresses ? MPLB_VIP_F_ADDRESSES : 0) |
				 (vip->mp_join == MPLB_MP_JOIN_STEER ? MPLB_VIP_F_STEER : 0)),
		.mp_join = (__u8)vip->mp_join,
		.vip = vip->index,
		.table = pool->table,
		.join_base = vip->join_base,
	};
	struct mplb_vip_slot address = {
		.addr = slot.addr,
		.service = mplb_vip_service(0, 0, vip->addr.family),
	};
	int err;

	slot.hash_key = vip_hash_key(&slot, pool->hash_seed);
	err = viptable_insert(table, &slot);
	if (!err)
		err = insert_join_ports(table, &slot, pool);
	if (!err)
		err = viptable_insert(table, &address);
	return err == -EEXIST ? 0 : err; /* another VIP of the same address */
}

static int write_vips(const struct change *change)
{
	const struct state *want = change->want;
	struct mplb_vip_slot *table = viptable_new();
	int err = table ? 0 : -ENOMEM;

	for (size_t v = 0; !err && v < want->n_vips; v++) {
		err = insert_vip(table, &want->vips[v], &want->pools[want->vips[v].pool]);
		if (err)
			log_error("vip %s: no room in the VIP table: too many VIPs fall into the "
				  "same place; give one another port or address",
				  want->vips[v].name);
	}
	if (!err) {
		viptable_seal(table);
		err = viptable_commit(change->dp, table);
		if (err)
			log_error("cannot put the VIP table in force: %s", strerror(-err));
	}
	free(table);
	return err;
}

/* An index given anew begins at 0, and owns nothing. */
static int zero_counters(const struct change *change)
{
	const struct in_force *now = &change->places.now, *next = &change->places.next;
	bool anew[MPLB_MAX_BACKENDS];
	int err = 0;

	for (__u32 i = 0; i < MPLB_MAX_BACKENDS; i++)
		anew[i] = next->backend[i] && !now->backend[i];
	tokens_forget(change->dp, anew);

	for (__u32 i = 0; !err && i < MPLB_MAX_VIPS; i++)
		if (next->vip[i] && !now->vip[i])
			err = datapath_zero(change->dp->vip_stats, i, MPLB_VIP_C_MAX);
	for (__u32 i = 0; !err && i < MPLB_MAX_BACKENDS; i++)
		if (anew[i])
			err = datapath_zero(change->dp->backend_stats, i,
					    sizeof(struct mplb_backend_stats) / sizeof(__u64));
	return err ? log_err_r(err, "cannot reset counters: %s", strerror(-err)) : 0;
}

/* Gives back the memory of tables. A deletion waits for a grace period and there is no batch of
 * them: all places get the same empty table instead. */
static int free_tables(const struct datapath *dp, const __u32 *keys, __u32 n)
{
	struct mplb_table_slot *slots;
	int *fds, err = 0, fd;
	__u32 count = n;

	fd = pooltable_new(&slots);
	if (fd < 0)
		return fd;
	pooltable_unmap(slots);
	fds = calloc(n, sizeof(*fds));
	for (__u32 i = 0; fds && i < n; i++)
		fds[i] = fd;
	if (!fds)
		err = -ENOMEM;
	else if (bpf_map_update_batch(dp->tables, keys, fds, &count, NULL))
		err = -errno;
	free(fds);
	close(fd);
	return err;
}

/* Frees what the new VIP table does not lead to. Nothing here can fail a change that is in force.
 */
static void collect_garbage(const struct change *change)
{
	struct mplb_pool_info *pools = change->dp->pool_info;
	__u32 keys[MPLB_MAX_POOLS], n = 0;
	bool gone[MPLB_MAX_BACKENDS];
	int err = 0;

	for (__u32 i = 0; i < MPLB_MAX_POOLS; i++)
		if (!change->places.next.table[i] && pools[i].name[0])
			keys[n++] = i;
	/* One may wait until its place is taken, or there are two: freeing it is the longest part
	 * of a small change. */
	if (n > 1) {
		for (__u32 i = 0; i < n; i++)
			pools[keys[i]] = (struct mplb_pool_info){ 0 };
		err = free_tables(change->dp, keys, n);
	}
	if (err)
		log_warn("old tables stay in memory: %s", strerror(-err));
	members_prune(change->dp, change->members);
	for (__u32 i = 0; i < MPLB_MAX_BACKENDS; i++)
		gone[i] = change->places.now.backend[i] && !change->places.next.backend[i];
	tokens_forget_subflows(change->dp, gone);
	describe_forget(change->dp, &change->places);
	ports_prune(change->dp, &change->places.next);
}

static int carry_out(struct change *change, enum backends_scope scope)
{
	struct places *places = &change->places;
	int err = places_give(change->was, change->want, places);

	if (!err)
		err = members_plan(change->want, &change->members);
	if (err)
		return err;
	/* Into places that nobody looks at; of the entries in use, only next hops change. */
	describe_new(change->dp, change->want, places);
	err = zero_counters(change);
	if (!err)
		err = backends_resolve(change->dp, change->want, &places->now, scope);
	if (!err)
		err = write_tables(change);
	if (!err)
		err = members_write(change->dp, change->members);
	/* From here on the new state is in force. */
	if (!err)
		err = write_vips(change);
	if (err)
		return err;
	describe_kept(change->dp, change->want, places);
	collect_garbage(change);
	return 0;
}

static int read_now(struct datapath *dp, struct change *change)
{
	int err = in_force_read(dp, &change->places.now);

	change->dp = dp;
	if (!err && describe_finish(dp, &change->places.now))
		err = in_force_read(dp, &change->places.now);
	if (!err)
		err = state_read(dp, &change->places.now, &change->was);
	if (err)
		log_error("%s: cannot read what is in force: %s", dp->folder, strerror(-err));
	return err;
}

int apply(struct datapath *dp, const struct demand *demand, json_t *changes)
{
	int lock = pin_lock(dp->folder, 1), err = -ENOMEM;
	struct change *change;

	if (lock < 0)
		return lock;
	change = calloc(1, sizeof(*change));
	if (change)
		err = read_now(dp, change);
	if (!err)
		err = plan(demand, change->was, &change->want);
	if (!err)
		err = carry_out(change, demand->config ? BACKENDS_ALL : BACKENDS_STARTING);
	if (!err)
		notes_write(change->was, change->want, changes);
	if (err == -ENOMEM)
		log_error("out of memory");
	if (change) {
		state_free(change->was);
		state_free(change->want);
		members_free(change->members);
	}
	free(change);
	close(lock);
	return err;
}

int apply_config(struct datapath *dp, const struct lb_config *config, json_t *changes)
{
	return apply(dp, &(struct demand){ .config = config }, changes);
}

int apply_order(struct datapath *dp, const struct order *order, json_t *changes)
{
	return apply(dp, &(struct demand){ .orders = order, .n_orders = 1 }, changes);
}
