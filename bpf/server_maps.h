/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_BPF_SERVER_MAPS_H
#define MPLB_BPF_SERVER_MAPS_H

/* The backend's maps, pinned by server-pm under their names, shared by its programs. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "mplb/server.h"

/* Address -> 1: outer sources that are decapsulated. Written by server-pm, read by the programs. A
 * fleet has few balancers; MPLB_MAX_BALANCERS is room for one per rack of a large site. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MPLB_MAX_BALANCERS);
	__type(key, struct mplb_server_addr);
	__type(value, __u8);
} server_balancers SEC(".maps");

/* Address -> 1: the VIPs that this backend serves. Written by server-pm, read by the programs. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MPLB_MAX_SERVER_VIPS);
	__type(key, struct mplb_server_addr);
	__type(value, __u8);
} server_vips SEC(".maps");

/* enum mplb_server_reason -> packets and bytes. Written by the programs, read by server-pm. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MPLB_SERVER_R_MAX);
	__type(key, __u32);
	__type(value, struct mplb_server_count);
} server_counts SEC(".maps");

/* 0 -> what server-pm tells the programs besides. Written by it, read by them. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct mplb_server_settings);
} server_settings SEC(".maps");

/* Entry -> what server-pm keeps in place and how it was before. Written and read by server-pm only;
 * a map because it lives exactly as long as sysctls, addresses and endpoints: until the reboot. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MPLB_SERVER_MAX_ITEMS);
	__type(key, __u32);
	__type(value, struct mplb_server_item);
} server_state SEC(".maps");

static __always_inline void server_count(enum mplb_server_reason reason, __u32 bytes)
{
	__u32 key = reason;
	struct mplb_server_count *count = bpf_map_lookup_elem(&server_counts, &key);

	if (count) {
		count->packets += 1;
		count->bytes += bytes;
	}
}

#endif
