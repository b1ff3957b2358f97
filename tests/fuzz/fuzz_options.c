/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The walk of MPTCP options (include/mplb/mptcp.h) against a slow one that is written like Linux's
 * own. Input: where the frame ends, then the options.
 */
#include <stdlib.h>
#include <string.h>
#include "fuzz.h"
#include "mplb/mptcp.h"

#define JOIN_SYN_LEN 12 /* TCPOLEN_MPTCP_MPJ_SYN in net/mptcp/protocol.h */

struct linux_walk {
	uint32_t seen; /* subtypes of options that have one */
	int join; /* what Linux takes for the MP_JOIN of a SYN is among them */
};

/* net/mptcp/options.c, mptcp_get_options() and the length check of mptcp_parse_option(). */
static struct linux_walk walk_as_linux(const uint8_t *ptr, int length)
{
	struct linux_walk found = { 0 };

	while (length > 0) {
		int opcode = *ptr++, opsize;

		if (opcode == 0)
			return found;
		if (opcode == 1) {
			length--;
			continue;
		}
		if (length < 2)
			return found;
		opsize = *ptr++;
		if (opsize < 2 || opsize > length)
			return found;
		if (opcode == 30 && opsize > 2) {
			found.seen |= 1u << (*ptr >> 4);
			found.join |= *ptr >> 4 == 1 && opsize == JOIN_SYN_LEN;
		}
		ptr += opsize - 2;
		length -= opsize;
	}
	return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t len = size ? size - 1 : 0, there;
	struct linux_walk right;
	uint32_t seen;
	uint8_t *opt;

	if (!size)
		return 0;
	if (len > MPTCP_OPTIONS_MAX)
		len = MPTCP_OPTIONS_MAX;
	there = data[0] < len ? data[0] : len;
	/* Exactly as long as the frame says, so that one byte more is seen. */
	opt = malloc(there ? there : 1);
	if (!opt)
		return 0;
	memcpy(opt, data + 1, there);
	seen = mptcp_subtypes(opt, (uint32_t)len, opt + there);
	free(opt);
	right = walk_as_linux(data + 1, (int)len);
	if (there == len)
		fuzz_check(seen == right.seen, "the same subtypes as Linux sees");
	else
		fuzz_check(!(seen & ~right.seen), "no subtype that is not there");
	if (there == len && right.join)
		fuzz_check(seen & MPTCP_SAW(MPTCP_SUB_MP_JOIN), "no join is overlooked");
	return 0;
}
