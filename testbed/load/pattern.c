// SPDX-License-Identifier: GPL-2.0-only
#include "pattern.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mplb/hash.h"

/* splitmix64's output function at position index of the stream that seed begins. */
static uint64_t pattern_word(uint64_t seed, uint64_t index)
{
	uint64_t z = seed + (index + 1) * MPLB_MIX_A;

	z = (z ^ z >> 30) * MPLB_MIX_B;
	z = (z ^ z >> 27) * MPLB_MIX_C;
	return z ^ z >> 31;
}

/* The part of a word that begins at offset, len bytes at most. Returns how many it was. */
static size_t pattern_part(uint64_t seed, uint64_t offset, unsigned char *to, size_t len)
{
	uint64_t word = pattern_word(seed, offset / 8);
	size_t skip = offset % 8, part = 8 - skip;

	if (part > len)
		part = len;
	memcpy(to, (unsigned char *)&word + skip, part);
	return part;
}

/* Whole words are most of it, and are worth a loop that has no more to do: a load generator that is
 * slower than the link measures itself. */
void pattern_fill(uint64_t seed, uint64_t offset, void *buf, size_t len)
{
	unsigned char *to = buf;
	size_t done = 0;

	if (offset % 8)
		done = pattern_part(seed, offset, to, len);
	for (uint64_t index = (offset + done) / 8; len - done >= 8; index++, done += 8) {
		uint64_t word = pattern_word(seed, index);

		memcpy(to + done, &word, sizeof(word));
	}
	if (done < len)
		pattern_part(seed, offset + done, to + done, len - done);
}

int pattern_check_begin(struct pattern_check *check)
{
	struct pattern_check new = { .got = EVP_MD_CTX_new(), .equal = true };

	if (!new.got || !EVP_DigestInit_ex(new.got, EVP_sha256(), NULL)) {
		pattern_check_free(&new);
		return -ENOMEM;
	}
	*check = new;
	return 0;
}

void pattern_check_add(struct pattern_check *check, uint64_t seed, uint64_t offset,
		       const void *data, size_t len)
{
	static unsigned char want[PATTERN_CHUNK];

	pattern_fill(seed, offset, want, len);
	if (check->equal && memcmp(data, want, len) != 0) {
		const unsigned char *got = data;
		size_t same = 0;

		while (got[same] == want[same])
			same++;
		check->equal = false;
		check->wrong = offset + same;
	}
	EVP_DigestUpdate(check->got, data, len);
}

bool pattern_check_end(struct pattern_check *check, char hex[static PATTERN_HEX])
{
	unsigned char got[32];

	EVP_DigestFinal_ex(check->got, got, NULL);
	for (size_t i = 0; i < sizeof(got); i++)
		snprintf(hex + 2 * i, 3, "%02x", got[i]);
	return check->equal;
}

void pattern_check_free(struct pattern_check *check)
{
	EVP_MD_CTX_free(check->got);
	check->got = NULL;
}
