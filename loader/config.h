/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_CONFIG_H
#define MPLB_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/conf.h"
#include "lib/ip.h"

/* The balancer's config file, validated: names resolved, addresses parsed, defaults in place. */

struct lb_backend {
	const char *name;
	struct ip addr;
	uint16_t id; /* unique in its pool; what the table depends on, with weight */
	uint32_t weight; /* 0: takes no new flows */
};

struct lb_pool {
	const char *name;
	enum mplb_forward forward;
	bool hash_addresses; /* the flow hash takes addresses only */
	struct lb_backend *backends; /* in the order of the file */
	size_t n_backends;
};

struct lb_vip {
	const char *name;
	struct ip addr;
	uint16_t port; /* host byte order; 0: any */
	uint8_t protocol; /* IPPROTO_TCP or IPPROTO_UDP */
	enum mplb_mp_join mp_join;
	uint16_t join_base; /* join_ports; 0: none */
	const struct lb_pool *pool;
};

struct lb_config {
	struct conf *conf; /* for conf_error() about what turns out wrong later */
	uint64_t hash_seed;
	struct lb_vip *vips;
	size_t n_vips;
	struct lb_pool *pools;
	size_t n_pools;
};

/* Loads and validates. Everything wrong is logged, all of it and not just the first, each with
 * file, line and key. 0 with *out to be freed by lb_config_free(), or -errno. */
int lb_config_load(const char *file, struct lb_config **out);
void lb_config_free(struct lb_config *config);

#endif
