/* SPDX-License-Identifier: GPL-2.0-only */
#include "config.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "config_anycast.h"
#include "config_check.h"
#include "config_health.h"
#include "lib/duration.h"
#include "lib/log.h"
#include "mplb/maps.h"

#define DEFAULT_WEIGHT	  100
#define DEFAULT_SETTLE_MS 3600000
#define ARRAY_SIZE(a)	  (sizeof(a) / sizeof(*(a)))

enum file_hash { HASH_FLOW, HASH_ADDRESSES };
enum file_data_plane { DATA_PLANE_XDP, DATA_PLANE_NONE };

/* The file as libcyaml loads it. A pointer to a number is NULL where the key is absent. */
struct file_backend {
	const char *name;
	const char *address;
	uint16_t id;
	uint16_t *weight;
};

struct file_pool {
	const char *name;
	enum mplb_forward *forward;
	enum file_hash *hash;
	struct file_health *health;
	uint16_t *metrics_port;
	struct file_backend *backends;
	uint32_t backends_count;
};

struct file_join_ports {
	uint16_t base;
};

struct file_vip {
	const char *name;
	const char *address;
	uint16_t port;
	int protocol;
	const char *pool;
	enum mplb_mp_join *mp_join;
	struct file_join_ports *join_ports;
};

struct file_config {
	uint64_t hash_seed;
	uint32_t *probe_mark;
	const char *settle_after;
	struct file_vip *vips;
	uint32_t vips_count;
	struct file_pool *pools;
	uint32_t pools_count;
	enum file_data_plane *data_plane;
	struct file_anycast *anycast;
	uint32_t anycast_count;
	struct file_metrics *metrics;
};

static const cyaml_strval_t data_planes[] = { { "xdp", DATA_PLANE_XDP },
					      { "none", DATA_PLANE_NONE } };
static const cyaml_strval_t protocols[] = { { "tcp", IPPROTO_TCP }, { "udp", IPPROTO_UDP } };
static const cyaml_strval_t forwards[] = { { "l2", MPLB_FORWARD_L2 },
					   { "ipip", MPLB_FORWARD_IPIP },
					   { "gue", MPLB_FORWARD_GUE } };
static const cyaml_strval_t hashes[] = { { "flow", HASH_FLOW }, { "addresses", HASH_ADDRESSES } };
static const cyaml_strval_t joins[] = { { "reject", MPLB_MP_JOIN_REJECT },
					{ "hash", MPLB_MP_JOIN_HASH },
					{ "steer", MPLB_MP_JOIN_STEER } };

#define NAME(type, member)                                                                         \
	CYAML_FIELD_STRING_PTR(#member, CYAML_FLAG_POINTER, type, member, 1, MPLB_NAME_LEN - 1)

static const cyaml_schema_field_t backend_fields[] = {
	NAME(struct file_backend, name),
	CYAML_FIELD_UINT("id", CYAML_FLAG_DEFAULT, struct file_backend, id),
	NAME(struct file_backend, address),
	CYAML_FIELD_UINT_PTR("weight", CYAML_FLAG_OPTIONAL, struct file_backend, weight),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t backend_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct file_backend, backend_fields),
};

static const cyaml_schema_field_t pool_fields[] = {
	NAME(struct file_pool, name),
	CYAML_FIELD_ENUM_PTR("forward", CYAML_FLAG_STRICT | CYAML_FLAG_OPTIONAL, struct file_pool,
			     forward, forwards, ARRAY_SIZE(forwards)),
	CYAML_FIELD_ENUM_PTR("hash", CYAML_FLAG_STRICT | CYAML_FLAG_OPTIONAL, struct file_pool,
			     hash, hashes, ARRAY_SIZE(hashes)),
	CYAML_FIELD_MAPPING_PTR("health", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
				struct file_pool, health, config_health_fields),
	CYAML_FIELD_UINT_PTR("metrics_port", CYAML_FLAG_OPTIONAL, struct file_pool, metrics_port),
	CYAML_FIELD_SEQUENCE("backends", CYAML_FLAG_POINTER, struct file_pool, backends,
			     &backend_schema, 1, MPLB_MAX_BACKENDS),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t pool_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct file_pool, pool_fields),
};

