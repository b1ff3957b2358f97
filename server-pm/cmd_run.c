/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <linux/rtnetlink.h>
#include "cmd.h"
#include "control.h"
#include "decap.h"
#include "doctor.h"
#include "keep.h"
#include "lib/log.h"
#include "metrics.h"
#include "tc.h"
#include "userspace.h"
#include "vip_sockets.h"

/* The kernel says nothing when an endpoint, a sysctl or a limit changes: look this often. */
static const struct timeval look_interval = { .tv_sec = 1 };

struct run {
	struct server_config *config;
	struct server_state *state;
	struct machine machine;
	struct mplb_server_item *plan;
	struct keeper keeper;
	struct nl *events; /* addresses and links */
	struct nl *diag; /* sockets */
	struct event_base *base;
	struct event *on_term, *on_int, *on_change, *on_time;
	struct userspace *userspace; /* NULL: the kernel manages the paths */
	struct metrics *metrics; /* NULL: not served */
	struct server_control *control;
};

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

static void on_time(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	run_look(arg);
}

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
	struct run *r = arg;

	(void)fd;
	(void)what;
	event_base_loopbreak(r->base);
}

/* What the userspace path manager knows of all connections need not be looked for in the sockets.
 */
static bool run_knows_connections(struct run *r, struct connection_counts *out)
{
	const size_t *state;

	if (!r->userspace)
		return false;
	state = userspace_stats(r->userspace)->state;
	if (state[PM_STATE_UNMANAGED])
		return false;
	*out = (struct connection_counts){
		.vip = state[PM_STATE_VIP] + state[PM_STATE_GIVEN_UP],
		.joined = state[PM_STATE_JOINED],
		.off_path = state[PM_STATE_OFF_PATH],
	};
	return true;
}

static void run_measure(void *ctx, struct metrics_source *out)
{
	struct run *r = ctx;

	if (!run_knows_connections(r, &out->connections) &&
	    connections_count(r->diag, &out->connections))
		log_debug("sockets cannot be listed: %s", nl_error(r->diag));
	if (vip_sockets_count(r->diag, &r->config->vips, &out->vip_sockets))
		log_debug("sockets cannot be listed: %s", nl_error(r->diag));
	if (!r->userspace)
		return;
	out->pm = userspace_stats(r->userspace);
	out->listeners = userspace_listeners(r->userspace);
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
	r->on_change = event_new(r->base, nl_fd(r->events), EV_READ | EV_PERSIST, on_change, r);
	r->on_time = event_new(r->base, -1, EV_PERSIST, on_time, r);
	if (!r->on_term || !r->on_int || !r->on_change || !r->on_time ||
	    event_add(r->on_term, NULL) || event_add(r->on_int, NULL) ||
	    event_add(r->on_change, NULL) || event_add(r->on_time, &look_interval))
		return log_err_r(-ENOMEM, "no event loop; free some memory");
	return 0;
}

/* Before anything is set: the port may be taken. Nobody is answered before the loop runs. */
static int run_serve(struct run *r)
{
	const struct server_config *c = r->config;

	if (!c->metrics.family)
		return 0;
	return metrics_new(r->base, &c->metrics, c->metrics_port, run_measure, r, &r->metrics);
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
	const char *device = r->config->device;
	int err = server_decap_upgrade(r->state, device);

	err = err ? err : server_tc_upgrade(r->state, device, SERVER_TC_PASS_ON);
	return err ? err : server_tc_upgrade(r->state, device, SERVER_TC_MSS);
}

static int run_set_up(struct run *r)
{
	struct keeper *k = &r->keeper;
	int n = item_plan(r->config, &r->plan), err;

	if (n < 0)
		return n;
	k->place = (struct item_place){ .machine = &r->machine, .state = r->state };
	k->item = r->plan;
	k->n = (size_t)n;
	k->retry = calloc((size_t)n, sizeof(*k->retry));
	if (!k->retry)
		return log_err_r(-ENOMEM, "out of memory; free some");
	err = keeper_take_back(&k->place, k->item, k->n, run_leaves_endpoints(r));
	err = err ? err : server_decap_fill(r->state, r->config);
	err = err ? err : keeper_pass(k);
	if (!err && r->config->device)
		err = run_upgrade(r);
	if (err)
		log_error("not everything could be set; `server-pm clear` takes back what was");
	else if (r->config->device)
		log_info("device %s: decapsulating in %s mode", r->config->device,
			 server_decap_mode(r->state, r->config->device));
	k->settled = true;
	return err;
}

static int run_begin(struct run *r, const char *pin_dir)
{
	int err = 0;

	if (r->config->manager == SERVER_MANAGER_USERSPACE)
		err = userspace_new(r->base, r->config, &r->userspace);
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
	free_event(r->on_term);
	free_event(r->on_int);
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

/* Faults are warned of and no obstacle: an address or device may come later. */
static int run_examine(const struct run *r, const char *pin_dir)
{
	struct doctor_report report;
	int err = doctor_examine(r->config, pin_dir, &report);

	return err ? err : report.blockers ? -ENOTSUP : 0;
}

int server_cmd_run(const struct server_options *options)
{
	struct run r = { 0 };
	int err;

	if (server_config_load(options->config, &r.config))
		return SERVER_USAGE;
	err = run_examine(&r, options->pin_dir);
	err = err ? err : run_lock(&r, options->pin_dir);
	err = err ? err : machine_open(&r.machine);
	err = err ? err : run_listen(&r);
	err = err ? err : run_serve(&r);
	err = err ? err : run_set_up(&r);
	err = err ? err : run_begin(&r, options->pin_dir);
	if (!err) {
		log_info("ready: %zu VIPs, %zu dedicated addresses%s%s", r.config->vips.n,
			 r.config->dedicated.n, r.config->device ? ", decapsulating on " : "",
			 r.config->device ? r.config->device : "");
		err = event_base_dispatch(r.base) < 0 ? log_err_r(-EIO, "the event loop failed")
						      : 0;
	}
	if (!err)
		log_info("stopped; everything stays in place (`server-pm clear` takes it back)");
	run_free(&r);
	return err ? SERVER_REFUSED : SERVER_OK;
}
