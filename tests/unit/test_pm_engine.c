/* SPDX-License-Identifier: GPL-2.0-only */
/* server-pm/pm_engine.c: what is decided for a connection, with a kernel and a clock of our own. */
#include <criterion/criterion.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <linux/mptcp.h>
#include "server-pm/pm_engine.h"
#include "support.h"

#define SECOND 1000ull
#define START  5000ull

/* What the kernel is told, and says. */
struct kernel {
	char said[64][80];
	size_t n;
	unsigned int announced;
	__u64 now, last, widest; /* of the times between announcements */
	int announce_err, backup_err, close_err;
	bool dead; /* no subflow is alive */
};

static struct kernel kernel;

__attribute__((format(printf, 1, 2))) static void say(const char *fmt, ...)
{
	va_list ap;

	if (kernel.n == 64)
		return;
	va_start(ap, fmt);
	vsnprintf(kernel.said[kernel.n++], sizeof(kernel.said[0]), fmt, ap);
	va_end(ap);
}

static int announce(void *ctx, __u32 token, const struct announced *address, __u8 id)
{
	char text[PM_END_STRLEN];

	(void)ctx;
	(void)id;
	say("announce %u %s", token,
	    address->port ? pm_end_format(&address->addr, address->port, text)
			  : ip_format(&address->addr, text));
	kernel.announced++;
	if (kernel.announced > 1 && kernel.now - kernel.last > kernel.widest)
		kernel.widest = kernel.now - kernel.last;
	kernel.last = kernel.now;
	return kernel.announce_err;
}

static int withdraw(void *ctx, __u32 token, __u8 id)
{
	(void)ctx;
	(void)id;
	say("withdraw %u", token);
	return 0;
}

static int backup(void *ctx, __u32 token, const struct pm_flow *flow, bool is)
{
	char text[PM_END_STRLEN];

	(void)ctx;
	say("%s %u %s", is ? "backup" : "restore", token,
	    pm_end_format(&flow->local, flow->local_port, text));
	return kernel.backup_err;
}

static int close_flow(void *ctx, __u32 token, const struct pm_flow *flow)
{
	char text[PM_END_STRLEN];

	(void)ctx;
	say("close %u %s%s", token, pm_end_format(&flow->local, flow->local_port, text),
	    flow->mapped ? " mapped" : "");
	return kernel.close_err;
}

static bool alive(void *ctx, const struct pm_flow *flow)
{
	(void)ctx;
	(void)flow;
	return !kernel.dead;
}

static const struct pm_ops ops = { announce, withdraw, backup, close_flow, alive };

/* addresses: what is announced, some with a port, up to a NULL. */
static struct pm_engine *engine_with(enum pm_initial initial, const char *const *addresses)
{
	struct announced announced[PM_MAX_ANNOUNCED];
	struct ip vip[2];
	struct pm_setup setup = { .vip = vip, .n_vip = 2, .announced = announced };
	struct pm_engine *e;

	kernel = (struct kernel){ .now = START };
	ip_parse("198.51.100.1", &vip[0]);
	ip_parse("2001:db8:100::1", &vip[1]);
	for (; addresses[setup.n_announced]; setup.n_announced++) {
		struct announced *a = &announced[setup.n_announced];
		unsigned int port;

		cr_assert_eq(ip_parse_port(addresses[setup.n_announced], &a->addr, &port), 0);
		a->port = (__u16)port;
	}
	setup.initial = initial;
	setup.ops = &ops;
	cr_assert_eq(pm_engine_new(&setup, &e), 0);
	return e;
}

static struct pm_engine *engine(enum pm_initial initial)
{
	static const char *const one[] = { "203.0.113.11", NULL };

	return engine_with(initial, one);
}

static struct pm_flow flow(const char *local, const char *remote, __u16 port)
{
	struct pm_flow f = { .local_port = 443, .remote_port = port };

	ip_parse(local, &f.local);
	ip_parse(remote, &f.remote);
	return f;
}

static struct pm_flow initial_flow(void)
{
	return flow("198.51.100.1", "192.0.2.2", 50000);
}

static struct pm_flow joined_flow(__u16 port)
{
	return flow("203.0.113.11", "192.0.2.66", port);
}

