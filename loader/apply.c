/* SPDX-License-Identifier: GPL-2.0-only */
#include "apply.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "backends.h"
#include "lib/log.h"
#include "maglev.h"
#include "mplb/hash.h"
#include "pooltable.h"
#include "viptable.h"

#define UNSET 0xffffffff

/* The places that the parts of a config get. */
struct plan {
	struct datapath *dp;
	const struct lb_config *config;
	struct in_force now, next;
	__u32 *vip; /* per VIP of the config: index */
	__u32 *table; /* per pool: index */
	bool *keeps_table; /* per pool: the one in force is right */
	__u32 **backend; /* per pool and backend: index */
	json_t *changes;
};

int in_force_read(const struct datapath *dp, struct in_force *out)
{
	const struct mplb_vip_slot *slots = viptable_live(dp);

	memset(out, 0, sizeof(*out));
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
	for (size_t i = 0; i < MPLB_MAX_BACKENDS; i++) {
		const struct mplb_backend_info *info = &dp->backend_info[i];

		out->backend[i] =
			info->name[0] && info->table < MPLB_MAX_POOLS && out->table[info->table];
	}
	return 0;
}

static void note(struct plan *plan, const char *action, const char *object, const char *name,
		 const char *detail)
{
	json_array_append_new(plan->changes,
			      json_pack("{s:s, s:s, s:s, s:s}", "action", action, "object", object,
					"name", name, "detail", detail));
}

/* First index that is neither in force now nor taken by the plan. UNSET: all are. */
static __u32 take_free(const bool *now, bool *next, __u32 max)
{
	for (__u32 i = 0; i < max; i++) {
		if (!now[i] && !next[i]) {
			next[i] = true;
			return i;
		}
	}
	return UNSET;
}

static bool same_ip(const struct mplb_ip *a, __u8 family, const struct ip *b)
{
	return family == b->family && !memcmp(a, &b->addr, sizeof(*a));
}

/* Backends */

static __u32 find_backend(const struct plan *plan, const struct lb_pool *pool,
			  const struct lb_backend *b)
{
	for (__u32 i = 0; i < MPLB_MAX_BACKENDS; i++) {
		const struct mplb_backend_info *info = &plan->dp->backend_info[i];

		if (plan->now.backend[i] && info->id == b->id && info->forward == pool->forward &&
		    same_ip(&info->addr, info->family, &b->addr) && !strcmp(info->pool, pool->name))
			return i;
	}
	return UNSET;
}

static void note_backend(struct plan *plan, const struct lb_pool *pool, const struct lb_backend *b,
			 const struct mplb_backend_info *old)
{
	char name[2 * MPLB_NAME_LEN + 1], detail[160], addr[IP_STRLEN];

	snprintf(name, sizeof(name), "%s/%s", pool->name, b->name);
	if (!old) {
		snprintf(detail, sizeof(detail), "%s id %u weight %u", ip_format(&b->addr, addr),
			 b->id, b->weight);
		note(plan, "add", "backend", name, detail);
	} else if (old->weight != b->weight) {
		snprintf(detail, sizeof(detail), "weight %u -> %u", old->weight, b->weight);
		note(plan, "change", "backend", name, detail);
	}
	if (old && strcmp(old->name, b->name)) {
		snprintf(detail, sizeof(detail), "name %s -> %s", old->name, b->name);
		note(plan, "change", "backend", name, detail);
	}
}

static int plan_backends(struct plan *plan, size_t p)
{
	const struct lb_pool *pool = &plan->config->pools[p];

	plan->backend[p] = calloc(pool->n_backends + 1, sizeof(__u32));
	if (!plan->backend[p])
		return -ENOMEM;
	for (size_t i = 0; i < pool->n_backends; i++) {
		const struct lb_backend *b = &pool->backends[i];
		__u32 index = find_backend(plan, pool, b);

		note_backend(plan, pool, b, index == UNSET ? NULL : &plan->dp->backend_info[index]);
		if (index == UNSET)
			index = take_free(plan->now.backend, plan->next.backend, MPLB_MAX_BACKENDS);
		if (index == UNSET)
			return log_err_r(-ENOSPC,
					 "pool %s: no room for backend %s: old and new backends "
					 "together may be %d; apply in two steps",
					 pool->name, b->name, MPLB_MAX_BACKENDS);
		plan->next.backend[index] = true;
		plan->backend[p][i] = index;
	}
	return 0;
}

