/* SPDX-License-Identifier: GPL-2.0-only */
#include "config_anycast.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "lib/duration.h"
#include "mplb/maps.h"

#define ARRAY_SIZE(a)	 (sizeof(a) / sizeof(*(a)))
#define SOCKET_LEN	 (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)
#define DEFAULT_SOCKET	 "/run/bird/bird.ctl" /* where Debian's BIRD has it */
#define DEFAULT_HOLD_MS	 10000
#define DEFAULT_DRAIN_MS 5000
#define MOST_MS		 3600000
#define DURATION_LEN	 16

static const cyaml_strval_t speakers[] = { { "bird", SPEAKER_BIRD } };

#define TEXT(member, flags, most)                                                                  \
	CYAML_FIELD_STRING_PTR(#member, CYAML_FLAG_POINTER | (flags), struct file_anycast, member, \
			       1, most)

static const cyaml_schema_field_t anycast_fields[] = {
	TEXT(vip, CYAML_FLAG_OPTIONAL, MPLB_NAME_LEN - 1),
	CYAML_FIELD_ENUM_PTR("speaker", CYAML_FLAG_STRICT | CYAML_FLAG_OPTIONAL,
			     struct file_anycast, speaker, speakers, ARRAY_SIZE(speakers)),
	TEXT(socket, CYAML_FLAG_OPTIONAL, SOCKET_LEN),
	TEXT(protocol, CYAML_FLAG_DEFAULT, LB_ANYCAST_PROTOCOL_LEN),
	CYAML_FIELD_UINT_PTR("min_healthy", CYAML_FLAG_OPTIONAL, struct file_anycast, min_healthy),
	TEXT(hold_down, CYAML_FLAG_OPTIONAL, DURATION_LEN),
	TEXT(drain_time, CYAML_FLAG_OPTIONAL, DURATION_LEN),
	CYAML_FIELD_END,
};

const cyaml_schema_value_t config_anycast_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct file_anycast, anycast_fields),
};

const cyaml_schema_field_t config_metrics_fields[] = {
	CYAML_FIELD_STRING_PTR("listen", CYAML_FLAG_POINTER, struct file_metrics, listen, 1,
			       IP_STRLEN + 8),
	CYAML_FIELD_END,
};

/* The readers return 0 or, having logged, -EINVAL. */

static int read_vip(struct lb_config *config, size_t i, const char *name)
{
	char known[512] = "";
	size_t len = 0;

	for (size_t v = 0; name && v < config->n_vips; v++) {
		const char *vip = config->vips[v].name;

		if (!strcmp(vip, name)) {
			config->anycast[i].vip = &config->vips[v];
			return 0;
		}
		if (len + strlen(vip) + 8 < sizeof(known))
			len += (size_t)sprintf(known + len, "%s%s", len ? ", " : "", vip);
	}
	if (!name)
		return 0;
	return conf_error(config->conf, conf_path("anycast[%zu].vip", i),
			  "no VIP is called '%s'; known VIPs: %s; without the key it is for the "
			  "node",
			  name, known);
}

static int read_socket(struct lb_config *config, size_t i, const char *path)
{
	config->anycast[i].socket = path ? path : DEFAULT_SOCKET;
	if (*config->anycast[i].socket == '/')
		return 0;
	return conf_error(config->conf, conf_path("anycast[%zu].socket", i),
			  "'%s' is no full path; begin it with '/', like " DEFAULT_SOCKET, path);
}

/* The name goes into commands, in quotes, where BIRD takes * and ? for patterns. */
static int read_protocol(struct lb_config *config, size_t i, const char *name)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789_.-";
	const struct lb_anycast *all = config->anycast;

	config->anycast[i].protocol = name;
	if (name[strspn(name, allowed)])
		return conf_error(config->conf, conf_path("anycast[%zu].protocol", i),
				  "'%s' is no name of a protocol of BIRD's; use letters, digits, "
				  "'_', '.' and '-' only",
				  name);
	for (size_t j = 0; j < i; j++)
		if (!strcmp(all[j].protocol, name) && !strcmp(all[j].socket, all[i].socket))
			return conf_error(config->conf, conf_path("anycast[%zu].protocol", i),
					  "'%s' is already that of anycast[%zu]; give each its own "
					  "protocol in BIRD's config",
					  name, j);
	return 0;
}

static int read_min_healthy(struct lb_config *config, size_t i, const uint16_t *from)
{
	struct lb_anycast *to = &config->anycast[i];
	size_t most = to->vip && to->vip->pool ? to->vip->pool->n_backends : MPLB_MAX_BACKENDS;

	to->min_healthy = from ? *from : 1;
	if (to->min_healthy && to->min_healthy <= most)
		return 0;
	return conf_error(config->conf, conf_path("anycast[%zu].min_healthy", i),
			  "%u is out of range; give 1 to %zu%s", to->min_healthy, most,
			  to->vip && to->vip->pool ? ", the number of backends" : "");
}

static int read_one(struct lb_config *config, size_t i, const struct file_anycast *from)
{
	struct lb_anycast *to = &config->anycast[i];
	int err = read_vip(config, i, from->vip);

	to->hold_down_ms = DEFAULT_HOLD_MS;
	to->drain_ms = DEFAULT_DRAIN_MS;
	err |= read_socket(config, i, from->socket);
	err |= read_protocol(config, i, from->protocol);
	err |= read_min_healthy(config, i, from->min_healthy);
	err |= duration_read(config->conf, conf_path("anycast[%zu].hold_down", i), from->hold_down,
			     0, MOST_MS, &to->hold_down_ms);
	err |= duration_read(config->conf, conf_path("anycast[%zu].drain_time", i),
			     from->drain_time, 0, MOST_MS, &to->drain_ms);
	return err ? -EINVAL : 0;
}

int config_anycast_read(struct lb_config *config, const struct file_anycast *from, size_t n)
{
	int err = 0;

	config->anycast = calloc(n ? n : 1, sizeof(*config->anycast));
	if (!config->anycast)
		return -ENOMEM;
	config->n_anycast = n;
	for (size_t i = 0; i < n; i++)
		err |= read_one(config, i, &from[i]);
	return err;
}

int config_metrics_read(struct lb_config *config, const struct file_metrics *from)
{
	if (!from || (!ip_parse_port(from->listen, &config->metrics, &config->metrics_port) &&
		      config->metrics_port))
		return 0;
	return conf_error(config->conf, "metrics.listen",
			  "'%s' is not an address and port; write it like \"127.0.0.1:9180\"",
			  from->listen);
}
