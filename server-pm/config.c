/* SPDX-License-Identifier: GPL-2.0-only */
#include "config.h"
#include "config_guard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include "lib/log.h"
#include "lib/mptcp_pm.h"
#include "mplb/maps.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof(*(a)))
#define MAX_WORD	32
#define DEVICE_NAME_LEN (IFNAMSIZ - 1)
#define MIN_MTU		576
#define MAX_MTU		65535
#define MAX_FLIGHT	1000 /* segments: beyond what any MPTCP window begins with */
#define MAX_DEVICES	64
#define MAX_DEDICATED	64 /* far above what the kernel takes, so that the answer says why */

/* The file as libcyaml loads it. */
struct file_decapsulate {
	const char *device;
	enum server_mode *mode;
	uint32_t *mtu;
	uint32_t *first_flight;
};

struct file_metrics {
	const char *listen;
};

struct file_config {
	const char **vips, **dedicated, **balancers;
	uint32_t vips_count, dedicated_count, balancers_count;
	const char *path_manager;
	const char *initial_subflow;
	const char *join_vip;
	uint32_t *join_port;
	struct file_decapsulate *decapsulate;
	struct file_metrics *metrics;
	struct file_guard guard;
};

static const cyaml_strval_t modes[] = { { "auto", SERVER_MODE_AUTO },
					{ "native", SERVER_MODE_NATIVE },
					{ "generic", SERVER_MODE_GENERIC } };

static const cyaml_schema_field_t decapsulate_fields[] = {
	CYAML_FIELD_STRING_PTR("device", CYAML_FLAG_POINTER, struct file_decapsulate, device, 1,
			       DEVICE_NAME_LEN),
	CYAML_FIELD_ENUM_PTR("mode", CYAML_FLAG_STRICT | CYAML_FLAG_OPTIONAL,
			     struct file_decapsulate, mode, modes, ARRAY_SIZE(modes)),
	CYAML_FIELD_UINT_PTR("mtu", CYAML_FLAG_OPTIONAL, struct file_decapsulate, mtu),
	CYAML_FIELD_UINT_PTR("first_flight", CYAML_FLAG_OPTIONAL, struct file_decapsulate,
			     first_flight),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t metrics_fields[] = {
	CYAML_FIELD_STRING_PTR("listen", CYAML_FLAG_POINTER, struct file_metrics, listen, 1,
			       IP_STRLEN + 8),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t address_schema = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, IP_STRLEN),
};

static const cyaml_schema_value_t device_schema = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, DEVICE_NAME_LEN),
};

static const cyaml_schema_value_t allow_schema = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, MAX_WORD),
};

static const cyaml_schema_field_t config_fields[] = {
	CYAML_FIELD_SEQUENCE("vips", CYAML_FLAG_POINTER, struct file_config, vips, &address_schema,
			     1, MPLB_MAX_SERVER_VIPS),
	CYAML_FIELD_SEQUENCE("dedicated", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
			     struct file_config, dedicated, &address_schema, 0, MAX_DEDICATED),
	CYAML_FIELD_STRING_PTR("path_manager", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
			       struct file_config, path_manager, 1, MAX_WORD),
	CYAML_FIELD_STRING_PTR("initial_subflow", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
			       struct file_config, initial_subflow, 1, MAX_WORD),
	CYAML_FIELD_STRING_PTR("join_vip", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
			       struct file_config, join_vip, 1, MAX_WORD),
	CYAML_FIELD_UINT_PTR("join_port", CYAML_FLAG_OPTIONAL, struct file_config, join_port),
	CYAML_FIELD_MAPPING_PTR("decapsulate", CYAML_FLAG_OPTIONAL, struct file_config, decapsulate,
				decapsulate_fields),
	CYAML_FIELD_SEQUENCE("balancers", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
			     struct file_config, balancers, &address_schema, 0, MPLB_MAX_BALANCERS),
	CYAML_FIELD_MAPPING_PTR("metrics", CYAML_FLAG_OPTIONAL, struct file_config, metrics,
				metrics_fields),
	CYAML_FIELD_STRING_PTR("guard", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
			       struct file_config, guard.guard, 1, MAX_WORD),
	CYAML_FIELD_STRING_PTR("guard_on_stale", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
			       struct file_config, guard.on_stale, 1, MAX_WORD),
	CYAML_FIELD_SEQUENCE("guard_devices", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
			     struct file_config, guard.devices, &device_schema, 0, MAX_DEVICES),
	CYAML_FIELD_SEQUENCE("guard_allow", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
			     struct file_config, guard.allow, &allow_schema, 0,
			     MPLB_GUARD_MAX_ALLOW / 2),
	CYAML_FIELD_STRING_PTR("per_connection", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
			       struct file_config, guard.per_connection, 1, IP_STRLEN + 4),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t config_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct file_config, config_fields),
};

