/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_PROBE_TC_H
#define MPLB_PROBE_TC_H

#include <stdbool.h>

#include <linux/types.h>

/* The program of the health probes on lo's egress. */
struct probe_tc {
	__u32 handle; /* of the filter: the first mark, so that agents with marks of their own agree
		       */
	__u32 program; /* id; 0: not ours */
	bool made_qdisc;
};

/* Puts the program there, in place of one of another run. 0 or -errno, logged. */
int probe_tc_attach(struct probe_tc *tc, int program);

bool probe_tc_is_there(const struct probe_tc *tc);

/* Takes it off, and the qdisc if it was made for it and nobody else uses it. */
void probe_tc_detach(struct probe_tc *tc);

#endif
