/* SPDX-License-Identifier: GPL-2.0-only */
#include "userspace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <event2/event.h>
#include <linux/mptcp.h>
#include "guard_maps.h"
#include "lib/log.h"
#include "lib/monotonic.h"
#include "lib/nl.h"
#include "pm_command.h"
#include "pm_listen.h"
#include "pm_table.h"

/* The kernel drops an event without a word when it has no memory for it. So everything is looked at
 * now and then; less often where that takes long, for a hundredth of the time at most. */
#define SYNC_INTERVAL 60000 /* ms */
#define SYNC_SHARE    100
#define SYNC_PAUSE    1000 /* ms, at least, between two resyncs */
#define SYNC_FAILED   10000 /* ms until the next, after one that failed */

/* Listeners are looked for when an event tells of one. To list them the kernel walks through all
 * MPTCP sockets, so that without need it is done now and then only. */
#define LISTEN_LOOKS 60 /* of userspace_look() */
/* Events that come one by one, and fast, are let gather: a wakeup costs as much as an event. */
#define GATHER 1000 /* us: waited, after a wakeup that came as short behind another */

struct userspace {
	const struct server_config *config;
	const struct mplb_guard *guard; /* for the secret of the connections' addresses */
	struct nl *events, *commands, *diag;
	int family;
	struct pm_engine *engine;
	struct pm_listen *listen;
	struct event *on_events, *on_tick;
	__u64 start; /* CLOCK_MONOTONIC, ms */
	__u64 next_sync, last_sync; /* ms since the start */
	__u64 last_events; /* us: CLOCK_MONOTONIC, when they were last received */
	unsigned int looks; /* since listeners were looked for */
	bool ticks; /* on_tick is due in a tick, not in a second */
	bool told_of_listeners; /* the kernel has events of them */
	bool seen[PM_MAX_ANNOUNCED]; /* the address has been on the machine */
};

static __u64 now(const struct userspace *u)
{
	return monotonic_us() / 1000 - u->start + PM_TICK;
}

/* ---- commands ---- */

/* A refusal is no news where the connection has just ended: its last events are under way. */
static int said(struct userspace *u, __u32 token, const char *what, int err)
{
	if (err)
		log_debug("connection 0x%08x: %s: %s", token, what, nl_error(u->commands));
	return err;
}

/* A prefix stands for the connection's own address in it. */
static struct announced address_for(const struct userspace *u, __u32 token,
				    const struct announced *address)
{
	struct announced own = *address;

	if (address->prefix)
		guard_address(u->guard, &address->addr, token, &own.addr);
	return own;
}

static int do_announce(void *ctx, __u32 token, const struct announced *address, __u8 id)
{
	struct userspace *u = ctx;
	struct announced own = address_for(u, token, address);

	return said(u, token, "announcing",
		    pm_command_announce(u->commands, u->family, token, &own, id));
}

static int do_withdraw(void *ctx, __u32 token, __u8 id)
{
	struct userspace *u = ctx;

	return said(u, token, "taking an address back",
		    pm_command_remove(u->commands, u->family, token, id));
}

static int do_backup(void *ctx, __u32 token, const struct pm_flow *flow, bool backup)
{
	struct userspace *u = ctx;

	return said(u, token,
		    backup ? "making the initial subflow a backup"
			   : "using the initial subflow again",
		    pm_command_backup(u->commands, u->family, token, flow, backup));
}

static int do_close(void *ctx, __u32 token, const struct pm_flow *flow)
{
	struct userspace *u = ctx;

	return said(u, token, "closing a subflow",
		    pm_command_close(u->commands, u->family, token, flow));
}

static bool do_alive(void *ctx, const struct pm_flow *flow)
{
	struct userspace *u = ctx;

	return pm_diag_alive(u->diag, flow);
}

static const struct pm_ops ops = { do_announce, do_withdraw, do_backup, do_close, do_alive };

/* ---- resync ---- */

static int on_subflow(const struct pm_subflow *subflow, void *data)
{
	struct userspace *u = data;

	pm_engine_sync_subflow(u->engine, subflow, now(u));
	return 0;
}

static int sync_now(struct userspace *u)
{
	__u64 begin = now(u), took;
	int err;

	pm_engine_sync_begin(u->engine);
	err = pm_diag_subflows(u->diag, on_subflow, u);
	if (err)
		return log_err_r(err,
				 "sockets cannot be listed: %s; have inet_diag, tcp_diag and "
				 "mptcp_diag in the kernel or loaded (modprobe)",
				 nl_error(u->diag));
	pm_engine_sync_end(u->engine, now(u));
	took = now(u) - begin;
	u->last_sync = now(u);
	u->next_sync = u->last_sync +
		       (took * SYNC_SHARE > SYNC_INTERVAL ? took * SYNC_SHARE : SYNC_INTERVAL);
	return 0;
}

/* Soon, and not too often: when events come faster than they can be taken, so do the losses. */
static void want_sync(struct userspace *u)
{
	if (u->next_sync > u->last_sync + SYNC_PAUSE)
		u->next_sync = u->last_sync + SYNC_PAUSE;
}

