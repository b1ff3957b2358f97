/* SPDX-License-Identifier: GPL-2.0-only */
/* Another config, while connections live. */
#include "run.h"

#include <stdlib.h>
#include "cmd.h"
#include "lib/log.h"
#include "lib/notify.h"

/* What can be refused is tried before anything changes. */
struct next {
	struct server_config *config;
	struct metrics *metrics;
	bool keeps_metrics;
	struct userspace *userspace; /* NULL: none, or that which runs */
	struct guard *guard; /* the same */
};

static bool same_metrics(const struct server_config *a, const struct server_config *b)
{
	return a->metrics.family == b->metrics.family &&
	       (!a->metrics.family ||
		(a->metrics_port == b->metrics_port && ip_equal(&a->metrics, &b->metrics)));
}

/* A userspace path manager that is to come takes over what lives before connections begin that are
 * its own. */
static int prepare(struct run *r, struct next *next)
{
	int err = server_config_load(r->options->config, &next->config);

	err = err ? err : run_examine(r, next->config);
	if (err)
		return err;
	next->keeps_metrics = same_metrics(r->config, next->config);
	if (!next->keeps_metrics)
		err = run_serve(r, next->config, &next->metrics);
	/* Nobody is guarded before the program is there; but the secret is. */
	if (!err && !r->guard && next->config->guard.on)
		err = guard_new(r->base, r->state, next->config, &next->guard);
	if (next->guard)
		r->addresses = *guard_settings(next->guard);
	if (!err && !r->userspace && next->config->manager == SERVER_MANAGER_USERSPACE)
		err = userspace_new(r->base, next->config, &r->addresses, &next->userspace);
	return err;
}

static void discard(struct run *r, struct next *next)
{
	if (next->guard) {
		guard_free(next->guard);
		guard_maps_remove(r->state);
	}
	metrics_free(next->metrics);
	userspace_free(next->userspace);
	server_config_free(next->config);
}

/* One that goes leaves its connections as they are, and is replaced by the kernel's before. */
static void change_manager(struct run *r, struct next *next)
{
	if (next->userspace) {
		r->userspace = next->userspace;
	} else if (r->userspace && r->config->manager == SERVER_MANAGER_KERNEL) {
		userspace_free(r->userspace);
		r->userspace = NULL;
	}
	if (r->userspace)
		userspace_look(r->userspace, &r->machine);
}

void run_reload(struct run *r)
{
	struct next next = { 0 };
	struct server_config *old = r->config;

	notify("RELOADING=1");
	if (prepare(r, &next)) {
		discard(r, &next);
		log_error("%s: not reloaded; what runs goes on as it was", r->options->config);
		notify("READY=1\nSTATUS=The config was not reloaded: see the log");
		return;
	}
	/* While the addresses that go are still there: RM_ADDR is sent from them, too. */
	if (r->userspace && next.config->manager == SERVER_MANAGER_USERSPACE &&
	    userspace_reload(r->userspace, next.config)) {
		discard(r, &next);
		notify("READY=1");
		return;
	}
	r->config = next.config;
	if (next.guard)
		r->guard = next.guard;
	if (!next.keeps_metrics) {
		metrics_free(r->metrics);
		r->metrics = next.metrics;
	}
	if (run_set_up(r))
		log_error("not everything could be set; it is tried again now and then");
	change_manager(r, &next);
	server_config_free(old);
	run_say(r, "reloaded");
}
