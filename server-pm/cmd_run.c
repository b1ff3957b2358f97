/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <linux/rtnetlink.h>
#include "cmd.h"
#include "decap.h"
#include "doctor.h"
#include "lib/log.h"
#include "lib/monotonic.h"
#include "lib/notify.h"
#include "run.h"
#include "tc.h"
#include "userspace.h"
#include "vip_sockets.h"

/* The kernel says nothing when an endpoint, a sysctl or a limit changes: look this often. */
static const struct timeval look_interval = { .tv_sec = 1 };

static int run_lock(struct run *r, const char *pin_dir)
{
	int err = server_state_open(pin_dir, true, &r->state);

	if (err)
		return err;
	err = server_state_lock(r->state);
	if (err == -EBUSY)
		return log_err_r(err,
				 "another server-pm works in %s; stop it first, or give another "
				 "--pin-dir",
				 pin_dir);
	if (err)
		return log_err_r(err, "pin folder %s cannot be locked: %s; run as root", pin_dir,
				 strerror(-err));
	return server_state_claim_netns(r->state);
}

/* ---- what goes on while it runs ---- */

static void run_look(struct run *r)
{
	keeper_pass(&r->keeper);
	if (r->userspace)
		userspace_look(r->userspace, &r->machine);
}

static void on_change(evutil_socket_t fd, short what, void *arg)
{
	struct run *r = arg;

	(void)fd;
	(void)what;
	/* Lost events (-ENOBUFS) are no loss: each pass looks at everything. */
	nl_receive(r->events, NULL, NULL);
	run_look(r);
}

/* A loop that turns and passes that end: that is what the watchdog is to know. */
static void on_time(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	run_look(arg);
	if (notify_has_watchdog())
		notify("WATCHDOG=1");
}

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
	struct run *r = arg;

	(void)fd;
	(void)what;
	event_base_loopbreak(r->base);
}

static void on_hup(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	run_reload(arg);
}

/* Sockets are looked at for a hundredth of the time at most; in between the last figures hold. */
static void count_sockets(struct run *r)
{
	__u64 begin = monotonic_ms();

	if (begin < r->count_again)
		return;
	if (connections_count(r->diag, &r->connections) ||
	    vip_sockets_count(r->diag, &r->config->vips, &r->vip_sockets))
		log_debug("sockets cannot be listed: %s", nl_error(r->diag));
	r->count_again = begin + 100 * (monotonic_ms() - begin);
}

static void run_measure(void *ctx, struct metrics_source *out)
{
	struct run *r = ctx;

	out->state = r->state;
	out->guard = r->guard;
	if (r->userspace) {
		out->pm = userspace_stats(r->userspace);
		out->listeners = userspace_listeners(r->userspace);
	}
}

static void run_measure_all(void *ctx, struct metrics_source *out)
{
	struct run *r = ctx;

	count_sockets(r);
	out->connections = r->connections;
	out->vip_sockets = r->vip_sockets;
	run_measure(r, out);
}

static json_t *run_report(void *ctx)
{
	struct metrics_source source = { 0 };

	run_measure(ctx, &source);
	return metrics_json(&source);
}

/* ---- setting up ---- */

/* The sockets are opened before the first look at the machine, so that no change falls in between.
 */
static int run_listen(struct run *r)
{
	int err = nl_open(NETLINK_ROUTE, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR,
			  &r->events);

	if (err)
		return log_err_r(err, "rtnetlink events: %s", strerror(-err));
	err = nl_open(NETLINK_SOCK_DIAG, 0, &r->diag);
	if (err)
		return log_err_r(err, "sock_diag: %s", strerror(-err));
	r->base = event_base_new();
	if (!r->base)
		return log_err_r(-ENOMEM, "no event loop; free some memory");
	signal(SIGPIPE, SIG_IGN); /* whoever reads metrics may hang up */
	r->on_term = evsignal_new(r->base, SIGTERM, on_signal, r);
	r->on_int = evsignal_new(r->base, SIGINT, on_signal, r);
	r->on_hup = evsignal_new(r->base, SIGHUP, on_hup, r);
	r->on_change = event_new(r->base, nl_fd(r->events), EV_READ | EV_PERSIST, on_change, r);
	r->on_time = event_new(r->base, -1, EV_PERSIST, on_time, r);
	if (!r->on_term || !r->on_int || !r->on_hup || !r->on_change || !r->on_time ||
	    event_add(r->on_term, NULL) || event_add(r->on_int, NULL) ||
	    event_add(r->on_hup, NULL) || event_add(r->on_change, NULL) ||
	    event_add(r->on_time, &look_interval))
		return log_err_r(-ENOMEM, "no event loop; free some memory");
	return 0;
}

/* Before anything is set: the port may be taken. Nobody is answered before the loop runs. */
int run_serve(struct run *r, const struct server_config *c, struct metrics **out)
{
	*out = NULL;
	if (!c->metrics.family)
		return 0;
	return metrics_new(r->base, &c->metrics, c->metrics_port, run_measure_all, r, out);
}

/* Endpoints mean nothing to connections that begin under the userspace path manager, and much to
 * those that began before: with them their joined subflows would go. */
static bool run_leaves_endpoints(struct run *r)
{
	struct connection_counts live = { 0 };

	if (r->config->manager != SERVER_MANAGER_USERSPACE || connections_count(r->diag, &live))
		return false;
	return live.vip + live.joined + live.off_path > 0;
}

