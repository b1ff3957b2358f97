/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_MAPS_H
#define MPLB_MAPS_H

/*
 * Names, sizes and home of the maps. Definitions with their comments: bpf/maps.h (balancer) and
 * bpf/server.bpf.c (backend).
 */
#define MPLB_PIN_ROOT	     "/sys/fs/bpf/mplb" /* maps are below it in v<MPLB_ABI>/ */
#define MPLB_MAX_VIPS	     1024
#define MPLB_MAX_POOLS	     1024
#define MPLB_MAX_BACKENDS    4096
#define MPLB_VIP_SLOTS	     8192 /* a power of two; at most 3/8 full: VIPs, addresses, join ports */
#define MPLB_MAX_JOIN_BLOCKS 1024 /* blocks of join ports of all VIPs */
#define MPLB_MAX_MEMBERS     32768 /* entries of mplb_members */
#define MPLB_TOKEN_BUCKETS   131072 /* a power of two; 8 MiB */
#define MPLB_SUBFLOW_BUCKETS 131072 /* a power of two; 8 MiB */
#define MPLB_VIP_PROBES	     24 /* longest probe; userspace refuses a config that needs more */
#define MPLB_MAX_PORTS	     64 /* egress devices of a balancer */
#define MPLB_MAX_BALANCERS   256 /* outer sources that a backend accepts */
#define MPLB_MAX_SERVER_VIPS 256 /* VIPs of one backend */

/* Packets of a health probe carry this socket mark plus the index of the backend that they are for.
 * The default; a config may name another, with the low 12 bits 0. */
#define MPLB_PROBE_MARK	 0x6d700000
#define MPLB_PROBE_INDEX 0xfff /* MPLB_MAX_BACKENDS - 1 */

#endif
