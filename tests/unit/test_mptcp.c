/* SPDX-License-Identifier: GPL-2.0-only */
#include <criterion/criterion.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "mplb/mptcp.h"

#define CAPABLE_SEEN MPTCP_SAW(MPTCP_SUB_MP_CAPABLE)
#define JOIN_SEEN    MPTCP_SAW(MPTCP_SUB_MP_JOIN)
#define COUNT_OF(a)  (sizeof(a) / sizeof((a)[0]))

#define BLOCKS	     200000
#define BLOCKS_QUICK 20000

/* Room of which the byte after the last is no memory: reading on ends the test. */
static uint8_t *room_end;

static void make_room(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *at =
		mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	cr_assert_neq(at, MAP_FAILED);
	cr_assert_eq(mprotect(at + page, page, PROT_NONE), 0);
	room_end = at + page;
}

/* Walks options of which only the first present bytes are there: at the end of a page, and in a
 * heap block of that very size, where the sanitizer and valgrind look for reads past its end. */
static uint32_t walk(const uint8_t *opt, uint32_t len, uint32_t present)
{
	uint8_t *block = malloc(present ? present : 1), *at = room_end - present;
	uint32_t seen;

	memcpy(block, opt, present);
	memcpy(at, opt, present);
	seen = mptcp_subtypes(at, len, room_end);
	cr_expect_eq(mptcp_subtypes(block, len, block + present), seen);
	free(block);
	return seen;
}

TestSuite(mptcp, .init = make_room);

struct block {
	const char *name;
	uint32_t seen;
	uint32_t len;
	uint8_t opt[40];
};

#define JOIN	30, 12, 0x10, 1, 2, 3, 4, 5, 6, 7, 8, 9
#define CAPABLE 30, 4, 0x01, 1

static const struct block blocks[] = {
	{ "nothing", 0, 0, { 0 } },
	{ "MP_CAPABLE", CAPABLE_SEEN, 4, { CAPABLE } },
	{ "MP_JOIN", JOIN_SEEN, 12, { JOIN } },
	{ "both", CAPABLE_SEEN | JOIN_SEEN, 16, { JOIN, CAPABLE } },
	{ "subtype 15", 1u << 15, 4, { 30, 3, 0xff, 1 } },
	{ "MP_TCPRST", MPTCP_SAW(MPTCP_SUB_MP_TCPRST), 4, { 30, 4, 0x80, 3 } },
	{ "after MSS, SACK, timestamps, NOP, window scale",
	  JOIN_SEEN,
	  32,
	  { 2, 4, 5, 180, 4, 2, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 3, 3, 7, JOIN } },
	{ "after NOPs", CAPABLE_SEEN, 8, { 1, 1, 1, 1, CAPABLE } },
	{ "only NOPs", 0, 40, { [0 ... 39] = 1 } },
	{ "only end of list", 0, 40, { 0 } },
	{ "after end of list", 0, 8, { 1, 0, 1, 1, CAPABLE } },
	{ "beyond the data offset", 0, 4, { 1, 1, 1, 1, CAPABLE } },
	{ "length 0 before it", 0, 8, { 2, 0, 5, 180, CAPABLE } },
	{ "length 1 before it", 0, 8, { 2, 1, 5, 180, CAPABLE } },
	{ "length past the end before it", 0, 8, { 2, 9, 5, 180, CAPABLE } },
	{ "length just to the end", 0, 8, { 2, 8, 5, 180, CAPABLE } },
	{ "itself a byte past the end", 0, 11, { JOIN } },
	{ "length 2", 0, 4, { 30, 2, 1, 1 } },
	{ "length 2, then a join", JOIN_SEEN, 14, { 30, 2, JOIN } },
	{ "length 3", JOIN_SEEN, 3, { 30, 3, 0x10 } },
	{ "length 2 at the end", 0, 2, { 30, 2, 0x10 } },
	{ "kind alone at the end", 0, 1, { 30, 3, 0x10 } },
	{ "kind alone after NOPs", 0, 4, { 1, 1, 1, 30, 3, 0x10 } },
	{ "NOP as the last byte", CAPABLE_SEEN, 5, { CAPABLE, 1 } },
	{ "end of list as the last byte", CAPABLE_SEEN, 5, { CAPABLE, 0 } },
	{ "40 bytes of one option", JOIN_SEEN, 40, { 30, 40, 0x10 } },
	{ "13 of length 3", CAPABLE_SEEN | JOIN_SEEN, 39, { 30, 3,  0,	30, 3,	0,  30, 3,  0,	30,
							    3,	0,  30, 3,  0,	30, 3,	0,  30, 3,
							    0,	30, 3,	0,  30, 3,  0,	30, 3,	0,
							    30, 3,  0,	30, 3,	0,  30, 3,  16 } },
	{ "the last of 39 NOPs' worth", 0, 40, { [0 ... 38] = 1, 30 } },
	{ "another kind that looks like it", 0, 4, { 31, 4, 0x10, 1 } },
};

