/* SPDX-License-Identifier: GPL-2.0-only */
#include "pm_table.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK	  4096 /* entries allocated at a time */
#define MIN_SLOTS 1024 /* of the hash table: a power of two */
#define WHEEL	  1024 /* lists; an entry that is due later than that many ticks goes round again */

struct pm_table {
	struct pm_conn *chunk[PM_MAX_CONNS / CHUNK];
	__u32 *bucket; /* index of the first entry */
	size_t buckets; /* a power of two */
	size_t count;
	__u32 used; /* entries handed out so far, the unused included */
	__u32 unused; /* first of those given back */
	__u32 wheel[WHEEL]; /* index of the first entry */
	size_t waiting;
	__u32 now; /* tick up to which the wheel has turned */
};

static struct pm_conn *at(const struct pm_table *table, __u32 index)
{
	return &table->chunk[(index - 1) / CHUNK][(index - 1) % CHUNK];
}

/* Tokens are cut from a hash of the server's random key: they spread by themselves, and no client
 * chooses them. */
static __u32 *bucket_of(const struct pm_table *table, __u32 token)
{
	return &table->bucket[token & (table->buckets - 1)];
}

struct pm_table *pm_table_new(void)
{
	struct pm_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->buckets = MIN_SLOTS;
	table->bucket = calloc(table->buckets, sizeof(*table->bucket));
	if (!table->bucket) {
		free(table);
		return NULL;
	}
	return table;
}

void pm_table_free(struct pm_table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < PM_MAX_CONNS / CHUNK; i++)
		free(table->chunk[i]);
	free(table->bucket);
	free(table);
}

size_t pm_table_count(const struct pm_table *table)
{
	return table->count;
}

struct pm_conn *pm_table_find(const struct pm_table *table, __u32 token)
{
	__u32 index = *bucket_of(table, token);

	while (index != PM_NONE && at(table, index)->token != token)
		index = at(table, index)->chain;
	return index == PM_NONE ? NULL : at(table, index);
}

/* Doubles the hash table. Without memory the chains get longer instead. */
static void grow(struct pm_table *table)
{
	size_t old = table->buckets;
	__u32 *from = table->bucket, *to = calloc(old * 2, sizeof(*to));

	if (!to)
		return;
	table->bucket = to;
	table->buckets = old * 2;
	for (size_t i = 0; i < old; i++) {
		__u32 index = from[i];

		while (index != PM_NONE) {
			struct pm_conn *conn = at(table, index);
			__u32 next = conn->chain, *bucket = bucket_of(table, conn->token);

			conn->chain = *bucket;
			*bucket = index;
			index = next;
		}
	}
	free(from);
}

static struct pm_conn *take_unused(struct pm_table *table)
{
	struct pm_conn *conn;

	if (table->unused != PM_NONE) {
		conn = at(table, table->unused);
		table->unused = conn->chain;
		return conn;
	}
	if (table->used == PM_MAX_CONNS)
		return NULL;
	if (table->used % CHUNK == 0) {
		table->chunk[table->used / CHUNK] = calloc(CHUNK, sizeof(*conn));
		if (!table->chunk[table->used / CHUNK])
			return NULL;
	}
	table->used++;
	conn = at(table, table->used);
	conn->index = table->used;
	return conn;
}

struct pm_conn *pm_table_add(struct pm_table *table, __u32 token)
{
	struct pm_conn *conn = take_unused(table);
	__u32 *bucket;

	if (!conn)
		return NULL;
	if (table->count >= table->buckets)
		grow(table);
	bucket = bucket_of(table, token);
	*conn = (struct pm_conn){ .token = token, .index = conn->index, .chain = *bucket };
	*bucket = conn->index;
	table->count++;
	return conn;
}

void pm_table_remove(struct pm_table *table, struct pm_conn *conn)
{
	__u32 *link = bucket_of(table, conn->token);

	pm_table_cancel(table, conn);
	while (*link != conn->index)
		link = &at(table, *link)->chain;
	*link = conn->chain;
	*conn = (struct pm_conn){ .index = conn->index, .chain = table->unused };
	table->unused = conn->index;
	table->count--;
}

void pm_table_each(struct pm_table *table, void (*cb)(struct pm_conn *conn, void *data), void *data)
{
	for (size_t i = 0; i < table->buckets; i++) {
		__u32 index = table->bucket[i];

		while (index != PM_NONE) {
			struct pm_conn *conn = at(table, index);

			index = conn->chain;
			cb(conn, data);
		}
	}
}

void pm_table_schedule(struct pm_table *table, struct pm_conn *conn, __u32 tick)
{
	__u32 *head;

	pm_table_cancel(table, conn);
	/* What is late, or due at once, comes with the next turn. */
	if ((__s32)(tick - table->now) <= 0)
		tick = table->now + 1;
	conn->due = tick ? tick : 1;
	head = &table->wheel[conn->due % WHEEL];
	conn->before = PM_NONE;
	conn->after = *head;
	if (conn->after != PM_NONE)
		at(table, conn->after)->before = conn->index;
	*head = conn->index;
	table->waiting++;
}

void pm_table_cancel(struct pm_table *table, struct pm_conn *conn)
{
	if (!conn->due)
		return;
	if (conn->before != PM_NONE)
		at(table, conn->before)->after = conn->after;
	else
		table->wheel[conn->due % WHEEL] = conn->after;
	if (conn->after != PM_NONE)
		at(table, conn->after)->before = conn->before;
	conn->before = conn->after = PM_NONE;
	conn->due = 0;
	table->waiting--;
}

struct pm_conn *pm_table_due(struct pm_table *table, __u32 tick)
{
	/* An empty wheel need not be turned. */
	if (!table->waiting)
		table->now = tick;
	while ((__s32)(tick - table->now) > 0) {
		__u32 next = table->now + 1, index = table->wheel[next % WHEEL];

		for (; index != PM_NONE; index = at(table, index)->after) {
			struct pm_conn *conn = at(table, index);

			if ((__s32)(conn->due - next) <= 0) {
				pm_table_cancel(table, conn);
				return conn;
			}
		}
		table->now = next;
	}
	return NULL;
}

bool pm_table_waiting(const struct pm_table *table)
{
	return table->waiting > 0;
}
