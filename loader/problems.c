/* SPDX-License-Identifier: GPL-2.0-only */
#include "problems.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <linux/netlink.h>

#include "backends.h"
#include "lib/log.h"

#define ASK_STEPS   40
#define ASK_STEP_NS 5000000L /* 5 ms: 0.2 s in all */

static struct ip address_of(const struct mplb_backend_info *info)
{
	return (struct ip){ info->addr, info->family };
}

/* Has the neighbour still to answer? first: it is asked, also one that answered lately. */
static bool is_awaited(struct nl *rt, struct nexthop *hop, bool first)
{
	if (hop->permanent || (hop->fault && hop->fault != NEXTHOP_NO_NEIGHBOUR))
		return false;
	if (!first)
		return !hop->confirmed;
	/* A failure to ask shows as an answer that does not come. */
	if (hop->fault)
		nexthop_probe(rt, hop);
	else
		nexthop_verify(rt, hop);
	hop->confirmed = false;
	return true;
}

static int look(struct nl *rt, const struct datapath *dp, const struct in_force *now,
		struct nexthop *hops)
{
	for (int step = 0; step <= ASK_STEPS; step++) {
		const struct timespec pause = { .tv_nsec = ASK_STEP_NS };
		bool waiting = false;

		for (size_t i = 0; i < MPLB_MAX_BACKENDS; i++) {
			struct ip addr = address_of(&dp->backend_info[i]);
			int err;

			if (!now->backend[i] || (step && !is_awaited(rt, &hops[i], false)))
				continue;
			err = nexthop_resolve(rt, &addr, &hops[i]);
			if (err)
				return log_err_r(err, "cannot look up routes: %s", nl_error(rt));
			waiting |= is_awaited(rt, &hops[i], !step);
		}
		if (!waiting)
			break;
		nanosleep(&pause, NULL);
	}
	return 0;
}

/* Is the entry what the kernel says now? MTUs aside, a change of which breaks nothing at once. */
static bool is_up_to_date(const struct mplb_backend *is, const struct mplb_backend *wanted)
{
	return is->flags == wanted->flags && is->ifindex == wanted->ifindex &&
	       is->vlan == wanted->vlan && !memcmp(is->dmac, wanted->dmac, sizeof(is->dmac)) &&
	       !memcmp(is->smac, wanted->smac, sizeof(is->smac)) &&
	       !memcmp(&is->src, &wanted->src, sizeof(is->src));
}

static void say(const struct datapath *dp, size_t i, struct nexthop *hop,
		char text[static NEXTHOP_TEXT])
{
	const struct mplb_backend_info *info = &dp->backend_info[i];
	struct ip addr = address_of(info);
	struct mplb_backend wanted;

	if (!hop->fault && !hop->confirmed && !hop->permanent) {
		hop->fault = NEXTHOP_NO_NEIGHBOUR;
		nexthop_problem(hop, &addr, text);
		return;
	}
	if (*nexthop_problem(hop, &addr, text))
		return;
	wanted = backends_entry(&addr, (enum mplb_forward)info->forward, hop);
	if (!is_up_to_date(&dp->backends[i], &wanted))
		snprintf(text, NEXTHOP_TEXT,
			 "out of date: now %02x:%02x:%02x:%02x:%02x:%02x on %s; apply again",
			 hop->dmac[0], hop->dmac[1], hop->dmac[2], hop->dmac[3], hop->dmac[4],
			 hop->dmac[5], hop->name);
}

int problems_find(const struct datapath *dp, const struct in_force *now, struct problems *out)
{
	struct nexthop *hops = calloc(MPLB_MAX_BACKENDS, sizeof(*hops));
	struct nl *rt = NULL;
	int err = hops ? nl_open(NETLINK_ROUTE, 0, &rt) : -ENOMEM;

	memset(out, 0, sizeof(*out));
	if (err)
		log_error("cannot open a netlink socket: %s", strerror(-err));
	else
		err = look(rt, dp, now, hops);
	for (size_t i = 0; !err && i < MPLB_MAX_BACKENDS; i++) {
		if (!now->backend[i])
			continue;
		memcpy(out->device[i], hops[i].name, sizeof(out->device[i]));
		say(dp, i, &hops[i], out->text[i]);
	}
	free(hops);
	nl_close(rt);
	return err;
}
