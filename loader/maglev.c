/* SPDX-License-Identifier: GPL-2.0-only */
#include "maglev.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/*
 * As in the paper, members take turns, and who has a turn takes the next free slot of its own
 * permutation of the slots, (offset + j * skip) mod M. Weights decide who has a turn when: the k-th
 * turn of a member of weight w comes at time (2k + 1) / w (the divisors of Webster and
 * Sainte-Lague, which keep shares within about a slot of the weights), the first at time 0, so
 * that no member with a weight goes without. The order of two members' turns does not depend on
 * the others: whoever leaves takes its own turns along and no more. Members of equal weight take
 * turns one after another, as in the paper. There is no floating point, so that every machine
 * comes to the same table.
 */
#define SLOTS	    ((uint32_t)MPLB_TABLE_SLOTS)
#define TIME_SHIFT  45 /* fraction bits of a time: (2k + 1) << 45 is in 64 bits for k < 2^17 */
#define RADIX_BITS  11
#define RADIX_SIZE  (1u << RADIX_BITS)
#define MAX_MEMBERS 65536 /* as many as there are ids */

/* Who has a slot now, and had it before. */
enum era { OWNER, BASE, PREV, TABLES };

/* A member at work: where its permutation stands and how it goes on. */
struct seat {
	uint32_t pos;
	uint32_t skip;
	uint32_t weight;
	uint16_t index;
};

struct work {
	struct maglev_member *members; /* sorted by id */
	struct seat *seats;
	uint64_t *turns; /* time in the upper half, seat in the lower */
	uint64_t *spare;
	uint16_t *table[TABLES];
};

uint64_t mplb_key(uint64_t seed, uint64_t number)
{
	uint64_t z = seed + (number + 1) * 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

/* Sorts by time; turns of the same time keep their order. */
static void sort_turns(struct work *work, size_t n)
{
	unsigned int shift;

	for (shift = 32; shift < 64; shift += RADIX_BITS) {
		uint32_t at[RADIX_SIZE] = { 0 }, sum = 0;
		uint64_t *from = work->turns;
		size_t i;

		for (i = 0; i < n; i++)
			at[from[i] >> shift & (RADIX_SIZE - 1)]++;
		for (i = 0; i < RADIX_SIZE; i++) {
			uint32_t count = at[i];

			at[i] = sum;
			sum += count;
		}
		for (i = 0; i < n; i++)
			work->spare[at[from[i] >> shift & (RADIX_SIZE - 1)]++] = from[i];
		work->turns = work->spare;
		work->spare = from;
	}
}

/* Writes at least SLOTS turns, in order. Room for SLOTS + 3 * n is enough: up to a time t a member
 * has at most t * weight / 2 + 1.5 turns. */
static void make_turns(struct work *work, size_t n)
{
	uint64_t total = 0, end;
	unsigned int down = 0;
	size_t count = 0, i;

	for (i = 0; i < n; i++)
		total += work->seats[i].weight;
	/* Up to here all have (SLOTS + n) - n / 2 turns at least. */
	end = ((SLOTS + (uint64_t)n) << (TIME_SHIFT + 1)) / total;
	while (end >> down > UINT32_MAX)
		down++;
	for (i = 0; i < n; i++) {
		uint64_t time = 0, k;

		for (k = 1; time <= end; k++) {
			work->turns[count++] = time >> down << 32 | i;
			time = ((2 * k + 1) << TIME_SHIFT) / work->seats[i].weight;
		}
	}
	sort_turns(work, count);
}

static void take_slots(struct work *work, uint16_t *table)
{
	uint64_t taken[SLOTS / 64 + 1] = { 0 }; /* 8 KiB stay in the first-level cache */
	uint32_t i;

	for (i = 0; i < SLOTS; i++) {
		struct seat *seat = &work->seats[(uint32_t)work->turns[i]];
		uint32_t pos = seat->pos, skip = seat->skip;

		while (taken[pos / 64] >> pos % 64 & 1) {
			pos += skip;
			pos -= pos >= SLOTS ? SLOTS : 0;
		}
		taken[pos / 64] |= 1ULL << pos % 64;
		table[pos] = seat->index;
		seat->pos = pos;
	}
}

static uint32_t weight_in(const struct maglev_member *member, enum era era)
{
	return era == OWNER ? member->weight : era == BASE ? member->base : member->prev;
}

static void build_one(struct work *work, size_t n, uint64_t seed, enum era era)
{
	uint16_t *table = work->table[era];
	size_t seats = 0, i;

	for (i = 0; i < n; i++) {
		const struct maglev_member *member = &work->members[i];
		uint64_t key = mplb_key(seed, member->id);

		if (!weight_in(member, era))
			continue;
		work->seats[seats++] = (struct seat){
			.pos = (uint32_t)(key >> 32) % SLOTS,
			.skip = (uint32_t)key % (SLOTS - 1) + 1,
			.weight = weight_in(member, era),
			.index = member->index,
		};
	}
	if (!seats) {
		for (i = 0; i < SLOTS; i++)
			table[i] = MPLB_NO_BACKEND;
		return;
	}
	make_turns(work, seats);
	take_slots(work, table);
}

static int by_id(const void *a, const void *b)
{
	const struct maglev_member *left = a, *right = b;

	return (int)left->id - (int)right->id;
}

static bool is_id_twice(const struct maglev_member *a, const struct maglev_member *b)
{
	return a->id == b->id &&
	       ((a->weight && b->weight) || (a->base && b->base) || (a->prev && b->prev));
}

/* Does every member have the same weight in both? */
static bool is_same(const struct work *work, size_t n, enum era a, enum era b)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (weight_in(&work->members[i], a) != weight_in(&work->members[i], b))
			return false;
	return true;
}

