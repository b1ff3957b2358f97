/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_MPTCP_H
#define MPLB_MPTCP_H

/*
 * MPTCP options of a TCP header (RFC 8684, section 3). One source for XDP, userspace and fuzzers.
 *
 * Contract: options begin at opt and take len bytes by the data offset (0 .. 40); no byte at or
 * after limit is read (in XDP: data_end). The walk stops exactly where Linux's does
 * (net/ipv4/tcp_input.c, tcp_parse_options; net/mptcp/options.c, mptcp_get_options): at end of
 * list, at an option shorter than 2 bytes, at one that runs past the end. So what a backend sees in
 * a SYN, this sees as well, and a join cannot hide behind a malformed option.
 */
#include "mplb/abi.h"

#define MPTCP_KIND	     30
#define MPTCP_SUB_MP_CAPABLE 0
#define MPTCP_SUB_MP_JOIN    1
#define MPTCP_SUB_DSS	     2
#define MPTCP_SUB_MP_TCPRST  8
#define MPTCP_OPTIONS_MAX    40
#define MPTCP_RST_PROHIBITED 3 /* administratively prohibited (RFC 8684, 3.6) */

/* What a walk found: a bit per subtype, 1 << MPTCP_SUB_*. */
#define MPTCP_SAW(subtype) (1u << (subtype))

#ifdef __clang__
#define MPTCP_NO_UNROLL _Pragma("clang loop unroll(disable)")
#else
#define MPTCP_NO_UNROLL
#endif

/*
 * In BPF, an offset that the verifier has followed through some options differs from one that it
 * has followed through others, and it would walk all ways there are. Or-ing this in takes away what
 * it knows, but not the value: it is 0, of which the verifier sees only that it is below 64.
 */
static inline __attribute__((always_inline)) __u32 mptcp_hidden_zero(__u32 any)
{
#ifdef __bpf__
	__u32 zero = any;

	asm volatile("%0 *= %0" : "+r"(zero));
	zero = (zero + any) & 1; /* n * n + n is even */
	asm volatile("%0 *= 63" : "+r"(zero));
	return zero;
#else
	(void)any;
	return 0;
#endif
}

/* Most SYNs by far begin as Linux's do: MSS, SACK permitted, timestamps, NOP, window scale. Returns
 * the length of just that, 20, or 0: begin at the beginning. */
static inline __attribute__((always_inline)) __u32 mptcp_skip_usual(const __u8 *opt, __u32 len,
								    const void *limit)
{
	if (len < 20 || (const void *)(opt + 20) > limit)
		return 0;
	return opt[0] == 2 && opt[1] == 4 && opt[4] == 4 && opt[5] == 2 && opt[6] == 8 &&
			       opt[7] == 10 && opt[16] == 1 && opt[17] == 3 && opt[18] == 3
		       ? 20
		       : 0;
}

/* The size of the option at off, whose first two bytes can then be read; 0: the walk ends there. An
 * MPTCP option's third byte is left to the loops: to look at it in here makes longer programs. */
static inline __attribute__((always_inline)) __u32 mptcp_option_size(const __u8 *opt, __u32 len,
								     const void *limit, __u32 off)
{
	const __u8 *at = opt + off;

	/* Every option but the two of one byte has a length; a lone last byte is one of these or a
	 * stump, and ends the walk either way. */
	if (off + 2 > len || (const void *)(at + 2) > limit || at[0] == 0)
		return 0;
	if (at[0] == 1)
		return 1;
	return at[1] < 2 || off + at[1] > len ? 0 : at[1];
}

/* Subtypes seen, as a set of MPTCP_SAW() bits. */
static inline __attribute__((always_inline)) __u32 mptcp_subtypes(const __u8 *opt, __u32 len,
								  const void *limit)
{
	__u32 seen = 0, off = mptcp_skip_usual(opt, len, limit), zero = mptcp_hidden_zero(len);

	MPTCP_NO_UNROLL
	for (int i = 0; i < MPTCP_OPTIONS_MAX; i++) {
		const __u8 *at = opt + off;
		__u32 size = mptcp_option_size(opt, len, limit, off);

		if (!size)
			break;
		if (at[0] == MPTCP_KIND && size > 2) {
			if ((const void *)(at + 3) > limit)
				break;
			seen |= MPTCP_SAW(at[2] >> 4);
		}
		off = ((off + size) | zero) & 63;
	}
	return seen;
}

