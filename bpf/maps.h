/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_BPF_MAPS_H
#define MPLB_BPF_MAPS_H

/*
 * The balancer's maps, pinned by the loader below MPLB_PIN_ROOT/v<MPLB_ABI>/ under their names.
 *
 * A change of config never touches what a packet may be reading: new tables and backends are
 * written into places that nothing points to yet, then the VIP table is replaced whole, by one
 * pointer; what nothing points to any more is freed after a grace period (the kernel waits for one
 * before an update of a map of maps returns).
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "mplb/abi.h"
#include "mplb/drop.h"
#include "mplb/maps.h"
#include "mplb/steer.h"

/* An inner map of mplb_vips: slot -> VIP. 512 KiB. */
struct vip_table {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MPLB_VIP_SLOTS);
	__uint(key_size, sizeof(__u32));
	__uint(value_size,
	       sizeof(struct mplb_vip_slot)); /* as __type, clang 14 emits no BTF for it */
};

/* 0 -> the VIP table in force. Replaced by userspace, read once per packet. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct vip_table);
} mplb_vips SEC(".maps");

/* An inner map of mplb_tables: slot / MPLB_TABLE_LINE -> a line of (owner, fallback). 256 KiB: fits
 * a core's L2 cache. */
struct pool_table {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MPLB_TABLE_LINES);
	__uint(key_size, sizeof(__u32));
	__uint(value_size,
	       sizeof(struct mplb_table_line)); /* as __type, clang 14 emits no BTF for it */
};

/* Pool -> its table. A pool that changes gets another index, so entries are never rewritten while
 * a VIP points to them. Written by userspace. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, MPLB_MAX_POOLS);
	__type(key, __u32);
	__array(values, struct pool_table);
} mplb_tables SEC(".maps");

/* Backend -> how to send to it. Written by userspace: whole before a table names it; later only
 * the next hop, with MPLB_BACKEND_F_RESOLVED cleared meanwhile. 256 KiB. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MPLB_MAX_BACKENDS);
	__type(key, __u32);
	__type(value, struct mplb_backend);
} mplb_backends SEC(".maps");

/* VIP -> counters. Written by the program, zeroed by userspace when an index is given anew. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MPLB_MAX_VIPS);
	__type(key, __u32);
	__type(value, struct mplb_vip_stats);
} mplb_vip_stats SEC(".maps");

/* Backend -> counters. As mplb_vip_stats. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MPLB_MAX_BACKENDS);
	__type(key, __u32);
	__type(value, struct mplb_backend_stats);
} mplb_backend_stats SEC(".maps");

/* enum mplb_reason -> packets not forwarded for it. Written by the program, never zeroed. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MPLB_R_MAX);
	__type(key, __u32);
	__type(value, __u64);
} mplb_reasons SEC(".maps");

/* ifindex -> device: where packets leave that do not leave by the NIC they came in by. Written by
 * userspace with the backends' egress devices; a device that goes takes its entry along. */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
	__uint(max_entries, MPLB_MAX_PORTS);
	__type(key, __u32);
	__type(value, struct bpf_devmap_val);
} mplb_ports SEC(".maps");

/* 0 -> what is left of this CPU's budget of ICMP errors. Program only. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct mplb_budget);
} mplb_icmp_budget SEC(".maps");

/* Who of a pool is meant by an id, or by a backend of any pool -> index into mplb_backends. Written
 * by userspace: all keys of a table before a VIP points to it; asked for joins only. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MPLB_MAX_MEMBERS);
	__type(key, struct mplb_member_key);
	__type(value, __u32);
} mplb_members SEC(".maps");

/* Hash of a token -> those tokens and their backends, for all VIPs that steer. Written by the
 * program; userspace counts, and frees those of a backend whose index is given anew. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MPLB_TOKEN_BUCKETS);
	__type(key, __u32);
	__type(value, struct mplb_bucket);
} mplb_tokens SEC(".maps");

/* Hash of a 5-tuple -> subflows that were joined through a VIP that steers, and their backends. As
 * mplb_tokens. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MPLB_SUBFLOW_BUCKETS);
	__type(key, __u32);
	__type(value, struct mplb_bucket);
} mplb_subflows SEC(".maps");

/* VIP -> what is left of this CPU's budgets for it. Program only. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MPLB_MAX_VIPS);
	__type(key, __u32);
	__type(value, struct mplb_vip_budget);
} mplb_vip_budget SEC(".maps");

/* Names and settings behind the indexes, for userspace only: the state that `lbctl apply` compares
 * a config with, and what `lbctl show` prints. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MPLB_MAX_VIPS);
	__type(key, __u32);
	__type(value, struct mplb_vip_info);
} mplb_vip_info SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MPLB_MAX_POOLS);
	__type(key, __u32);
	__type(value, struct mplb_pool_info);
} mplb_pool_info SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MPLB_MAX_BACKENDS);
	__type(key, __u32);
	__type(value, struct mplb_backend_info);
} mplb_backend_info SEC(".maps");

/* What becomes of descriptions with the change that is at work; loader/describe.h. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MPLB_MAX_BACKENDS);
	__type(key, __u32);
	__type(value, struct mplb_backend_info);
} mplb_backend_next SEC(".maps");

#endif
