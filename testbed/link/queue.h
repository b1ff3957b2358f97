/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_LINK_QUEUE_H
#define MPLB_LINK_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A packet under way: when it is due, and where its bytes are. */
struct link_packet {
	uint64_t due; /* ns */
	uint64_t order; /* of arrival; decides where due is the same */
	uint32_t slot; /* see wire.h */
	uint32_t len;
};

/* Packets by the time at which they are due: a binary heap of fixed capacity. */
struct link_queue;

/* NULL without memory. */
struct link_queue *link_queue_new(size_t capacity);
void link_queue_free(struct link_queue *queue);

/* False when it is full. Sets packet->order in its copy. */
bool link_queue_push(struct link_queue *queue, const struct link_packet *packet);
/* The packet due first, NULL if there is none; valid until the next push or pop. */
const struct link_packet *link_queue_first(const struct link_queue *queue);
void link_queue_pop(struct link_queue *queue);
size_t link_queue_length(const struct link_queue *queue);

#endif
