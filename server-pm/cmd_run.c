/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <linux/rtnetlink.h>
#include "cmd.h"
#include "decap.h"
#include "doctor.h"
#include "keep.h"
#include "lib/log.h"

/* The kernel says nothing when an endpoint, a sysctl or a limit changes: look this often, ms. */
#define LOOK_INTERVAL 1000

struct run {
	struct server_config *config;
	struct server_state *state;
	struct machine machine;
	struct mplb_server_item *plan;
	struct keeper keeper;
	struct nl *events; /* addresses and links */
	int signals; /* signalfd, or -1 */
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

/* Opened before the first look at the machine, so that no change falls in between. */
static int run_listen(struct run *r)
{
	sigset_t set;
	int err = nl_open(NETLINK_ROUTE, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR,
			  &r->events);

	if (err)
		return log_err_r(err, "rtnetlink events: %s", strerror(-err));
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	r->signals = signalfd(-1, &set, SFD_CLOEXEC);
	return r->signals < 0 ? log_err_r(-errno, "signalfd: %s", strerror(errno)) : 0;
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
	err = keeper_take_back(&k->place, k->item, k->n);
	err = err ? err : server_decap_fill(r->state, r->config);
	err = err ? err : keeper_pass(k);
	if (!err && r->config->device)
		err = server_decap_upgrade(r->state, r->config->device);
	if (err)
		log_error("not everything could be set; `server-pm clear` takes back what was");
	else if (r->config->device)
		log_info("device %s: decapsulating in %s mode", r->config->device,
			 server_decap_mode(r->state, r->config->device));
	k->settled = true;
	return err;
}

/* 0 when asked to stop, or -errno. */
static int run_watch(struct run *r)
{
	struct pollfd fds[] = {
		{ .fd = r->signals, .events = POLLIN },
		{ .fd = nl_fd(r->events), .events = POLLIN },
	};

	for (;;) {
		int n = poll(fds, 2, LOOK_INTERVAL);

		if (n < 0 && errno != EINTR)
			return log_err_r(-errno, "poll: %s", strerror(errno));
		if (n > 0 && fds[0].revents)
			return 0;
		/* Lost events (-ENOBUFS) are no loss: each pass looks at everything. */
		if (n > 0 && fds[1].revents)
			nl_receive(r->events, NULL, NULL);
		keeper_pass(&r->keeper);
	}
}

static void run_free(struct run *r)
{
	if (r->signals >= 0)
		close(r->signals);
	nl_close(r->events);
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
	struct run r = { .signals = -1 };
	int err;

	if (server_config_load(options->config, &r.config))
		return SERVER_USAGE;
	err = run_examine(&r, options->pin_dir);
	err = err ? err : run_lock(&r, options->pin_dir);
	err = err ? err : machine_open(&r.machine);
	err = err ? err : run_listen(&r);
	err = err ? err : run_set_up(&r);
	if (!err) {
		log_info("ready: %zu VIPs, %zu dedicated addresses%s%s", r.config->vips.n,
			 r.config->dedicated.n, r.config->device ? ", decapsulating on " : "",
			 r.config->device ? r.config->device : "");
		err = run_watch(&r);
	}
	if (!err)
		log_info("stopped; everything stays in place (`server-pm clear` takes it back)");
	run_free(&r);
	return err ? SERVER_REFUSED : SERVER_OK;
}
