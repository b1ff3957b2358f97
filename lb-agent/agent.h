/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_AGENT_H
#define MPLB_AGENT_H

#include <stdbool.h>

/* What every command of lb-agent gets. */
struct agent_options {
	const char *pin_dir; /* --pin-dir */
	const char *config; /* -c */
	const char *socket; /* --socket; NULL: the one that goes with pin_dir */
	const char *state; /* --state; NULL: the one that goes with pin_dir */
	bool verbose; /* -v */
};

enum agent_exit { AGENT_OK = 0, AGENT_USAGE = 1, AGENT_REFUSED = 2 };

/* A command. Returns an exit status; errors are logged. */
int agent_cmd_run(const struct agent_options *options);
int agent_cmd_check(const struct agent_options *options);
int agent_cmd_withdraw(const struct agent_options *options);

#endif