static void event(struct pm_engine *e, int type, __u32 token, struct pm_flow f)
{
	const struct pm_event ev = { .type = type, .token = token, .server_side = true, .flow = f };

	pm_engine_event(e, &ev, kernel.now);
}

static void open_conn(struct pm_engine *e, __u32 token)
{
	event(e, MPTCP_EVENT_ESTABLISHED, token, initial_flow());
}

static void join(struct pm_engine *e, __u32 token, __u16 port)
{
	event(e, MPTCP_EVENT_SUB_ESTABLISHED, token, joined_flow(port));
}

/* Lets time pass, tick by tick. */
static void pass(struct pm_engine *e, __u64 ms)
{
	for (__u64 end = kernel.now + ms; kernel.now < end;) {
		kernel.now += 100;
		pm_engine_tick(e, kernel.now);
	}
}

static void forget_said(void)
{
	kernel.n = 0;
}

static void expect_said(const char *first, const char *second)
{
	const char *want[] = { first, second };
	size_t n = !first ? 0 : second ? 2 : 1;

	cr_expect_eq(kernel.n, n, "%zu commands, first \"%s\"", kernel.n, kernel.said[0]);
	for (size_t i = 0; i < n && i < kernel.n; i++)
		cr_expect_str_eq(kernel.said[i], want[i]);
}

static void expect_state(const struct pm_engine *e, enum pm_state state)
{
	for (int i = 0; i < PM_STATE_MAX; i++)
		cr_expect_eq(pm_engine_stats(e)->state[i], i == (int)state, "state %d", i);
}

static void end(struct pm_engine *e)
{
	pm_engine_free(e);
	cr_expect_not(has_leaks());
}

Test(pm_engine, announces_at_once_and_then_every_second_at_least)
{
	struct pm_engine *e = engine(PM_INITIAL_BACKUP);

	open_conn(e, 1);
	expect_said("announce 1 203.0.113.11", NULL);
	pass(e, 60 * SECOND);
	cr_expect_leq(kernel.widest, 1 * SECOND);
	cr_expect_geq(kernel.announced, 60);
	cr_expect_leq(kernel.announced, 65);
	expect_state(e, PM_STATE_VIP);
	end(e);
}

Test(pm_engine, gives_up_after_ten_minutes)
{
	struct pm_engine *e = engine(PM_INITIAL_BACKUP);
	unsigned int minute;

	open_conn(e, 1);
	pass(e, 60 * SECOND);
	minute = kernel.announced;
	pass(e, 540 * SECOND + 65 * SECOND);
	expect_state(e, PM_STATE_GIVEN_UP);
	cr_expect_eq(pm_engine_stats(e)->given_up, 1);
	cr_expect_leq(kernel.announced - minute, 15, "%u more", kernel.announced - minute);
	cr_expect_not(pm_engine_waiting(e));
	/* It may join all the same. */
	forget_said();
	join(e, 1, 1);
	expect_said("backup 1 198.51.100.1:443", NULL);
	expect_state(e, PM_STATE_OFF_PATH);
	end(e);
}

Test(pm_engine, other_connections_are_left_alone)
{
	struct pm_engine *e = engine(PM_INITIAL_BACKUP);
	struct pm_event ev = { .type = MPTCP_EVENT_ESTABLISHED, .token = 1 };

	ev.flow = initial_flow();
	pm_engine_event(e, &ev, kernel.now); /* begun by this machine */
	event(e, MPTCP_EVENT_ESTABLISHED, 2, flow("10.0.0.11", "192.0.2.2", 50000));
	join(e, 3, 1);
	event(e, MPTCP_EVENT_SUB_CLOSED, 3, joined_flow(1));
	event(e, MPTCP_EVENT_CLOSED, 3, (struct pm_flow){ 0 });
	pass(e, 2 * SECOND);
	expect_said(NULL, NULL);
	end(e);
}