/* What a SYN and what the client's third ACK, or data in its place, bring (RFC 8684, 3.1, 3.2). */
#define MPTCP_JOIN_SYN_LEN	   12
#define MPTCP_JOIN_TOKEN	   4 /* where the token is in the option */
#define MPTCP_CAPABLE_ACK_LEN	   20
#define MPTCP_CAPABLE_DATA_LEN	   22
#define MPTCP_CAPABLE_CHECKSUM_LEN 24
#define MPTCP_CAPABLE_KEY	   12 /* where the receiver's, the server's, key is */
#define MPTCP_VERSION		   1

/* A set of option lengths: a bit each. */
#define MPTCP_LEN(len)	(1u << (len))
#define MPTCP_JOIN_LENS MPTCP_LEN(MPTCP_JOIN_SYN_LEN)
#define MPTCP_KEYS_LENS                                                                            \
	(MPTCP_LEN(MPTCP_CAPABLE_ACK_LEN) | MPTCP_LEN(MPTCP_CAPABLE_DATA_LEN) |                    \
	 MPTCP_LEN(MPTCP_CAPABLE_CHECKSUM_LEN))

/* Where the last option of this subtype and one of these lengths (less than 32) begins, counted
 * from opt; -1: none. The last, because each that Linux finds replaces what the one before has
 * said. */
static inline __attribute__((always_inline)) int
mptcp_find(const __u8 *opt, __u32 len, const void *limit, __u32 subtype, __u32 lens)
{
	__u32 off = mptcp_skip_usual(opt, len, limit), zero = mptcp_hidden_zero(len);
	int found = -1;

	MPTCP_NO_UNROLL
	for (int i = 0; i < MPTCP_OPTIONS_MAX; i++) {
		const __u8 *at = opt + off;
		__u32 size = mptcp_option_size(opt, len, limit, off);

		if (!size)
			break;
		if (at[0] == MPTCP_KIND && size > 2 && size < 32) {
			if ((const void *)(at + 3) > limit)
				break;
			if (at[2] >> 4 == subtype && lens >> size & 1)
				found = (int)off;
		}
		off = ((off + size) | zero) & 63;
	}
	return found;
}

/* Do these options begin as those of an established MPTCP connection do: with DSS, or with NOP,
 * NOP, timestamps, DSS? For these there is no need to look further. */
static inline __attribute__((always_inline)) int mptcp_is_dss(const __u8 *opt, __u32 len,
							      const void *limit)
{
	if (len < 16 || (const void *)(opt + 16) > limit)
		return 0;
	if (opt[0] == 1 && opt[1] == 1 && opt[2] == 8 && opt[3] == 10)
		return opt[12] == MPTCP_KIND && opt[14] >> 4 == MPTCP_SUB_DSS;
	return opt[0] == MPTCP_KIND && opt[2] >> 4 == MPTCP_SUB_DSS;
}

/* Do these options begin as those of a third ACK do, or of the data in its place: with MP_CAPABLE
 * and both keys, or with NOP, NOP, timestamps and that? Keys behind other options are not seen. */
static inline __attribute__((always_inline)) int mptcp_is_keys(const __u8 *opt, __u32 len,
							       const void *limit)
{
	if (len < MPTCP_CAPABLE_ACK_LEN || (const void *)(opt + MPTCP_CAPABLE_ACK_LEN) > limit)
		return 0;
	if (opt[0] == 1 && opt[1] == 1 && opt[2] == 8 && opt[3] == 10) {
		opt += 12;
		len -= 12;
	}
	return opt[0] == MPTCP_KIND && opt[1] < 32 && opt[1] <= len &&
	       MPTCP_KEYS_LENS >> opt[1] & 1 && opt[2] >> 4 == MPTCP_SUB_MP_CAPABLE;
}

#endif
