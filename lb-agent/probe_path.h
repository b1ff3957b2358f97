/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_PROBE_PATH_H
#define MPLB_PROBE_PATH_H

#include "loader/datapath.h"
#include "lib/ip.h"

/*
 * What leads probes to their backends: in this network namespace
 *
 *	a rule	 packets with a mark of ours look into a table of ours
 *	a route	 in which everything is local, so that they leave through lo, without a neighbour
 *	a filter on lo's egress, bpf/probe.h, which sends them on
 *
 * The VIP need not be an address of this machine, and may be one. All of it is found again after a
 * crash, put back where somebody removes it, and taken away by probe_path_close().
 */
struct probe_path;

#define PROBE_PATH_PREFERENCE 100 /* of the rules: before those of most people */
#define PROBE_PATH_TABLE      28016

/* 0 or -errno, logged. mark: that of backend 0. */
int probe_path_open(const struct datapath *dp, __u32 mark, struct probe_path **out);
void probe_path_close(struct probe_path *path);

__u32 probe_path_mark(const struct probe_path *path);

/*
 * Makes sure that probes to these VIPs go their way, and puts back what is missing. False: they do
 * not, and nobody may be probed; why is logged, once. To be called every second or so.
 */
bool probe_path_keep(struct probe_path *path, const struct ip *vips, size_t n);

/*
 * The address to probe a VIP from, by the backend at this index of the data plane: what its packets
 * have as outer source, or where that is of the other family, what this machine would have sent
 * from to the VIP. False: there is none.
 */
bool probe_path_source(struct probe_path *path, const struct ip *vip, __u32 index, struct ip *out);

/* Warns of what keeps answers from this machine: they come in with a VIP as source. */
void probe_path_warn(struct probe_path *path, const struct ip *vip, __u32 index);

#endif
