/* SPDX-License-Identifier: GPL-2.0-only */
#include "follow.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "lib/log.h"
#include "lib/monotonic.h"
#include "loader/backends.h"

#define GATHER_US   10000 /* events of one cause come in bursts */
#define BUSY_FACTOR 4 /* looking takes at most a fifth of the time */
#define TICK_S	    1 /* how often a neighbour that does not answer is asked */
#define FULL_TICKS  10 /* how often everything is looked at, whatever the events say */
#define TELL_MAX    20 /* lines of log of one look: a router is the next hop of many */
#define EVENT_BYTES (1 << 20) /* room for events: a full table of routes comes in a burst */

/* What is known of a backend in force, by index. */
struct followed {
	bool known;
	bool due; /* to be looked at */
	struct ip addr;
	struct nexthop hop;
	char said[NEXTHOP_TEXT];
};

struct follower {
	struct datapath *dp;
	struct nl *events, *rt;
	struct event *readable, *look, *tick;
	void (*gone)(void *data);
	void *data;
	unsigned int ticks, told;
	long look_us; /* how long the last look took */
	struct in_force now;
	struct backends_write writes[MPLB_MAX_BACKENDS];
	struct followed backends[MPLB_MAX_BACKENDS];
};

static void look_soon(struct follower *f)
{
	long us = f->look_us * BUSY_FACTOR > GATHER_US ? f->look_us * BUSY_FACTOR : GATHER_US;
	const struct timeval delay = { us / 1000000, us % 1000000 };

	if (!event_pending(f->look, EV_TIMEOUT, NULL))
		event_add(f->look, &delay);
}

void follower_look(struct follower *f)
{
	look_soon(f);
}

static void look_at_all(struct follower *f)
{
	for (size_t i = 0; i < MPLB_MAX_BACKENDS; i++)
		f->backends[i].due = true;
	look_soon(f);
}

/* Looking */

static void describe(const struct nexthop *hop, const struct ip *addr,
		     char text[static NEXTHOP_TEXT])
{
	int len;

	if (hop->fault) {
		nexthop_problem(hop, addr, text);
		return;
	}
	len = snprintf(text, NEXTHOP_TEXT, "next hop %02x:%02x:%02x:%02x:%02x:%02x on %s",
		       hop->dmac[0], hop->dmac[1], hop->dmac[2], hop->dmac[3], hop->dmac[4],
		       hop->dmac[5], hop->name);
	if (hop->vlan && len > 0 && len < NEXTHOP_TEXT)
		snprintf(text + len, NEXTHOP_TEXT - (size_t)len, " (VLAN %u)", hop->vlan);
}

/* Logs what changed in the way to a backend. Of the first look, what apply has not said. */
static void tell(struct follower *f, const struct mplb_backend_info *info, struct followed *b,
		 bool rewritten)
{
	char text[NEXTHOP_TEXT], src[IP_STRLEN];
	bool is_news;

	if (b->hop.fault == NEXTHOP_NO_NEIGHBOUR && !b->hop.failed)
		return; /* being asked: the answer, or its failure, is an event */
	describe(&b->hop, &b->addr, text);
	is_news = strcmp(text, b->said) != 0;
	memcpy(b->said, text, sizeof(text));
	if ((!is_news && (!rewritten || b->hop.fault)) || (!b->known && !rewritten) ||
	    ++f->told > TELL_MAX)
		return;
	if (is_news)
		log_at(b->hop.fault ? LOG_WARN : LOG_INFO, "backend %s/%s: %s", info->pool,
		       info->name, text);
	else
		log_info("backend %s/%s: path changed: MTU %u, from %s", info->pool, info->name,
			 b->hop.mtu, ip_format(&b->hop.src, src));
}

/* A failure to ask shows as a neighbour that stays unknown. */
static void ask(struct follower *f, const struct followed *b)
{
	if (b->hop.fault == NEXTHOP_NO_NEIGHBOUR)
		nexthop_probe(f->rt, &b->hop);
	else if (!b->hop.fault && b->hop.stale)
		nexthop_verify(f->rt, &b->hop);
}

/* Resolves. The kernel forgets neighbours that its own stack does not send to: until one that was
 * forgotten has been asked and has not answered, it is taken to be where it was. */