/* Pools */

/* Does the table at index hold exactly this pool's members, weights and seed? */
static bool table_is_right(const struct plan *plan, size_t p, __u32 index)
{
	const struct lb_pool *pool = &plan->config->pools[p];
	const struct mplb_pool_info *info = &plan->dp->pool_info[index];
	size_t members = 0;

	if (strcmp(info->name, pool->name) || info->hash_seed != plan->config->hash_seed)
		return false;
	for (size_t i = 0; i < pool->n_backends; i++) {
		__u32 b = plan->backend[p][i];

		if (!plan->now.backend[b] || plan->dp->backend_info[b].table != index ||
		    plan->dp->backend_info[b].weight != pool->backends[i].weight)
			return false;
	}
	for (size_t i = 0; i < MPLB_MAX_BACKENDS; i++)
		members += plan->now.backend[i] && plan->dp->backend_info[i].table == index;
	return members == pool->n_backends;
}

static int plan_pools(struct plan *plan)
{
	for (size_t p = 0; p < plan->config->n_pools; p++) {
		int err = plan_backends(plan, p);

		if (err)
			return err;
		plan->table[p] = UNSET;
		for (__u32 t = 0; t < MPLB_MAX_POOLS; t++) {
			if (plan->now.table[t] && table_is_right(plan, p, t)) {
				plan->table[p] = t;
				plan->next.table[t] = true;
				plan->keeps_table[p] = true;
			}
		}
		if (plan->table[p] == UNSET)
			plan->table[p] =
				take_free(plan->now.table, plan->next.table, MPLB_MAX_POOLS);
		if (plan->table[p] == UNSET)
			return log_err_r(-ENOSPC,
					 "pool %s: no room: old and new tables together may be %d; "
					 "apply in two steps",
					 plan->config->pools[p].name, MPLB_MAX_POOLS);
	}
	return 0;
}

