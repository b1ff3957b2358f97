/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_TEST_RIG_H
#define MPLB_TEST_RIG_H

/*
 * The balancer's programs, loaded but on no NIC, with maps filled by the loader's own functions.
 * What goes wrong in here ends the test that called.
 */
#include "loader/datapath.h"
#include "loader/maglev.h"
#include "mplb/abi.h"
#include "packet.h"

#define RIG_INGRESS 1 /* lo: there in every network namespace */
#define RIG_EGRESS  77 /* no such device: redirection does not look for it */
#define RIG_SEED    0x5eed
#define RIG_NO_POOL (MPLB_MAX_POOLS - 1) /* never has a table */

struct rig_vip {
	const char *addr; /* text */
	uint16_t port; /* host byte order; 0: any */
	uint8_t proto;
	enum mplb_mp_join mp_join;
	uint32_t table; /* a pool that is set, RIG_NO_POOL, or no index at all */
	uint64_t hash_key; /* 0: one of the VIP's own */
	bool addresses; /* its pool has hash: addresses */
	uint16_t join_base; /* join_ports: one block, that of the first port */
	struct ip ip; /* of addr: set by rig_add_vip() */
};

struct rig_backend {
	enum mplb_forward forward;
	const char *dst, *src; /* text */
	uint32_t ifindex; /* 0: not resolved */
	uint16_t mtu; /* 1500 */
	uint16_t vlan; /* of the next hop; 0: none */
};

struct lb_bpf;

struct rig {
	struct lb_bpf *skel; /* for its maps */
	int kept, prog, probe; /* file descriptors: kept.h, mplb_lb, mplb_probe */
	struct datapath dp;
	struct mplb_vip_slot *table; /* of the VIPs added, not in force until rig_commit() */
	struct rig_vip vips[MPLB_MAX_VIPS];
	uint32_t n_vips;
	uint32_t pool_key[MPLB_MAX_POOLS]; /* of the pools set, not in force until rig_commit() */
	int pool_fd[MPLB_MAX_POOLS];
	uint32_t n_pools;
	bool pool_set[MPLB_MAX_POOLS]; /* by this test: the map has tables of others, too (kept.h)
					*/
};

/* The programs, and empty maps. Skips the test where that needs rights that we do not have. */
void rig_open(struct rig *rig);
void rig_close(struct rig *rig);

/* Ends the test as skipped, with the reason; as failed where REQUIRE_ALL is set and not 0. */
void rig_skip(const char *reason);
/* Ends it as skipped all the same: for what a kernel cannot do. */
void rig_skip_kernel(const char *reason);

/* full, or quick where MPLB_QUICK is set: emulated machines are slow. */
unsigned int rig_scale(unsigned int full, unsigned int quick);

/* Adds a VIP; its index is returned. */
uint32_t rig_add_vip(struct rig *rig, const struct rig_vip *vip);

/* Puts the pools that were set in force, then the VIPs that were added. */
void rig_commit(struct rig *rig);

/* The VIP that a packet to this address, port (host byte order) and protocol is for. NULL: none.
 * A plain search, to compare the program's with. */
const struct rig_vip *rig_find_vip(const struct rig *rig, const struct ip *dst, uint16_t port,
				   uint8_t proto);

/* Writes a backend. Its MAC addresses are those of rig_mac(). */
void rig_set_backend(struct rig *rig, uint32_t index, const struct rig_backend *b);
/* The outer side of what goes to it, as the map has it. fallback: index of a backend, or its own or
 * MPLB_NO_BACKEND: none. */
struct outer rig_outer(const struct rig *rig, uint32_t index, uint32_t fallback, uint32_t hash);

/* Makes a pool's table over these members. slots[MPLB_TABLE_SLOTS]: a copy, or NULL. */
void rig_set_pool(struct rig *rig, uint32_t table, const struct maglev_member *members, size_t n,
		  struct mplb_table_slot *slots);
/* Makes a pool's table with the same backend, or the same pair, in every slot. */
void rig_set_constant_pool(struct rig *rig, uint32_t table, uint16_t backend);
void rig_set_constant_pair(struct rig *rig, uint32_t table, uint16_t owner, uint16_t fallback);
/* Says who is meant in a pool (struct mplb_member_key). */
void rig_set_member(struct rig *rig, uint32_t table, uint32_t which, uint32_t backend);

/* Hash of a flow from src to this VIP by include/mplb/hash.h. Ports in host byte order. */
uint32_t rig_hash(const struct rig_vip *vip, const struct ip *src, uint16_t sport, uint16_t dport);
/* The same from a frame: untagged, without IPv4 options or extension headers. */
uint32_t rig_hash_frame(const struct rig_vip *vip, const struct frame *f);

/* What the program did. */
struct rig_result {
	int verdict; /* XDP_* */
	struct frame out;
	struct mplb_trace trace;
};

/* Runs a frame that comes in by device RIG_INGRESS. */
void rig_run(const struct rig *rig, const struct frame *in, struct rig_result *out);
/* Runs a frame that comes in by any device, with metadata in front of it (len bytes; what becomes
 * of a struct mplb_trace in it is in out). 0 or -errno: what the kernel says to it. */
int rig_run_with(const struct rig *rig, const struct frame *in, const void *meta, size_t len,
		 uint32_t ingress, struct rig_result *out);
/* Runs a frame as `lbctl explain` does. */
void rig_explain(const struct rig *rig, const struct frame *in, struct rig_result *out);

/* All counters of the first RIG_COUNTED VIPs and backends. */
#define RIG_COUNTED 128
struct rig_counters {
	__u64 reason[MPLB_R_MAX];
	struct mplb_vip_stats vip[RIG_COUNTED];
	struct mplb_backend_stats backend[RIG_COUNTED];
};

void rig_count(const struct rig *rig, struct rig_counters *out);

/* A generator of numbers (xorshift64*; Marsaglia, Vigna), the same on each run. */
uint64_t rig_random(uint64_t *state);

#endif
