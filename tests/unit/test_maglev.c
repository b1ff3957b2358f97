/* SPDX-License-Identifier: GPL-2.0-only */
#include <criterion/criterion.h>
#include <errno.h>
#include "loader/maglev.h"
#include "support.h"

#define SLOTS MPLB_TABLE_SLOTS
#define SEED  0x5eed

static struct mplb_table_slot before[SLOTS], after[SLOTS];

static void set_weight(struct maglev_member *member, uint32_t weight)
{
	member->weight = member->base = weight;
}

/* n members with ids and indexes from 1 on, weights 100; for free(). */
static struct maglev_member *make_members(size_t n)
{
	struct maglev_member *members = calloc(n, sizeof(*members));
	size_t i;

	for (i = 0; i < n; i++)
		members[i] = (struct maglev_member){ .id = (uint16_t)(i + 1),
						     .index = (uint16_t)(i + 1),
						     .weight = 100,
						     .base = 100 };
	return members;
}

/* Slots of each owner, by index; for free(). */
static uint32_t *count_owners(const struct mplb_table_slot *slots)
{
	uint32_t *count = calloc(65536, sizeof(*count));
	size_t i;

	for (i = 0; i < SLOTS; i++)
		count[slots[i].owner]++;
	return count;
}

/* Slots that change hands although their owner is still there. */
static uint32_t count_moves(uint16_t gone)
{
	uint32_t moves = 0;
	size_t i;

	for (i = 0; i < SLOTS; i++)
		moves += before[i].owner != gone && before[i].owner != after[i].owner;
	return moves;
}

Test(maglev, key_is_splitmix64)
{
	/* First outputs of the reference generator seeded with 0 and with 1234567. */
	cr_expect_eq(mplb_key(0, 0), 0xe220a8397b1dcdafULL);
	cr_expect_eq(mplb_key(0, 1), 0x6e789e6aa1b965f4ULL);
	cr_expect_eq(mplb_key(1234567, 0), 6457827717110365317ULL);
	cr_expect_eq(mplb_key(1234567, 1), 3203168211198807973ULL);
	cr_expect_neq(mplb_key(1, 2), mplb_key(2, 1));
}

Test(maglev, empty)
{
	size_t i;

	memset(before, 0x5a, sizeof(before));
	cr_assert_eq(maglev_build(NULL, 0, SEED, before), 0);
	for (i = 0; i < SLOTS; i++)
		cr_assert(before[i].owner == MPLB_NO_BACKEND &&
			  before[i].fallback == MPLB_NO_BACKEND);
}

Test(maglev, one_member_owns_all)
{
	struct maglev_member member = { .id = 65535, .index = 4095, .weight = 1, .base = 1 };
	size_t i;

	cr_assert_eq(maglev_build(&member, 1, SEED, before), 0);
	for (i = 0; i < SLOTS; i++)
		cr_assert(before[i].owner == 4095 && before[i].fallback == 4095);
	set_weight(&member, UINT32_MAX);
	cr_assert_eq(maglev_build(&member, 1, SEED, after), 0);
	cr_assert_eq(memcmp(before, after, sizeof(before)), 0);
}

/* A slot left alone would keep what stood there. */
Test(maglev, every_slot_is_filled)
{
	static const size_t sizes[] = { 2, 3, 7, 100, 1000, 4096 };
	size_t s, i;

	for (s = 0; s < sizeof(sizes) / sizeof(*sizes); s++) {
		struct maglev_member *members = make_members(sizes[s]);

		memset(before, 0xff, sizeof(before));
		cr_assert_eq(maglev_build(members, sizes[s], SEED, before), 0);
		for (i = 0; i < SLOTS; i++)
			cr_assert(before[i].owner >= 1 && before[i].owner <= sizes[s] &&
				  before[i].fallback == before[i].owner);
		free(members);
	}
}

/* Peak over average of 100 equal members is at most 1.01, for any seed. */
Test(maglev, balance)
{
	struct maglev_member *members = make_members(100);
	uint64_t seed;
	size_t i;

	for (seed = 0; seed < 10; seed++) {
		uint32_t *count;

		cr_assert_eq(maglev_build(members, 100, seed, before), 0);
		count = count_owners(before);
		for (i = 1; i <= 100; i++)
			cr_assert(count[i] * 100 * 100 <= SLOTS * 101, "member %zu: %u", i,
				  count[i]);
		free(count);
	}
	free(members);
}