const char *server_mode_name(enum server_mode mode)
{
	return modes[mode].str;
}

int server_mode_parse(const char *name, enum server_mode *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		if (strcmp(modes[i].str, name) != 0)
			continue;
		*out = (enum server_mode)modes[i].val;
		return 0;
	}
	return -EINVAL;
}

/* The addresses that clients may be told to join. */
static size_t announced(const struct server_config *config)
{
	return config->dedicated.n + (config->guard.prefix.family ? 1 : 0) +
	       (config->join_port ? config->vips.n : 0);
}

size_t server_config_endpoints(const struct server_config *config)
{
	if (config->manager == SERVER_MANAGER_USERSPACE)
		return 0;
	if (config->initial == SERVER_INITIAL_KEEP || !config->dedicated.n)
		return announced(config);
	return announced(config) + config->vips.n;
}

/* The readers and checks below return 0 or, having logged, -EINVAL. */

static int read_address(const struct conf *conf, const char *path, const char *text, struct ip *out)
{
	struct ip ip;

	if (ip_parse(text, &ip))
		return conf_error(conf, path,
				  "'%s' is not an address; write it like 192.0.2.1 or "
				  "2001:db8::1, without port or prefix length",
				  text);
	if (ip_is_unusable(&ip))
		return conf_error(conf, path,
				  "%s cannot be a host's address (unspecified, loopback, "
				  "multicast, broadcast or IPv4-mapped); give a unicast one",
				  text);
	if (ip.family == MPLB_FAMILY_6 && (ntohl(ip.addr.word[0]) & 0xffc00000) == 0xfe800000)
		return conf_error(conf, path,
				  "%s is link-local, which no router forwards; give a global or "
				  "unique local address",
				  text);
	*out = ip;
	return 0;
}

/* Where addr is in the list, or -1. */
static long find(const struct server_addresses *list, const struct ip *addr)
{
	for (size_t i = 0; i < list->n; i++)
		if (ip_equal(&list->ip[i], addr))
			return (long)i;
	return -1;
}

/* Reads a list of addresses; those wrong or there twice are logged and left out. */
static int read_list(const struct conf *conf, const char *key, const char **text, uint32_t count,
		     struct server_addresses *out)
{
	int err = 0;

	out->ip = calloc(count ? count : 1, sizeof(*out->ip));
	if (!out->ip)
		return log_err_r(-ENOMEM, "out of memory reading the config; free some");
	for (uint32_t i = 0; i < count; i++) {
		const char *path = conf_path("%s[%u]", key, i);
		struct ip ip;

		if (read_address(conf, path, text[i], &ip))
			err = -EINVAL;
		else if (find(out, &ip) >= 0)
			err = conf_error(conf, path, "%s is listed twice; remove one", text[i]);
		else
			out->ip[out->n++] = ip;
	}
	return err;
}

