/* SPDX-License-Identifier: GPL-2.0-only */
/* The config of world.h: VIPs, pools and backends, in the maps and for the model. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "lib/log.h"
#include "loader/maglev.h"
#include "loader/pooltable.h"
#include "loader/viptable.h"
#include "mplb/hash.h"
#include "world.h"

#define SEED	     0x5eed
#define ROUTE_MTU    1300
#define COUNT_OF(a)  (sizeof(a) / sizeof((a)[0]))
#define SERVICES_MAX 8
#define JOIN_BASE    20000

/* What the FIB answers for the next hops of world.c. */
static const uint8_t away_mac[6] = { 2, 0, 0, 0, 0xf0, 0 };
static const uint8_t next_mac4[6] = { 2, 0, 0, 0, 0, 0x92 };
static const uint8_t next_mac6[6] = { 2, 0, 0, 0, 0, 0x96 };

enum exit_by { BY_NEAR, BY_AWAY, BY_FIB };

/* A pool: its backends differ in the last byte of the address and in the MAC addresses only. */
struct pool_case {
	enum mplb_forward forward;
	const char *dst, *src; /* of the first backend; the others count up. NULL: no backends */
	enum exit_by by;
	unsigned int members;
	uint16_t mtu; /* 0: 1500 */
	uint16_t vlan;
	bool addresses;
	enum mplb_reason fib; /* BY_FIB: what it answers */
	uint32_t fib_mtu; /* 0: 9000 */
};

#define V4 "10.0.0.16", "10.0.0.2"
#define V6 "fd00::10", "fd00::2"

static const struct pool_case cases[WORLD_POOLS] = {
	[WORLD_L2] = { MPLB_FORWARD_L2, V4, BY_NEAR, 3 },
	[WORLD_L2_AWAY] = { MPLB_FORWARD_L2, V6, BY_AWAY, 1 },
	[WORLD_L2_VLAN] = { MPLB_FORWARD_L2, V4, BY_NEAR, 2, .vlan = 100 },
	/* The outer header's constant sum is nearly 0xffff, so that small packets carry twice. */
	[WORLD_IPIP4] = { MPLB_FORWARD_IPIP, "10.0.0.200", "48.0.0.2", BY_NEAR, 3 },
	[WORLD_IPIP6] = { MPLB_FORWARD_IPIP, V6, BY_NEAR, 3 },
	[WORLD_IPIP4_VLAN] = { MPLB_FORWARD_IPIP, "10.255.255.16", "10.255.255.254", BY_AWAY, 2,
			       .vlan = 4094 },
	[WORLD_IPIP6_AWAY] = { MPLB_FORWARD_IPIP, V6, BY_AWAY, 2, .mtu = 9000 },
	[WORLD_GUE4] = { MPLB_FORWARD_GUE, V4, BY_NEAR, 6 },
	[WORLD_GUE6_VLAN] = { MPLB_FORWARD_GUE, V6, BY_AWAY, 6, .vlan = 7 },
	[WORLD_GUE4_ONE] = { MPLB_FORWARD_GUE, V4, BY_AWAY, 1 },
	[WORLD_GUE6_ONE] = { MPLB_FORWARD_GUE, V6, BY_NEAR, 1, .mtu = 1501 },
	[WORLD_IPIP4_SMALL] = { MPLB_FORWARD_IPIP, V4, BY_NEAR, 1, .mtu = 576 },
	[WORLD_IPIP6_SMALL] = { MPLB_FORWARD_IPIP, V6, BY_NEAR, 1, .mtu = 1280 },
	[WORLD_GUE4_SMALL] = { MPLB_FORWARD_GUE, V4, BY_NEAR, 2, .mtu = 128 },
	[WORLD_L2_SMALL] = { MPLB_FORWARD_L2, V4, BY_NEAR, 1, .mtu = 68 },
	[WORLD_GUE6_ADDRESSES] = { MPLB_FORWARD_GUE, V6, BY_NEAR, 4, .addresses = true },
	[WORLD_L2_ADDRESSES] = { MPLB_FORWARD_L2, V4, BY_AWAY, 2, .addresses = true },
	[WORLD_IPIP4_ADDRESSES] = { MPLB_FORWARD_IPIP, V4, BY_NEAR, 2, .mtu = 600,
				    .addresses = true },
	[WORLD_FIB_IPIP4] = { MPLB_FORWARD_IPIP, "10.99.0.2", "10.99.0.1", BY_FIB, 1 },
	[WORLD_FIB_GUE6] = { MPLB_FORWARD_GUE, "fd99::2", "fd99::1", BY_FIB, 1 },
	[WORLD_FIB_L2] = { MPLB_FORWARD_L2, "10.99.0.2", "10.99.0.1", BY_FIB, 1 },
	[WORLD_FIB_NO_ROUTE] = { MPLB_FORWARD_IPIP, "192.0.2.1", "10.99.0.1", BY_FIB, 1,
				 .fib = MPLB_R_NO_ROUTE },
	[WORLD_FIB_NO_ROUTE6] = { MPLB_FORWARD_IPIP, "fd98::1", "fd99::1", BY_FIB, 1,
				  .fib = MPLB_R_NO_ROUTE },
	[WORLD_FIB_NO_NEIGHBOUR] = { MPLB_FORWARD_L2, "10.99.0.3", "10.99.0.1", BY_FIB, 1,
				     .fib = MPLB_R_NO_NEIGHBOUR },
	[WORLD_FIB_NO_NEIGHBOUR6] = { MPLB_FORWARD_GUE, "fd99::3", "fd99::1", BY_FIB, 1,
				      .fib = MPLB_R_NO_NEIGHBOUR },
	[WORLD_FIB_SMALL] = { MPLB_FORWARD_GUE, "10.98.0.1", "10.99.0.1", BY_FIB, 1,
			      .fib_mtu = ROUTE_MTU },
	[WORLD_DRAINED] = { MPLB_FORWARD_GUE, V4, BY_NEAR, 2 },
};

