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

/*
 * The agent that runs. run.c opens its parts in set_up() and closes them in tear_down(), in reverse;
 * each part gets what it needs of the others here.
 */
struct agent;
struct anycast;
struct control;
struct datapath;
struct event_base;
struct health;
struct lb_config;

struct event_base *agent_base(const struct agent *a);
/* NULL: no data plane here, as on a backend that announces VIPs itself. */
struct datapath *agent_datapath(const struct agent *a);
/* What is in force; another one after each apply. */
const struct lb_config *agent_config(const struct agent *a);
/* NULL while they are not open. */
struct health *agent_health(const struct agent *a);
struct anycast *agent_anycast(const struct agent *a);

#endif