Test(mptcp, table)
{
	for (size_t i = 0; i < COUNT_OF(blocks); i++) {
		const struct block *b = &blocks[i];
		uint32_t seen = walk(b->opt, b->len, b->len);

		cr_expect_eq(seen, b->seen, "%s: %x, not %x", b->name, seen, b->seen);
	}
}

/* A TCP header gives a length, the frame gives another: nothing past the latter. */
Test(mptcp, shorter_frame)
{
	for (size_t i = 0; i < COUNT_OF(blocks); i++) {
		const struct block *b = &blocks[i];

		for (uint32_t present = 0; present <= b->len; present++) {
			uint32_t seen = walk(b->opt, b->len, present);

			cr_expect_eq(seen & ~b->seen, 0, "%s, %u bytes: %x", b->name, present,
				     seen);
		}
	}
}

/* Where the last MP_JOIN or MP_CAPABLE of a length is, in the same blocks. */
static int find(const uint8_t *opt, uint32_t len, uint32_t subtype, uint32_t lens)
{
	uint8_t *at = room_end - len;

	memcpy(at, opt, len);
	return mptcp_find(at, len, room_end, subtype, lens);
}

#define KEYS(len) 30, (len), 0x01, 0x01, [(len)-1] = 0

Test(mptcp, find)
{
	static const struct {
		const char *name;
		int keys, join;
		uint32_t len;
		uint8_t opt[40];
	} cases[] = {
		{ "nothing", -1, -1, 0, { 0 } },
		{ "third ACK", 0, -1, 20, { KEYS(20) } },
		{ "data", 0, -1, 22, { KEYS(22) } },
		{ "data with a checksum", 0, -1, 24, { KEYS(24) } },
		{ "21", -1, -1, 21, { KEYS(21) } },
		{ "23", -1, -1, 23, { KEYS(23) } },
		{ "25", -1, -1, 25, { KEYS(25) } },
		{ "a SYN's", -1, -1, 4, { CAPABLE } },
		{ "behind timestamps",
		  12,
		  -1,
		  32,
		  { 1, 1, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0, 30, 20, 0x01, 0x01 } },
		{ "a byte past the end", -1, -1, 19, { 30, 20, 0x01, 0x01 } },
		{ "join", -1, 0, 12, { JOIN } },
		{ "two joins", -1, 12, 24, { JOIN, JOIN } },
		{ "behind the usual", -1, 20, 32, { 2, 4, 5, 180, 4, 2, 8, 10, 1, 2,   3,
						    4, 5, 6, 7,	  8, 1, 3, 3,  7, JOIN } },
		{ "a join of 16 and one of 12",
		  -1,
		  16,
		  28,
		  { 30, 16, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, JOIN } },
		{ "behind the end of the list", -1, -1, 16, { 0, 1, 1, 1, JOIN } },
		{ "length 62 does not shift out", -1, -1, 40, { 30, 62, 0x10 } },
		{ "length 40", -1, -1, 40, { 30, 40, 0x10 } },
		{ "length 52 mod 32 is 20", -1, -1, 40, { 30, 52, 0x01 } },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		cr_expect_eq(
			find(cases[i].opt, cases[i].len, MPTCP_SUB_MP_CAPABLE, MPTCP_KEYS_LENS),
			cases[i].keys, "%s: keys", cases[i].name);
		cr_expect_eq(find(cases[i].opt, cases[i].len, MPTCP_SUB_MP_JOIN, MPTCP_JOIN_LENS),
			     cases[i].join, "%s: join", cases[i].name);
	}
}

static bool is_dss(const uint8_t *opt, uint32_t len)
{
	uint8_t *at = room_end - len;

	memcpy(at, opt, len);
	return mptcp_is_dss(at, len, room_end);
}

static bool is_keys(const uint8_t *opt, uint32_t len)
{
	uint8_t *at = room_end - len;

	memcpy(at, opt, len);
	return mptcp_is_keys(at, len, room_end);
}