static int read_lists(struct server_config *c, const struct file_config *file)
{
	int err = read_list(c->conf, "vips", file->vips, file->vips_count, &c->vips);

	err |= read_list(c->conf, "dedicated", file->dedicated, file->dedicated_count,
			 &c->dedicated);
	err |= read_list(c->conf, "balancers", file->balancers, file->balancers_count,
			 &c->balancers);
	return err ? -EINVAL : 0;
}

static int read_path_manager(struct server_config *c, const char *text)
{
	if (!text || !strcmp(text, "kernel"))
		c->manager = SERVER_MANAGER_KERNEL;
	else if (!strcmp(text, "userspace"))
		c->manager = SERVER_MANAGER_USERSPACE;
	else
		return conf_error(c->conf, "path_manager",
				  "'%s' is no path manager; write kernel or userspace", text);
	return 0;
}

static int read_initial(struct server_config *c, const char *text)
{
	if (!text || !strcmp(text, "backup"))
		c->initial = SERVER_INITIAL_BACKUP;
	else if (!strcmp(text, "keep"))
		c->initial = SERVER_INITIAL_KEEP;
	else if (!strcmp(text, "close"))
		c->initial = SERVER_INITIAL_CLOSE;
	else
		return conf_error(c->conf, "initial_subflow",
				  "'%s' is unknown; write backup, keep, or close", text);
	if (c->initial == SERVER_INITIAL_CLOSE && c->manager != SERVER_MANAGER_USERSPACE)
		return conf_error(c->conf, "initial_subflow",
				  "the kernel's path manager cannot close it; write backup or "
				  "keep, or path_manager: userspace");
	return 0;
}

static int read_join_vip(struct server_config *c, const char *text)
{
	if (text && strcmp(text, "allow") != 0 && strcmp(text, "forbid") != 0)
		return conf_error(c->conf, "join_vip",
				  "'%s' is unknown; write forbid, or, where the balancer has "
				  "mp_join: steer, allow",
				  text);
	c->join_vip = text && !strcmp(text, "allow");
	return 0;
}

static int read_join_port(struct server_config *c, const uint32_t *port)
{
	if (!port)
		return 0;
	if (!*port || *port > UINT16_MAX)
		return conf_error(c->conf, "join_port",
				  "%u is no port; write the balancer's join_ports base plus this "
				  "backend's id, such as 20003",
				  *port);
	c->join_port = (__u16)*port;
	return 0;
}

static int read_metrics(struct server_config *c, const struct file_metrics *metrics)
{
	if (!metrics)
		return 0;
	if (!ip_parse_port(metrics->listen, &c->metrics, &c->metrics_port) && c->metrics_port)
		return 0;
	return conf_error(c->conf, "metrics.listen",
			  "'%s' is not an address and port; write it like \"127.0.0.1:9181\"",
			  metrics->listen);
}

/* 0 leaves the MSS alone. Below the least, IPv4 hosts need not take a packet (RFC 791, 3.1). */
static int read_mtu(struct server_config *c, const uint32_t *mtu)
{
	c->mtu = SERVER_MTU_DEVICE;
	if (!mtu)
		return 0;
	if (*mtu && (*mtu < MIN_MTU || *mtu > MAX_MTU))
		return conf_error(c->conf, "decapsulate.mtu",
				  "%u is no MTU; write %d to %d, or 0 to leave the MSS alone", *mtu,
				  MIN_MTU, MAX_MTU);
	c->mtu = (int)*mtu;
	return 0;
}

static int read_first_flight(struct server_config *c, const uint32_t *segments)
{
	/* Joins to the VIP itself stay on the balancer: there is no better way to wait for. */
	bool leaves = c->dedicated.n || ((const struct file_config *)c->file)->guard.per_connection;

	if (segments && *segments > MAX_FLIGHT)
		return conf_error(c->conf, "decapsulate.first_flight",
				  "%u segments; write 1 to %d, or 0 for no limit", *segments,
				  MAX_FLIGHT);
	c->first_flight = segments ? *segments : leaves ? SERVER_FIRST_FLIGHT : 0;
	return 0;
}