static const cyaml_schema_field_t join_ports_fields[] = {
	CYAML_FIELD_UINT("base", CYAML_FLAG_DEFAULT, struct file_join_ports, base),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t vip_fields[] = {
	NAME(struct file_vip, name),
	NAME(struct file_vip, address),
	CYAML_FIELD_UINT("port", CYAML_FLAG_DEFAULT, struct file_vip, port),
	CYAML_FIELD_ENUM("protocol", CYAML_FLAG_STRICT, struct file_vip, protocol, protocols,
			 ARRAY_SIZE(protocols)),
	NAME(struct file_vip, pool),
	CYAML_FIELD_ENUM_PTR("mp_join", CYAML_FLAG_STRICT | CYAML_FLAG_OPTIONAL, struct file_vip,
			     mp_join, joins, ARRAY_SIZE(joins)),
	CYAML_FIELD_MAPPING_PTR("join_ports", CYAML_FLAG_OPTIONAL, struct file_vip, join_ports,
				join_ports_fields),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t vip_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct file_vip, vip_fields),
};

static const cyaml_schema_field_t config_fields[] = {
	CYAML_FIELD_UINT("hash_seed", CYAML_FLAG_OPTIONAL, struct file_config, hash_seed),
	CYAML_FIELD_UINT_PTR("probe_mark", CYAML_FLAG_OPTIONAL, struct file_config, probe_mark),
	CYAML_FIELD_STRING_PTR("settle_after", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
			       struct file_config, settle_after, 1, 31),
	CYAML_FIELD_SEQUENCE("vips", CYAML_FLAG_POINTER, struct file_config, vips, &vip_schema, 1,
			     MPLB_MAX_VIPS),
	CYAML_FIELD_SEQUENCE("pools", CYAML_FLAG_POINTER, struct file_config, pools, &pool_schema,
			     1, MPLB_MAX_POOLS),
	CYAML_FIELD_ENUM_PTR("data_plane", CYAML_FLAG_STRICT | CYAML_FLAG_OPTIONAL,
			     struct file_config, data_plane, data_planes, ARRAY_SIZE(data_planes)),
	CYAML_FIELD_SEQUENCE("anycast", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
			     struct file_config, anycast, &config_anycast_schema, 1, MPLB_MAX_VIPS),
	CYAML_FIELD_MAPPING_PTR("metrics", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
				struct file_config, metrics, config_metrics_fields),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t config_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct file_config, config_fields),
};

/* The readers below return 0 or, having logged, -EINVAL. */

static int read_name(const struct lb_config *config, const char *path, const char *name)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789._-";

	if (!name[strspn(name, allowed)])
		return 0;
	return conf_error(config->conf, path, "'%s': use letters, digits, '.', '_' and '-' only",
			  name);
}

static int read_address(const struct lb_config *config, const char *path, const char *text,
			struct ip *out)
{
	struct ip ip;

	if (ip_parse(text, &ip))
		return conf_error(config->conf, path,
				  "'%s' is not an address; write it like 192.0.2.1 or "
				  "2001:db8::1, without port or prefix length",
				  text);
	if (ip_is_unusable(&ip))
		return conf_error(config->conf, path,
				  "%s cannot be a host's address (unspecified, loopback, "
				  "multicast, broadcast or IPv4-mapped); give a unicast one",
				  text);
	if (ip.family == MPLB_FAMILY_6 && (ntohl(ip.addr.word[0]) & 0xffc00000) == 0xfe800000)
		return conf_error(config->conf, path,
				  "%s is link-local and needs an interface; give a global or a "
				  "unique local address",
				  text);
	*out = ip;
	return 0;
}

