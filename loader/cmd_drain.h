/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_CMD_DRAIN_H
#define MPLB_CMD_DRAIN_H

#include <stdint.h>
#include "lbctl.h"

/* How long `lbctl drain` waits. */
struct drain_wait {
	bool wait;
	uint32_t deadline_ms; /* 0: none */
};

/* Shows what is left on a backend that is drained, until nothing is. changes: what the order has
 * changed, for -j. Returns the exit status: LBCTL_KERNEL where the deadline came first, or where
 * nobody knows what is left. */
int drain_wait(const struct lbctl *ctl, const char *backend, const struct drain_wait *wait,
	       const json_t *changes);

#endif
