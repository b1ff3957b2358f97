/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_FUZZ_GEN_H
#define MPLB_FUZZ_GEN_H

/*
 * Packets for the fuzzer: of every kind that docs/packet-walk.md knows, most of them for a VIP of
 * world.h, then changed so that they may be of no kind at all.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "world.h"

struct rng {
	uint64_t state;
};

/* A number (xorshift64*), one below n, and whether an event of 1 in n happens. */
uint64_t rng_next(struct rng *rng);
uint32_t rng_below(struct rng *rng, uint32_t n);
bool rng_chance(struct rng *rng, uint32_t n);
#define RNG_PICK(rng, array) ((array)[rng_below(rng, sizeof(array) / sizeof((array)[0]))])

struct gen_frame {
	size_t len;
	size_t l3, l4; /* where the IP and the transport header were put */
	uint8_t family;
	uint8_t at[WORLD_FRAME_MAX];
};

/* A packet as a client or a router might send it, sometimes with a lie in one of its lengths. */
void gen_packet(struct rng *rng, struct gen_frame *out);

/* The layers of it; they put bytes at the end of the frame. Pool and address of a VIP are given as
 * in world.h; pool 0 is no VIP. */
void gen_vip_address(struct rng *rng, uint8_t family, uint8_t out[16]);
void gen_icmp(struct rng *rng, struct gen_frame *f, const uint8_t *vip);
void gen_tcp(struct rng *rng, struct gen_frame *f);
uint8_t *gen_room(struct gen_frame *f, size_t len);
uint16_t gen_vip_port(struct rng *rng);

/* Changes a frame in a few places. other: a packet to splice with. Leaves at least 14 bytes. */
void gen_mutate(struct rng *rng, struct gen_frame *f, const struct gen_frame *other);

#endif
