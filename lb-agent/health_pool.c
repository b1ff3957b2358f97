/* SPDX-License-Identifier: GPL-2.0-only */
#include "health_pool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

union probe_addr health_addr(const struct ip *ip, uint16_t port)
{
	union probe_addr addr;

	memset(&addr, 0, sizeof(addr));
	if (ip->family == MPLB_FAMILY_4) {
		addr.v4.sin_family = AF_INET;
		addr.v4.sin_port = htons(port);
		addr.v4.sin_addr.s_addr = ip->addr.word[0];
	} else {
		addr.v6.sin6_family = AF_INET6;
		addr.v6.sin6_port = htons(port);
		memcpy(&addr.v6.sin6_addr, &ip->addr, sizeof(addr.v6.sin6_addr));
	}
	return addr;
}

/* HTTP/1.1, for some servers refuse 1.0; the connection is closed by us anyway. */
static char *make_request(const struct lb_health *health, const struct ip *vip, uint16_t port)
{
	char addr[IP_STRLEN], host[IP_STRLEN + 16], *request;

	snprintf(host, sizeof(host), vip->family == MPLB_FAMILY_4 ? "%s:%u" : "[%s]:%u",
		 ip_format(vip, addr), port);
	if (asprintf(&request,
		     "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: mplb-health\r\nAccept: */*\r\n"
		     "Connection: close\r\n\r\n",
		     health->path, health->host ? health->host : host) < 0)
		return NULL;
	return request;
}

static bool has_target(const struct health_pool *pool, const struct ip *vip, uint16_t port)
{
	for (size_t i = 0; i < pool->n_targets; i++)
		if (pool->targets[i].port == port && ip_equal(&pool->targets[i].vip, vip))
			return true;
	return false;
}

static int add_target(struct health_pool *pool, const struct lb_vip *vip)
{
	uint16_t port = pool->health.port ? pool->health.port : vip->port;
	struct health_target *target = &pool->targets[pool->n_targets];

	if (!port || (!pool->health.port && vip->protocol != IPPROTO_TCP))
		return 0;
	/* VIPs that differ by port or protocol alone, and a port to probe that is one. */
	if (has_target(pool, &vip->addr, port))
		return 0;
	*target = (struct health_target){ .vip = vip->addr,
					  .port = port,
					  .to = health_addr(&vip->addr, port) };
	if (pool->health.type == LB_HEALTH_HTTP) {
		target->request = make_request(&pool->health, &vip->addr, port);
		if (!target->request)
			return -ENOMEM;
	}
	pool->n_targets++;
	return 0;
}

static int copy_text(const char **text)
{
	if (*text)
		*text = strdup(*text);
	return *text ? 0 : -ENOMEM;
}

static int copy_texts(struct lb_health *health)
{
	bool has_host = health->host, has_body = health->body;
	int err = copy_text(&health->path);

	err |= copy_text(&health->host) && has_host ? -ENOMEM : 0;
	err |= copy_text(&health->body) && has_body ? -ENOMEM : 0;
	return err;
}

static void clear(struct health_pool *pool)
{
	for (size_t i = 0; i < pool->n_targets; i++)
		free(pool->targets[i].request);
	free(pool->targets);
	free((char *)pool->health.path);
	free((char *)pool->health.host);
	free((char *)pool->health.body);
	*pool = (struct health_pool){ 0 };
}

int health_pool_copy(const struct lb_config *config, size_t p, struct health_pool *to)
{
	const struct lb_pool *from = &config->pools[p];
	int err;

	*to = (struct health_pool){ .health = from->health };
	snprintf(to->name, sizeof(to->name), "%s", from->name);
	err = copy_texts(&to->health);
	to->targets = calloc(config->n_vips + 1, sizeof(*to->targets));
	if (!to->targets)
		err = -ENOMEM;
	for (size_t v = 0; !err && from->health.type != LB_HEALTH_NONE && v < config->n_vips; v++)
		if (config->vips[v].pool == from)
			err = add_target(to, &config->vips[v]);
	if (err)
		clear(to);
	return err;
}

void health_pools_free(struct health_pool *pools, size_t n)
{
	for (size_t i = 0; i < n; i++)
		clear(&pools[i]);
	free(pools);
}

static bool is_same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

bool health_pool_is_same(const struct health_pool *a, const struct health_pool *b)
{
	if (a->health.type != b->health.type || a->n_targets != b->n_targets ||
	    a->health.interval_ms != b->health.interval_ms ||
	    a->health.timeout_ms != b->health.timeout_ms ||
	    a->health.status_least != b->health.status_least ||
	    a->health.status_most != b->health.status_most ||
	    !is_same_text(a->health.body, b->health.body))
		return false;
	for (size_t i = 0; i < a->n_targets; i++)
		if (a->targets[i].port != b->targets[i].port ||
		    !ip_equal(&a->targets[i].vip, &b->targets[i].vip) ||
		    !is_same_text(a->targets[i].request, b->targets[i].request))
			return false;
	return true;
}