/* Services of the VIP addresses of a pool: on the first address, then on the second. */
struct service {
	unsigned int address;
	uint16_t port;
	uint8_t proto;
	enum mplb_mp_join mp_join;
	uint16_t join_base;
};

static const struct service services[SERVICES_MAX] = {
	{ 0, 443, IPPROTO_TCP, MPLB_MP_JOIN_REJECT },
	{ 0, 443, IPPROTO_UDP, MPLB_MP_JOIN_REJECT },
	{ 0, 80, IPPROTO_TCP, MPLB_MP_JOIN_HASH },
	{ 1, 443, IPPROTO_TCP, MPLB_MP_JOIN_HASH },
	{ 1, 0, IPPROTO_TCP, MPLB_MP_JOIN_REJECT },
	{ 1, 0, IPPROTO_UDP, MPLB_MP_JOIN_REJECT },
	{ 0, 8443, IPPROTO_TCP, MPLB_MP_JOIN_STEER, JOIN_BASE },
	{ 1, 8443, IPPROTO_TCP, MPLB_MP_JOIN_STEER },
};

/* Backends */

/* Sum of what is constant in an outer IPv4 header (struct mplb_backend, csum). */
static uint16_t constant_sum(const struct mplb_backend *b)
{
	uint32_t sum = htons(0x4500) + htons(0x4000) + htons(64 << 8);
	uint16_t half[4];

	memcpy(half, &b->src, 4);
	memcpy(half + 2, &b->dst, 4);
	for (int i = 0; i < 4; i++)
		sum += half[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

static void add_to_address(struct ip *ip, unsigned int n)
{
	uint8_t *bytes = (uint8_t *)&ip->addr;

	bytes[IP_KEYLEN(ip->family) - 1] = (uint8_t)(bytes[IP_KEYLEN(ip->family) - 1] + n);
}

static void set_hop(struct world *world, const struct pool_case *c, uint32_t index)
{
	struct model_hop *hop = &world->fib[index];
	bool four = world->dp.backends[index].family == MPLB_FAMILY_4;

	hop->reason = c->fib;
	hop->ifindex = world->away;
	hop->mtu = c->fib_mtu ? c->fib_mtu : 9000;
	memcpy(hop->smac, away_mac, 6);
	memcpy(hop->dmac, four ? next_mac4 : next_mac6, 6);
}

static int set_backend(struct world *world, const struct pool_case *c, uint32_t pool,
		       unsigned int n)
{
	uint32_t index = pool * WORLD_MEMBERS + n;
	struct mplb_backend *b = &world->dp.backends[index];
	struct ip dst, src;

	if (ip_parse(c->dst, &dst) || ip_parse(c->src, &src))
		return log_err_r(-EINVAL, "pool %u: bad address", pool);
	add_to_address(&dst, n);
	*b = (struct mplb_backend){
		.dst = dst.addr,
		.src = src.addr,
		.mtu = c->mtu ? c->mtu : 1500,
		.forward = (uint8_t)c->forward,
		.family = dst.family,
		.vlan = c->vlan,
	};
	if (dst.family == MPLB_FAMILY_4)
		b->csum = constant_sum(b);
	if (c->by == BY_FIB) {
		set_hop(world, c, index);
		return 0;
	}
	b->flags = MPLB_BACKEND_F_RESOLVED;
	b->ifindex = c->by == BY_NEAR ? world->near : world->away;
	memcpy(b->dmac, (uint8_t[]){ 2, 0xb0, 0, 0, (uint8_t)pool, (uint8_t)n }, 6);
	memcpy(b->smac, (uint8_t[]){ 2, 0xa0, 0, 0, (uint8_t)pool, (uint8_t)n }, 6);
	return 0;
}

/* Tables */

/* A mix, so that owner and fallback are different members, or only one of them is there: active,
 * joining, draining, active, down, joining. */
static void set_weights(uint32_t pool, unsigned int n, struct maglev_member *m)
{
	static const bool owns[] = { true, true, false, true, false, true };
	static const bool owned[] = { true, false, true, true, true, false };
	uint32_t weight = 50 + 30 * n;

	m->weight = owns[n % COUNT_OF(owns)] && pool != WORLD_DRAINED ? weight : 0;
	m->base = owned[n % COUNT_OF(owned)] || pool == WORLD_DRAINED ? weight : 0;
}

static int fill_table(uint32_t pool, struct mplb_table_slot *slots)
{
	struct maglev_member members[WORLD_MEMBERS];
	unsigned int n = cases[pool].members;

	if (pool == WORLD_BAD_BACKEND) {
		for (size_t i = 0; i < MPLB_TABLE_SLOTS; i++)
			slots[i] = (struct mplb_table_slot){ MPLB_MAX_BACKENDS, 0 };
		return 0;
	}
	for (unsigned int i = 0; i < n; i++) {
		members[i] =
			(struct maglev_member){ .id = (uint16_t)(i + 1),
						.index = (uint16_t)(pool * WORLD_MEMBERS + i) };
		set_weights(pool, i, &members[i]);
	}
	return maglev_build(members, n, SEED + pool, slots);
}

static int set_pool(struct world *world, uint32_t pool)
{
	struct mplb_table_slot *slots;
	int fd, err = 0;

	world->pools[pool].addresses = cases[pool].addresses;
	for (unsigned int i = 0; i < cases[pool].members && !err; i++)
		err = set_backend(world, &cases[pool], pool, i);
	if (err || pool == WORLD_NO_TABLE)
		return err;
	fd = pooltable_new(&slots);
	if (fd < 0)
		return fd;
	err = fill_table(pool, slots);
	/* The mapping stays: the model reads it too. */
	world->pools[pool].slots = slots;
	if (!err && bpf_map_update_elem(world->dp.tables, &pool, &fd, BPF_ANY))
		err = -errno;
	close(fd);
	return err;
}

/* VIPs */

static int add_vip(struct world *world, struct mplb_vip_slot *table, uint32_t pool, bool six,
		   const struct service *service)
{
	struct mplb_vip_slot slot = { 0 }, address = { 0 };
	struct model_vip *vip = &world->vips[world->model.n_vips];
	char text[IP_STRLEN];
	int err;

	snprintf(text, sizeof(text), six ? "2001:db8:%u::%x" : "198.51.%u.%u",
		 100 + service->address, pool);
	*vip = (struct model_vip){ .port = service->port,
				   .proto = service->proto,
				   .mp_join = service->mp_join,
				   .join_base = service->join_base,
				   .pool = pool,
				   .key = mplb_key(SEED, world->model.n_vips) };
	err = ip_parse(text, &vip->addr);
	if (err)
		return err;
	slot.addr = address.addr = vip->addr.addr;
	slot.service = mplb_vip_service(htons(vip->port), vip->proto, vip->addr.family);
	address.service = mplb_vip_service(0, 0, vip->addr.family);
	slot.mp_join = (uint8_t)vip->mp_join;
	slot.hash_key = vip->key;
	slot.join_base = service->join_base;
	if (vip->mp_join == MPLB_MP_JOIN_STEER)
		slot.flags = MPLB_VIP_F_STEER;
	slot.vip = (uint32_t)world->model.n_vips++;
	slot.table = pool;
	err = viptable_insert(table, &slot);
	if (!err && slot.join_base) {
		slot.flags = MPLB_VIP_F_PORTS;
		slot.service = mplb_vip_service(htons(JOIN_BASE / 256 * 256), MPLB_JOIN_PROTO,
						vip->addr.family);
		err = viptable_insert(table, &slot);
	}
	if (!err)
		err = viptable_insert(table, &address);
	return err == -EEXIST ? 0 : err;
}

/* Sets the flag of the VIPs whose pool hashes by addresses only. */
static void flag_vips(const struct world *world, struct mplb_vip_slot *table)
{
	for (size_t i = 0; i < MPLB_VIP_SLOTS; i++)
		if (table[i].service >> 16 & 0xff && world->pools[table[i].table].addresses)
			table[i].flags |= MPLB_VIP_F_ADDRESSES;
}

static int set_vips(struct world *world)
{
	struct mplb_vip_slot *table = viptable_new();
	int err = table ? 0 : -ENOMEM;

	for (uint32_t pool = 1; pool < WORLD_POOLS && !err; pool++)
		for (size_t i = 0; i < 2 * COUNT_OF(services) && !err; i++)
			err = add_vip(world, table, pool, i & 1, &services[i / 2]);
	if (!err) {
		viptable_seal(table);
		flag_vips(world, table);
		err = viptable_commit(&world->dp, table);
	}
	free(table);
	return err;
}

/* Members */

static int add_member(struct world *world, uint32_t pool, uint32_t which, uint32_t index)
{
	struct mplb_member_key key = { pool, which };

	world->members[world->model.n_members++] =
		(struct model_member){ pool, which, (uint16_t)index };
	return bpf_map_update_elem(world->dp.members, &key, &index, BPF_ANY) ? -errno : 0;
}

/* Ids but the second's; and who is the same server: those of one pool themselves, and those of
 * equal number in two pools that are neighbours. */
static int set_members(struct world *world, uint32_t pool)
{
	int err = 0;

	for (uint32_t n = 0; n < cases[pool].members && !err; n++) {
		uint32_t index = pool * WORLD_MEMBERS + n;

		if (n != 1)
			err = add_member(world, pool, MPLB_MEMBER_ID | (n + 1), index);
		for (uint32_t other = pool - 1; other <= pool + 1 && !err; other++)
			if (other && other < WORLD_POOLS && n < cases[other].members)
				err = add_member(world, other, index, other * WORLD_MEMBERS + n);
	}
	return err;
}

int world_fill(struct world *world)
{
	int err = 0;

	for (uint32_t pool = 1; pool < WORLD_POOLS && !err; pool++)
		err = set_members(world, pool);

	for (uint32_t pool = 1; pool < WORLD_POOLS && !err; pool++)
		err = set_pool(world, pool);
	return err ? err : set_vips(world);
}
