/* SPDX-License-Identifier: GPL-2.0-only */
#include "backends.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <linux/netlink.h>

#include "lib/log.h"
#include "ports.h"

#define PROBE_STEPS	  20
#define PROBE_STEPS_ORDER 4
#define PROBE_STEP_NS	  50000000L /* 50 ms: 1 s in all, 0.2 s for an order */
#define SETTLE_NS	  1000000L /* longer than a packet is in the program */

/* The words of an outer IPv4 header that do not change from packet to packet, summed: version and
 * IHL, DF, TTL 64, both addresses (RFC 1071). The program adds TOS, length and protocol. */
static __u16 outer_ipv4_sum(const struct mplb_ip *src, const struct mplb_ip *dst)
{
	__u32 sum = htons(0x4500) + htons(0x4000) + htons(64 << 8);
	__u16 half[4];

	memcpy(half, &src->word[0], 4);
	memcpy(half + 2, &dst->word[0], 4);
	for (int i = 0; i < 4; i++)
		sum += half[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)((sum & 0xffff) + (sum >> 16));
}

struct mplb_backend backends_entry(const struct ip *addr, enum mplb_forward forward,
				   const struct nexthop *hop)
{
	struct mplb_backend entry = {
		.dst = addr->addr,
		.family = addr->family,
		.forward = (__u8)forward,
		.mtu = (__u16)(hop->mtu && hop->mtu < 65535 ? hop->mtu : 65535),
		.ifindex = hop->ifindex,
		.vlan = hop->vlan,
	};

	if (hop->src.family == addr->family)
		entry.src = hop->src.addr;
	if (addr->family == MPLB_FAMILY_4)
		entry.csum = outer_ipv4_sum(&entry.src, &entry.dst);
	memcpy(entry.dmac, hop->dmac, sizeof(entry.dmac));
	memcpy(entry.smac, hop->smac, sizeof(entry.smac));
	if (!hop->fault)
		entry.flags = MPLB_BACKEND_F_RESOLVED;
	return entry;
}

static bool is_change(const struct datapath *dp, const struct backends_write *w)
{
	return memcmp(&dp->backends[w->index], &w->entry, sizeof(w->entry)) != 0;
}

/* Live entries that change: first their packets are sent to the FIB, then the rest changes, then
 * they are let back. Another CPU may be between two words for as long as a packet takes. */
void backends_write(struct datapath *dp, const struct backends_write *writes, size_t n)
{
	const struct timespec pause = { .tv_nsec = SETTLE_NS };
	unsigned int port = 0;
	bool live = false;

	for (size_t i = 0; i < n; i++) {
		const struct backends_write *w = &writes[i];
		struct mplb_backend *at = &dp->backends[w->index];

		if (w->entry.ifindex && w->entry.ifindex != port)
			ports_add(dp, w->entry.ifindex);
		port = w->entry.ifindex;
		if (!w->live || !is_change(dp, w))
			continue;
		__atomic_store_n(&at->flags, (__u16)(at->flags & ~MPLB_BACKEND_F_RESOLVED),
				 __ATOMIC_SEQ_CST);
		live = true;
	}
	if (live)
		nanosleep(&pause, NULL);
	for (size_t i = 0; i < n; i++) {
		struct mplb_backend entry = writes[i].entry;
		struct mplb_backend *at = &dp->backends[writes[i].index];

		if (!is_change(dp, &writes[i]))
			continue;
		entry.flags &= (__u16)~MPLB_BACKEND_F_RESOLVED;
		*at = entry;
		__atomic_store_n(&at->flags, writes[i].entry.flags, __ATOMIC_SEQ_CST);
	}
}

/* Looking up those of a state */

struct job {
	const struct state_pool *pool;
	const struct state_member *member;
	struct nexthop hop;
	bool done;
};

/* Is an answer worth waiting for? */
static bool is_open(const struct job *job)
{
	return job->hop.fault == NEXTHOP_NO_NEIGHBOUR && member_owner(job->member);
}

static int look_up(struct nl *rt, struct job *job, int step)
{
	int err;

	if (job->done)
		return 0;
	err = nexthop_resolve(rt, &job->member->addr, &job->hop);
	if (err)
		return log_err_r(err, "backend %s/%s: cannot look up its route: %s",
				 job->pool->name, job->member->name, nl_error(rt));
	job->done = !is_open(job);
	/* A failure to ask shows as a neighbour that stays unknown. */
	if (!job->done && step % 4 == 0)
		nexthop_probe(rt, &job->hop);
	return 0;
}