/* ---- the loop ---- */

/* A timer that runs is only ever made to end sooner: looks at the machine come once a second, too,
 * and would put it off for ever. */
static void set_tick(struct userspace *u)
{
	static const struct timeval tick = { .tv_usec = PM_TICK * 1000L };
	static const struct timeval idle = { .tv_sec = 1 };
	bool waiting = pm_engine_waiting(u->engine);

	if (evtimer_pending(u->on_tick, NULL) && (u->ticks || !waiting))
		return;
	u->ticks = waiting;
	event_add(u->on_tick, waiting ? &tick : &idle);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct userspace *u = arg;

	(void)fd;
	(void)what;
	pm_engine_tick(u->engine, now(u));
	if (pm_engine_wants_sync(u->engine))
		want_sync(u);
	if (now(u) >= u->next_sync && sync_now(u))
		u->next_sync = now(u) + SYNC_FAILED;
	set_tick(u);
}

struct reception {
	struct userspace *u;
	bool listeners; /* one was opened or closed */
	bool any;
};

static int on_event(const struct nlmsghdr *nlh, void *data)
{
	struct reception *r = data;
	struct pm_event event;

	if (nlh->nlmsg_type != r->u->family || pm_event_parse(nlh, &event))
		return MNL_CB_OK;
	if (event.type == PM_EVENT_LISTENER_CREATED || event.type == PM_EVENT_LISTENER_CLOSED)
		r->listeners = true;
	else
		pm_engine_event(r->u->engine, &event, now(r->u));
	return MNL_CB_OK;
}

static void gather(struct userspace *u)
{
	static const struct timespec pause = { .tv_nsec = GATHER * 1000L };

	if (monotonic_us() - u->last_events < GATHER)
		nanosleep(&pause, NULL);
	u->last_events = monotonic_us();
}

static void on_events(evutil_socket_t fd, short what, void *arg)
{
	struct reception r = { .u = arg };
	bool lost = false;
	int err;

	(void)fd;
	(void)what;
	gather(r.u);
	while ((err = nl_receive(r.u->events, on_event, &r)) == -ENOBUFS)
		lost = true;
	if (err)
		log_warn("receiving MPTCP events: %s", strerror(-err));
	if (lost) {
		log_warn("more MPTCP events than could be taken: some are lost; looking at all "
			 "connections instead");
		want_sync(r.u);
	}
	if (r.listeners)
		pm_listen_update(r.u->listen);
	set_tick(r.u);
}

/* ---- addresses ---- */

struct stale {
	struct userspace *u;
	unsigned int closed;
};

static int close_stale(const struct pm_subflow *subflow, void *data)
{
	struct stale *stale = data;

	if (pm_engine_is_stale(stale->u->engine, subflow) &&
	    !do_close(stale->u, subflow->token, &subflow->flow))
		stale->closed++;
	return 0;
}

static void address_changed(struct userspace *u, const struct ip *addr, bool there)
{
	struct stale stale = { .u = u };
	char text[IP_STRLEN];

	if (there) {
		log_info("dedicated address %s has come: announced to live connections",
			 ip_format(addr, text));
		return;
	}
	pm_diag_subflows(u->diag, close_stale, &stale);
	log_warn("dedicated address %s has gone: taken back from live connections, %u subflows "
		 "closed",
		 ip_format(addr, text), stale.closed);
}

/* An address that never was on the machine may be translated on the way: it is announced. */
static void look_at_addresses(struct userspace *u, const struct machine *machine)
{
	for (size_t i = 0; i < u->config->dedicated.n; i++) {
		const struct ip *addr = &u->config->dedicated.ip[i];
		bool there = rtaddr_find(machine->addrs, machine->n_addrs, addr, 0) != NULL;

		u->seen[i] = u->seen[i] || there;
		if (u->seen[i] && pm_engine_address(u->engine, i, there, now(u)))
			address_changed(u, addr, there);
	}
}

void userspace_look(struct userspace *u, const struct machine *machine)
{
	look_at_addresses(u, machine);
	if (!u->told_of_listeners || pm_listen_waits(u->listen) || u->looks++ % LISTEN_LOOKS == 0)
		pm_listen_update(u->listen);
	set_tick(u);
}

/* ---- life ---- */

static int open_netlink(struct userspace *u)
{
	int err = nl_open(NETLINK_GENERIC, 0, &u->events);

	err = err ? err : nl_open(NETLINK_GENERIC, 0, &u->commands);
	err = err ? err : nl_open(NETLINK_SOCK_DIAG, 0, &u->diag);
	if (err)
		return log_err_r(err, "netlink: %s; see that the process may open sockets",
				 strerror(-err));
	u->family = pm_event_subscribe(
		u->events,
		PM_EVENT_BIT(MPTCP_EVENT_ESTABLISHED) | PM_EVENT_BIT(MPTCP_EVENT_CLOSED) |
			PM_EVENT_BIT(MPTCP_EVENT_SUB_ESTABLISHED) |
			PM_EVENT_BIT(MPTCP_EVENT_SUB_CLOSED) |
			PM_EVENT_BIT(PM_EVENT_LISTENER_CREATED) |
			PM_EVENT_BIT(PM_EVENT_LISTENER_CLOSED),
		"", "boot Linux 5.19 or later, or write path_manager: kernel");
	return u->family < 0 ? u->family : 0;
}

