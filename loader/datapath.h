/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_DATAPATH_H
#define MPLB_DATAPATH_H

#include <stdbool.h>
#include <stddef.h>
#include "lib/pin.h"
#include "mplb/abi.h"
#include "mplb/drop.h"
#include "mplb/maps.h"

/*
 * The data plane in the kernel: its pinned maps, and the program on the NICs. All of it lives
 * without us; this opens, attaches, detaches. loader/apply.h changes what is in the maps.
 */
struct datapath {
	char folder[PIN_PATH_MAX]; /* of the pins */
	int vips, tables; /* maps of maps */
	int vip_stats, backend_stats, reasons; /* per CPU */
	int ports; /* devmap */
	int members; /* hash */
	/* Mapped into memory: writes are seen by the program and other processes at once. */
	struct mplb_backend *backends; /* MPLB_MAX_BACKENDS */
	struct mplb_vip_info *vip_info; /* MPLB_MAX_VIPS */
	struct mplb_pool_info *pool_info; /* MPLB_MAX_POOLS */
	struct mplb_backend_info *backend_info, *backend_next; /* MPLB_MAX_BACKENDS */
	struct mplb_bucket *tokens; /* MPLB_TOKEN_BUCKETS */
	struct mplb_bucket *subflows; /* MPLB_SUBFLOW_BUCKETS */
};

enum datapath_mode { DATAPATH_AUTO, DATAPATH_NATIVE, DATAPATH_GENERIC };

/* A NIC that runs our program. */
struct datapath_nic {
	unsigned int ifindex;
	char name[16];
	bool generic;
	bool shared; /* behind libxdp's dispatcher, with others */
	__u32 entry; /* id of the program on the NIC: ours, or the dispatcher */
	__u32 program; /* id of ours */
};

/* Opens the pinned maps below root. 0, or -errno, logged: -ENOENT: nothing is attached here. */
int datapath_open(const char *root, struct datapath **out);
void datapath_close(struct datapath *dp);

/* Are the maps still the ones that are pinned? Not so after `lbctl detach all`. */
bool datapath_is_current(const struct datapath *dp);

/* What an attach did. */
struct datapath_attached {
	__u32 program; /* its id */
	__u32 replaced; /* id of the one before, 0: there was none */
	bool generic;
};

/*
 * Puts the program on a NIC, with the maps pinned below root (made if this is the first). A NIC
 * that runs our program with these maps gets the new one in its place without a packet unhandled.
 * AUTO: the mode it has, else native, else generic, with a warning. 0 or -errno, logged.
 */
int datapath_attach(const char *root, const char *dev, enum datapath_mode mode,
		    struct datapath_attached *out);

/* Takes the program off a NIC. 0 or -errno, logged. */
int datapath_detach(const struct datapath_nic *nic);

/* The NICs of this network namespace that run our program with these maps (vips: mplb_vips). *out
 * is an array of *n to free(). 0 or -errno. */
int datapath_nics(int vips, struct datapath_nic **out, size_t *n);

/*
 * Takes the program off all NICs and removes the pins: so is all state. That of other versions of
 * mplb below root too, whose maps may be laid out differently. 0 or -errno, logged; -ENOENT: there
 * is none.
 */
int datapath_remove(const char *root);

/* Loads the program that sends health probes (bpf/probe.h), with the maps of this data plane. mark:
 * that of backend 0. Returns its descriptor, or -errno, logged. */
int datapath_load_probe(const struct datapath *dp, __u32 mark);

/* Sums of a per-CPU map's value over the CPUs. words: the value as 64-bit counters. 0 or -errno. */
int datapath_sum(int map, __u32 key, __u64 *sum, size_t words);
/* Sets the value to 0 on every CPU. */
int datapath_zero(int map, __u32 key, size_t words);

/* Maps an ARRAY map made with BPF_F_MMAPABLE into memory. len: max_entries x value size, the
 * latter rounded up to 8. NULL with errno set. */
void *datapath_mmap(int map, size_t len);

#endif
