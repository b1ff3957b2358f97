/* SPDX-License-Identifier: GPL-2.0-only */
#include "guard.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <linux/mptcp.h>
#include "lib/log.h"
#include "lib/monotonic.h"
#include "pm_diag.h"
#include "pm_event.h"

#define LOOK_INTERVAL 60000 /* ms; longer where a look takes more than a hundredth of it */
#define LOOK_SHARE    100
#define LOOK_FAILED   10000

struct guard {
	struct guard_maps maps;
	struct mplb_guard settings;
	struct nl *events, *diag;
	int family;
	struct event *on_events, *on_time;
	__u64 next_look; /* CLOCK_MONOTONIC, ms */
	__u32 look; /* number of the last one */
	bool whole; /* no token is missing, as far as that can be known */
	struct guard_stats stats;
};

static void add(struct guard *g, __u32 token)
{
	if (guard_maps_token_add(&g->maps, token, g->look))
		g->stats.full++;
}

/* ---- looking at all sockets ---- */

static int on_subflow(const struct pm_subflow *subflow, void *data)
{
	add(data, subflow->token);
	return 0;
}

static int look(struct guard *g)
{
	__u64 begin = monotonic_ms(), took;
	int err;

	g->look++;
	err = pm_diag_subflows(g->diag, on_subflow, g);
	if (err) {
		g->next_look = begin + LOOK_FAILED;
		return log_err_r(
			err,
			"guard: sockets cannot be listed: %s; have inet_diag, tcp_diag and "
			"mptcp_diag in the kernel or loaded (modprobe)",
			nl_error(g->diag));
	}
	if (guard_maps_tokens_prune(&g->maps, g->look) < 0)
		log_debug("guard: tokens cannot be listed");
	took = (monotonic_ms() - begin) * LOOK_SHARE;
	g->next_look = monotonic_ms() + (took > LOOK_INTERVAL ? took : LOOK_INTERVAL);
	g->whole = true;
	g->stats.looks++;
	return 0;
}

/* ---- the loop ---- */

static void on_time(evutil_socket_t fd, short what, void *arg)
{
	struct guard *g = arg;

	(void)fd;
	(void)what;
	if (monotonic_ms() >= g->next_look && look(g))
		g->whole = false;
	if (g->whole)
		guard_maps_beat(&g->maps);
}

static int on_event(const struct nlmsghdr *nlh, void *data)
{
	struct guard *g = data;
	struct pm_event event;

	if (nlh->nlmsg_type != g->family || pm_event_parse(nlh, &event))
		return MNL_CB_OK;
	if (event.type == MPTCP_EVENT_CREATED || event.type == MPTCP_EVENT_ESTABLISHED)
		add(g, event.token);
	else if (event.type == MPTCP_EVENT_CLOSED)
		guard_maps_token_remove(&g->maps, event.token);
	return MNL_CB_OK;
}

/* What is lost the next look makes up for, at the next second; until then, joins to those
 * connections have the budget for unknown tokens. */
static void on_events(evutil_socket_t fd, short what, void *arg)
{
	struct guard *g = arg;
	int err;

	(void)fd;
	(void)what;
	while ((err = nl_receive(g->events, on_event, g)) == -ENOBUFS) {
		g->stats.lost++;
		g->next_look = 0;
	}
	if (err)
		log_warn("guard: receiving MPTCP events: %s", strerror(-err));
}

/* ---- life ---- */

static int open_netlink(struct guard *g)
{
	int err = nl_open(NETLINK_GENERIC, 0, &g->events);

	err = err ? err : nl_open(NETLINK_SOCK_DIAG, 0, &g->diag);
	if (err)
		return log_err_r(err, "netlink: %s; see that the process may open sockets",
				 strerror(-err));
	g->family = pm_event_subscribe(
		g->events,
		PM_EVENT_BIT(MPTCP_EVENT_CREATED) | PM_EVENT_BIT(MPTCP_EVENT_ESTABLISHED) |
			PM_EVENT_BIT(MPTCP_EVENT_CLOSED),
		"guard: ", "boot one with CONFIG_MPTCP=y, or write guard: off");
	return g->family < 0 ? g->family : 0;
}

static int watch(struct guard *g, struct event_base *base)
{
	static const struct timeval second = { .tv_sec = 1 };

	g->on_events = event_new(base, nl_fd(g->events), EV_READ | EV_PERSIST, on_events, g);
	g->on_time = event_new(base, -1, EV_PERSIST, on_time, g);
	if (!g->on_events || !g->on_time || event_add(g->on_events, NULL) ||
	    event_add(g->on_time, &second))
		return log_err_r(-ENOMEM, "out of memory; free some");
	return 0;
}

int guard_change(struct guard *guard, const struct server_config *config)
{
	int err = guard_maps_fill(&guard->maps, config);

	return err ? err : guard_maps_settings(&guard->maps, &guard->settings);
}

int guard_new(struct event_base *base, const struct server_state *state,
	      const struct server_config *config, struct guard **out)
{
	struct guard *g = calloc(1, sizeof(*g));
	int err;

	if (!g)
		return log_err_r(-ENOMEM, "out of memory; free some");
	g->maps = (struct guard_maps){ -1, -1, -1, -1, -1 };
	/* Numbers go on from one server-pm to the next, as the tokens do. */
	g->look = (__u32)(monotonic_ms() / 1000);
	err = guard_maps_open(state, true, &g->maps);
	err = err ? err : guard_change(g, config);
	err = err ? err : open_netlink(g);
	err = err ? err : look(g);
	err = err ? err : watch(g, base);
	if (err) {
		guard_free(g);
		return err;
	}
	guard_maps_beat(&g->maps);
	*out = g;
	return 0;
}

void guard_free(struct guard *guard)
{
	if (!guard)
		return;
	if (guard->on_events)
		event_free(guard->on_events);
	if (guard->on_time)
		event_free(guard->on_time);
	nl_close(guard->events);
	nl_close(guard->diag);
	guard_maps_close(&guard->maps);
	free(guard);
}

const struct guard_stats *guard_stats(const struct guard *guard)
{
	return &guard->stats;
}

const struct mplb_guard *guard_settings(const struct guard *guard)
{
	return &guard->settings;
}
