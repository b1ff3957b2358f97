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

void pattern_fill(uint64_t seed, uint64_t offset, void *buf, size_t len)
{
	unsigned char *to = buf;

	while (len) {
		uint64_t word = pattern_word(seed, offset / 8);
		size_t skip = offset % 8, part = 8 - skip;

		if (part > len)
			part = len;
		memcpy(to, (unsigned char *)&word + skip, part);
		to += part;
		offset += part;
		len -= part;
	}
}

int pattern_check_begin(struct pattern_check *check)
{
	struct pattern_check new = { EVP_MD_CTX_new(), EVP_MD_CTX_new(), true };

	if (!new.got || !new.want || !EVP_DigestInit_ex(new.got, EVP_sha256(), NULL) ||
	    !EVP_DigestInit_ex(new.want, EVP_sha256(), NULL)) {
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
	if (memcmp(data, want, len) != 0)
		check->equal = false;
	EVP_DigestUpdate(check->got, data, len);
	EVP_DigestUpdate(check->want, want, len);
}

bool pattern_check_end(struct pattern_check *check, char hex[static PATTERN_HEX])
{
	unsigned char got[32], want[32];

	EVP_DigestFinal_ex(check->got, got, NULL);
	EVP_DigestFinal_ex(check->want, want, NULL);
	for (size_t i = 0; i < sizeof(got); i++)
		snprintf(hex + 2 * i, 3, "%02x", got[i]);
	return check->equal && !memcmp(got, want, sizeof(got));
}

void pattern_check_free(struct pattern_check *check)
{
	EVP_MD_CTX_free(check->got);
	EVP_MD_CTX_free(check->want);
	check->got = check->want = NULL;
}
