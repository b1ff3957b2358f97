/* SPDX-License-Identifier: GPL-2.0-only */
#include <criterion/criterion.h>
#include <openssl/sha.h>
#include <stdint.h>
#include <stdlib.h>
#include "mplb/sha256.h"
#include "mplb/steer.h"

#define KEYS	   200000
#define KEYS_QUICK 20000

static uint32_t word_at(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint32_t token_of(const uint8_t *key)
{
	return mplb_token(word_at(key), word_at(key + 4));
}

/* What sha256sum says. */
Test(token, known)
{
	static const struct {
		uint8_t key[8];
		uint32_t token;
	} cases[] = {
		{ { 0 }, 0xaf5570f5 },
		{ { [0 ... 7] = 0xff }, 0x12a3ae44 },
		{ { [0 ... 7] = 0xa1 }, 0x098ac7e0 },
		{ { 0, 1, 2, 3, 4, 5, 6, 7 }, 0x8a851ff8 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(token_of(cases[i].key), cases[i].token, "case %zu: %08x", i,
			     token_of(cases[i].key));
}

/* Every bit of a key, alone, and keys at random: as libcrypto has it. */
Test(token, as_libcrypto)
{
	unsigned int n = getenv("MPLB_QUICK") ? KEYS_QUICK : KEYS, wrong = 0;
	uint64_t state = 0x5eed;

	for (unsigned int i = 0; i < n; i++) {
		uint8_t key[8] = { 0 }, digest[SHA256_DIGEST_LENGTH];

		if (i < 64)
			key[i / 8] = (uint8_t)(1 << i % 8);
		for (int b = 0; i >= 64 && b < 8; b++) {
			state = state * 6364136223846793005ULL + 1442695040888963407ULL;
			key[b] = (uint8_t)(state >> 56);
		}
		SHA256(key, sizeof(key), digest);
		wrong += token_of(key) != word_at(digest);
	}
	cr_expect_eq(wrong, 0, "%u of %u keys", wrong, n);
}

/* Entries hold what is put in, and an entry in use is never 0. */
Test(token, entries)
{
	uint64_t entry = mplb_entry(0, 0, MPLB_TOKEN_LEARNT, 0);

	cr_expect_neq(entry, 0);
	entry = mplb_entry(0xdeadbeef, MPLB_TICK_MASK, MPLB_TOKEN_JOINED, 4095);
	cr_expect_eq(mplb_entry_tag(entry), 0xdeadbeef);
	cr_expect_eq(mplb_entry_tick(entry), MPLB_TICK_MASK);
	cr_expect_eq(mplb_entry_state(entry), MPLB_TOKEN_JOINED);
	cr_expect_eq(mplb_entry_index(entry), 4095);
	cr_expect_eq(mplb_entry_age(entry, 3), 4, "over the end of the ticks");
}

/* Tokens and names of flows spread over all buckets. */
Test(token, buckets)
{
	uint8_t *seen = calloc(MPLB_TOKEN_BUCKETS, 1);
	unsigned int used = 0;

	for (uint32_t i = 0; i < 4 * MPLB_TOKEN_BUCKETS; i++)
		seen[mplb_token_bucket(mplb_token(i, 1))] = 1;
	for (uint32_t i = 0; i < MPLB_TOKEN_BUCKETS; i++)
		used += seen[i];
	free(seen);
	/* Of random ones, 1 - 1/e^4. */
	cr_expect(used > MPLB_TOKEN_BUCKETS / 100 * 97, "%u", used);
}