Test(mptcp, keys)
{
	static const uint8_t dss[20] = { 30, 20, 0x20 },
			     stamped_dss[32] = { 1, 1, 8, 10, [12] = 30, 20, 0x20 };
	uint8_t plain[40] = { 30, 20, 0x01 }, stamped[40] = { 1, 1, 8, 10, [12] = 30, 20, 0x01 };

	cr_expect(!is_keys(dss, 20) && !is_keys(stamped_dss, 32));
	for (uint8_t size = 0; size < 64; size++) {
		bool keys = size == 20 || size == 22 || size == 24;

		plain[1] = stamped[13] = size;
		for (uint32_t len = 0; len <= 40; len++) {
			cr_expect_eq(is_keys(plain, len), keys && len >= size, "%u, %u", size, len);
			cr_expect_eq(is_keys(stamped, len), keys && len >= 12u + size, "%u, %u",
				     size, len);
		}
	}
}

Test(mptcp, dss)
{
	static const uint8_t dss[20] = { 30, 20, 0x20 }, keys[20] = { 30, 20, 0x01 };
	static const uint8_t stamped[32] = { 1, 1, 8, 10, [12] = 30, 20, 0x20 };
	static const uint8_t stamped_keys[32] = { 1, 1, 8, 10, [12] = 30, 20, 0x01 };

	cr_expect(is_dss(dss, 20) && is_dss(stamped, 32));
	cr_expect(!is_dss(keys, 20) && !is_dss(stamped_keys, 32));
	for (uint32_t len = 0; len < 16; len++)
		cr_expect(!is_dss(stamped, len) && !is_dss(dss, len), "%u", len);
}

/*
 * What Linux's walk gives its parser of MPTCP options, by another way: first it is found out where
 * an option begins, from the back to the front, then those that a walk from the front reaches.
 */
static uint32_t reference(const uint8_t *opt, uint32_t len)
{
	uint32_t reach[41] = { 0 }; /* subtypes that a walk sees which arrives at this byte */

	for (uint32_t left = 1; left <= len; left++) {
		uint32_t at = len - left, size = left > 1 ? opt[at + 1] : 0;

		if (opt[at] == 0)
			reach[at] = 0; /* end of list */
		else if (opt[at] == 1)
			reach[at] = reach[at + 1];
		else if (left < 2 || size < 2 || size > left)
			reach[at] = 0; /* silly, or partial */
		else
			reach[at] = reach[at + size] |
				    (opt[at] == 30 && size >= 3 ? 1u << (opt[at + 2] >> 4) : 0);
	}
	return reach[0];
}

static uint64_t next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (*state * 0x2545f4914f6cdd1dULL) >> 32;
}

/* Random bytes, mostly of the kinds that matter, so that walks get far. */
static uint32_t make_block(uint8_t *opt, uint64_t *state)
{
	static const uint8_t kinds[] = { 1, 1, 2, 3, 4, 8, 30, 30, 30, 34, 254 };
	static const uint8_t lens[] = { 2, 3, 4, 10, 12, 16, 3, 4, 2, 6, 20 };
	uint32_t len = (uint32_t)(next(state) % 11 * 4), at = 0;

	for (uint32_t i = 0; i < 40; i++)
		opt[i] = (uint8_t)next(state);
	while (at < len && next(state) % 16) {
		uint8_t kind = kinds[next(state) % COUNT_OF(kinds)];
		uint8_t size = lens[next(state) % COUNT_OF(lens)];

		opt[at++] = kind;
		if (kind == 1 || at == len)
			continue;
		opt[at] = size;
		if (kind == 30 && at + 1 < 40)
			opt[at + 1] = (uint8_t)(next(state) % 4 << 4 | opt[at + 1] % 16);
		at += size - 1;
	}
	return len;
}

Test(mptcp, random_blocks)
{
	unsigned int n = getenv("MPLB_QUICK") ? BLOCKS_QUICK : BLOCKS, joins = 0, wrong = 0;
	uint64_t state = 0x5eed;
	uint8_t opt[40];

	for (unsigned int i = 0; i < n; i++) {
		uint32_t len = make_block(opt, &state);
		uint32_t seen = walk(opt, len, len), should = reference(opt, len);
		uint32_t present = (uint32_t)(next(&state) % (len + 1));

		joins += should >> MPTCP_SUB_MP_JOIN & 1;
		wrong += seen != should;
		wrong += (walk(opt, len, present) & ~should) != 0;
	}
	cr_expect_eq(wrong, 0, "%u of %u blocks are read in another way", wrong, n);
	cr_expect(joins > n / 20, "only %u joins among %u: the test has lost its teeth", joins, n);
}