/* Looks all up, and while some neighbours are unknown, asks for them and looks again. */
static int look_up_all(struct nl *rt, struct job *jobs, size_t n, int steps)
{
	for (int step = 0; step <= steps; step++) {
		const struct timespec pause = { .tv_nsec = PROBE_STEP_NS };
		bool waiting = false;

		for (size_t i = 0; i < n; i++) {
			int err = look_up(rt, &jobs[i], step);

			if (err)
				return err;
			waiting |= !jobs[i].done;
		}
		if (!waiting)
			return 0;
		nanosleep(&pause, NULL);
	}
	return 0;
}

/* An l2 packet handed to a router would come straight back. */
static int check_segment(const struct state *want, const struct job *job)
{
	char addr[IP_STRLEN], via[IP_STRLEN];

	if (job->pool->forward != MPLB_FORWARD_L2 || !job->hop.gateway || !want->conf)
		return 0;
	return conf_error(
		want->conf,
		conf_path("pools[%zu].backends[%zu].address", job->pool->at, job->member->at),
		"%s is behind the router %s, where forward: l2 cannot reach; use "
		"forward: ipip or gue, or an address on a segment of this balancer",
		ip_format(&job->member->addr, addr), ip_format(&job->hop.via, via));
}

/* Warns of what will keep packets from a backend that is to have some. */
static void warn_of(const struct job *job)
{
	static const char *const mend[] = {
		[NEXTHOP_NO_ROUTE] = "are dropped (no_route); add one and apply again",
		[NEXTHOP_LOCAL] = "are dropped (no_route); a balancer cannot be its own backend",
		[NEXTHOP_NO_SOURCE] = "may be dropped; add one and apply again",
		[NEXTHOP_DEVICE] = "may be dropped; mend it, or route around it, and apply again",
		[NEXTHOP_NO_NEIGHBOUR] =
			"are dropped (no_neighbour) until it does; is it up? then apply again",
	};
	char problem[NEXTHOP_TEXT];

	if (job->hop.fault && member_owner(job->member))
		log_warn("backend %s/%s: %s: its packets %s", job->pool->name, job->member->name,
			 nexthop_problem(&job->hop, &job->member->addr, problem),
			 mend[job->hop.fault]);
}

/* Its description is still the one of before. */
static bool is_starting(const struct datapath *dp, const struct in_force *now,
			const struct state_member *m)
{
	__u8 state = dp->backend_info[m->index].state;

	return !now->backend[m->index] ||
	       (member_owner(m) && state != MPLB_MEMBER_JOINING && state != MPLB_MEMBER_ACTIVE);
}

static size_t make_jobs(const struct datapath *dp, const struct state *want,
			const struct in_force *now, enum backends_scope scope, struct job *jobs)
{
	size_t n = 0;

	for (size_t p = 0; p < want->n_pools; p++) {
		for (size_t i = 0; i < want->pools[p].n_members; i++) {
			const struct state_member *m = &want->pools[p].members[i];

			if (scope == BACKENDS_STARTING && !is_starting(dp, now, m))
				continue;
			jobs[n++] = (struct job){ .pool = &want->pools[p], .member = m };
		}
	}
	return n;
}

static int resolve_jobs(struct datapath *dp, const struct state *want, const struct in_force *now,
			struct job *jobs, size_t n, int steps)
{
	struct backends_write *writes = calloc(n + 1, sizeof(*writes));
	struct nl *rt = NULL;
	int err = -ENOMEM, refused = 0;

	if (!writes)
		goto out;
	err = nl_open(NETLINK_ROUTE, 0, &rt);
	if (err) {
		log_error("cannot open a netlink socket: %s", strerror(-err));
		goto out;
	}
	err = look_up_all(rt, jobs, n, steps);
	for (size_t i = 0; !err && i < n; i++) {
		refused |= check_segment(want, &jobs[i]);
		writes[i] = (struct backends_write){
			.index = jobs[i].member->index,
			.live = now->backend[jobs[i].member->index],
			.entry = backends_entry(&jobs[i].member->addr, jobs[i].pool->forward,
						&jobs[i].hop),
		};
	}
	err = err ? err : refused;
	if (err)
		goto out;
	for (size_t i = 0; i < n; i++)
		warn_of(&jobs[i]);
	backends_write(dp, writes, n);
out:
	free(writes);
	nl_close(rt);
	return err;
}

int backends_resolve(struct datapath *dp, const struct state *want, const struct in_force *now,
		     enum backends_scope scope)
{
	size_t room = 0, n;
	struct job *jobs;
	int err = 0;

	for (size_t p = 0; p < want->n_pools; p++)
		room += want->pools[p].n_members;
	jobs = calloc(room + 1, sizeof(*jobs));
	if (!jobs)
		return -ENOMEM;
	n = make_jobs(dp, want, now, scope, jobs);
	if (n)
		err = resolve_jobs(dp, want, now, jobs, n,
				   scope == BACKENDS_ALL ? PROBE_STEPS : PROBE_STEPS_ORDER);
	free(jobs);
	return err;
}