static int resolve(struct follower *f, struct followed *b)
{
	struct nexthop was = b->hop;
	int err = nexthop_resolve(f->rt, &b->addr, &b->hop);

	if (err || b->hop.fault != NEXTHOP_NO_NEIGHBOUR || b->hop.failed || !b->known ||
	    was.fault || was.device != b->hop.device || !ip_equal(&was.via, &b->hop.via))
		return err;
	nexthop_probe(f->rt, &b->hop);
	memcpy(b->hop.dmac, was.dmac, sizeof(was.dmac));
	b->hop.fault = b->hop.src.family == b->addr.family ? NEXTHOP_OK : NEXTHOP_NO_SOURCE;
	return 0;
}

/* Looks one backend up; appends to writes if its entry is another. */
static int look_at(struct follower *f, __u32 i, size_t *n)
{
	const struct mplb_backend_info *info = &f->dp->backend_info[i];
	struct followed *b = &f->backends[i];
	struct ip addr = { info->addr, info->family };
	struct backends_write write = { .index = i, .live = true };
	bool changed;
	int err;

	if (!ip_equal(&addr, &b->addr))
		*b = (struct followed){ .addr = addr };
	err = resolve(f, b);
	if (err)
		return log_err_r(err, "backend %s/%s: cannot look up its route: %s", info->pool,
				 info->name, nl_error(f->rt));
	write.entry = backends_entry(&addr, (enum mplb_forward)info->forward, &b->hop);
	changed = memcmp(&write.entry, &f->dp->backends[i], sizeof(write.entry)) != 0;
	if (changed)
		f->writes[(*n)++] = write;
	if (!(info->flags & MPLB_MEMBER_F_GONE)) {
		tell(f, info, b, changed);
		ask(f, b);
	}
	b->known = true;
	b->due = false;
	return 0;
}

/* Is it another backend than the one that was at this index? */
static bool is_new(const struct follower *f, __u32 i)
{
	const struct mplb_backend_info *info = &f->dp->backend_info[i];
	const struct ip addr = { info->addr, info->family };

	return !f->backends[i].known || !ip_equal(&addr, &f->backends[i].addr);
}

static int look_at_due(struct follower *f)
{
	size_t n = 0;
	int err = in_force_read(f->dp, &f->now);

	f->told = 0;
	if (err)
		return log_err_r(err, "cannot read what is in force: %s", strerror(-err));
	for (__u32 i = 0; !err && i < MPLB_MAX_BACKENDS; i++) {
		if (!f->now.backend[i])
			f->backends[i] = (struct followed){ 0 };
		else if (f->backends[i].due || is_new(f, i))
			err = look_at(f, i, &n);
	}
	backends_write(f->dp, f->writes, n);
	if (f->told > TELL_MAX)
		log_info("%u more backends changed; see: lbctl show backend", f->told - TELL_MAX);
	return err;
}

static void on_look(evutil_socket_t fd, short what, void *data)
{
	struct follower *f = data;
	long begin = (long)monotonic_us();
	int lock;

	(void)fd;
	(void)what;
	if (!datapath_is_current(f->dp)) {
		f->gone(f->data);
		return;
	}
	/* Whoever changes the data plane now looks next hops up himself; then it is our turn. */
	lock = pin_lock(f->dp->folder, 0);
	if (lock >= 0) {
		/* What could not be looked at stays due, and is, with the next tick. */
		look_at_due(f);
		close(lock);
		f->look_us = (long)monotonic_us() - begin;
	} else if (lock == -EBUSY) {
		look_soon(f);
	}
}

static void on_tick(evutil_socket_t fd, short what, void *data)
{
	struct follower *f = data;

	(void)fd;
	(void)what;
	if (++f->ticks % FULL_TICKS == 0) {
		look_at_all(f);
		return;
	}
	for (size_t i = 0; i < MPLB_MAX_BACKENDS; i++) {
		struct followed *b = &f->backends[i];

		b->due |= b->known && b->hop.fault == NEXTHOP_NO_NEIGHBOUR;
		if (b->due)
			look_soon(f);
	}
}

/* Events */