Test(pm_engine, a_join_makes_the_initial_a_backup)
{
	struct pm_engine *e = engine(PM_INITIAL_BACKUP);

	open_conn(e, 1);
	pass(e, 300);
	forget_said();
	join(e, 1, 1);
	expect_said("backup 1 198.51.100.1:443", NULL);
	expect_state(e, PM_STATE_OFF_PATH);
	cr_expect_eq(pm_engine_stats(e)->join[4], 1, "0.3 s");
	cr_expect_eq(pm_engine_stats(e)->join_ms, 300);
	forget_said();
	join(e, 1, 1);
	join(e, 1, 2);
	pass(e, 100 * SECOND);
	expect_said(NULL, NULL);
	cr_expect_eq(pm_engine_stats(e)->joined, 1);
	end(e);
}

Test(pm_engine, a_join_to_a_vip_is_none)
{
	struct pm_engine *e = engine(PM_INITIAL_BACKUP);

	open_conn(e, 1);
	event(e, MPTCP_EVENT_SUB_ESTABLISHED, 1, flow("198.51.100.1", "192.0.2.66", 1));
	expect_state(e, PM_STATE_VIP);
	end(e);
}

Test(pm_engine, keep)
{
	struct pm_engine *e = engine(PM_INITIAL_KEEP);

	open_conn(e, 1);
	forget_said();
	join(e, 1, 1);
	pass(e, 100 * SECOND);
	expect_said(NULL, NULL);
	expect_state(e, PM_STATE_JOINED);
	end(e);
}

Test(pm_engine, close)
{
	struct pm_engine *e = engine(PM_INITIAL_CLOSE);

	open_conn(e, 1);
	forget_said();
	join(e, 1, 1);
	expect_said("close 1 198.51.100.1:443", NULL);
	event(e, MPTCP_EVENT_SUB_CLOSED, 1, initial_flow());
	expect_state(e, PM_STATE_OFF_PATH);
	/* The last subflow went: there is nothing to go back to, and nothing to be done. */
	event(e, MPTCP_EVENT_SUB_CLOSED, 1, joined_flow(1));
	pass(e, 100 * SECOND);
	expect_said("close 1 198.51.100.1:443", NULL);
	end(e);
}

Test(pm_engine, the_last_live_subflow_is_not_closed)
{
	struct pm_engine *e = engine(PM_INITIAL_CLOSE);

	open_conn(e, 1);
	forget_said();
	kernel.dead = true;
	join(e, 1, 1);
	expect_said(NULL, NULL);
	expect_state(e, PM_STATE_JOINED);
	event(e, MPTCP_EVENT_SUB_CLOSED, 1, joined_flow(1));
	expect_said("announce 1 203.0.113.11", NULL);
	expect_state(e, PM_STATE_VIP);
	end(e);
}

Test(pm_engine, a_close_that_fails_asks_for_a_look_at_all_sockets)
{
	struct pm_engine *e = engine(PM_INITIAL_CLOSE);

	open_conn(e, 1);
	kernel.close_err = -ENOBUFS;
	join(e, 1, 1);
	expect_state(e, PM_STATE_JOINED);
	cr_expect_not(pm_engine_wants_sync(e));
	pass(e, 1100);
	cr_expect(pm_engine_wants_sync(e));
	end(e);
}

Test(pm_engine, when_the_last_dedicated_one_closes_the_initial_is_used_again)
{
	struct pm_engine *e = engine(PM_INITIAL_BACKUP);

	open_conn(e, 1);
	join(e, 1, 1);
	join(e, 1, 2);
	forget_said();
	event(e, MPTCP_EVENT_SUB_CLOSED, 1, joined_flow(1));
	event(e, MPTCP_EVENT_SUB_CLOSED, 1, joined_flow(1));
	expect_said(NULL, NULL);
	event(e, MPTCP_EVENT_SUB_CLOSED, 1, joined_flow(2));
	expect_said("restore 1 198.51.100.1:443", "announce 1 203.0.113.11");
	expect_state(e, PM_STATE_VIP);
	forget_said();
	join(e, 1, 3);
	expect_said("backup 1 198.51.100.1:443", NULL);
	cr_expect_eq(pm_engine_stats(e)->joined, 2);
	end(e);
}