/* Programs that another version has left on the device give way to this one's. */
static int run_upgrade(struct run *r)
{
	const struct server_guard_config *guard = &r->config->guard;
	const char *device = r->config->device;
	int err = 0;

	if (device) {
		err = server_decap_upgrade(r->state, device);
		err = err ? err : server_tc_upgrade(r->state, device, SERVER_TC_PASS_ON);
		err = err ? err : server_tc_upgrade(r->state, device, SERVER_TC_MSS);
		err = err ? err : server_tc_upgrade(r->state, device, SERVER_TC_FIRST_FLIGHT);
	}
	for (size_t i = 0; !err && i < guard->n_devices; i++)
		err = server_tc_upgrade(r->state, guard->device[i], SERVER_TC_GUARD);
	return err;
}

/* Before the program is put in place, and after it is taken back. */
static int run_set_guard(struct run *r)
{
	int err;

	if (!r->config->guard.on) {
		guard_free(r->guard);
		r->guard = NULL;
		return guard_maps_remove(r->state);
	}
	if (r->guard)
		err = guard_change(r->guard, r->config);
	else
		err = guard_new(r->base, r->state, r->config, &r->guard);
	if (!err)
		r->addresses = *guard_settings(r->guard);
	return err;
}

int run_set_up(struct run *r)
{
	struct keeper *k = &r->keeper;
	struct keeper_retry *retry;
	struct mplb_server_item *plan;
	int n = item_plan(r->config, &plan), first, err;

	if (n < 0)
		return n;
	retry = calloc((size_t)n, sizeof(*retry));
	if (!retry) {
		free(plan);
		return log_err_r(-ENOMEM, "out of memory; free some");
	}
	free(r->plan);
	free(k->retry);
	r->plan = plan;
	*k = (struct keeper){
		.place = { .machine = &r->machine, .state = r->state },
		.item = plan,
		.n = (size_t)n,
		.retry = retry,
	};
	first = keeper_take_back(&k->place, k->item, k->n, run_leaves_endpoints(r));
	err = server_decap_fill(r->state, r->config);
	first = first ? first : err;
	err = run_set_guard(r);
	first = first ? first : err;
	err = keeper_pass(k);
	first = first ? first : err;
	if (!first)
		first = run_upgrade(r);
	if (!first && r->config->device)
		log_info("device %s: decapsulating in %s mode", r->config->device,
			 server_decap_mode(r->state, r->config->device));
	if (r->config->first_flight && server_tc_obstacle(SERVER_TC_FIRST_FLIGHT))
		log_warn("the first flight of answers is not limited: %s",
			 server_tc_obstacle(SERVER_TC_FIRST_FLIGHT));
	k->settled = true;
	return first;
}

static int run_begin(struct run *r, const char *pin_dir)
{
	int err = 0;

	if (r->config->manager == SERVER_MANAGER_USERSPACE)
		err = userspace_new(r->base, r->config, &r->addresses, &r->userspace);
	if (err)
		return err;
	/* `status` can do without. */
	if (server_control_open(r->base, pin_dir, run_report, r, &r->control))
		log_warn("no socket for `status`: it will not show counters");
	if (r->userspace)
		userspace_look(r->userspace, &r->machine);
	return 0;
}

static void free_event(struct event *event)
{
	if (event)
		event_free(event);
}

static void run_free(struct run *r)
{
	server_control_close(r->control);
	metrics_free(r->metrics);
	userspace_free(r->userspace);
	guard_free(r->guard);
	free_event(r->on_term);
	free_event(r->on_int);
	free_event(r->on_hup);
	free_event(r->on_change);
	free_event(r->on_time);
	if (r->base)
		event_base_free(r->base);
	nl_close(r->events);
	nl_close(r->diag);
	free(r->keeper.retry);
	free(r->plan);
	machine_close(&r->machine);
	server_state_close(r->state);
	server_config_free(r->config);
}

int run_examine(const struct run *r, const struct server_config *config)
{
	struct doctor_report report;
	int err = doctor_examine(config, r->options->pin_dir, DOCTOR_BEFORE_RUN, &report);

	if (err)
		return err;
	doctor_log(&report);
	json_decref(report.findings);
	return report.blockers ? -ENOTSUP : 0;
}

void run_say(const struct run *r, const char *word)
{
	const struct server_config *c = r->config;

	log_info("%s: %zu VIPs, %zu dedicated addresses%s%s", word, c->vips.n, c->dedicated.n,
		 c->device ? ", decapsulating on " : "", c->device ? c->device : "");
	notify("READY=1\nSTATUS=%zu VIPs, %zu dedicated addresses, paths managed by %s", c->vips.n,
	       c->dedicated.n, r->userspace ? "server-pm" : "the kernel");
}

int server_cmd_run(const struct server_options *options)
{
	struct run r = { .options = options };
	int err;

	if (server_config_load(options->config, &r.config))
		return SERVER_USAGE;
	err = run_examine(&r, r.config);
	err = err ? err : run_lock(&r, options->pin_dir);
	err = err ? err : machine_open(&r.machine);
	err = err ? err : run_listen(&r);
	err = err ? err : run_serve(&r, r.config, &r.metrics);
	if (!err && (err = run_set_up(&r)))
		log_error("not everything could be set; `server-pm clear` takes back what was");
	err = err ? err : run_begin(&r, options->pin_dir);
	if (!err) {
		run_say(&r, "ready");
		err = event_base_dispatch(r.base) < 0 ? log_err_r(-EIO, "the event loop failed")
						      : 0;
	}
	notify("STOPPING=1");
	if (!err)
		log_info("stopped; everything stays in place (`server-pm clear` takes it back)");
	run_free(&r);
	return err ? SERVER_REFUSED : SERVER_OK;
}
