/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_LOAD_PATTERN_H
#define MPLB_LOAD_PATTERN_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Pseudo-random data that both ends can make from a seed, at any offset. */
void pattern_fill(uint64_t seed, uint64_t offset, void *buf, size_t len);

#define PATTERN_CHUNK 65536
#define PATTERN_HEX   65 /* SHA-256 in hexadecimal, with the final NUL */

/* A stream that is held against the pattern as it comes in. */
struct pattern_check {
	EVP_MD_CTX *got; /* SHA-256 over what came, for whoever compares it with another's */
	bool equal; /* every byte so far is the pattern's */
	uint64_t wrong; /* where not: the first one that is not */
};

/* 0 or -ENOMEM. */
int pattern_check_begin(struct pattern_check *check);
/* len is at most PATTERN_CHUNK. */
void pattern_check_add(struct pattern_check *check, uint64_t seed, uint64_t offset,
		       const void *data, size_t len);
/* Writes the digest of what came into hex; true if every byte is the pattern's. */
bool pattern_check_end(struct pattern_check *check, char hex[static PATTERN_HEX]);
void pattern_check_free(struct pattern_check *check);

#endif