Test(pm_engine, a_backup_that_is_refused_is_tried_again)
{
	struct pm_engine *e = engine(PM_INITIAL_BACKUP);

	open_conn(e, 1);
	kernel.backup_err = -ENOBUFS;
	join(e, 1, 1);
	forget_said();
	pass(e, 1100);
	expect_said("backup 1 198.51.100.1:443", NULL);
	kernel.backup_err = 0;
	pass(e, 1100);
	expect_state(e, PM_STATE_OFF_PATH);
	end(e);
}

Test(pm_engine, and_not_for_ever)
{
	struct pm_engine *e = engine(PM_INITIAL_BACKUP);

	open_conn(e, 1);
	forget_said();
	kernel.backup_err = -EINVAL;
	join(e, 1, 1);
	pass(e, 100 * SECOND);
	cr_expect_eq(kernel.n, 5);
	expect_state(e, PM_STATE_JOINED);
	cr_expect_not(pm_engine_waiting(e));
	end(e);
}

Test(pm_engine, a_connection_of_the_kernels_path_manager)
{
	struct pm_engine *e = engine(PM_INITIAL_BACKUP);

	kernel.announce_err = -EINVAL;
	open_conn(e, 1);
	expect_state(e, PM_STATE_UNMANAGED);
	forget_said();
	join(e, 1, 1);
	pass(e, 10 * SECOND);
	event(e, MPTCP_EVENT_SUB_CLOSED, 1, joined_flow(1));
	pm_engine_address(e, 0, false, kernel.now);
	pm_engine_address(e, 0, true, kernel.now);
	pass(e, 10 * SECOND);
	expect_said(NULL, NULL);
	end(e);
}

Test(pm_engine, announcing_that_fails_is_tried_again)
{
	struct pm_engine *e = engine(PM_INITIAL_BACKUP);

	kernel.announce_err = -ENOBUFS;
	open_conn(e, 1);
	kernel.announce_err = 0;
	pass(e, 300);
	cr_expect_eq(kernel.announced, 2);
	cr_expect_eq(pm_engine_stats(e)->announce_failed, 1);
	expect_state(e, PM_STATE_VIP);
	end(e);
}

Test(pm_engine, closed_connections_are_forgotten)
{
	struct pm_engine *e = engine(PM_INITIAL_BACKUP);

	open_conn(e, 1);
	event(e, MPTCP_EVENT_CLOSED, 1, (struct pm_flow){ 0 });
	expect_state(e, PM_STATE_MAX);
	cr_expect_not(pm_engine_waiting(e));
	cr_expect_eq(pm_engine_stats(e)->ended, 1);
	end(e);
}

Test(pm_engine, the_family_of_the_vip_first)
{
	static const char *const both[] = { "2001:db8:d::11", "203.0.113.11", NULL };
	struct pm_engine *e = engine_with(PM_INITIAL_BACKUP, both);

	open_conn(e, 1);
	expect_said("announce 1 203.0.113.11", NULL);
	event(e, MPTCP_EVENT_CLOSED, 1, (struct pm_flow){ 0 });
	forget_said();
	event(e, MPTCP_EVENT_ESTABLISHED, 2, flow("2001:db8:100::1", "2001:db8:1::2", 5));
	expect_said("announce 2 2001:db8:d::11", NULL);
	pass(e, 31 * SECOND);
	forget_said();
	pass(e, 1 * SECOND);
	expect_said("announce 2 2001:db8:d::11", "announce 2 203.0.113.11");
	end(e);
}

Test(pm_engine, an_address_of_the_other_family_where_there_is_no_other)
{
	struct pm_engine *e = engine(PM_INITIAL_BACKUP);

	event(e, MPTCP_EVENT_ESTABLISHED, 2, flow("2001:db8:100::1", "2001:db8:1::2", 5));
	expect_said("announce 2 203.0.113.11", NULL);
	end(e);
}

