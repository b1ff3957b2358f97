/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_GUARD_H
#define MPLB_GUARD_H

/*
 * What server-pm and the guard of the dedicated addresses (bpf/guard.h) agree on. Part of MPLB_ABI
 * like abi.h.
 */
#include "mplb/abi.h"
#include "mplb/siphash.h"

#define MPLB_GUARD_MAX_ADDRESSES 64
#define MPLB_GUARD_MAX_ALLOW	 256
#define MPLB_GUARD_MAX_TOKENS	 (1u << 20) /* as many connections as userspace mode follows */
/* server-pm says once a second that the tokens are up to date; ten seconds without are taken for
 * its death, and not for a busy machine. */
#define MPLB_GUARD_STALE_NS 10000000000ULL
/* SYNs with MP_JOIN and an unknown token that are let in, a second and CPU. A client may join
 * before server-pm has been told of its connection. Without a connection the kernel answers them
 * with a reset, and keeps nothing. */
#define MPLB_GUARD_EARLY_RATE  1000
#define MPLB_GUARD_EARLY_BURST 1000

#define MPLB_GUARD_F_CLOSED 0x1 /* guard_on_stale: closed */
#define MPLB_GUARD_F_PREFIX 0x2 /* each connection has an address in prefix */

/* Written once by server-pm, before the program is attached. */
struct mplb_guard {
	__u64 secret[2]; /* of the addresses in prefix */
	__be32 prefix[2]; /* the first 64 bits */
	__u16 flags; /* MPLB_GUARD_F_* */
	__u16 ephemeral; /* host byte order: from this port on there are no UDP services */
	__u32 pad;
};
_Static_assert(sizeof(struct mplb_guard) == 32, "no implicit padding");

/* What guard_allow lists: a port, or, with port 0, all of a protocol. */
struct mplb_guard_allow {
	__be16 port;
	__u8 proto;
	__u8 pad;
};
_Static_assert(sizeof(struct mplb_guard_allow) == 4, "a hash key has no implicit padding");

struct mplb_guard_budget {
	__u64 last_ns; /* when it was last filled, CLOCK_MONOTONIC */
	__u64 tokens;
};

/*
 * The address of a connection: the prefix, then SipHash-2-4 of prefix and token. Who does not know
 * the secret cannot tell which of 2^64 addresses are in use, nor whose one is. token in host byte
 * order; 0, which no connection has, gives the address at which server-pm listens for joins.
 */
static inline __attribute__((always_inline)) void
mplb_guard_address(const struct mplb_guard *guard, __u32 token, struct mplb_ip *out)
{
	const __u64 message[2] = {
		(__u64)guard->prefix[1] << 32 | guard->prefix[0],
		12ULL << 56 | token,
	};
	__u64 hash = siphash_words(guard->secret, message, 2);

	out->word[0] = guard->prefix[0];
	out->word[1] = guard->prefix[1];
	out->word[2] = (__be32)hash;
	out->word[3] = (__be32)(hash >> 32);
}

#endif
