/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_LINK_MODEL_H
#define MPLB_LINK_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "settings.h"

/*
 * What becomes of the packets of one direction, and when. It sees no packets, only their lengths
 * and the time, so that it can be tested without any.
 *
 * A packet passes, in this order: blackhole, loss, the queue in front of the rate, the rate, delay
 * and jitter, reordering, duplication. Packets lost use no rate.
 */

/* Each kind of chance has a stream of its own: a change of the delay does not alter which packets
 * are lost. */
enum link_chance {
	LINK_CHANCE_LOSS,
	LINK_CHANCE_JITTER,
	LINK_CHANCE_REORDER,
	LINK_CHANCE_DUPLICATE,
	LINK_CHANCE_MAX,
};

/* X(NAME, "name"): what can happen to a packet. */
#define LINK_FATES(X)                                                                              \
	X(PASS, "passed")                                                                          \
	X(LOSS, "lost")                                                                            \
	X(BLACKHOLE, "blackholed")                                                                 \
	X(QUEUE, "queue_full")

enum link_fate {
#define X(NAME, name) LINK_FATE_##NAME,
	LINK_FATES(X)
#undef X
		LINK_FATE_MAX
};

struct link_model {
	struct link_settings settings;
	uint64_t free_at; /* ns: when the rate has dealt with all that was let in */
	uint64_t latest; /* ns: when the last packet arrives that keeps the order */
	bool in_burst;
	uint64_t chance[LINK_CHANCE_MAX];
};

/* direction makes the two directions of one seed differ. */
void link_model_init(struct link_model *model, uint64_t seed, unsigned int direction);

/*
 * A packet of len bytes comes in at now (ns, never less than the last time). On LINK_FATE_PASS,
 * *due is when it comes out, *copies (1 or 2) how often, *overtaken whether it was picked for
 * reordering. The outputs are untouched otherwise.
 */
enum link_fate link_model_admit(struct link_model *model, uint64_t now, size_t len, uint64_t *due,
				unsigned int *copies, bool *overtaken);

#endif