Test(pm_engine, an_address_goes_and_comes_back)
{
	struct pm_engine *e = engine(PM_INITIAL_BACKUP);
	struct pm_subflow stale = { .token = 1, .flow = joined_flow(1), .server_side = true };

	open_conn(e, 1);
	join(e, 1, 1);
	forget_said();
	cr_expect_not(pm_engine_address(e, 0, true, kernel.now), "no news");
	cr_expect_not(pm_engine_is_stale(e, &stale));
	cr_expect(pm_engine_address(e, 0, false, kernel.now));
	expect_said("withdraw 1", NULL);
	cr_expect(pm_engine_is_stale(e, &stale));
	forget_said();
	event(e, MPTCP_EVENT_SUB_CLOSED, 1, joined_flow(1));
	pass(e, 5 * SECOND);
	expect_said("restore 1 198.51.100.1:443", NULL);
	forget_said();
	cr_expect(pm_engine_address(e, 0, true, kernel.now));
	pass(e, 100);
	expect_said("announce 1 203.0.113.11", NULL);
	end(e);
}

Test(pm_engine, the_only_subflow_is_not_stale)
{
	struct pm_engine *e = engine(PM_INITIAL_CLOSE);
	struct pm_subflow stale = { .token = 1, .flow = joined_flow(1), .server_side = true };

	open_conn(e, 1);
	join(e, 1, 1);
	pm_engine_address(e, 0, false, kernel.now);
	cr_expect_not(pm_engine_is_stale(e, &stale));
	end(e);
}

Test(pm_engine, connections_that_joined_hear_of_an_address_that_comes_later)
{
	static const char *const two[] = { "203.0.113.11", "203.0.113.12", NULL };
	struct pm_engine *e = engine_with(PM_INITIAL_BACKUP, two);

	pm_engine_address(e, 1, false, kernel.now);
	open_conn(e, 1);
	join(e, 1, 1);
	forget_said();
	pm_engine_address(e, 1, true, kernel.now);
	pass(e, 100);
	expect_said("announce 1 203.0.113.11", "announce 1 203.0.113.12");
	pass(e, 100 * SECOND);
	cr_expect_leq(kernel.n, 8, "a few times");
	expect_state(e, PM_STATE_OFF_PATH);
	end(e);
}

/* ---- resync ---- */

static struct pm_subflow seen(__u32 token, bool initial, bool backup_flag)
{
	return (struct pm_subflow){ .token = token,
				    .flow = initial ? initial_flow() : joined_flow(1),
				    .initial = initial,
				    .server_side = true,
				    .up = true,
				    .backup = backup_flag };
}

/* What a dump shows of connection 1, what was known before, and what is done. */
static const struct {
	const char *name;
	enum pm_initial mode;
	bool known, known_joined;
	bool initial, backup, joined;
	enum pm_state state; /* PM_STATE_MAX: not there */
	const char *said;
} syncs[] = {
	{ "taken over, on the VIP", PM_INITIAL_BACKUP, false, false, true, false, false,
	  PM_STATE_VIP, "announce 1 203.0.113.11" },
	{ "taken over, joined", PM_INITIAL_BACKUP, false, false, true, false, true,
	  PM_STATE_OFF_PATH, "backup 1 198.51.100.1:443" },
	{ "taken over, joined, to be closed", PM_INITIAL_CLOSE, false, false, true, false, true,
	  PM_STATE_OFF_PATH, "close 1 198.51.100.1:443" },
	{ "taken over, joined, to be kept", PM_INITIAL_KEEP, false, false, true, false, true,
	  PM_STATE_JOINED, NULL },
	{ "taken over, off path", PM_INITIAL_BACKUP, false, false, true, true, true,
	  PM_STATE_OFF_PATH, NULL },
	{ "taken over, a backup that is to be closed", PM_INITIAL_CLOSE, false, false, true, true,
	  true, PM_STATE_OFF_PATH, "close 1 198.51.100.1:443" },
	{ "taken over, initial one closed", PM_INITIAL_CLOSE, false, false, false, false, true,
	  PM_STATE_OFF_PATH, NULL },
	{ "nothing new on the VIP", PM_INITIAL_BACKUP, true, false, true, false, false,
	  PM_STATE_VIP, NULL },
	{ "nothing new off path", PM_INITIAL_BACKUP, true, true, true, true, true,
	  PM_STATE_OFF_PATH, NULL },
	{ "missed the join", PM_INITIAL_BACKUP, true, false, true, false, true, PM_STATE_OFF_PATH,
	  "backup 1 198.51.100.1:443" },
	{ "missed the end of the dedicated subflow", PM_INITIAL_BACKUP, true, true, true, true,
	  false, PM_STATE_VIP, "restore 1 198.51.100.1:443" },
	{ "missed the end", PM_INITIAL_BACKUP, true, false, false, false, false, PM_STATE_MAX,
	  NULL },
	{ "missed the end, off path", PM_INITIAL_BACKUP, true, true, false, false, false,
	  PM_STATE_MAX, NULL },
};

