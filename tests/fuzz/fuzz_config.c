/* SPDX-License-Identifier: GPL-2.0-only */
/* lbctl's config file (fuzz_load.h). */
#include <string.h>
#include "fuzz_load.h"
#include "loader/config.h"
#include "mplb/maps.h"

static void check_pool(const struct lb_pool *pool)
{
	fuzz_check(pool->name && *pool->name && strlen(pool->name) < MPLB_NAME_LEN,
		   "a pool has a name that fits");
	fuzz_check(pool->n_backends && pool->n_backends <= MPLB_MAX_BACKENDS,
		   "a pool has backends, and not too many");
	for (size_t i = 0; i < pool->n_backends; i++) {
		const struct lb_backend *b = &pool->backends[i];

		fuzz_check(strlen(b->name) < MPLB_NAME_LEN && b->id && b->weight <= UINT16_MAX &&
				   !ip_is_unusable(&b->addr),
			   "a backend is in range");
		for (size_t j = 0; j < i; j++)
			fuzz_check(b->id != pool->backends[j].id, "ids differ");
	}
}

static void check_vip(const struct lb_config *config, size_t i)
{
	const struct lb_vip *vip = &config->vips[i];

	fuzz_check(vip->pool >= config->pools && vip->pool < config->pools + config->n_pools,
		   "a VIP has one of the pools");
	for (size_t j = 0; j < i; j++) {
		const struct lb_vip *other = &config->vips[j];

		fuzz_check(!ip_equal(&vip->addr, &other->addr) || vip->port != other->port ||
				   vip->protocol != other->protocol,
			   "VIPs do not overlap");
	}
}

/* The name goes into a command for BIRD, in quotes. */
static void check_anycast(const struct lb_config *config, size_t i)
{
	const struct lb_anycast *a = &config->anycast[i];

	fuzz_check(!a->vip || (a->vip >= config->vips && a->vip < config->vips + config->n_vips),
		   "what is announced is one of the VIPs, or the node");
	fuzz_check(*a->protocol && strlen(a->protocol) <= LB_ANYCAST_PROTOCOL_LEN &&
			   !strpbrk(a->protocol, "\"'*? \t\n;"),
		   "a protocol's name is one word, and no pattern");
	fuzz_check(*a->socket == '/' && a->min_healthy, "a socket has a path, and somebody is up");
}

static void check(const struct lb_config *config)
{
	fuzz_check(config->n_vips <= MPLB_MAX_VIPS && config->n_pools <= MPLB_MAX_POOLS,
		   "not more than fits");
	for (size_t i = 0; i < config->n_pools; i++)
		check_pool(&config->pools[i]);
	for (size_t i = 0; i < config->n_vips; i++)
		check_vip(config, i);
	for (size_t i = 0; i < config->n_anycast; i++)
		check_anycast(config, i);
}

FUZZ_LOAD(struct lb_config, lb_config_load, check, lb_config_free)
