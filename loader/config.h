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

enum lb_health_type { LB_HEALTH_NONE, LB_HEALTH_TCP, LB_HEALTH_HTTP, LB_HEALTH_MPTCP };

/* A member that went down `downs` times within within_ms comes up again only after it has passed
 * all probes for hold_ms. */
struct lb_damping {
	uint16_t downs; /* 0: no damping */
	uint32_t within_ms, hold_ms;
};

struct lb_health {
	enum lb_health_type type;
	uint32_t interval_ms, timeout_ms; /* timeout_ms <= interval_ms */
	uint16_t rise, fall; /* probes in a row that make a member up, down */
	uint16_t port; /* 0: that of each VIP */
	const char *path, *host, *body; /* of http; host NULL: the VIP, body NULL: any */
	uint16_t status_least, status_most; /* of http */
	enum mplb_all_down all_down;
	struct lb_damping damping;
};

struct lb_pool {
	const char *name;
	enum mplb_forward forward;
	bool hash_addresses; /* the flow hash takes addresses only */
	struct lb_health health;
	uint16_t metrics_port; /* of server-pm on the backends; 0: not to be asked */
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

#define LB_ANYCAST_PROTOCOL_LEN 64 /* as much as BIRD takes */

/* What is announced through a BGP speaker, and when. */
struct lb_anycast {
	const struct lb_vip *vip; /* NULL: the node, while any of its VIPs could be */
	const char *socket, *protocol; /* of BIRD */
	uint32_t min_healthy; /* backends that are up, at least */
	uint32_t hold_down_ms; /* how long all must have been well before it is announced */
	uint32_t drain_ms; /* from the withdrawal to the end of the agent */
};

struct lb_config {
	struct conf *conf; /* for conf_error() about what turns out wrong later */
	uint64_t hash_seed;
	uint32_t settle_after_ms; /* from a pool's latest change; 0: never */
	uint32_t probe_mark; /* of the probe to a backend: this plus the backend's index */
	struct lb_vip *vips;
	size_t n_vips;
	struct lb_pool *pools;
	size_t n_pools;
	bool no_data_plane; /* this machine serves its VIPs itself: nothing is to be forwarded */
	struct lb_anycast *anycast;
	size_t n_anycast;
	struct ip metrics; /* where metrics are served; family 0: nowhere */
	unsigned int metrics_port; /* host byte order */
};

/* Loads and validates. Everything wrong is logged, all of it and not just the first, each with
 * file, line and key. 0 with *out to be freed by lb_config_free(), or -errno. */
int lb_config_load(const char *file, struct lb_config **out);
/* The same with the file's text; file is for the messages. */
int lb_config_parse(const char *file, const char *text, size_t len, struct lb_config **out);
void lb_config_free(struct lb_config *config);

#endif