static int read_decapsulate(struct server_config *c, const struct file_config *file)
{
	const struct file_decapsulate *d = file->decapsulate;

	if (!d) {
		if (c->balancers.n)
			return conf_error(c->conf, "balancers",
					  "is of use with decapsulate only; add decapsulate: "
					  "{device: NAME}, or remove balancers");
		return 0;
	}
	c->device = d->device;
	c->mode = d->mode ? *d->mode : SERVER_MODE_AUTO;
	if (read_mtu(c, d->mtu) || read_first_flight(c, d->first_flight))
		return -EINVAL;
	if (!file->balancers_count)
		return conf_error(c->conf, "decapsulate",
				  "nobody's packets would be decapsulated; list the balancers' "
				  "addresses under balancers: [...]");
	return 0;
}

/* None of the addresses under key, as in the file, may be a VIP. */
static int check_overlap(const struct server_config *c, const char *key, const char **text,
			 uint32_t count, const char *mend)
{
	int err = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct ip ip;

		if (!ip_parse(text[i], &ip) && find(&c->vips, &ip) >= 0)
			err = conf_error(c->conf, conf_path("%s[%u]", key, i),
					 "%s is also in vips; %s", text[i], mend);
	}
	return err;
}

static int check_endpoints(const struct server_config *c)
{
	size_t need = server_config_endpoints(c);

	if (c->dedicated.n > MPTCP_PM_MAX_ENDPOINTS)
		return conf_error(c->conf, "dedicated",
				  "%zu addresses, and there is room for %d; list fewer",
				  c->dedicated.n, MPTCP_PM_MAX_ENDPOINTS);
	if (announced(c) > MPTCP_PM_MAX_ENDPOINTS)
		return conf_error(c->conf, "join_port",
				  "%zu VIPs with it and %zu dedicated addresses, and there is room "
				  "for %d; list fewer",
				  c->vips.n, c->dedicated.n, MPTCP_PM_MAX_ENDPOINTS);
	if (need <= MPTCP_PM_MAX_ENDPOINTS)
		return 0;
	return conf_error(c->conf, "vips",
			  "%zu VIPs and %zu dedicated addresses%s, and the kernel has room for %d "
			  "endpoints; list fewer, or write initial_subflow: keep (backups then "
			  "take none)",
			  c->vips.n, c->dedicated.n,
			  c->join_port ? ", VIPs once more for join_port" : "",
			  MPTCP_PM_MAX_ENDPOINTS);
}

static int read_config(struct server_config *c)
{
	const struct file_config *file = c->file;
	int err = read_lists(c, file);

	err |= read_path_manager(c, file->path_manager);
	err |= read_initial(c, file->initial_subflow);
	err |= read_decapsulate(c, file);
	err |= read_join_vip(c, file->join_vip);
	err |= read_join_port(c, file->join_port);
	err |= read_metrics(c, file->metrics);
	err |= check_overlap(c, "dedicated", file->dedicated, file->dedicated_count,
			     "a dedicated address is this backend's own: remove it from one");
	err |= check_overlap(c, "balancers", file->balancers, file->balancers_count,
			     "give the address that the balancer sends from");
	err |= server_config_read_guard(c, &file->guard);
	err |= check_endpoints(c);
	return err ? -EINVAL : 0;
}

int server_config_load(const char *file, struct server_config **out)
{
	struct server_config *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return log_err_r(-ENOMEM, "out of memory reading the config; free some");
	err = conf_load(file, &config_schema, &c->file, &c->conf);
	if (!err)
		err = read_config(c);
	if (err) {
		server_config_free(c);
		return err;
	}
	*out = c;
	return 0;
}

void server_config_free(struct server_config *config)
{
	if (!config)
		return;
	free(config->vips.ip);
	free(config->dedicated.ip);
	free(config->balancers.ip);
	free(config->guard.device);
	free(config->guard.allow);
	conf_free(config->conf);
	free(config);
}