Test(pm_engine, resync)
{
	for (size_t i = 0; i < sizeof(syncs) / sizeof(*syncs); i++) {
		struct pm_engine *e = engine(syncs[i].mode);
		struct pm_subflow s;

		if (syncs[i].known)
			open_conn(e, 1);
		if (syncs[i].known_joined)
			join(e, 1, 1);
		forget_said();
		pm_engine_sync_begin(e);
		/* In either order. */
		s = seen(1, false, false);
		if (syncs[i].joined && i % 2)
			pm_engine_sync_subflow(e, &s, kernel.now);
		s = seen(1, true, syncs[i].backup);
		if (syncs[i].initial)
			pm_engine_sync_subflow(e, &s, kernel.now);
		s = seen(1, false, false);
		if (syncs[i].joined && i % 2 == 0)
			pm_engine_sync_subflow(e, &s, kernel.now);
		pm_engine_sync_end(e, kernel.now);
		pass(e, 100);
		for (int state = 0; state < PM_STATE_MAX; state++)
			cr_expect_eq(pm_engine_stats(e)->state[state], state == (int)syncs[i].state,
				     "%s: state %d", syncs[i].name, state);
		if (syncs[i].said)
			cr_expect_str_eq(kernel.said[0], syncs[i].said, "%s", syncs[i].name);
		else
			cr_expect_eq(kernel.n, 0, "%s: %s", syncs[i].name, kernel.said[0]);
		end(e);
	}
}

Test(pm_engine, resync_passes_over_what_is_not_ours)
{
	struct pm_engine *e = engine(PM_INITIAL_BACKUP);
	struct pm_subflow s = seen(1, true, false);

	pm_engine_sync_begin(e);
	s.server_side = false;
	pm_engine_sync_subflow(e, &s, kernel.now);
	s = seen(2, true, false);
	s.up = false;
	pm_engine_sync_subflow(e, &s, kernel.now);
	s = seen(3, true, false);
	ip_parse("10.0.0.11", &s.flow.local);
	pm_engine_sync_subflow(e, &s, kernel.now);
	pm_engine_sync_end(e, kernel.now);
	expect_state(e, PM_STATE_MAX);
	end(e);
}

/* Events that were waiting while the sockets were looked at come in afterwards. */
Test(pm_engine, events_from_before_a_resync_change_nothing)
{
	struct pm_engine *e = engine(PM_INITIAL_BACKUP);
	struct pm_subflow initial = seen(1, true, false), joined = seen(1, false, false);

	pm_engine_sync_begin(e);
	pm_engine_sync_subflow(e, &initial, kernel.now);
	pm_engine_sync_subflow(e, &joined, kernel.now);
	pm_engine_sync_end(e, kernel.now);
	forget_said();
	open_conn(e, 1);
	join(e, 1, 1);
	expect_said(NULL, NULL);
	event(e, MPTCP_EVENT_SUB_CLOSED, 1, joined_flow(1));
	cr_expect_eq(kernel.n, 2, "the one subflow was counted once");
	end(e);
}

Test(pm_engine, a_mapped_initial_subflow_stays_so)
{
	struct pm_engine *e = engine(PM_INITIAL_CLOSE);
	struct pm_flow f = initial_flow();

	f.mapped = true;
	event(e, MPTCP_EVENT_ESTABLISHED, 1, f);
	forget_said();
	join(e, 1, 1);
	expect_said("close 1 198.51.100.1:443 mapped", NULL);
	end(e);
}