/* Builds a table, unless an earlier one has the same members. */
static void build_or_copy(struct work *work, size_t n, uint64_t seed, enum era era)
{
	enum era other;

	for (other = OWNER; other < era; other++) {
		if (is_same(work, n, era, other)) {
			memcpy(work->table[era], work->table[other],
			       SLOTS * sizeof(*work->table[0]));
			return;
		}
	}
	build_one(work, n, seed, era);
}

/* Sorts, refuses an id twice, and builds. */
static int build_all(struct work *work, size_t n, uint64_t seed)
{
	size_t i, j;

	qsort(work->members, n, sizeof(*work->members), by_id);
	for (i = 0; i < n; i++)
		for (j = i; j > 0 && work->members[j - 1].id == work->members[i].id; j--)
			if (is_id_twice(&work->members[j - 1], &work->members[i]))
				return -EINVAL;
	build_one(work, n, seed, OWNER);
	build_or_copy(work, n, seed, BASE);
	build_or_copy(work, n, seed, PREV);
	return 0;
}

static uint16_t fallback_of(const struct work *work, uint32_t i)
{
	uint16_t base = work->table[BASE][i], prev = work->table[PREV][i];

	return base == work->table[OWNER][i] && prev != MPLB_NO_BACKEND ? prev : base;
}

int maglev_build(const struct maglev_member *members, size_t n, uint64_t seed,
		 struct mplb_table_slot *slots)
{
	struct work work;
	int err = -ENOMEM;
	uint32_t i;

	if (n > MAX_MEMBERS)
		return -EINVAL;
	work = (struct work){
		.members = calloc(n + 1, sizeof(*work.members)),
		.seats = calloc(n + 1, sizeof(*work.seats)),
		.turns = malloc((SLOTS + 3 * n) * sizeof(*work.turns)),
		.spare = malloc((SLOTS + 3 * n) * sizeof(*work.spare)),
		.table = { malloc(SLOTS * sizeof(uint16_t)), malloc(SLOTS * sizeof(uint16_t)),
			   malloc(SLOTS * sizeof(uint16_t)) },
	};
	if (work.members && work.seats && work.turns && work.spare && work.table[OWNER] &&
	    work.table[BASE] && work.table[PREV]) {
		if (n)
			memcpy(work.members, members, n * sizeof(*members));
		err = build_all(&work, n, seed);
	}
	for (i = 0; !err && i < SLOTS; i++)
		slots[i] = (struct mplb_table_slot){ work.table[OWNER][i], fallback_of(&work, i) };
	free(work.members);
	free(work.seats);
	free(work.turns);
	free(work.spare);
	for (i = 0; i < TABLES; i++)
		free(work.table[i]);
	return err;
}
