/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_TOP_H
#define MPLB_TOP_H

#include <jansson.h>
#include <stdio.h>
#include "datapath.h"

/* What `lbctl top` shows: counters as rates, and states. */

/* Everything that was counted until now. at: seconds, monotonic. */
struct top_sample {
	double at;
	json_t *vips, *backends, *reasons; /* counters, loader/report.h */
	json_t *states; /* of the backends, loader/report.h */
	json_t *nics;
};

/* Reads one. 0, or -EIO, logged; to be dropped either way. */
int top_read(const struct datapath *dp, struct top_sample *out);
void top_drop(struct top_sample *s);

/*
 * What happened between two samples, the busiest first:
 *
 *	seconds, nics
 *	vips: name packets_s bytes_s connections_s joins_s, and of what came in between, null where
 *	      nothing did: mptcp_share of the new connections, packets_per_connection
 *	backends: name pool state marks problem share packets_s bytes_s
 *	drops: reason packets_s packets (since the counters began), of those that ever counted
 *
 * Of MPTCP connections the balancer sees the initial subflow alone: the more of their traffic goes
 * around it, the fewer packets_per_connection there are. NULL: out of memory.
 */
json_t *top_rates(const struct top_sample *before, const struct top_sample *now);

/* Writes rates as a page of at most so many columns and lines; 0: no limit. Returns how many lines
 * it has. */
int top_print(const json_t *rates, FILE *out, int columns, int lines);

#endif
