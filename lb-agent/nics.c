/* SPDX-License-Identifier: GPL-2.0-only */
#include "nics.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "lib/log.h"
#include "lib/nl.h"
#include "loader/datapath.h"

#define GATHER_US 10000 /* events of one cause come in bursts */
#define TICK_S	  1

struct nics {
	const struct datapath *dp;
	struct nl *events;
	struct event *readable, *look, *tick;
	void (*changed)(void *data);
	void *data;
	bool attached;
};

/* What cannot be looked at is taken to be as it was. */
static bool look(struct nics *n)
{
	struct datapath_nic *nics = NULL;
	bool was = n->attached;
	size_t count = 0;
	int err = datapath_nics(n->dp->vips, &nics, &count);

	if (err)
		log_warn("cannot look at the NICs: %s", strerror(-err));
	else
		n->attached = count > 0;
	free(nics);
	return n->attached != was;
}

static void on_look(evutil_socket_t fd, short what, void *data)
{
	struct nics *n = data;

	(void)fd;
	(void)what;
	if (look(n))
		n->changed(n->data);
}

static void on_readable(evutil_socket_t fd, short what, void *data)
{
	const struct timeval delay = { .tv_usec = GATHER_US };
	struct nics *n = data;

	(void)fd;
	(void)what;
	nl_receive(n->events, NULL, NULL); /* lost events are no loss: everything is looked at */
	if (!event_pending(n->look, EV_TIMEOUT, NULL))
		event_add(n->look, &delay);
}

int nics_open(const struct datapath *dp, struct event_base *base, void (*changed)(void *data),
	      void *data, struct nics **out)
{
	const struct timeval second = { .tv_sec = TICK_S };
	struct nics *n = calloc(1, sizeof(*n));
	int err;

	if (!n)
		return log_err_r(-ENOMEM, "out of memory");
	n->dp = dp;
	n->changed = changed;
	n->data = data;
	err = nl_open(NETLINK_ROUTE, RTMGRP_LINK, &n->events);
	if (err) {
		nics_close(n);
		return log_err_r(err, "rtnetlink: %s", strerror(-err));
	}
	n->readable = event_new(base, nl_fd(n->events), EV_READ | EV_PERSIST, on_readable, n);
	n->look = evtimer_new(base, on_look, n);
	n->tick = event_new(base, -1, EV_PERSIST, on_look, n);
	if (!n->readable || !n->look || !n->tick || event_add(n->readable, NULL) ||
	    event_add(n->tick, &second)) {
		nics_close(n);
		return log_err_r(-ENOMEM, "out of memory");
	}
	look(n);
	*out = n;
	return 0;
}

bool nics_attached(const struct nics *n)
{
	return n->attached;
}

void nics_close(struct nics *n)
{
	if (!n)
		return;
	if (n->readable)
		event_free(n->readable);
	if (n->look)
		event_free(n->look);
	if (n->tick)
		event_free(n->tick);
	nl_close(n->events);
	free(n);
}
