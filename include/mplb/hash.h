/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_HASH_H
#define MPLB_HASH_H

/*
 * Hashes that the data plane and userspace must compute alike. Words are taken as they stand in the
 * packet (network byte order, loaded natively), so a fleet must be of one endianness.
 */
#include "mplb/abi.h"

#define MPLB_MIX_A 0x9e3779b97f4a7c15ULL /* 2^64 / golden ratio: Knuth, TAOCP 3, 6.4 */
#define MPLB_MIX_B 0xbf58476d1ce4e5b9ULL /* splitmix64 (Steele et al., OOPSLA 2014) */
#define MPLB_MIX_C 0x94d049bb133111ebULL

#define MPLB_HASH_FN static inline __attribute__((always_inline))

/* An IPv4 address as the first 64-bit word of a struct mplb_ip. */
MPLB_HASH_FN __u64 mplb_ipv4_word(__be32 addr)
{
	union {
		__be32 half[2];
		__u64 word;
	} u = { .half = { addr, 0 } };

	return u.word;
}

/* The part of a VIP key beside the address, never 0. port in network byte order. */
MPLB_HASH_FN __u32 mplb_vip_service(__be16 port, __u8 proto, __u8 family)
{
	return (__u32)port | (__u32)proto << 16 | (__u32)family << 24;
}

/* Home slot of a VIP key, 0 .. slots - 1; slots is a power of two. first and second are the words
 * of the address's struct mplb_ip. */
MPLB_HASH_FN __u32 mplb_vip_hash(__u64 first, __u64 second, __u32 service, __u32 slots)
{
	/* The bytes in which neighbours differ are the last of an address, so the highest of a word
	 * here: they are folded down before each product, which only carries upwards. */
	__u64 h = first ^ (second ^ second >> 29) * MPLB_MIX_B ^ (__u64)service << 32;

	return (__u32)((h ^ h >> 32) * MPLB_MIX_A >> 40) & (slots - 1);
}

/*
 * Keyed hash of a flow. The VIP's part of the 5-tuple (address, port, protocol) is in the key, the
 * client's address and both ports are hashed here. ports: source then destination port, the 32-bit
 * word at the start of a TCP or UDP header. Spreads well for any key; no defence against a client
 * who knows the key.
 */
MPLB_HASH_FN __u64 mplb_flow_mix(__u64 key, __u64 h)
{
	h = (h ^ key) * MPLB_MIX_A;
	h = ((h ^ h >> 32) + key) * MPLB_MIX_B;
	return (h ^ h >> 29) * MPLB_MIX_C;
}

/* All 64 bits of it. */
MPLB_HASH_FN __u64 mplb_flow_mix4(__u64 key, __be32 src, __u32 ports)
{
	return mplb_flow_mix(key, (__u64)src << 32 | ports);
}

MPLB_HASH_FN __u64 mplb_flow_mix6(__u64 key, __u64 first, __u64 second, __u32 ports)
{
	__u64 h = (first ^ key) * MPLB_MIX_C;

	h = (h ^ h >> 32 ^ second) * MPLB_MIX_B;
	return mplb_flow_mix(key, h ^ h >> 29 ^ (__u64)ports);
}

/* What picks the slot. */
MPLB_HASH_FN __u32 mplb_flow_hash4(__u64 key, __be32 src, __u32 ports)
{
	return (__u32)(mplb_flow_mix4(key, src, ports) >> 32);
}

MPLB_HASH_FN __u32 mplb_flow_hash6(__u64 key, __u64 first, __u64 second, __u32 ports)
{
	return (__u32)(mplb_flow_mix6(key, first, second, ports) >> 32);
}

/* What names a flow among others: tag and bucket of mplb_subflows, apart from what picks the slot.
 * mix: from mplb_flow_mix4() or mplb_flow_mix6() with both ports. */
MPLB_HASH_FN __u64 mplb_flow_name(__u64 mix)
{
	return (mix ^ mix >> 31) * MPLB_MIX_A;
}

/* Slot of a pool's table, 0 .. MPLB_TABLE_SLOTS - 1 (multiply-shift instead of a division). */
MPLB_HASH_FN __u32 mplb_slot_of(__u32 hash)
{
	return (__u32)(((__u64)hash * MPLB_TABLE_SLOTS) >> 32);
}

#endif
