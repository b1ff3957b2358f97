/* SPDX-License-Identifier: GPL-2.0-only */
#include "config_check.h"

#include <netinet/in.h>
#include <string.h>
#include "config_health.h"
#include "joinports.h"
#include "mplb/maps.h"

static bool same_address(const struct ip *a, const struct ip *b)
{
	return a->family && ip_equal(a, b);
}

static const char *family_name(const struct ip *ip)
{
	return ip->family == MPLB_FAMILY_4 ? "IPv4" : "IPv6";
}

static unsigned int check_vip_pair(const struct lb_config *config, size_t i, size_t j)
{
	const struct lb_vip *vip = &config->vips[i], *other = &config->vips[j];
	const char *proto = vip->protocol == IPPROTO_TCP ? "tcp" : "udp";
	unsigned int errors = 0;
	char addr[IP_STRLEN];

	if (!strcmp(vip->name, other->name)) {
		conf_error(config->conf, conf_path("vips[%zu].name", i),
			   "'%s' is already the name of vips[%zu]; give each VIP its own name",
			   vip->name, j);
		errors++;
	}
	if (same_address(&vip->addr, &other->addr) && vip->port == other->port &&
	    vip->protocol == other->protocol) {
		conf_error(config->conf, conf_path("vips[%zu].address", i),
			   "%s port %u %s is already served by VIP '%s'; remove one, or change "
			   "address, port or protocol",
			   ip_format(&vip->addr, addr), vip->port, proto, other->name);
		errors++;
	}
	return errors;
}

/* Those of a VIP; none where what is wrong has been said. */
static struct joinports join_ports(const struct lb_vip *vip)
{
	uint16_t max = 0;

	if (!vip->join_base || !vip->pool || !vip->port || vip->protocol != IPPROTO_TCP)
		return (struct joinports){ 0 };
	for (size_t i = 0; i < vip->pool->n_backends; i++)
		if (vip->pool->backends[i].id > max)
			max = vip->pool->backends[i].id;
	return joinports_of(vip->join_base, max);
}

static unsigned int check_join_ids(const struct lb_config *config, size_t v)
{
	const struct lb_vip *vip = &config->vips[v];
	unsigned int errors = 0;

	if (!vip->join_base || !vip->pool)
		return 0;
	for (size_t i = 0; i < vip->pool->n_backends; i++) {
		const struct lb_backend *b = &vip->pool->backends[i];

		if (vip->join_base + b->id <= 65535)
			continue;
		conf_error(config->conf, conf_path("vips[%zu].join_ports.base", v),
			   "%u leaves no port to backend '%s' of pool '%s', whose id is %u: %u is "
			   "above 65535; give a lower base, or the backend a lower id",
			   vip->join_base, b->name, vip->pool->name, b->id, vip->join_base + b->id);
		errors++;
	}
	return errors;
}

/* The join ports of VIP i against the port and the join ports of VIP j. */
static unsigned int check_join_pair(const struct lb_config *config, size_t i, size_t j)
{
	const struct lb_vip *vip = &config->vips[i], *other = &config->vips[j];
	struct joinports ports = join_ports(vip), others = join_ports(other);

	if (!ports.first || !same_address(&vip->addr, &other->addr) ||
	    other->protocol != IPPROTO_TCP)
		return 0;
	if (!other->port || (other->port >= ports.first && other->port <= ports.last)) {
		conf_error(config->conf, conf_path("vips[%zu].join_ports.base", i),
			   "the join ports %u to %u are also VIP '%s''s (port %u%s); give another "
			   "base",
			   ports.first, ports.last, other->name, other->port,
			   other->port ? "" : ", any port");
		return 1;
	}
	if (i <= j || !others.first || others.last < ports.first || others.first > ports.last)
		return 0;
	conf_error(config->conf, conf_path("vips[%zu].join_ports.base", i),
		   "the join ports %u to %u overlap with those of VIP '%s', %u to %u; give another "
		   "base",
		   ports.first, ports.last, other->name, others.first, others.last);
	return 1;
}

static unsigned int check_join_blocks(const struct lb_config *config)
{
	unsigned int blocks = 0;

	for (size_t v = 0; v < config->n_vips; v++)
		blocks += joinports_blocks(join_ports(&config->vips[v]));
	if (blocks <= MPLB_MAX_JOIN_BLOCKS)
		return 0;
	conf_error(
		config->conf, "vips",
		"the join ports of all VIPs are in %u blocks of %d ports; %d have room: give the "
		"backends lower ids, or fewer VIPs join_ports",
		blocks, MPLB_JOIN_BLOCK, MPLB_MAX_JOIN_BLOCKS);
	return 1;
}

static unsigned int check_vips(const struct lb_config *config)
{
	unsigned int errors = 0;
	size_t i, j;

	for (i = 0; i < config->n_vips; i++) {
		for (j = 0; j < i; j++)
			errors += check_vip_pair(config, i, j);
		errors += check_join_ids(config, i);
		for (j = 0; j < config->n_vips; j++)
			errors += check_join_pair(config, i, j);
	}
	return errors ? errors : check_join_blocks(config);
}

