/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_FUZZ_WORLD_H
#define MPLB_FUZZ_WORLD_H

/*
 * The config that the packets meet, twice: in the maps of the loaded program, filled by the
 * loader's own functions, and as the model's input. It lives in a network namespace of its own:
 *
 *   lo (1, forwarding off)    mplbf0 ------- mplbf1
 *                             10.99.0.1/24, fd99::1/64, forwarding on
 *
 * with routes for the backends whose next hop is left to the FIB. Pool n has the VIP addresses
 * 198.51.100.n and 198.51.101.n, 2001:db8:100::n and 2001:db8:101::n (n from 1).
 */
#include <stdbool.h>
#include "loader/datapath.h"
#include "model.h"

enum world_pool {
	WORLD_L2 = 1, /* out of lo: XDP_TX for what came in by it */
	WORLD_L2_AWAY,
	WORLD_L2_VLAN,
	WORLD_IPIP4,
	WORLD_IPIP6,
	WORLD_IPIP4_VLAN,
	WORLD_IPIP6_AWAY,
	WORLD_GUE4, /* several members, some with a fallback of their own */
	WORLD_GUE6_VLAN,
	WORLD_GUE4_ONE, /* the owner is its own fallback */
	WORLD_GUE6_ONE,
	WORLD_IPIP4_SMALL, /* small MTUs */
	WORLD_IPIP6_SMALL,
	WORLD_GUE4_SMALL,
	WORLD_L2_SMALL,
	WORLD_GUE6_ADDRESSES, /* hash: addresses */
	WORLD_L2_ADDRESSES,
	WORLD_IPIP4_ADDRESSES,
	WORLD_FIB_IPIP4,
	WORLD_FIB_GUE6,
	WORLD_FIB_L2,
	WORLD_FIB_NO_ROUTE,
	WORLD_FIB_NO_ROUTE6,
	WORLD_FIB_NO_NEIGHBOUR,
	WORLD_FIB_NO_NEIGHBOUR6,
	WORLD_FIB_SMALL, /* a small MTU of the route */
	WORLD_DRAINED, /* fallbacks, but no owner */
	WORLD_EMPTY,
	WORLD_BAD_BACKEND, /* a table with an index beyond the map of backends */
	WORLD_NO_TABLE,
	WORLD_POOLS
};

#define WORLD_VIPS_MAX	  (WORLD_POOLS * 16)
#define WORLD_MEMBERS_MAX (WORLD_POOLS * WORLD_POOLS * WORLD_MEMBERS)
#define WORLD_MEMBERS	  8 /* places in mplb_backends for a pool: pool * WORLD_MEMBERS + n */
#define WORLD_BACKENDS	  (WORLD_POOLS * WORLD_MEMBERS)

struct lb_bpf;

struct world {
	struct lb_bpf *skel;
	int prog;
	struct datapath dp;
	struct model model;
	uint32_t near, away; /* ifindex of lo and of mplbf0 */
	struct model_vip vips[WORLD_VIPS_MAX];
	struct model_pool pools[WORLD_POOLS];
	struct model_hop fib[MPLB_MAX_BACKENDS];
	struct model_member members[WORLD_MEMBERS_MAX];
	struct model_state state;
};

/* Moves the process into a network namespace of its own and loads the program there. 0 or -errno,
 * logged. What it took is given back when the process ends. */
int world_open(struct world *world);

/* Fills maps and model with the config: a part of world_open(). 0 or -errno. */
int world_fill(struct world *world);

/* Fills the budget of generated ICMP errors on every CPU, or empties it. */
void world_set_budget(const struct world *world, bool full);

/* Empties what has been learnt of connections, in the maps and in the model. */
void world_forget(const struct world *world);

/* What one run of the program did. */
struct world_result {
	int verdict; /* XDP_*; negative: -errno, the kernel refused the run */
	struct mplb_trace trace; /* of a traced run */
	size_t len;
	uint8_t frame[MODEL_FRAME_MAX + 512];
};

/* Runs a frame of 14 to WORLD_FRAME_MAX bytes that comes in by device ingress. A traced run is not
 * counted. */
#define WORLD_FRAME_MAX 3400 /* with the metadata and what the kernel keeps, one page */
void world_run(const struct world *world, const uint8_t *frame, size_t len, uint32_t ingress,
	       bool traced, struct world_result *out);

#endif