static int read_backend(struct lb_config *config, size_t p, size_t i,
			const struct file_backend *from)
{
	struct lb_backend *to = &config->pools[p].backends[i];
	const char *at = conf_path("pools[%zu].backends[%zu]", p, i);
	int err = 0;

	to->name = from->name;
	to->id = from->id;
	to->weight = from->weight ? *from->weight : DEFAULT_WEIGHT;
	err |= read_name(config, conf_path("%s.name", at), from->name);
	err |= read_address(config, conf_path("%s.address", at), from->address, &to->addr);
	if (!from->id)
		err |= conf_error(config->conf, conf_path("%s.id", at),
				  "0 is not an id; give a number from 1 to 65535");
	return err ? -EINVAL : 0;
}

static int read_forward(struct lb_config *config, size_t p, const enum mplb_forward *from)
{
	const char *at = conf_path("pools[%zu].forward", p);

	if (from)
		config->pools[p].forward = *from;
	if (!from && !config->no_data_plane)
		return conf_error(config->conf, at, "missing; give one of: l2, ipip, gue");
	if (from && config->no_data_plane)
		return conf_error(config->conf, at,
				  "nothing is forwarded with data_plane: none; remove the key");
	return 0;
}

static int read_pool(struct lb_config *config, size_t p, const struct file_pool *from)
{
	struct lb_pool *to = &config->pools[p];
	int err = 0;
	size_t i;

	to->name = from->name;
	to->hash_addresses = from->hash && *from->hash == HASH_ADDRESSES;
	to->metrics_port = from->metrics_port ? *from->metrics_port : 0;
	to->backends = calloc(from->backends_count, sizeof(*to->backends));
	if (!to->backends)
		return -ENOMEM;
	to->n_backends = from->backends_count;
	err |= read_name(config, conf_path("pools[%zu].name", p), from->name);
	err |= read_forward(config, p, from->forward);
	err |= config_health_read(config, p, from->health);
	for (i = 0; i < to->n_backends; i++)
		err |= read_backend(config, p, i, &from->backends[i]);
	return err ? -EINVAL : 0;
}

static int unknown_pool(const struct lb_config *config, size_t v, const char *name)
{
	char known[512] = "";
	size_t p, len = 0;

	for (p = 0; p < config->n_pools; p++) {
		const char *pool = config->pools[p].name;

		if (len + strlen(pool) + 8 > sizeof(known)) {
			strcpy(known + len, ", ...");
			break;
		}
		len += (size_t)sprintf(known + len, "%s%s", p ? ", " : "", pool);
	}
	return conf_error(config->conf, conf_path("vips[%zu].pool", v),
			  "no pool is called '%s'; known pools: %s", name, known);
}

static int read_join_ports(struct lb_config *config, size_t v, const struct file_vip *from)
{
	struct lb_vip *to = &config->vips[v];
	int err = 0;

	if (!from->join_ports)
		return 0;
	to->join_base = from->join_ports->base;
	if (!to->join_base)
		err = conf_error(
			config->conf, conf_path("vips[%zu].join_ports.base", v),
			"0 is not a base; give a port below those of the backends, such as "
			"20000: backend 1 gets port 20001");
	if (to->protocol == IPPROTO_UDP)
		err = conf_error(config->conf, conf_path("vips[%zu].join_ports", v),
				 "MPTCP is TCP, and this VIP is udp; remove the key");
	if (!to->port)
		err = conf_error(
			config->conf, conf_path("vips[%zu].join_ports", v),
			"this VIP has port 0, any port, and leaves none for joins; give it "
			"one port, or remove the key");
	return err;
}

