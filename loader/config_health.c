/* SPDX-License-Identifier: GPL-2.0-only */
#include "config_health.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/duration.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof(*(a)))

/* Limits; times in milliseconds. */
#define INTERVAL_LEAST 100
#define INTERVAL_MOST  3600000
#define TIMEOUT_LEAST  10
#define DAMPING_MOST   86400000
#define COUNT_MOST     100
#define REQUEST_TEXT   255 /* path, host: a request stays one segment, tunnel or not */
#define BODY_TEXT      255

static const struct lb_health defaults = {
	.interval_ms = 1000,
	.timeout_ms = 500,
	.rise = 2,
	.fall = 3,
	.path = "/",
	.status_least = 200,
	.status_most = 399,
	.all_down = MPLB_ALL_DOWN_KEEP,
	.damping = { .downs = 5, .within_ms = 60000, .hold_ms = 60000 },
};

static const cyaml_strval_t types[] = { { "none", LB_HEALTH_NONE },
					{ "tcp", LB_HEALTH_TCP },
					{ "http", LB_HEALTH_HTTP },
					{ "mptcp", LB_HEALTH_MPTCP } };
static const cyaml_strval_t policies[] = { { "keep", MPLB_ALL_DOWN_KEEP },
					   { "stop", MPLB_ALL_DOWN_STOP } };

#define TEXT(type, member, max)                                                                    \
	CYAML_FIELD_STRING_PTR(#member, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type, member, 1, \
			       max)
#define NUMBER(type, member) CYAML_FIELD_UINT_PTR(#member, CYAML_FLAG_OPTIONAL, type, member)

static const cyaml_schema_field_t damping_fields[] = {
	NUMBER(struct file_damping, downs),
	TEXT(struct file_damping, within, REQUEST_TEXT),
	TEXT(struct file_damping, hold, REQUEST_TEXT),
	CYAML_FIELD_END,
};

const cyaml_schema_field_t config_health_fields[] = {
	CYAML_FIELD_ENUM("type", CYAML_FLAG_STRICT, struct file_health, type, types,
			 ARRAY_SIZE(types)),
	TEXT(struct file_health, interval, REQUEST_TEXT),
	TEXT(struct file_health, timeout, REQUEST_TEXT),
	NUMBER(struct file_health, rise),
	NUMBER(struct file_health, fall),
	NUMBER(struct file_health, port),
	TEXT(struct file_health, path, REQUEST_TEXT),
	TEXT(struct file_health, host, REQUEST_TEXT),
	TEXT(struct file_health, status, REQUEST_TEXT),
	TEXT(struct file_health, body, BODY_TEXT),
	CYAML_FIELD_ENUM_PTR("all_down", CYAML_FLAG_STRICT | CYAML_FLAG_OPTIONAL,
			     struct file_health, all_down, policies, ARRAY_SIZE(policies)),
	CYAML_FIELD_MAPPING_PTR("damping", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
				struct file_health, damping, damping_fields),
	CYAML_FIELD_END,
};

/* The readers return 0 or, having logged, -EINVAL. */

static int read_count(const struct lb_config *config, const char *path, const uint16_t *from,
		      uint16_t least, uint16_t *to)
{
	if (!from)
		return 0;
	if (*from < least || *from > COUNT_MOST)
		return conf_error(config->conf, path, "%u is out of range; give %u to %u", *from,
				  least, COUNT_MOST);
	*to = *from;
	return 0;
}

/* "200" or "200-399". */
static int read_status(const struct lb_config *config, const char *path, const char *text,
		       struct lb_health *to)
{
	unsigned long least, most;
	char *end;

	if (!text)
		return 0;
	if (strspn(text, "0123456789-") != strlen(text) || *text == '-')
		goto bad;
	least = most = strtoul(text, &end, 10);
	if (*end == '-' && end[1] != '-')
		most = strtoul(end + 1, &end, 10);
	if (*end || least < 100 || most > 599 || least > most)
		goto bad;
	to->status_least = (uint16_t)least;
	to->status_most = (uint16_t)most;
	return 0;
bad:
	return conf_error(config->conf, path,
			  "'%.32s' is no HTTP status; give one, or a range: 200 or 200-399", text);
}

static int read_path(const struct lb_config *config, const char *path, const char *text,
		     struct lb_health *to)
{
	if (!text)
		return 0;
	if (*text != '/' || strpbrk(text, " #"))
		return conf_error(config->conf, path,
				  "'%s' is no path; begin it with '/', with %%20 for a space and "
				  "without a fragment",
				  text);
	to->path = text;
	return 0;
}