/* Marks the backends behind a neighbour. */
static void on_neighbour(struct follower *f, const struct nlmsghdr *nlh)
{
	const struct ndmsg *ndm = mnl_nlmsg_get_payload(nlh);
	struct ip addr = { .family = ndm->ndm_family == AF_INET ? MPLB_FAMILY_4 : MPLB_FAMILY_6 };
	const struct nlattr *attr;
	bool found = false;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*ndm) ||
	    (ndm->ndm_family != AF_INET && ndm->ndm_family != AF_INET6))
		return;
	mnl_attr_for_each (attr, nlh, sizeof(*ndm)) {
		if (mnl_attr_get_type(attr) != NDA_DST ||
		    mnl_attr_get_payload_len(attr) != IP_KEYLEN(addr.family))
			continue;
		memcpy(&addr.addr, mnl_attr_get_payload(attr), IP_KEYLEN(addr.family));
		found = true;
	}
	for (size_t i = 0; found && i < MPLB_MAX_BACKENDS; i++) {
		struct followed *b = &f->backends[i];

		if (!b->known || b->hop.device != (unsigned int)ndm->ndm_ifindex ||
		    !ip_equal(&b->hop.via, &addr))
			continue;
		b->due = true;
		look_soon(f);
	}
}

static int on_event(const struct nlmsghdr *nlh, void *data)
{
	struct follower *f = data;

	if (nlh->nlmsg_type == RTM_NEWNEIGH || nlh->nlmsg_type == RTM_DELNEIGH)
		on_neighbour(f, nlh);
	else
		look_at_all(f);
	return MNL_CB_OK;
}

static void on_readable(evutil_socket_t fd, short what, void *data)
{
	struct follower *f = data;
	int err = nl_receive(f->events, on_event, f);

	(void)fd;
	(void)what;
	if (!err)
		return;
	if (err == -ENOBUFS)
		log_info("rtnetlink: events were lost: looking at everything");
	else
		log_warn("rtnetlink: %s: looking at everything", strerror(-err));
	look_at_all(f);
}

/* Life */

static int listen_to_kernel(struct follower *f)
{
	static const unsigned int groups[] = {
		RTNLGRP_LINK,	    RTNLGRP_NEIGH,	RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
		RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE,   RTNLGRP_IPV6_RULE,
	};
	int bytes = EVENT_BYTES, err = nl_open(NETLINK_ROUTE, 0, &f->events);

	for (size_t i = 0; !err && i < sizeof(groups) / sizeof(groups[0]); i++)
		err = nl_join(f->events, groups[i]);
	if (!err)
		err = nl_open(NETLINK_ROUTE, 0, &f->rt);
	if (err)
		return log_err_r(err, "rtnetlink: %s", strerror(-err));
	/* Without the right to more, the default has to do: lost events are noticed. */
	setsockopt(nl_fd(f->events), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	return 0;
}

int follower_open(struct datapath *dp, struct event_base *base, void (*gone)(void *data),
		  void *data, struct follower **out)
{
	const struct timeval second = { .tv_sec = TICK_S };
	struct follower *f = calloc(1, sizeof(*f));
	int err;

	if (!f)
		return log_err_r(-ENOMEM, "out of memory");
	f->dp = dp;
	f->gone = gone;
	f->data = data;
	err = listen_to_kernel(f);
	if (err) {
		follower_close(f);
		return err;
	}
	f->readable = event_new(base, nl_fd(f->events), EV_READ | EV_PERSIST, on_readable, f);
	f->look = evtimer_new(base, on_look, f);
	f->tick = event_new(base, -1, EV_PERSIST, on_tick, f);
	if (!f->readable || !f->look || !f->tick || event_add(f->readable, NULL) ||
	    event_add(f->tick, &second)) {
		follower_close(f);
		return log_err_r(-ENOMEM, "out of memory");
	}
	look_at_all(f);
	*out = f;
	return 0;
}

void follower_close(struct follower *f)
{
	if (!f)
		return;
	if (f->readable)
		event_free(f->readable);
	if (f->look)
		event_free(f->look);
	if (f->tick)
		event_free(f->tick);
	nl_close(f->events);
	nl_close(f->rt);
	free(f);
}
