/* SPDX-License-Identifier: GPL-2.0-only */
#include "orders_file.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/log.h"

#define FILE_MAX (4u << 20) /* bytes: 4,096 members of some 300 */

/* Writing */

static json_t *order_json(const struct state_pool *pool, const struct state_member *m)
{
	char addr[IP_STRLEN];
	json_t *row = json_pack("{s:s, s:s, s:i, s:s, s:b}", "pool", pool->name, "backend", m->name,
				"id", m->id, "address", ip_format(&m->addr, addr), "drain",
				(int)!!(m->flags & MPLB_MEMBER_F_DRAIN));

	if (m->flags & MPLB_MEMBER_F_WEIGHT)
		json_object_set_new(row, "weight", json_integer(m->weight));
	return row;
}

/* The file's text; NULL: no memory. */
static char *orders_text(const struct state *state)
{
	json_t *rows = json_array(), *root;
	char *text;

	for (size_t p = 0; p < state->n_pools; p++) {
		for (size_t i = 0; i < state->pools[p].n_members; i++) {
			const struct state_member *m = &state->pools[p].members[i];

			if (m->flags & (MPLB_MEMBER_F_DRAIN | MPLB_MEMBER_F_WEIGHT) &&
			    !(m->flags & MPLB_MEMBER_F_GONE))
				json_array_append_new(rows, order_json(&state->pools[p], m));
		}
	}
	root = json_pack("{s:i, s:o}", "version", 1, "orders", rows);
	text = json_dumps(root, JSON_INDENT(2));
	json_decref(root);
	return text;
}

static int write_all(int fd, const char *text)
{
	size_t len = strlen(text);

	while (len) {
		ssize_t n = write(fd, text, len);

		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return fsync(fd) ? -errno : 0;
}

/* The folder's entry is to be on disk as well. */
static int sync_folder(const char *path)
{
	char folder[PATH_MAX];
	char *slash;
	int fd, err;

	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (slash)
		*(slash == folder ? slash + 1 : slash) = '\0';
	fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = fsync(fd) ? -errno : 0;
	close(fd);
	return err;
}

/* Makes the folder, if only that one is missing. */
static void make_folder(const char *path)
{
	char folder[PATH_MAX];
	char *slash;

	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (slash && slash != folder) {
		*slash = '\0';
		mkdir(folder, 0755);
	}
}

static int replace(const char *path, const char *text)
{
	char temporary[PATH_MAX];
	int fd, err;

	if (snprintf(temporary, sizeof(temporary), "%s.new", path) >= (int)sizeof(temporary))
		return -ENAMETOOLONG;
	make_folder(path);
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	err = write_all(fd, text);
	if (close(fd) && !err)
		err = -errno;
	if (!err && rename(temporary, path))
		err = -errno;
	if (err)
		unlink(temporary);
	return err ? err : sync_folder(path);
}

int orders_file_save(const char *path, const struct state *state, char **last)
{
	char *text = orders_text(state);
	int err;

	if (!text)
		return log_err_r(-ENOMEM, "out of memory");
	if (*last && !strcmp(*last, text)) {
		free(text);
		return 0;
	}
	err = replace(path, text);
	if (err) {
		free(text);
		return log_err_r(err,
				 "%s: cannot be written: %s; orders are in force, and will not "
				 "outlast a reboot; make room or mend the rights, and order again",
				 path, strerror(-err));
	}
	free(*last);
	*last = text;
	return 0;
}

/* Reading */

/* The backend in the config, or NULL. */
static const struct lb_backend *find(const struct lb_config *config, const char *pool, int id,
				     const struct ip *addr)
{
	for (size_t p = 0; p < config->n_pools; p++) {
		const struct lb_pool *in = &config->pools[p];

		for (size_t i = 0; !strcmp(in->name, pool) && i < in->n_backends; i++)
			if (in->backends[i].id == id && ip_equal(&in->backends[i].addr, addr))
				return &in->backends[i];
	}
	return NULL;
}

static void add(struct orders *out, enum order_verb verb, __u32 weight, const char *name)
{
	out->order[out->n++] = (struct order){ .verb = verb, .name = name, .weight = weight };
}

/* One entry; at most two orders come of it. */
static int read_entry(const json_t *row, const struct lb_config *config, struct orders *out,
		      char name[static 2 * MPLB_NAME_LEN + 1])
{
	const struct lb_backend *b;
	const char *pool, *address;
	json_t *weight = NULL;
	struct ip addr;
	int id, drain;

	if (json_unpack((json_t *)row, "{s:s, s:i, s:s, s:b, s?o}", "pool", &pool, "id", &id,
			"address", &address, "drain", &drain, "weight", &weight) ||
	    ip_parse(address, &addr) || (weight && !json_is_integer(weight)) ||
	    json_integer_value(weight) < 0 || json_integer_value(weight) > 65535)
		return -EINVAL;
	b = find(config, pool, id, &addr);
	if (!b)
		return 0;
	snprintf(name, 2 * MPLB_NAME_LEN + 1, "%s/%s", pool, b->name);
	if (drain)
		add(out, ORDER_DRAIN, 0, name);
	if (weight)
		add(out, ORDER_WEIGHT, (__u32)json_integer_value(weight), name);
	return 0;
}

static int read_orders(const json_t *root, const struct lb_config *config, struct orders *out)
{
	const json_t *rows = json_object_get(root, "orders"), *row;
	size_t n = json_array_size(rows), i;
	int err = 0;

	if (json_integer_value(json_object_get(root, "version")) != 1 || !json_is_array(rows))
		return -EINVAL;
	out->order = calloc(2 * n + 1, sizeof(*out->order));
	out->names = calloc(n + 1, sizeof(*out->names));
	if (!out->order || !out->names)
		return -ENOMEM;
	json_array_foreach (rows, i, row)
		err = err ? err : read_entry(row, config, out, out->names[i]);
	return err;
}

int orders_file_load(const char *path, const struct lb_config *config, struct orders *out)
{
	FILE *file = fopen(path, "re");
	json_error_t error;
	json_t *root;
	struct stat st;
	int err;

	*out = (struct orders){ 0 };
	if (!file && errno == ENOENT)
		return 0;
	if (!file)
		return log_err_r(-errno,
				 "%s: cannot be read: %s; orders from before are not "
				 "carried out",
				 path, strerror(errno));
	err = fstat(fileno(file), &st) || st.st_size > FILE_MAX ? -EINVAL : 0;
	root = err ? NULL : json_loadf(file, 0, &error);
	fclose(file);
	err = root ? read_orders(root, config, out) : -EINVAL;
	json_decref(root);
	if (!err)
		return 0;
	orders_drop(out);
	return log_err_r(err,
			 "%s: makes no sense; orders from before are not carried out: see "
			 "lbctl show backend, and order again",
			 path);
}

void orders_drop(struct orders *orders)
{
	free(orders->order);
	free(orders->names);
	*orders = (struct orders){ 0 };
}