static int read_host(const struct lb_config *config, const char *path, const char *text,
		     struct lb_health *to)
{
	if (!text)
		return 0;
	if (strpbrk(text, " /,@"))
		return conf_error(config->conf, path,
				  "'%s' cannot be a Host header; give a name, and a port after a "
				  "colon where it is needed",
				  text);
	to->host = text;
	return 0;
}

static int read_times(const struct lb_config *config, const char *at,
		      const struct file_health *from, struct lb_health *to)
{
	int err = 0;

	err |= duration_read(config->conf, conf_path("%s.interval", at), from->interval,
			     INTERVAL_LEAST, INTERVAL_MOST, &to->interval_ms);
	if (to->timeout_ms > to->interval_ms)
		to->timeout_ms = to->interval_ms;
	err |= duration_read(config->conf, conf_path("%s.timeout", at), from->timeout,
			     TIMEOUT_LEAST, INTERVAL_MOST, &to->timeout_ms);
	if (!err && to->timeout_ms > to->interval_ms)
		err = conf_error(config->conf, conf_path("%s.timeout", at),
				 "%s is longer than the interval, and a probe must end before the "
				 "next one begins; give less, or a longer interval",
				 from->timeout);
	return err;
}

static int read_damping(const struct lb_config *config, const char *at,
			const struct file_damping *from, struct lb_damping *to)
{
	int err = 0;

	if (!from)
		return 0;
	err |= read_count(config, conf_path("%s.damping.downs", at), from->downs, 0, &to->downs);
	err |= duration_read(config->conf, conf_path("%s.damping.within", at), from->within, 1000,
			     DAMPING_MOST, &to->within_ms);
	err |= duration_read(config->conf, conf_path("%s.damping.hold", at), from->hold, 1000,
			     DAMPING_MOST, &to->hold_ms);
	return err;
}

/* Keys that the type of probe does not look at are mistakes. */
static int refuse_extra(const struct lb_config *config, const char *at,
			const struct file_health *from)
{
	const struct {
		const char *key;
		bool given, ok;
	} keys[] = {
		{ "path", from->path, from->type == LB_HEALTH_HTTP },
		{ "host", from->host, from->type == LB_HEALTH_HTTP },
		{ "status", from->status, from->type == LB_HEALTH_HTTP },
		{ "body", from->body, from->type == LB_HEALTH_HTTP },
		{ "port", from->port, from->type != LB_HEALTH_NONE },
	};
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (keys[i].given && !keys[i].ok)
			err |= conf_error(config->conf, conf_path("%s.%s", at, keys[i].key),
					  "type: %s does not use this; remove it, or give type: %s",
					  types[from->type].str,
					  i < ARRAY_SIZE(keys) - 1 ? "http" : "tcp, http or mptcp");
	return err;
}

int config_health_read(struct lb_config *config, size_t p, const struct file_health *from)
{
	struct lb_health *to = &config->pools[p].health;
	char at[64]; /* not of the ring of conf_path(), which goes round */
	int err = 0;

	snprintf(at, sizeof(at), "pools[%zu].health", p);
	*to = defaults;
	if (!from)
		return 0;
	to->type = from->type;
	to->body = from->body;
	if (from->all_down)
		to->all_down = *from->all_down;
	err |= read_times(config, at, from, to);
	err |= read_count(config, conf_path("%s.rise", at), from->rise, 1, &to->rise);
	err |= read_count(config, conf_path("%s.fall", at), from->fall, 1, &to->fall);
	err |= read_path(config, conf_path("%s.path", at), from->path, to);
	err |= read_host(config, conf_path("%s.host", at), from->host, to);
	err |= read_status(config, conf_path("%s.status", at), from->status, to);
	err |= read_damping(config, at, from->damping, &to->damping);
	err |= refuse_extra(config, at, from);
	if (from->port && !*from->port)
		err |= conf_error(config->conf, conf_path("%s.port", at),
				  "0 is no port to connect to; give one from 1 to 65535");
	else if (from->port)
		to->port = *from->port;
	return err ? -EINVAL : 0;
}

unsigned int config_health_check(const struct lb_config *config, size_t p)
{
	const struct lb_pool *pool = &config->pools[p];
	bool used = false;

	if (pool->health.type == LB_HEALTH_NONE)
		return 0;
	for (size_t v = 0; v < config->n_vips; v++) {
		const struct lb_vip *vip = &config->vips[v];

		if (vip->pool != pool)
			continue;
		if (pool->health.port || (vip->protocol == IPPROTO_TCP && vip->port))
			return 0;
		used = true;
	}
	if (!used)
		return 0;
	conf_error(config->conf, conf_path("pools[%zu].health", p),
		   "no VIP of pool '%s' has a TCP port to connect to; give the port of a TCP "
		   "service on the backends: port: N",
		   pool->name);
	return 1;
}
