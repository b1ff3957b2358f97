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

#define MPTCP_KIND	      30
#define MPTCP_SUB_MP_CAPABLE  0
#define MPTCP_SUB_MP_JOIN     1
#define MPTCP_SUB_MP_TCPRST   8
#define MPTCP_OPTIONS_MAX     40
#define MPTCP_RST_PROHIBITED  3 /* administratively prohibited (RFC 8684, 3.6) */

/* What a walk found: a bit per subtype, 1 << MPTCP_SUB_*. */
#define MPTCP_SAW(subtype) (1u << (subtype))

#ifdef __clang__
#define MPTCP_NO_UNROLL _Pragma("clang loop unroll(disable)")
#else
#define MPTCP_NO_UNROLL
#endif

/*
 * In BPF, an offset that the verifier has followed through i options differs from one that it has
 * followed along another way, and it would walk them all. This takes its knowledge away, not the
 * value: off is or-ed with 0, of which the verifier knows only that it is below 64.
 */
static inline __attribute__((always_inline)) __u32 mptcp_forget(__u32 off, __u32 unknown)
{
#ifdef __bpf__
	__u32 zero = unknown;

	asm volatile("%0 *= %0" : "+r"(zero));
	zero = (zero + unknown) & 1; /* n * n + n is even */
	asm volatile("%0 *= 63" : "+r"(zero));
	return (off | zero) & 63;
#else
	(void)unknown;
	return off;
#endif
}

/* Subtypes seen, as a set of MPTCP_SAW() bits. */
static inline __attribute__((always_inline)) __u32 mptcp_subtypes(const __u8 *opt, __u32 len,
								  const void *limit)
{
	__u32 seen = 0, off = 0;

	MPTCP_NO_UNROLL
	for (int i = 0; i < MPTCP_OPTIONS_MAX; i++) {
		const __u8 *at = opt + off;
		__u32 size = 1;

		/* Every option but the two of one byte has a length; a lone last byte is one of
		 * these or a stump, and ends the walk either way. */
		if (off + 2 > len || (const void *)(at + 2) > limit || at[0] == 0)
			break;
		if (at[0] != 1) {
			size = at[1];
			if (size < 2 || off + size > len)
				break;
		}
		if (at[0] == MPTCP_KIND && size > 2) {
			if ((const void *)(at + 3) > limit)
				break;
			seen |= MPTCP_SAW(at[2] >> 4);
		}
		off = mptcp_forget(off + size, size);
	}
	return seen;
}

#endif
