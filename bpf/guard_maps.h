/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_BPF_GUARD_MAPS_H
#define MPLB_BPF_GUARD_MAPS_H

/* The guard's maps. Made and pinned by server-pm where a config has `guard: on`, and kept until one
 * has not, so that the guard goes on when server-pm dies. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "mplb/guard.h"
#include "mplb/server.h"

/* Address -> 1: the dedicated addresses. Written by server-pm, read by the program. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MPLB_GUARD_MAX_ADDRESSES);
	__type(key, struct mplb_server_addr);
	__type(value, __u8);
} guard_addresses SEC(".maps");

/* 0 -> settings and secret. Written by server-pm, read by the program. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct mplb_guard);
} guard_settings SEC(".maps");

/* 0 -> when the tokens were last known to be right, CLOCK_MONOTONIC, ns. As guard_settings. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} guard_beat SEC(".maps");

/* Port and protocol -> 1: guard_allow. Written by server-pm, read by the program. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MPLB_GUARD_MAX_ALLOW);
	__type(key, struct mplb_guard_allow);
	__type(value, __u8);
} guard_allow SEC(".maps");

/* Token of a live MPTCP connection, host byte order -> by which of server-pm's looks at all sockets
 * it was last seen. Written by server-pm, read by the program. 16 MiB of buckets, then 64 bytes per
 * connection that there is. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MPLB_GUARD_MAX_TOKENS);
	__type(key, __u32);
	__type(value, __u32);
} guard_tokens SEC(".maps");

/* 0 -> what is left of this CPU's budget of joins with unknown tokens. Program only. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct mplb_guard_budget);
} guard_budget SEC(".maps");

#endif
