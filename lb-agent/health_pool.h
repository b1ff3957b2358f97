/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_HEALTH_POOL_H
#define MPLB_HEALTH_POOL_H

#include "probe.h"

/* What is probed of each member of a pool, copied from a config. */
struct health_target {
	struct ip vip;
	uint16_t port;
	union probe_addr to; /* both */
	char *request; /* of http */
	/* Source towards a VIP of another family than the backends', and when it was looked up. */
	struct ip source;
	uint64_t source_ms;
};

struct health_pool {
	char name[MPLB_NAME_LEN];
	struct lb_health health; /* its texts are ours */
	struct health_target *targets; /* one after another; all must pass */
	size_t n_targets; /* 0: nothing is probed */
};

union probe_addr health_addr(const struct ip *ip, uint16_t port);

/* Copies pools[p]. 0 or -ENOMEM, *to then empty. */
int health_pool_copy(const struct lb_config *config, size_t p, struct health_pool *to);
/* Frees the array, too. */
void health_pools_free(struct health_pool *pools, size_t n);

/* Do probes of the two ask for the same? */
bool health_pool_is_same(const struct health_pool *a, const struct health_pool *b);

#endif