/* Weights are kept within 1 % or one slot, whichever is more. */
static void expect_shares(const struct maglev_member *members, size_t n, const char *what)
{
	uint64_t total = 0;
	uint32_t *count;
	size_t i;

	cr_assert_eq(maglev_build(members, n, SEED, before), 0);
	count = count_owners(before);
	for (i = 0; i < n; i++)
		total += members[i].weight;
	for (i = 0; i < n; i++) {
		double want = (double)members[i].weight * SLOTS / (double)total;
		double off = (double)count[members[i].index] - want;

		off = off < 0 ? -off : off;
		cr_assert(off <= 1.0 || off <= want / 100, "%s: member %zu has %u, not %.2f", what,
			  i, count[members[i].index], want);
		cr_assert(!members[i].weight == !count[members[i].index], "%s: member %zu has %u",
			  what, i, count[members[i].index]);
	}
	free(count);
}

Test(maglev, weights)
{
	struct maglev_member *members = make_members(1000);
	size_t i;

	for (i = 0; i < 10; i++)
		set_weight(&members[i], (uint32_t)i + 1);
	expect_shares(members, 3, "1:2:3");
	expect_shares(members, 10, "1 to 10");
	set_weight(&members[0], 0);
	expect_shares(members, 10, "with a zero");
	set_weight(&members[0], 1);
	set_weight(&members[1], 1000);
	expect_shares(members, 2, "1:1000");
	set_weight(&members[1], 65535);
	expect_shares(members, 2, "1:65535");
	for (i = 0; i < 1000; i++)
		set_weight(&members[i], (uint32_t)i + 1);
	expect_shares(members, 1000, "1 to 1000");
	for (i = 0; i < 1000; i++)
		set_weight(&members[i], i ? 1 : 65535);
	expect_shares(members, 1000, "one heavy");
	for (i = 0; i < 1000; i++)
		set_weight(&members[i], i ? 65535 : 1);
	expect_shares(members, 1000, "one light");
	for (i = 0; i < 1000; i++)
		set_weight(&members[i], UINT32_MAX - (uint32_t)i);
	expect_shares(members, 1000, "largest");
	free(members);
}

/* Weights count in relation to each other alone. */
Test(maglev, weights_scale)
{
	struct maglev_member *members = make_members(50);
	size_t i;

	cr_assert_eq(maglev_build(members, 50, SEED, before), 0);
	for (i = 0; i < 50; i++)
		set_weight(&members[i], 7);
	cr_assert_eq(maglev_build(members, 50, SEED, after), 0);
	cr_expect_eq(memcmp(before, after, sizeof(before)), 0);
	free(members);
}

Test(maglev, order_does_not_matter)
{
	struct maglev_member *members = make_members(100);
	size_t i;

	for (i = 0; i < 100; i++) {
		members[i].weight = (uint32_t)(i % 5) * 10;
		members[i].base = (uint32_t)(i % 4) * 10;
	}
	cr_assert_eq(maglev_build(members, 100, SEED, before), 0);
	for (i = 99; i > 0; i--) {
		size_t j = mplb_key(7, i) % (i + 1);
		struct maglev_member swap = members[i];

		members[i] = members[j];
		members[j] = swap;
	}
	cr_assert_neq(members[0].id, 1);
	cr_assert_eq(maglev_build(members, 100, SEED, after), 0);
	cr_expect_eq(memcmp(before, after, sizeof(before)), 0);
	free(members);
}

/* The index is what is written, and decides nothing. */
Test(maglev, index_does_not_matter)
{
	struct maglev_member *members = make_members(10);
	size_t i;

	cr_assert_eq(maglev_build(members, 10, SEED, before), 0);
	for (i = 0; i < 10; i++)
		members[i].index = (uint16_t)(1000 - i);
	cr_assert_eq(maglev_build(members, 10, SEED, after), 0);
	for (i = 0; i < SLOTS; i++)
		cr_assert_eq(after[i].owner, 1001 - before[i].owner);
	free(members);
}

/* The table is part of the contract between balancers, maybe of different versions: should this
 * fail, a mixed fleet breaks connections. The sum is of the first version. */
Test(maglev, same_on_every_machine)
{
	struct maglev_member *members = make_members(10);
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < 10; i++)
		set_weight(&members[i], (uint32_t)i * 3 + 1);
	cr_assert_eq(maglev_build(members, 10, SEED, before), 0);
	for (i = 0; i < SLOTS; i++)
		sum = mplb_key(sum, before[i].owner);
	cr_expect_eq(sum, 0xcef7c1f8da2aa4ceULL, "%#lx", sum);
	free(members);
}