static int read_vip(struct lb_config *config, size_t v, const struct file_vip *from)
{
	struct lb_vip *to = &config->vips[v];
	int err = 0;
	size_t p;

	to->name = from->name;
	to->port = from->port;
	to->protocol = (uint8_t)from->protocol;
	to->mp_join = from->mp_join ? *from->mp_join : MPLB_MP_JOIN_REJECT;
	for (p = 0; p < config->n_pools && !to->pool; p++)
		if (!strcmp(config->pools[p].name, from->pool))
			to->pool = &config->pools[p];
	err |= read_name(config, conf_path("vips[%zu].name", v), from->name);
	err |= read_address(config, conf_path("vips[%zu].address", v), from->address, &to->addr);
	if (from->mp_join && from->protocol == IPPROTO_UDP)
		err |= conf_error(config->conf, conf_path("vips[%zu].mp_join", v),
				  "MPTCP is TCP, and this VIP is udp; remove the key");
	err |= read_join_ports(config, v, from);
	if (!to->pool)
		err |= unknown_pool(config, v, from->pool);
	return err ? -EINVAL : 0;
}

static int read_probe_mark(struct lb_config *config, const uint32_t *from)
{
	config->probe_mark = from ? *from : MPLB_PROBE_MARK;
	if (config->probe_mark && !(config->probe_mark & MPLB_PROBE_INDEX))
		return 0;
	return conf_error(
		config->conf, "probe_mark",
		"0x%x cannot be the first of %u marks; give a multiple of 0x%x, but not 0",
		config->probe_mark, MPLB_PROBE_INDEX + 1, MPLB_PROBE_INDEX + 1);
}

/* Goes on after an error, so that all of them are logged; only lack of memory stops it. */
static int read_config(struct lb_config *config, const struct file_config *from)
{
	int err = 0, one;
	size_t i;

	config->hash_seed = from->hash_seed;
	config->no_data_plane = from->data_plane && *from->data_plane == DATA_PLANE_NONE;
	config->settle_after_ms = DEFAULT_SETTLE_MS;
	err |= duration_read(config->conf, "settle_after", from->settle_after, 0, UINT32_MAX,
			     &config->settle_after_ms);
	err |= read_probe_mark(config, from->probe_mark);
	config->pools = calloc(from->pools_count, sizeof(*config->pools));
	config->vips = calloc(from->vips_count, sizeof(*config->vips));
	if (!config->pools || !config->vips)
		return -ENOMEM;
	config->n_pools = from->pools_count;
	config->n_vips = from->vips_count;
	for (i = 0; i < config->n_pools; i++) {
		one = read_pool(config, i, &from->pools[i]);
		if (one == -ENOMEM)
			return one;
		err |= one;
	}
	for (i = 0; i < config->n_vips; i++)
		err |= read_vip(config, i, &from->vips[i]);
	one = config_anycast_read(config, from->anycast, from->anycast_count);
	if (one == -ENOMEM)
		return one;
	err |= one | config_metrics_read(config, from->metrics);
	return lb_config_check(config) || err ? -EINVAL : 0;
}

int lb_config_parse(const char *file, const char *text, size_t len, struct lb_config **out)
{
	struct lb_config *config;
	void *data = NULL;
	int err;

	config = calloc(1, sizeof(*config));
	if (!config)
		return log_err_r(-ENOMEM, "%s: out of memory", file);
	err = conf_load_text(file, text, len, &config_schema, &data, &config->conf);
	if (!err) {
		err = read_config(config, data);
		if (err == -ENOMEM)
			log_error("%s: out of memory", file);
	}
	if (err) {
		lb_config_free(config);
		return err;
	}
	*out = config;
	return 0;
}

int lb_config_load(const char *file, struct lb_config **out)
{
	char *text = NULL;
	size_t len = 0;
	int err = conf_read(file, &text, &len);

	if (!err)
		err = lb_config_parse(file, text, len, out);
	free(text);
	return err;
}

void lb_config_free(struct lb_config *config)
{
	size_t p;

	if (!config)
		return;
	for (p = 0; p < config->n_pools; p++)
		free(config->pools[p].backends);
	free(config->pools);
	free(config->vips);
	free(config->anycast);
	conf_free(config->conf);
	free(config);
}
