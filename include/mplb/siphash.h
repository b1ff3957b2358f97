/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_SIPHASH_H
#define MPLB_SIPHASH_H

/*
 * SipHash-2-4 (Aumasson, Bernstein: SipHash: a fast short-input PRF, 2012). One source for BPF and
 * userspace.
 */
#include <linux/types.h>

#define SIPHASH_FN static inline __attribute__((always_inline))

struct siphash_state {
	__u64 v[4];
};

SIPHASH_FN __u64 siphash_rotate(__u64 word, unsigned int bits)
{
	return word << bits | word >> (64 - bits);
}

SIPHASH_FN void siphash_round(struct siphash_state *s)
{
	s->v[0] += s->v[1];
	s->v[1] = siphash_rotate(s->v[1], 13) ^ s->v[0];
	s->v[0] = siphash_rotate(s->v[0], 32);
	s->v[2] += s->v[3];
	s->v[3] = siphash_rotate(s->v[3], 16) ^ s->v[2];
	s->v[0] += s->v[3];
	s->v[3] = siphash_rotate(s->v[3], 21) ^ s->v[0];
	s->v[2] += s->v[1];
	s->v[1] = siphash_rotate(s->v[1], 17) ^ s->v[2];
	s->v[2] = siphash_rotate(s->v[2], 32);
}

/*
 * The hash of a message under a key. The message comes as the n words that the algorithm sees:
 * little-endian words of 8 bytes each, the last one padded with zeros, its highest byte the
 * message's length.
 */
SIPHASH_FN __u64 siphash_words(const __u64 key[2], const __u64 *word, unsigned int n)
{
	struct siphash_state s = { {
		key[0] ^ 0x736f6d6570736575ULL,
		key[1] ^ 0x646f72616e646f6dULL,
		key[0] ^ 0x6c7967656e657261ULL,
		key[1] ^ 0x7465646279746573ULL,
	} };

	for (unsigned int i = 0; i < n; i++) {
		s.v[3] ^= word[i];
		siphash_round(&s);
		siphash_round(&s);
		s.v[0] ^= word[i];
	}
	s.v[2] ^= 0xff;
	siphash_round(&s);
	siphash_round(&s);
	siphash_round(&s);
	siphash_round(&s);
	return s.v[0] ^ s.v[1] ^ s.v[2] ^ s.v[3];
}

#endif