Test(maglev, seed_matters)
{
	struct maglev_member *members = make_members(10);
	uint32_t moves;

	cr_assert_eq(maglev_build(members, 10, 1, before), 0);
	cr_assert_eq(maglev_build(members, 10, 2, after), 0);
	moves = count_moves(0);
	cr_expect(moves > SLOTS / 10 * 8, "%u", moves);
	free(members);
}

/* Removing one of 100 moves less than 1 % of the slots that were not its own. */
Test(maglev, removal_moves_little)
{
	struct maglev_member *members = make_members(100);
	size_t i;

	cr_assert_eq(maglev_build(members, 100, SEED, before), 0);
	for (i = 0; i < 100; i += 9) {
		uint32_t moves;

		set_weight(&members[i], 0);
		cr_assert_eq(maglev_build(members, 100, SEED, after), 0);
		set_weight(&members[i], 100);
		moves = count_moves(members[i].index);
		cr_expect(moves > 0 && moves * 100 < SLOTS, "member %zu: %u moved", i, moves);
	}
	free(members);
}

/* A small change of one weight moves about that much, not the table. */
Test(maglev, reweighting_moves_little)
{
	struct maglev_member *members = make_members(100);
	uint32_t moves;

	cr_assert_eq(maglev_build(members, 100, SEED, before), 0);
	set_weight(&members[42], 50);
	cr_assert_eq(maglev_build(members, 100, SEED, after), 0);
	moves = count_moves(0);
	cr_expect(moves > 300 && moves * 100 < 2 * SLOTS, "%u moved", moves);
	free(members);
}

/* A member of weight 0 is not in the owner table, one of base 0 not in the fallback table. Each
 * table is what it would be if the other did not exist. */
Test(maglev, two_tables)
{
	struct maglev_member *members = make_members(8);
	size_t i;

	for (i = 0; i < 8; i++) {
		members[i].weight = (uint32_t)(i % 4) * 50;
		members[i].base = (uint32_t)((i + 1) % 3) * 70;
	}
	cr_assert_eq(maglev_build(members, 8, SEED, before), 0);
	for (i = 0; i < 8; i++)
		members[i].base = members[i].weight;
	cr_assert_eq(maglev_build(members, 8, SEED, after), 0);
	for (i = 0; i < SLOTS; i++)
		cr_assert(before[i].owner == after[i].owner && after[i].fallback == after[i].owner);
	for (i = 0; i < 8; i++)
		set_weight(&members[i], (uint32_t)((i + 1) % 3) * 70);
	cr_assert_eq(maglev_build(members, 8, SEED, after), 0);
	for (i = 0; i < SLOTS; i++)
		cr_assert_eq(before[i].fallback, after[i].fallback);
	free(members);
}

Test(maglev, all_draining)
{
	struct maglev_member *members = make_members(3);
	size_t i;

	for (i = 0; i < 3; i++)
		members[i].weight = 0;
	cr_assert_eq(maglev_build(members, 3, SEED, before), 0);
	for (i = 0; i < SLOTS; i++)
		cr_assert(before[i].owner == MPLB_NO_BACKEND && before[i].fallback <= 3);
	free(members);
}

/* An id twice in one table is refused, and nothing is written. One in each is a member that took
 * the place of another. */
Test(maglev, id_twice)
{
	struct maglev_member *members = make_members(100);

	members[99].id = members[0].id;
	memset(before, 0x5a, sizeof(before));
	memset(after, 0x5a, sizeof(after));
	cr_expect_eq(maglev_build(members, 100, SEED, before), -EINVAL);
	members[99].weight = 0;
	cr_expect_eq(maglev_build(members, 100, SEED, before), -EINVAL);
	members[99].weight = 100;
	members[99].base = 0;
	cr_expect_eq(maglev_build(members, 100, SEED, before), -EINVAL);
	cr_expect_eq(maglev_build(members, 65537, SEED, before), -EINVAL);
	cr_expect_eq(memcmp(before, after, sizeof(before)), 0);
	members[0].weight = 0;
	cr_expect_eq(maglev_build(members, 100, SEED, before), 0);
	free(members);
}

/* As many members as there are ids: each has a slot. */
Test(maglev, all_ids)
{
	struct maglev_member *members = make_members(65536);
	uint32_t *count;
	size_t i;

	cr_assert_eq(maglev_build(members, 65536, SEED, before), 0);
	count = count_owners(before);
	for (i = 0; i < 65536; i++)
		cr_assert(count[i] == 1 || count[i] == 2);
	free(count);
	free(members);
	cr_assert(!has_leaks());
}
