/* SPDX-License-Identifier: GPL-2.0-only */
#include "backends.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <linux/netlink.h>

#include <arpa/inet.h>

#include "lib/log.h"
#include "nexthop.h"

#define PROBE_STEPS   20
#define PROBE_STEP_NS 50000000L /* 50 ms: 1 s in all */

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

static struct mplb_backend make_entry(const struct lb_backend *b, enum mplb_forward forward,
				      const struct nexthop *hop)
{
	struct mplb_backend entry = {
		.dst = b->addr.addr,
		.family = b->addr.family,
		.forward = (__u8)forward,
		.mtu = (__u16)(hop->mtu && hop->mtu < 65535 ? hop->mtu : 65535),
		.ifindex = hop->ifindex,
	};

	if (hop->src.family == b->addr.family)
		entry.src = hop->src.addr;
	if (b->addr.family == MPLB_FAMILY_4)
		entry.csum = outer_ipv4_sum(&entry.src, &entry.dst);
	memcpy(entry.dmac, hop->dmac, sizeof(entry.dmac));
	memcpy(entry.smac, hop->smac, sizeof(entry.smac));
	/* A packet with no source of its own must not leave. */
	if (hop->resolved && hop->src.family == b->addr.family)
		entry.flags = MPLB_BACKEND_F_RESOLVED;
	return entry;
}

/* Warns of what will keep packets from this backend. */
static void warn_of(const struct lb_config *config, size_t p, size_t i, const struct nexthop *hop)
{
	const struct lb_pool *pool = &config->pools[p];
	const struct lb_backend *b = &pool->backends[i];
	char addr[IP_STRLEN], via[IP_STRLEN];

	ip_format(&b->addr, addr);
	ip_format(&hop->via, via);
	if (hop->local)
		log_warn("backend %s/%s: %s is this machine's own address: its packets will be "
			 "dropped (no_route); a balancer cannot be its own backend",
			 pool->name, b->name, addr);
	else if (!hop->ifindex)
		log_warn("backend %s/%s: no route to %s: its packets will be dropped (no_route); "
			 "add "
			 "one and apply again",
			 pool->name, b->name, addr);
	else if (!hop->resolved)
		log_warn("backend %s/%s: %s does not answer on its segment: its packets will be "
			 "dropped (no_neighbour) until it does; is it up? then apply again",
			 pool->name, b->name, via);
}

/* An l2 packet handed to a router would come straight back. */
static int check_segment(const struct lb_config *config, size_t p, size_t i,
			 const struct nexthop *hop)
{
	char addr[IP_STRLEN], via[IP_STRLEN];

	if (config->pools[p].forward != MPLB_FORWARD_L2 || !hop->ifindex || !hop->gateway)
		return 0;
	return conf_error(config->conf, conf_path("pools[%zu].backends[%zu].address", p, i),
			  "%s is behind the router %s, where forward: l2 cannot reach; use "
			  "forward: ipip, or an address on a segment of this balancer",
			  ip_format(&config->pools[p].backends[i].addr, addr),
			  ip_format(&hop->via, via));
}

/* Resolves all, and while some neighbours are unknown, asks for them and looks again. */
static int resolve_all(struct nl *rt, const struct lb_config *config, struct nexthop **hops)
{
	for (int step = 0;; step++) {
		const struct timespec pause = { .tv_nsec = PROBE_STEP_NS };
		bool waiting = false;

		for (size_t p = 0; p < config->n_pools; p++) {
			for (size_t i = 0; i < config->pools[p].n_backends; i++) {
				const struct lb_backend *b = &config->pools[p].backends[i];
				struct nexthop *hop = &hops[p][i];
				int err;

				if (step && (hop->resolved || !hop->ifindex || hop->local))
					continue;
				err = nexthop_resolve(rt, &b->addr, hop);
				if (err)
					return log_err_r(
						err, "backend %s/%s: cannot look up its route: %s",
						config->pools[p].name, b->name, nl_error(rt));
				if (hop->resolved || !hop->ifindex || hop->local)
					continue;
				/* A failure to ask shows as a neighbour that stays unknown. */
				if (step % 4 == 0)
					nexthop_probe(rt, hop);
				waiting = true;
			}
		}
		if (!waiting || step == PROBE_STEPS)
			return 0;
		nanosleep(&pause, NULL);
	}
}

/* Rewrites an entry that packets may be reading: first they are sent to the FIB, then the rest
 * changes, then they are let back. Another CPU may be between two words for as long as a packet
 * takes; what it reads is the FIB's business meanwhile. */
static void rewrite(struct mplb_backend *at, const struct mplb_backend *entry)
{
	struct mplb_backend unresolved = *entry;

	if (!memcmp(at, entry, sizeof(*at)))
		return;
	__atomic_store_n(&at->flags, (__u16)(at->flags & ~MPLB_BACKEND_F_RESOLVED),
			 __ATOMIC_SEQ_CST);
	nanosleep(&(const struct timespec){ .tv_nsec = 1000000 }, NULL);
	unresolved.flags &= (__u16)~MPLB_BACKEND_F_RESOLVED;
	*at = unresolved;
	__atomic_store_n(&at->flags, entry->flags, __ATOMIC_SEQ_CST);
}

static int check_all(const struct lb_config *config, struct nexthop **hops)
{
	int err = 0;

	for (size_t p = 0; p < config->n_pools; p++)
		for (size_t i = 0; i < config->pools[p].n_backends; i++)
			if (check_segment(config, p, i, &hops[p][i]))
				err = -EINVAL;
	return err;
}

static void write_all(struct datapath *dp, const struct lb_config *config, __u32 **index,
		      const struct in_force *now, struct nexthop **hops)
{
	for (size_t p = 0; p < config->n_pools; p++) {
		for (size_t i = 0; i < config->pools[p].n_backends; i++) {
			struct mplb_backend entry =
				make_entry(&config->pools[p].backends[i], config->pools[p].forward,
					   &hops[p][i]);
			__u32 at = index[p][i];

			warn_of(config, p, i, &hops[p][i]);
			if (now->backend[at])
				rewrite(&dp->backends[at], &entry);
			else
				dp->backends[at] = entry;
		}
	}
}

int backends_write(struct datapath *dp, const struct lb_config *config, __u32 **index,
		   const struct in_force *now)
{
	struct nexthop **hops = calloc(config->n_pools + 1, sizeof(*hops));
	struct nl *rt = NULL;
	int err = hops ? 0 : -ENOMEM;

	for (size_t p = 0; !err && p < config->n_pools; p++) {
		hops[p] = calloc(config->pools[p].n_backends + 1, sizeof(**hops));
		if (!hops[p])
			err = -ENOMEM;
	}
	if (!err) {
		err = nl_open(NETLINK_ROUTE, 0, &rt);
		if (err)
			log_error("cannot open a netlink socket: %s", strerror(-err));
	}
	if (!err)
		err = resolve_all(rt, config, hops);
	if (!err)
		err = check_all(config, hops);
	if (!err)
		write_all(dp, config, index, now, hops);
	for (size_t p = 0; hops && p < config->n_pools; p++)
		free(hops[p]);
	free(hops);
	nl_close(rt);
	return err;
}
