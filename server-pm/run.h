/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_SERVER_RUN_H
#define MPLB_SERVER_RUN_H

#include "control.h"
#include "guard.h"
#include "keep.h"
#include "metrics.h"
#include "userspace.h"

/* The daemon: cmd_run.c brings it up, run_reload.c gives it another config. */
struct event;

struct run {
	const struct server_options *options;
	struct server_config *config;
	struct server_state *state;
	struct machine machine;
	struct mplb_server_item *plan;
	struct keeper keeper;
	struct nl *events; /* addresses and links */
	struct nl *diag; /* sockets */
	struct event_base *base;
	struct event *on_term, *on_int, *on_hup, *on_change, *on_time;
	struct guard *guard; /* NULL: there is none */
	struct mplb_guard addresses; /* the secret that connections' addresses are made with */
	struct userspace *userspace; /* NULL: the kernel manages the paths */
	struct connection_counts connections; /* when they were last counted */
	size_t vip_sockets;
	__u64 count_again; /* not before; ms of CLOCK_MONOTONIC */
	struct metrics *metrics; /* NULL: not served */
	struct server_control *control;
};

/* What the machine lacks for a config: faults are warned of and no obstacle, for an address or
 * device may come later. 0, -ENOTSUP where it cannot be set up, or -errno, logged. */
int run_examine(const struct run *r, const struct server_config *config);

/* Serves metrics where the config says. 0 with *out (NULL: nowhere), or -errno, logged. */
int run_serve(struct run *r, const struct server_config *config, struct metrics **out);

/* Makes the machine match r->config. 0 or the first -errno, logged; goes on past failures. */
int run_set_up(struct run *r);

/* Tells systemd, and the log, what is served. word: "ready", "reloaded". */
void run_say(const struct run *r, const char *word);

/* Reads the config file again. Where it does not validate, or cannot be set up here, the running
 * one stays, which is logged; else live connections go by the new one. */
void run_reload(struct run *r);

#endif
