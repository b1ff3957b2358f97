/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_SERVER_CONFIG_GUARD_H
#define MPLB_SERVER_CONFIG_GUARD_H

#include "config.h"

/* The keys about the guard and the addresses per connection, as libcyaml loads them. */
struct file_guard {
	const char *guard;
	const char *on_stale;
	const char **devices, **allow;
	uint32_t devices_count, allow_count;
	const char *per_connection;
};

/* Reads them into c->guard, all other keys having been read. 0 or, having logged, -EINVAL. */
int server_config_read_guard(struct server_config *c, const struct file_guard *file);

#endif
