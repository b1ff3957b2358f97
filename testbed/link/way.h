/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_LINK_WAY_H
#define MPLB_LINK_WAY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "model.h"
#include "queue.h"
#include "wire.h"

/* One direction: frames that come in at one interface go, as the model says, out at the other. */
struct link_way {
	struct link_model model;
	struct link_queue *queue;
	struct link_pool *pool;
	int from, to;
	struct {
		uint64_t fate[LINK_FATE_MAX];
		uint64_t received, received_bytes, sent, sent_bytes, duplicated, overtaken;
		uint64_t overrun; /* the kernel dropped it before we saw it */
		uint64_t no_room; /* too many packets under way */
		uint64_t too_long; /* than LINK_FRAME_MAX */
		uint64_t refused; /* by the interface that it was to leave by */
		uint64_t late_ns, late_ns_max; /* sent so long after it was due; sum and worst */
	} count;
};

/* Fetches what has come in. Whether there was anything. */
bool link_way_receive(struct link_way *way, uint64_t now);
/* Sends what is due. Whether there was anything. */
bool link_way_send(struct link_way *way, uint64_t now);
/* Its settings and counters. */
json_t *link_way_show(struct link_way *way);

#endif