static unsigned int check_backend_pair(const struct lb_config *config, size_t p, size_t i, size_t j)
{
	const struct lb_backend *b = &config->pools[p].backends[i];
	const struct lb_backend *other = &config->pools[p].backends[j];
	unsigned int errors = 0;
	char addr[IP_STRLEN];

	if (!strcmp(b->name, other->name)) {
		conf_error(config->conf, conf_path("pools[%zu].backends[%zu].name", p, i),
			   "'%s' is already the name of backends[%zu]; give each backend of a pool "
			   "its own name",
			   b->name, j);
		errors++;
	}
	if (b->id && b->id == other->id) {
		conf_error(config->conf, conf_path("pools[%zu].backends[%zu].id", p, i),
			   "%u is already the id of backend '%s'; give each backend of a pool its "
			   "own id",
			   b->id, other->name);
		errors++;
	}
	if (same_address(&b->addr, &other->addr)) {
		conf_error(config->conf, conf_path("pools[%zu].backends[%zu].address", p, i),
			   "%s is already the address of backend '%s'; remove one of the two",
			   ip_format(&b->addr, addr), other->name);
		errors++;
	}
	return errors;
}

/* A backend that is reached at a VIP's address would send its packets back to the balancer. */
static unsigned int check_backend_vips(const struct lb_config *config, size_t p, size_t i)
{
	const struct lb_backend *b = &config->pools[p].backends[i];
	char addr[IP_STRLEN];
	size_t v;

	for (v = 0; v < config->n_vips; v++) {
		if (!same_address(&b->addr, &config->vips[v].addr))
			continue;
		conf_error(config->conf, conf_path("pools[%zu].backends[%zu].address", p, i),
			   "%s is also the address of VIP '%s': packets would come back to the "
			   "balancer; give the backend's own address",
			   ip_format(&b->addr, addr), config->vips[v].name);
		return 1;
	}
	return 0;
}

/* l2 leaves the packet as it is, and finds the backend's MAC address through the neighbour table
 * of the packet's family. */
static unsigned int check_backend_family(const struct lb_config *config, size_t p, size_t i)
{
	const struct lb_pool *pool = &config->pools[p];
	const struct lb_backend *b = &pool->backends[i];
	size_t v;

	if (pool->forward != MPLB_FORWARD_L2 || !b->addr.family)
		return 0;
	for (v = 0; v < config->n_vips; v++) {
		const struct lb_vip *vip = &config->vips[v];

		if (vip->pool != pool || !vip->addr.family || vip->addr.family == b->addr.family)
			continue;
		conf_error(config->conf, conf_path("pools[%zu].backends[%zu].address", p, i),
			   "an address of the wrong family: %s, but VIP '%s' of this pool is %s; "
			   "use an %s address, or forward: ipip or gue",
			   family_name(&b->addr), vip->name, family_name(&vip->addr),
			   family_name(&vip->addr));
		return 1;
	}
	return 0;
}

/* The fallback's address is in the outer header, which has one family. */
static unsigned int check_gue_family(const struct lb_config *config, size_t p, size_t i)
{
	const struct lb_pool *pool = &config->pools[p];
	const struct lb_backend *b = &pool->backends[i], *first = NULL;
	size_t j;

	for (j = 0; j < i && !first; j++)
		if (pool->backends[j].addr.family)
			first = &pool->backends[j];
	if (pool->forward != MPLB_FORWARD_GUE || !first || !b->addr.family ||
	    b->addr.family == first->addr.family)
		return 0;
	conf_error(config->conf, conf_path("pools[%zu].backends[%zu].address", p, i),
		   "an address of the wrong family: %s, but backend '%s' has an %s address, and "
		   "all backends of a pool with forward: gue must be of one family",
		   family_name(&b->addr), first->name, family_name(&first->addr));
	return 1;
}

static unsigned int check_backends(const struct lb_config *config, size_t p)
{
	const struct lb_pool *pool = &config->pools[p];
	unsigned int errors = 0;
	uint64_t weight = 0;
	size_t i, j;

	for (i = 0; i < pool->n_backends; i++) {
		for (j = 0; j < i; j++)
			errors += check_backend_pair(config, p, i, j);
		errors += check_backend_vips(config, p, i);
		errors += check_backend_family(config, p, i);
		errors += check_gue_family(config, p, i);
		weight += pool->backends[i].weight;
	}
	if (!weight)
		conf_warn(config->conf, conf_path("pools[%zu].backends", p),
			  "all weights are 0: pool '%s' takes no traffic; give one a weight",
			  pool->name);
	return errors;
}

static void warn_unused(const struct lb_config *config, size_t p)
{
	size_t v;

	for (v = 0; v < config->n_vips; v++)
		if (!config->vips[v].pool || config->vips[v].pool == &config->pools[p])
			return;
	conf_warn(config->conf, conf_path("pools[%zu]", p),
		  "no VIP uses pool '%s'; remove it or name it in a VIP", config->pools[p].name);
}

static unsigned int check_pools(const struct lb_config *config)
{
	unsigned int errors = 0;
	size_t total = 0, p, j;

	for (p = 0; p < config->n_pools; p++) {
		const struct lb_pool *pool = &config->pools[p];

		for (j = 0; j < p; j++) {
			if (strcmp(pool->name, config->pools[j].name) != 0)
				continue;
			conf_error(config->conf, conf_path("pools[%zu].name", p),
				   "'%s' is already the name of pools[%zu]; give each pool its own "
				   "name",
				   pool->name, j);
			errors++;
		}
		errors += check_backends(config, p);
		errors += config_health_check(config, p);
		warn_unused(config, p);
		total += pool->n_backends;
	}
	if (total > MPLB_MAX_BACKENDS) {
		conf_error(config->conf, "pools", "%zu backends in all; give at most %u", total,
			   MPLB_MAX_BACKENDS);
		errors++;
	}
	return errors;
}

unsigned int lb_config_check(const struct lb_config *config)
{
	return check_vips(config) + check_pools(config);
}
