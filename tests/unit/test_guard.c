/* SPDX-License-Identifier: GPL-2.0-only */
/* include/mplb/siphash.h and include/mplb/guard.h; the join that mptcp.h finds. */
#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <string.h>

#include "lib/ip.h"
#include "mplb/guard.h"
#include "mplb/mptcp_join.h"

#define CASES(a) (sizeof(a) / sizeof(*(a)))

/* From the authors' reference implementation (vectors_sip64): key 00 01 .. 0f, messages of 0, 1, ..
 * bytes 00 01 ..; as little-endian words. */
static const __u64 vectors[] = {
	0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d,
	0xcf2794e0277187b7, 0x18765564cd99a68d, 0xcbc9466e58fee3ce, 0xab0200f58b01d137,
	0x93f5f5799a932462, 0x9e0082df0ba9e4b0, 0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7,
	0x751e8fbc860ee5fb, 0x14ea5627c0843d90, 0xf723ca908e7af2ee, 0xa129ca6149be45e5,
};

static __u64 word_of(const __u8 *at, size_t len)
{
	__u64 word = 0;

	for (size_t i = 0; i < len; i++)
		word |= (__u64)at[i] << 8 * i;
	return word;
}

Test(siphash, reference_vectors)
{
	__u8 message[16];
	__u64 key[2], word[3];

	for (__u8 i = 0; i < sizeof(message); i++)
		message[i] = i;
	key[0] = word_of(message, 8);
	key[1] = word_of(message + 8, 8);
	for (size_t len = 0; len < CASES(vectors); len++) {
		unsigned int n = 0;

		for (; n < len / 8; n++)
			word[n] = word_of(message + n * 8, 8);
		word[n] = (__u64)len << 56 | word_of(message + n * 8, len % 8);
		cr_expect_eq(siphash_words(key, word, n + 1), vectors[len], "%zu bytes", len);
	}
}

/* The address by other means: the message as bytes, its words put together again. */
Test(guard_address, is_the_prefix_and_a_hash_of_prefix_and_token)
{
	struct mplb_guard guard = { .secret = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 } };
	__u8 message[12] = { 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 1 };
	struct mplb_ip address;
	struct ip prefix;
	__u64 word[2], want;

	cr_assert(!ip_parse("2001:db8:0:1::", &prefix));
	memcpy(guard.prefix, &prefix.addr, sizeof(guard.prefix));
	message[8] = 0xef;
	message[9] = 0xbe;
	message[10] = 0xad;
	message[11] = 0xde;
	word[0] = word_of(message, 8);
	word[1] = 12ULL << 56 | word_of(message + 8, 4);
	want = siphash_words(guard.secret, word, 2);
	mplb_guard_address(&guard, 0xdeadbeef, &address);
	cr_expect(!memcmp(address.word, &prefix.addr, 8), "the prefix is another one");
	cr_expect_eq(word_of((__u8 *)address.word + 8, 8), want);
}

Test(guard_address, depends_on_all_that_it_is_made_of)
{
	struct mplb_guard guard = { .secret = { 1, 2 }, .prefix = { 3, 4 } };
	struct mplb_ip first, other;

	mplb_guard_address(&guard, 5, &first);
	mplb_guard_address(&guard, 6, &other);
	cr_expect(memcmp(&first.word[2], &other.word[2], 8) != 0, "token");
	guard.secret[1] = 7;
	mplb_guard_address(&guard, 5, &other);
	cr_expect(memcmp(&first.word[2], &other.word[2], 8) != 0, "secret");
	guard.secret[1] = 2;
	guard.prefix[1] = 8;
	mplb_guard_address(&guard, 5, &other);
	cr_expect(memcmp(&first.word[2], &other.word[2], 8) != 0, "prefix");
	guard.prefix[1] = 4;
	mplb_guard_address(&guard, 5, &other);
	cr_expect(!memcmp(&first, &other, sizeof(first)), "it is no function");
}

/* ---- the join among a SYN's options ---- */

#define JOIN 30, 12, 0x10, 1, 0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4

static const struct {
	const char *name;
	__u8 option[MPTCP_OPTIONS_MAX];
	__u32 len, token; /* 0: no join */
} joins[] = {
	{ "alone", { JOIN }, 12, 0xdeadbeef },
	{ "behind Linux's others",
	  { 2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0, 1, 3, 3, 7, JOIN },
	  32,
	  0xdeadbeef },
	{ "the last of two", { JOIN, 30, 12, 0x10, 1, 1, 2, 3, 4, 0, 0, 0, 0 }, 24, 0x01020304 },
	{ "next to MP_CAPABLE", { JOIN, 30, 4, 0x01, 0x81 }, 16, 0 },
	{ "behind MP_CAPABLE", { 30, 4, 0x01, 0x81, JOIN }, 16, 0 },
	{ "one of a SYN/ACK", { 30, 16, 0x10, 1, 0xde, 0xad, 0xbe, 0xef }, 16, 0 },
	{ "one of an ACK", { 30, 24, 0x10, 1, 0xde, 0xad, 0xbe, 0xef }, 24, 0 },
	{ "one of a SYN, and one of an ACK", { JOIN, 30, 24, 0x10 }, 36, 0xdeadbeef },
	{ "cut off", { JOIN }, 11, 0 },
	{ "behind the end", { 0, JOIN }, 13, 0 },
	{ "behind a stump", { 5, 0, JOIN }, 14, 0 },
	{ "in another option", { 99, 14, JOIN }, 14, 0 },
	{ "another option of MPTCP", { 30, 12, 0x30 }, 12, 0 },
	{ "none", { 1, 1 }, 2, 0 },
};

Test(mptcp_join, is_found_as_linux_finds_it)
{
	for (size_t i = 0; i < CASES(joins); i++) {
		const __u8 *option = joins[i].option, *limit = option + joins[i].len;
		int at =
			mptcp_find(option, joins[i].len, limit, MPTCP_SUB_MP_JOIN, MPTCP_JOIN_LENS);
		__be32 token;

		if (!mptcp_may_join(mptcp_subtypes(option, joins[i].len, limit)))
			at = -1;
		cr_expect_eq(at >= 0, joins[i].token != 0, "%s", joins[i].name);
		if (at < 0)
			continue;
		memcpy(&token, option + at + MPTCP_JOIN_TOKEN, sizeof(token));
		cr_expect_eq(ntohl(token), joins[i].token, "%s", joins[i].name);
	}
}
