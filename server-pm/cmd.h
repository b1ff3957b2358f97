/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_SERVER_CMD_H
#define MPLB_SERVER_CMD_H

#include <stdbool.h>

/* What the command line says. */
struct server_options {
	const char *pin_dir;
	bool verbose;
	const char *config; /* -c FILE, or NULL */
	bool json; /* -j */
	bool only_config; /* check: do not look at the machine */
};

/* Exit codes. */
#define SERVER_OK      0
#define SERVER_USAGE   1 /* the command line or the config is wrong */
#define SERVER_REFUSED 2 /* the kernel refused */

/* Each is a command: returns the exit code, having logged what is wrong. */
int server_cmd_run(const struct server_options *options);
int server_cmd_check(const struct server_options *options);
int server_cmd_status(const struct server_options *options);
int server_cmd_connections(const struct server_options *options);
int server_cmd_clear(const struct server_options *options);

#endif