Test(pm_engine, ids_belong_to_addresses)
{
	static const char *const there[] = { "203.0.113.11", "203.0.113.12", NULL };
	static const char *const back[] = { "203.0.113.12", "203.0.113.11", NULL };
	struct pm_engine *a = engine_with(PM_INITIAL_KEEP, there);
	struct pm_engine *b = engine_with(PM_INITIAL_KEEP, back);

	cr_expect_eq(pm_engine_address_id(a, 0), pm_engine_address_id(b, 1));
	cr_expect_eq(pm_engine_address_id(a, 1), pm_engine_address_id(b, 0));
	cr_expect_neq(pm_engine_address_id(a, 0), pm_engine_address_id(a, 1));
	cr_expect_neq(pm_engine_address_id(a, 0), 0);
	pm_engine_free(b);
	end(a);
}

/* ---- another setup ---- */

/* vip: one of the two, or both (-1). */
static void change(struct pm_engine *e, int vip_left, enum pm_initial initial,
		   const char *const *addresses)
{
	static const char *const vips[] = { "198.51.100.1", "2001:db8:100::1" };
	struct announced announced[PM_MAX_ANNOUNCED];
	struct ip vip[2];
	struct pm_setup setup = { .vip = vip, .announced = announced, .initial = initial };

	for (int i = 1; i >= 0; i--) /* in another order */
		if (vip_left < 0 || vip_left == i)
			ip_parse(vips[i], &vip[setup.n_vip++]);
	for (; addresses[setup.n_announced]; setup.n_announced++) {
		announced[setup.n_announced] = (struct announced){ 0 };
		ip_parse(addresses[setup.n_announced], &announced[setup.n_announced].addr);
	}
	cr_assert_eq(pm_engine_change(e, &setup, kernel.now), 0);
}

Test(pm_engine, another_setup_keeps_connections_and_ids)
{
	static const char *const there[] = { "203.0.113.11", "203.0.113.12", NULL };
	static const char *const next[] = { "203.0.113.13", "203.0.113.12", NULL };
	struct pm_engine *e = engine_with(PM_INITIAL_BACKUP, there);
	__u8 id;

	open_conn(e, 1);
	id = pm_engine_address_id(e, 1);
	pm_engine_address(e, 0, false, kernel.now);
	forget_said();
	change(e, -1, PM_INITIAL_BACKUP, next);
	cr_expect_eq(pm_engine_address_id(e, 1), id, "an address that stays keeps its id");
	cr_expect_neq(pm_engine_address_id(e, 0), id);
	expect_said(NULL, NULL);
	pass(e, 100);
	expect_said("announce 1 203.0.113.13", "announce 1 203.0.113.12");
	forget_said();
	join(e, 1, 1);
	expect_said("backup 1 198.51.100.1:443", NULL);
	forget_said();
	pm_engine_address(e, 0, false, kernel.now);
	expect_said("withdraw 1", NULL);
	end(e);
}

Test(pm_engine, another_setup_without_the_vip)
{
	static const char *const one[] = { "203.0.113.11", NULL };
	struct pm_engine *e = engine(PM_INITIAL_BACKUP);

	open_conn(e, 1);
	event(e, MPTCP_EVENT_ESTABLISHED, 2, flow("2001:db8:100::1", "2001:db8:1::2", 5));
	forget_said();
	change(e, 1, PM_INITIAL_BACKUP, one);
	cr_expect_eq(pm_engine_stats(e)->state[PM_STATE_VIP], 1, "the other one is forgotten");
	join(e, 1, 1);
	expect_said(NULL, NULL);
	join(e, 2, 1);
	expect_said("backup 2 [2001:db8:100::1]:443", NULL);
	end(e);
}

Test(pm_engine, another_setup_that_closes)
{
	static const char *const one[] = { "203.0.113.11", NULL };
	struct pm_engine *e = engine(PM_INITIAL_BACKUP);
	struct pm_subflow initial, joined;

	open_conn(e, 1);
	join(e, 1, 1);
	forget_said();
	change(e, -1, PM_INITIAL_CLOSE, one);
	initial = seen(1, true, true);
	joined = seen(1, false, false);
	pm_engine_sync_begin(e);
	pm_engine_sync_subflow(e, &initial, kernel.now);
	pm_engine_sync_subflow(e, &joined, kernel.now);
	pm_engine_sync_end(e, kernel.now);
	expect_said("close 1 198.51.100.1:443", NULL);
	end(e);
}

