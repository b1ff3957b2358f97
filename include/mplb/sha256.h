/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_SHA256_H
#define MPLB_SHA256_H

/*
 * The token of an MPTCP connection (RFC 8684, 3.2): the first 32 bits of SHA-256 (FIPS 180-4) of a
 * key. One source for XDP and userspace. A key is 8 bytes, so it is one block, of which all but two
 * words are constant; rounds are written out, for there is no table of constants and no loop that
 * the verifier would have to follow.
 */
#include <linux/types.h>

/* In BPF, with its few registers, keeps the compiler from working out words long before their
 * round: it would need half a kilobyte of stack to remember them. */
#ifdef __bpf__
#define MPLB_SHA_IN_ORDER(w, d, h) asm volatile("" : "+r"(d), "+r"(h) : "r"(w) : "memory")
#else
#define MPLB_SHA_IN_ORDER(w, d, h)
#endif

#define MPLB_SHA_ROR(x, n) ((x) >> (n) | (x) << (32 - (n)))

/* One round with the message word m and the constant k; the caller turns the names. */
#define MPLB_SHA_ROUND(a, b, c, d, e, f, g, h, w, m, k)                                            \
	do {                                                                                       \
		__u32 t_ = h + (MPLB_SHA_ROR(e, 6) ^ MPLB_SHA_ROR(e, 11) ^ MPLB_SHA_ROR(e, 25)) +  \
			   (g ^ (e & (f ^ g))) + (k) + (m);                                        \
		d += t_;                                                                           \
		h = t_ + (MPLB_SHA_ROR(a, 2) ^ MPLB_SHA_ROR(a, 13) ^ MPLB_SHA_ROR(a, 22)) +        \
		    ((a & b) | (c & (a | b)));                                                     \
		MPLB_SHA_IN_ORDER(w, d, h);                                                        \
	} while (0)

/* The message word of round i, 16 rounds after its place was last used. */
#define MPLB_SHA_WORD(w, i)                                                                        \
	(w[(i)&15] += (MPLB_SHA_ROR(w[((i) + 1) & 15], 7) ^ MPLB_SHA_ROR(w[((i) + 1) & 15], 18) ^  \
		       w[((i) + 1) & 15] >> 3) +                                                   \
		      w[((i) + 9) & 15] +                                                          \
		      (MPLB_SHA_ROR(w[((i) + 14) & 15], 17) ^                                      \
		       MPLB_SHA_ROR(w[((i) + 14) & 15], 19) ^ w[((i) + 14) & 15] >> 10))

#define MPLB_SHA_FIRST(w, i) (w[i])

/* Eight rounds from round i on. */
#define MPLB_SHA_EIGHT(word, w, i, k0, k1, k2, k3, k4, k5, k6, k7)                                 \
	MPLB_SHA_ROUND(a, b, c, d, e, f, g, h, w, word(w, (i)), k0);                               \
	MPLB_SHA_ROUND(h, a, b, c, d, e, f, g, w, word(w, (i) + 1), k1);                           \
	MPLB_SHA_ROUND(g, h, a, b, c, d, e, f, w, word(w, (i) + 2), k2);                           \
	MPLB_SHA_ROUND(f, g, h, a, b, c, d, e, w, word(w, (i) + 3), k3);                           \
	MPLB_SHA_ROUND(e, f, g, h, a, b, c, d, w, word(w, (i) + 4), k4);                           \
	MPLB_SHA_ROUND(d, e, f, g, h, a, b, c, w, word(w, (i) + 5), k5);                           \
	MPLB_SHA_ROUND(c, d, e, f, g, h, a, b, w, word(w, (i) + 6), k6);                           \
	MPLB_SHA_ROUND(b, c, d, e, f, g, h, a, w, word(w, (i) + 7), k7)

/* The token of a key, whose 8 bytes are, as they follow each other on the wire, the bytes of high
 * and then of low in big-endian order. In host byte order. */
static inline __attribute__((always_inline)) __u32 mplb_token(__u32 high, __u32 low)
{
	/* The key, the bit that ends it, zeros, and its length in bits. */
	__u32 w[16] = { high, low, 0x80000000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 64 };
	__u32 a = 0x6a09e667, b = 0xbb67ae85, c = 0x3c6ef372, d = 0xa54ff53a;
	__u32 e = 0x510e527f, f = 0x9b05688c, g = 0x1f83d9ab, h = 0x5be0cd19;

	MPLB_SHA_EIGHT(MPLB_SHA_FIRST, w, 0, 0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5,
		       0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5);
	MPLB_SHA_EIGHT(MPLB_SHA_FIRST, w, 8, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
		       0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174);
	MPLB_SHA_EIGHT(MPLB_SHA_WORD, w, 16, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
		       0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da);
	MPLB_SHA_EIGHT(MPLB_SHA_WORD, w, 24, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
		       0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967);
	MPLB_SHA_EIGHT(MPLB_SHA_WORD, w, 32, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
		       0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85);
	MPLB_SHA_EIGHT(MPLB_SHA_WORD, w, 40, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
		       0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070);
	MPLB_SHA_EIGHT(MPLB_SHA_WORD, w, 48, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5,
		       0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3);
	MPLB_SHA_EIGHT(MPLB_SHA_WORD, w, 56, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
		       0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2);
	return a + 0x6a09e667;
}

#endif
