/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_RECONCILE_H
#define MPLB_RECONCILE_H

#include <jansson.h>
#include "loader/plan.h"

/*
 * Makes the data plane what it shall be: a function of config, operators' orders and health
 * (loader/plan.h). What it is, is in the maps and nowhere else, so that a crash loses nothing.
 * Keeps orders on disk for the time after a reboot, and settles pools whose changes are over
 * (docs/control.md, "Settling").
 */
struct datapath;
struct event_base;
struct reconciler;

struct reconcile_env {
	struct event_base *base;
	struct datapath *datapath; /* NULL: none, as on a backend that announces VIPs itself */
	const char *state_file; /* NULL: orders are not kept on disk */
	/* What health says of members: writes at most n of them, and returns how many. */
	size_t (*verdicts)(void *data, struct verdict *out, size_t n);
	/* The other parts take a config, which lives until the next call. 0 or -errno, logged. */
	int (*configure)(void *data, const struct lb_config *config);
	/* What is in force has changed. */
	void (*changed)(void *data);
	void *data;
};

int reconcile_open(const struct reconcile_env *env, struct reconciler **out);
void reconcile_close(struct reconciler *r);

/* Puts a config in force and takes it. changes: as of apply(). 0 or -errno, logged: then nothing
 * changed, and the config is the caller's. */
int reconcile_config(struct reconciler *r, struct lb_config *config, json_t *changes);
/* The one in force; NULL: none yet. */
const struct lb_config *reconcile_config_now(const struct reconciler *r);

/* Carries out an order. 0 or -errno, logged. */
int reconcile_order(struct reconciler *r, const struct order *order, json_t *changes);

/* Health says something else: it is put in force soon, with what else comes at the time. */
void reconcile_health(struct reconciler *r);

/* Logs what an apply changed. */
void reconcile_log(const json_t *changes);

/* When pools will be settled: an array: pool seconds (null: never). */
json_t *reconcile_json(const struct reconciler *r);

#endif
