/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_BPF_BUDGET_H
#define MPLB_BPF_BUDGET_H

/* Token buckets: what is answered or learnt at a limited rate. */
#include "mplb/abi.h"
#include <bpf/bpf_helpers.h>
#include <linux/bpf.h>

/* Takes one, if there is one. now in ns; rate a second. */
static __always_inline int budget_take(struct mplb_budget *budget, __u64 now, __u64 rate,
				       __u64 burst)
{
	if (budget->tokens < burst) {
		__u64 fresh = 0;

		if (now > budget->last_ns)
			fresh = (now - budget->last_ns) / (1000000000ULL / rate);
		if (fresh) {
			budget->tokens += fresh;
			if (fresh > burst || budget->tokens > burst)
				budget->tokens = burst;
			budget->last_ns = now;
		}
		if (!budget->tokens)
			return 0;
	}
	budget->tokens -= 1;
	return 1;
}

#endif