/* Builds a pool's table in a map of its own. Returns its descriptor or -errno. */
static int build_table(const struct plan *plan, size_t p)
{
	const struct lb_pool *pool = &plan->config->pools[p];
	struct maglev_member *members = calloc(pool->n_backends + 1, sizeof(*members));
	struct mplb_table_slot *slots = NULL;
	int fd, err = -ENOMEM;

	fd = pooltable_new(&slots);
	if (fd < 0 || !members)
		goto out;
	for (size_t i = 0; i < pool->n_backends; i++)
		members[i] = (struct maglev_member){
			.id = pool->backends[i].id,
			.index = (uint16_t)plan->backend[p][i],
			.weight = pool->backends[i].weight,
			.state = MPLB_MEMBER_ACTIVE,
		};
	err = maglev_build(members, pool->n_backends, plan->config->hash_seed, slots);
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
 * after each, which would be the longest part of a large apply. */
static int write_tables(const struct plan *plan)
{
	size_t pools = plan->config->n_pools;
	__u32 *keys = calloc(pools + 1, sizeof(*keys)), n = 0;
	int *fds = calloc(pools + 1, sizeof(*fds)), err = 0;

	if (!keys || !fds)
		err = -ENOMEM;
	for (size_t p = 0; !err && p < pools; p++) {
		int fd;

		if (plan->keeps_table[p])
			continue;
		fd = build_table(plan, p);
		if (fd < 0) {
			err = log_err_r(fd, "pool %s: cannot build its table: %s",
					plan->config->pools[p].name, strerror(-fd));
			break;
		}
		keys[n] = plan->table[p];
		fds[n++] = fd;
	}
	if (!err && n) {
		__u32 count = n;

		if (bpf_map_update_batch(plan->dp->tables, keys, fds, &count, NULL))
			err = log_err_r(-errno, "cannot write the pools' tables: %s",
					strerror(errno));
	}
	for (__u32 i = 0; fds && i < n; i++)
		close(fds[i]);
	free(keys);
	free(fds);
	return err;
}

/* VIPs */

static const char *vip_text(const struct ip *ip, unsigned int port, __u8 protocol, char *buf,
			    size_t len)
{
	char addr[IP_STRLEN];

	snprintf(buf, len, ip->family == MPLB_FAMILY_4 ? "%s:%u/%s" : "[%s]:%u/%s",
		 ip_format(ip, addr), port, protocol == IPPROTO_TCP ? "tcp" : "udp");
	return buf;
}

static void note_vip(struct plan *plan, const struct lb_vip *vip, const struct mplb_vip_info *old)
{
	static const char *const policy[] = { "reject", "hash" };
	char detail[256], text[80];

	vip_text(&vip->addr, vip->port, vip->protocol, text, sizeof(text));
	if (!old) {
		snprintf(detail, sizeof(detail), "%s -> pool %s, mp_join %s", text, vip->pool->name,
			 policy[vip->mp_join]);
		note(plan, "add", "vip", vip->name, detail);
		return;
	}
	if (strcmp(old->pool, vip->pool->name)) {
		snprintf(detail, sizeof(detail), "%s pool %s -> %s", text, old->pool,
			 vip->pool->name);
		note(plan, "change", "vip", vip->name, detail);
	}
	if (old->mp_join != vip->mp_join) {
		snprintf(detail, sizeof(detail), "%s mp_join %s -> %s", text,
			 policy[old->mp_join & 1], policy[vip->mp_join]);
		note(plan, "change", "vip", vip->name, detail);
	}
	if (strcmp(old->name, vip->name)) {
		snprintf(detail, sizeof(detail), "%s name %s -> %s", text, old->name, vip->name);
		note(plan, "change", "vip", vip->name, detail);
	}
}

static int plan_vips(struct plan *plan)
{
	for (size_t v = 0; v < plan->config->n_vips; v++) {
		const struct lb_vip *vip = &plan->config->vips[v];
		const struct mplb_vip_info *info = plan->dp->vip_info;
		__u32 index = UNSET;

		for (__u32 i = 0; i < MPLB_MAX_VIPS; i++)
			if (plan->now.vip[i] && info[i].port == htons(vip->port) &&
			    info[i].proto == vip->protocol &&
			    same_ip(&info[i].addr, info[i].family, &vip->addr))
				index = i;
		note_vip(plan, vip, index == UNSET ? NULL : &info[index]);
		if (index == UNSET)
			index = take_free(plan->now.vip, plan->next.vip, MPLB_MAX_VIPS);
		if (index == UNSET)
			return log_err_r(-ENOSPC,
					 "vip %s: no room: old and new VIPs together may be %d; "
					 "apply in two steps",
					 vip->name, MPLB_MAX_VIPS);
		plan->next.vip[index] = true;
		plan->vip[v] = index;
	}
	return 0;
}

static void note_removed(struct plan *plan)
{
	char text[2 * MPLB_NAME_LEN + 1], detail[80];

	for (size_t i = 0; i < MPLB_MAX_VIPS; i++) {
		const struct mplb_vip_info *info = &plan->dp->vip_info[i];
		struct ip ip = { .addr = info->addr, .family = info->family };

		if (plan->now.vip[i] && !plan->next.vip[i])
			note(plan, "remove", "vip", info->name,
			     vip_text(&ip, ntohs(info->port), info->proto, detail, sizeof(detail)));
	}
	for (size_t i = 0; i < MPLB_MAX_BACKENDS; i++) {
		const struct mplb_backend_info *info = &plan->dp->backend_info[i];
		struct ip ip = { .addr = info->addr, .family = info->family };

		if (!plan->now.backend[i] || plan->next.backend[i])
			continue;
		snprintf(text, sizeof(text), "%s/%s", info->pool, info->name);
		note(plan, "remove", "backend", text, ip_format(&ip, detail));
	}
}

/* The key of a VIP's flow hash: the same on every balancer with the same config. */
static __u64 vip_hash_key(const struct mplb_vip_slot *slot, __u64 seed)
{
	__u64 word[2];

	memcpy(word, &slot->addr, sizeof(word));
	return mplb_key(mplb_key(mplb_key(seed, word[0]), word[1]), slot->service);
}

static int write_vips(const struct plan *plan)
{
	struct mplb_vip_slot *table = viptable_new();
	int err = table ? 0 : -ENOMEM;

	for (size_t v = 0; !err && v < plan->config->n_vips; v++) {
		const struct lb_vip *vip = &plan->config->vips[v];
		struct mplb_vip_slot slot = {
			.addr = vip->addr.addr,
			.service =
				mplb_vip_service(htons(vip->port), vip->protocol, vip->addr.family),
			.mp_join = (__u8)vip->mp_join,
			.vip = plan->vip[v],
			.table = plan->table[vip->pool - plan->config->pools],
		};
		struct mplb_vip_slot address = {
			.addr = slot.addr,
			.service = mplb_vip_service(0, 0, vip->addr.family),
		};

		slot.hash_key = vip_hash_key(&slot, plan->config->hash_seed);
		err = viptable_insert(table, &slot);
		if (!err) {
			err = viptable_insert(table, &address);
			if (err == -EEXIST) /* another VIP of the same address */
				err = 0;
		}
		if (err)
			log_error("vip %s: no room in the VIP table: too many VIPs fall into the "
				  "same place; give one another port or address",
				  vip->name);
	}
	if (!err) {
		viptable_seal(table);
		err = viptable_commit(plan->dp, table);
		if (err)
			log_error("cannot put the VIP table in force: %s", strerror(-err));
	}
	free(table);
	return err;
}

/* Names and settings */

static void describe_backends(const struct plan *plan, bool fresh)
{
	for (size_t p = 0; p < plan->config->n_pools; p++) {
		const struct lb_pool *pool = &plan->config->pools[p];

		for (size_t i = 0; i < pool->n_backends; i++) {
			const struct lb_backend *b = &pool->backends[i];
			__u32 index = plan->backend[p][i];
			struct mplb_backend_info info = {
				.addr = b->addr.addr,
				.family = b->addr.family,
				.table = plan->table[p],
				.weight = b->weight,
				.id = b->id,
				.state = MPLB_MEMBER_ACTIVE,
				.forward = (__u8)pool->forward,
			};

			if (plan->now.backend[index] == fresh)
				continue;
			snprintf(info.name, sizeof(info.name), "%s", b->name);
			snprintf(info.pool, sizeof(info.pool), "%s", pool->name);
			plan->dp->backend_info[index] = info;
		}
	}
}

static void describe_pools(const struct plan *plan)
{
	for (size_t p = 0; p < plan->config->n_pools; p++) {
		const struct lb_pool *pool = &plan->config->pools[p];
		struct mplb_pool_info info = {
			.hash_seed = plan->config->hash_seed,
			.forward = (__u8)pool->forward,
		};

		snprintf(info.name, sizeof(info.name), "%s", pool->name);
		plan->dp->pool_info[plan->table[p]] = info;
	}
}

static void describe_vips(const struct plan *plan, bool fresh)
{
	for (size_t v = 0; v < plan->config->n_vips; v++) {
		const struct lb_vip *vip = &plan->config->vips[v];
		__u32 index = plan->vip[v];
		struct mplb_vip_info info = {
			.addr = vip->addr.addr,
			.port = htons(vip->port),
			.proto = vip->protocol,
			.family = vip->addr.family,
			.mp_join = (__u8)vip->mp_join,
		};

		if (plan->now.vip[index] == fresh)
			continue;
		snprintf(info.name, sizeof(info.name), "%s", vip->name);
		snprintf(info.pool, sizeof(info.pool), "%s", vip->pool->name);
		plan->dp->vip_info[index] = info;
	}
}

/* An index given anew begins at 0. */
static int zero_counters(const struct plan *plan)
{
	int err = 0;

	for (__u32 i = 0; !err && i < MPLB_MAX_VIPS; i++)
		if (plan->next.vip[i] && !plan->now.vip[i])
			err = datapath_zero(plan->dp->vip_stats, i, MPLB_VIP_C_MAX);
	for (__u32 i = 0; !err && i < MPLB_MAX_BACKENDS; i++)
		if (plan->next.backend[i] && !plan->now.backend[i])
			err = datapath_zero(plan->dp->backend_stats, i,
					    sizeof(struct mplb_backend_stats) / sizeof(__u64));
	return err ? log_err_r(err, "cannot reset counters: %s", strerror(-err)) : 0;
}

/* Frees what the new VIP table does not lead to. Nothing here can fail a change that is in force.
 */
static void collect_garbage(const struct plan *plan)
{
	__u32 keys[MPLB_MAX_POOLS], n = 0;

	for (__u32 i = 0; i < MPLB_MAX_POOLS; i++) {
		if (plan->next.table[i] || !plan->dp->pool_info[i].name[0])
			continue;
		plan->dp->pool_info[i] = (struct mplb_pool_info){ 0 };
		keys[n++] = i;
	}
	if (n && bpf_map_delete_batch(plan->dp->tables, keys, &n, NULL) && errno != ENOENT)
		log_warn("old tables stay until the next apply: %s", strerror(errno));
	for (size_t i = 0; i < MPLB_MAX_VIPS; i++)
		if (!plan->next.vip[i])
			plan->dp->vip_info[i] = (struct mplb_vip_info){ 0 };
	for (size_t i = 0; i < MPLB_MAX_BACKENDS; i++)
		if (!plan->next.backend[i])
			plan->dp->backend_info[i] = (struct mplb_backend_info){ 0 };
}

static int plan_new(struct datapath *dp, const struct lb_config *config, json_t *changes,
		    struct plan *plan)
{
	*plan = (struct plan){
		.dp = dp,
		.config = config,
		.changes = changes,
		.vip = calloc(config->n_vips + 1, sizeof(__u32)),
		.table = calloc(config->n_pools + 1, sizeof(__u32)),
		.keeps_table = calloc(config->n_pools + 1, sizeof(bool)),
		.backend = calloc(config->n_pools + 1, sizeof(__u32 *)),
	};
	if (!plan->vip || !plan->table || !plan->keeps_table || !plan->backend)
		return -ENOMEM;
	return in_force_read(dp, &plan->now);
}

static void plan_free(struct plan *plan)
{
	for (size_t p = 0; plan->backend && p < plan->config->n_pools; p++)
		free(plan->backend[p]);
	free(plan->backend);
	free(plan->keeps_table);
	free(plan->table);
	free(plan->vip);
}

static int apply_plan(struct plan *plan)
{
	int err = plan_pools(plan);

	if (!err)
		err = plan_vips(plan);
	if (err)
		return err;
	note_removed(plan);
	/* Into places that no packet looks at. */
	describe_pools(plan);
	describe_backends(plan, true);
	describe_vips(plan, true);
	err = zero_counters(plan);
	if (!err)
		err = backends_write(plan->dp, plan->config, plan->backend, &plan->now);
	if (!err)
		err = write_tables(plan);
	/* From here on the new state is in force. */
	if (!err)
		err = write_vips(plan);
	if (err)
		return err;
	describe_backends(plan, false);
	describe_vips(plan, false);
	collect_garbage(plan);
	return 0;
}

int apply_config(struct datapath *dp, const struct lb_config *config, json_t *changes)
{
	int lock = pin_lock(dp->folder, 1), err;
	struct plan *plan;

	if (lock < 0)
		return lock;
	plan = calloc(1, sizeof(*plan));
	err = plan ? plan_new(dp, config, changes, plan) : -ENOMEM;
	if (err)
		log_error("%s: cannot read what is in force: %s", dp->folder, strerror(-err));
	else
		err = apply_plan(plan);
	if (plan)
		plan_free(plan);
	free(plan);
	close(lock);
	return err;
}