/* announced has room for PM_MAX_ANNOUNCED, and is referred to. */
static struct pm_setup setup_of(struct userspace *u, const struct server_config *config,
				struct announced *announced)
{
	static const enum pm_initial initial[] = {
		[SERVER_INITIAL_KEEP] = PM_INITIAL_KEEP,
		[SERVER_INITIAL_BACKUP] = PM_INITIAL_BACKUP,
		[SERVER_INITIAL_CLOSE] = PM_INITIAL_CLOSE,
	};

	return (struct pm_setup){
		.vip = config->vips.ip,
		.n_vip = config->vips.n,
		.announced = announced,
		.n_announced = announce_list(config, announce_port_fits_ipv6(), announced),
		.initial = initial[config->initial],
		.ops = &ops,
		.ctx = u,
	};
}

static int make_engine(struct userspace *u)
{
	struct announced announced[PM_MAX_ANNOUNCED];
	const struct pm_setup setup = setup_of(u, u->config, announced);

	return pm_engine_new(&setup, &u->engine);
}

static int watch(struct userspace *u, struct event_base *base)
{
	int err = pm_listen_new(base, u->config, u->guard, u->diag, &u->listen);

	u->on_events = event_new(base, nl_fd(u->events), EV_READ | EV_PERSIST, on_events, u);
	u->on_tick = evtimer_new(base, on_tick, u);
	if (err || !u->on_events || !u->on_tick || event_add(u->on_events, NULL))
		return log_err_r(-ENOMEM, "out of memory; free some");
	set_tick(u);
	return 0;
}

int userspace_new(struct event_base *base, const struct server_config *config,
		  const struct mplb_guard *guard, struct userspace **out)
{
	struct userspace *u = calloc(1, sizeof(*u));
	const struct pm_stats *stats;
	int err;

	if (!u)
		return log_err_r(-ENOMEM, "out of memory; free some");
	u->config = config;
	u->guard = guard;
	u->start = monotonic_us() / 1000;
	u->told_of_listeners = machine_kernel_at_least(6, 2);
	err = open_netlink(u);
	if (!err && make_engine(u))
		err = log_err_r(-ENOMEM, "out of memory; free some");
	err = err ? err : sync_now(u);
	err = err ? err : watch(u, base);
	if (err) {
		userspace_free(u);
		return err;
	}
	stats = pm_engine_stats(u->engine);
	if (stats->taken_over)
		log_info("%llu live connections taken over", (unsigned long long)stats->taken_over);
	*out = u;
	return 0;
}

static bool is_in(const struct pm_setup *setup, const struct announced *address)
{
	for (size_t i = 0; i < setup->n_announced; i++)
		if (setup->announced[i].port == address->port &&
		    ip_equal(&setup->announced[i].addr, &address->addr))
			return true;
	return false;
}

static void take_back_others(struct userspace *u, const struct pm_setup *setup)
{
	struct announced old[PM_MAX_ANNOUNCED];
	size_t n = announce_list(u->config, true, old);

	for (size_t i = 0; i < n; i++) {
		size_t at = pm_engine_find(u->engine, &old[i]);

		if (!is_in(setup, &old[i]) && pm_engine_address(u->engine, at, false, now(u)))
			address_changed(u, &old[i].addr, false);
	}
}

int userspace_reload(struct userspace *u, const struct server_config *config)
{
	struct announced announced[PM_MAX_ANNOUNCED];
	const struct pm_setup setup = setup_of(u, config, announced);
	bool seen[PM_MAX_ANNOUNCED] = { false };

	take_back_others(u, &setup);
	for (size_t i = 0; i < setup.n_announced; i++) {
		size_t at = pm_engine_find(u->engine, &announced[i]);

		seen[i] = at < PM_MAX_ANNOUNCED && u->seen[at];
	}
	if (pm_engine_change(u->engine, &setup, now(u)))
		return log_err_r(-ENOMEM, "out of memory; free some");
	memcpy(u->seen, seen, sizeof(seen));
	u->config = config;
	pm_listen_change(u->listen, config);
	/* Initial subflows may have to become something else. */
	sync_now(u);
	set_tick(u);
	return 0;
}

void userspace_free(struct userspace *u)
{
	if (!u)
		return;
	if (u->on_events)
		event_free(u->on_events);
	if (u->on_tick)
		event_free(u->on_tick);
	pm_listen_free(u->listen);
	pm_engine_free(u->engine);
	nl_close(u->events);
	nl_close(u->commands);
	nl_close(u->diag);
	free(u);
}

const struct pm_stats *userspace_stats(const struct userspace *u)
{
	return pm_engine_stats(u->engine);
}

size_t userspace_listeners(const struct userspace *u)
{
	return pm_listen_count(u->listen);
}