Test(pm_engine, ten_thousand_at_once)
{
	struct pm_engine *e = engine(PM_INITIAL_BACKUP);

	for (__u32 i = 1; i <= 10000; i++)
		open_conn(e, i * 2654435761u);
	pass(e, 10 * SECOND);
	cr_expect_eq(kernel.announced, 10000 * 12, "%u", kernel.announced);
	for (__u32 i = 1; i <= 10000; i++)
		join(e, i * 2654435761u, 1);
	cr_expect_eq(pm_engine_stats(e)->state[PM_STATE_OFF_PATH], 10000);
	cr_expect_not(pm_engine_waiting(e));
	end(e);
}

static struct pm_flow port_flow(__u16 port)
{
	struct pm_flow f = flow("198.51.100.1", "192.0.2.66", port);

	f.local_port = 20003;
	return f;
}

/* Both cross the balancer: there is nothing to be gained by leaving the initial subflow. */
Test(pm_engine, a_join_to_the_vip_at_its_port_is_one_and_leaves_the_initial_subflow)
{
	static const char *const port[] = { "198.51.100.1:20003", NULL };
	struct pm_engine *e = engine_with(PM_INITIAL_CLOSE, port);

	open_conn(e, 1);
	expect_said("announce 1 198.51.100.1:20003", NULL);
	forget_said();
	event(e, MPTCP_EVENT_SUB_ESTABLISHED, 1, port_flow(7));
	expect_state(e, PM_STATE_JOINED);
	pass(e, 5 * SECOND);
	expect_said(NULL, NULL);
	event(e, MPTCP_EVENT_SUB_CLOSED, 1, port_flow(7));
	expect_state(e, PM_STATE_VIP);
	expect_said("announce 1 198.51.100.1:20003", NULL);
	end(e);
}

/* One that nobody told the client to make, such as a client that ignores the C flag makes. */
Test(pm_engine, a_join_to_the_vip_at_the_connections_port_ends_no_announcing)
{
	static const char *const port[] = { "198.51.100.1:20003", NULL };
	struct pm_engine *e = engine_with(PM_INITIAL_BACKUP, port);

	open_conn(e, 1);
	event(e, MPTCP_EVENT_SUB_ESTABLISHED, 1, flow("198.51.100.1", "192.0.2.66", 7));
	expect_state(e, PM_STATE_VIP);
	end(e);
}

Test(pm_engine, with_a_port_and_a_dedicated_address_the_latter_is_what_is_left_for)
{
	static const char *const both[] = { "203.0.113.11", "198.51.100.1:20003", NULL };
	struct pm_engine *e = engine_with(PM_INITIAL_BACKUP, both);

	open_conn(e, 1);
	expect_said("announce 1 203.0.113.11", "announce 1 198.51.100.1:20003");
	forget_said();
	event(e, MPTCP_EVENT_SUB_ESTABLISHED, 1, port_flow(7));
	expect_said(NULL, NULL);
	expect_state(e, PM_STATE_JOINED);
	join(e, 1, 8);
	expect_said("backup 1 198.51.100.1:443", NULL);
	expect_state(e, PM_STATE_OFF_PATH);
	end(e);
}

Test(pm_engine, a_resync_knows_the_join_at_the_port)
{
	static const char *const port[] = { "198.51.100.1:20003", NULL };
	struct pm_engine *e = engine_with(PM_INITIAL_BACKUP, port);
	struct pm_subflow initial = {
		.token = 1, .flow = initial_flow(), .initial = true, .server_side = true, .up = true
	};
	struct pm_subflow joined = {
		.token = 1, .flow = port_flow(7), .server_side = true, .up = true
	};

	pm_engine_sync_begin(e);
	pm_engine_sync_subflow(e, &initial, kernel.now);
	pm_engine_sync_subflow(e, &joined, kernel.now);
	pm_engine_sync_end(e, kernel.now);
	expect_state(e, PM_STATE_JOINED);
	expect_said(NULL, NULL);
	end(e);
}
