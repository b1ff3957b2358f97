/* SPDX-License-Identifier: GPL-2.0-only */
#include "members.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "lib/log.h"

struct members {
	struct mplb_member_key *keys; /* sorted, each once */
	__u32 *values;
	__u32 n;
};

/* An entry while the list is made. rank: of several with one key, the least wins. */
struct entry {
	struct mplb_member_key key;
	__u32 value, rank;
};

struct list {
	struct entry *at;
	size_t n, room;
};

static int add(struct list *list, __u32 table, __u32 which, const struct state_member *to)
{
	if (list->n == list->room) {
		size_t room = list->room ? 2 * list->room : 256;
		struct entry *at = reallocarray(list->at, room, sizeof(*at));

		if (!at)
			return -ENOMEM;
		list->at = at;
		list->room = room;
	}
	/* One that is in the config before one that is kept until the pool is settled. */
	list->at[list->n++] = (struct entry){
		.key = { table, which },
		.value = to->index,
		.rank = to->flags & MPLB_MEMBER_F_GONE,
	};
	return 0;
}

static int compare_keys(const void *a, const void *b)
{
	const struct mplb_member_key *x = a, *y = b;

	if (x->table != y->table)
		return x->table < y->table ? -1 : 1;
	return x->which < y->which ? -1 : x->which > y->which;
}

static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order = compare_keys(&x->key, &y->key);

	if (order)
		return order;
	return x->rank < y->rank ? -1 : x->rank > y->rank;
}

static bool has_vip(const struct state *state, size_t pool, bool ports)
{
	for (size_t v = 0; v < state->n_vips; v++) {
		const struct state_vip *vip = &state->vips[v];

		if (vip->pool == pool &&
		    (ports ? vip->join_base != 0 : vip->mp_join == MPLB_MP_JOIN_STEER))
			return true;
	}
	return false;
}

static bool is_same_server(const struct state_member *a, const struct state_member *b)
{
	return ip_equal(&a->addr, &b->addr) || (a->id == b->id && !strcmp(a->name, b->name));
}

static int list_ids(const struct state_pool *pool, struct list *list)
{
	int err = 0;

	for (size_t i = 0; !err && i < pool->n_members; i++)
		err = add(list, pool->table, MPLB_MEMBER_ID | pool->members[i].id,
			  &pool->members[i]);
	return err;
}

/* Joins at this pool's VIPs whose tokens were learnt at one of that pool. */
static int list_servers(const struct state_pool *pool, const struct state_pool *learnt,
			struct list *list)
{
	int err = 0;

	for (size_t i = 0; i < learnt->n_members; i++) {
		for (size_t j = 0; !err && j < pool->n_members; j++) {
			if (pool == learnt ? i == j
					   : is_same_server(&learnt->members[i], &pool->members[j]))
				err = add(list, pool->table, learnt->members[i].index,
					  &pool->members[j]);
		}
	}
	return err;
}

static int list_all(const struct state *want, struct list *list)
{
	bool *steers = calloc(want->n_pools + 1, sizeof(*steers));
	int err = steers ? 0 : -ENOMEM;

	for (size_t p = 0; !err && p < want->n_pools; p++) {
		steers[p] = has_vip(want, p, false);
		if (has_vip(want, p, true))
			err = list_ids(&want->pools[p], list);
	}
	for (size_t p = 0; !err && p < want->n_pools; p++)
		for (size_t q = 0; !err && steers[p] && q < want->n_pools; q++)
			if (steers[q])
				err = list_servers(&want->pools[p], &want->pools[q], list);
	free(steers);
	return err;
}

/* From the list, sorted: the first of each key. */
static int take(struct members *members, const struct list *list)
{
	members->keys = calloc(list->n + 1, sizeof(*members->keys));
	members->values = calloc(list->n + 1, sizeof(*members->values));
	if (!members->keys || !members->values)
		return -ENOMEM;
	for (size_t i = 0; i < list->n; i++) {
		if (i && !compare_keys(&list->at[i].key, &list->at[i - 1].key))
			continue;
		members->keys[members->n] = list->at[i].key;
		members->values[members->n++] = list->at[i].value;
	}
	/* The new ones beside the old ones. */
	if (members->n <= MPLB_MAX_MEMBERS / 2)
		return 0;
	return log_err_r(-ENOSPC,
			 "mp_join: steer and join_ports: %u pairs of pools' members are the same "
			 "server, and %d have room; let VIPs of the same servers share a pool",
			 members->n, MPLB_MAX_MEMBERS / 2);
}

int members_plan(const struct state *want, struct members **out)
{
	struct members *members = calloc(1, sizeof(*members));
	struct list list = { 0 };
	int err = members ? list_all(want, &list) : -ENOMEM;

	if (!err && list.n)
		qsort(list.at, list.n, sizeof(*list.at), compare_entries);
	if (!err)
		err = take(members, &list);
	free(list.at);
	if (err) {
		members_free(members);
		return err;
	}
	*out = members;
	return 0;
}

void members_free(struct members *members)
{
	if (!members)
		return;
	free(members->keys);
	free(members->values);
	free(members);
}

int members_write(const struct datapath *dp, const struct members *members)
{
	for (__u32 i = 0; i < members->n; i++)
		if (bpf_map_update_elem(dp->members, &members->keys[i], &members->values[i],
					BPF_ANY))
			return log_err_r(-errno, "cannot write the pools' members: %s",
					 strerror(errno));
	return 0;
}

void members_prune(const struct datapath *dp, const struct members *members)
{
	struct mplb_member_key key, next;
	bool end = bpf_map_get_next_key(dp->members, NULL, &next);

	while (!end) {
		key = next;
		end = bpf_map_get_next_key(dp->members, &key, &next);
		if (!bsearch(&key, members->keys, members->n, sizeof(key), compare_keys))
			bpf_map_delete_elem(dp->members, &key);
	}
}
