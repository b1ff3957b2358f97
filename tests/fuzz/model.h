/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_FUZZ_MODEL_H
#define MPLB_FUZZ_MODEL_H

/*
 * The balancer's decision, computed a second time from docs/packet-walk.md: plain C on a buffer,
 * slow, and written without a look at bpf/. The fuzzer holds the program against it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/ip.h"
#include "mplb/abi.h"
#include "mplb/drop.h"

#define MODEL_FRAME_MAX 4096

struct model_vip {
	struct ip addr;
	uint16_t port; /* host byte order; 0: any */
	uint8_t proto;
	enum mplb_mp_join mp_join;
	uint16_t join_base; /* join_ports; 0: none */
	uint32_t pool;
	uint64_t key; /* of the flow hash */
};

struct model_pool {
	bool addresses; /* hash: addresses */
	const struct mplb_table_slot *slots; /* NULL: the VIP's index has no table */
};

/* What the machine's routes and neighbours say of a backend's address. */
struct model_hop {
	enum mplb_reason reason; /* FORWARDED: the rest is valid; else why not */
	uint32_t ifindex;
	uint8_t dmac[6], smac[6];
	uint32_t mtu; /* of the route */
};

/* Who of a pool an id or a token's backend stands for (struct mplb_member_key). */
struct model_member {
	uint32_t pool, which;
	uint16_t index;
};

/*
 * What has been learnt. Kept in step with the program's tables: both see the same packets, and
 * world_forget() empties both before the program's buckets could be full, so that nothing is ever
 * given up. Flows are known by their 5-tuples, not by hashes.
 */
#define MODEL_STATE_MAX 4096

struct model_token {
	uint32_t token;
	uint16_t owner;
	bool collided;
};

struct model_subflow {
	const struct model_vip *vip;
	uint8_t src[16];
	uint16_t sport, dport;
	uint16_t owner;
	bool joined; /* false: an MP_CAPABLE SYN went to owner, whose slot has a fallback */
};

struct model_state {
	struct model_token tokens[MODEL_STATE_MAX];
	struct model_subflow subflows[MODEL_STATE_MAX];
	size_t n_tokens, n_subflows;
};

struct model {
	const struct model_vip *vips;
	size_t n_vips;
	const struct model_pool *pools;
	const struct mplb_backend *backends; /* MPLB_MAX_BACKENDS */
	const struct model_hop *fib; /* one per backend: used where it is not resolved */
	size_t n_backends; /* that have a place in fib */
	uint32_t no_forwarding; /* the device that has forwarding off */
	const struct model_member *members;
	size_t n_members;
	struct model_state *state;
};

struct model_result {
	int verdict; /* XDP_* */
	enum mplb_reason reason;
	const struct model_vip *vip; /* NULL: none found */
	/* Of the slot; valid where reason is FORWARDED. */
	uint32_t hash, slot, ifindex;
	uint16_t owner, fallback;
	bool fib;
	enum mplb_via via;
	size_t ip_len;
	/* The frame that comes out; unspecified where the packet is dropped. */
	size_t len;
	uint8_t frame[MODEL_FRAME_MAX];
};

/* Decides about a frame that comes in by device ingress. traced: as for lbctl explain, so that
 * nothing is learnt of it. */
void model_run(const struct model *model, const uint8_t *frame, size_t len, uint32_t ingress,
	       bool traced, struct model_result *out);

/* "forwarded", "not_ip", ...; "?" for what is no reason. */
const char *model_reason_name(unsigned int reason);

#endif
