/* SPDX-License-Identifier: GPL-2.0-only */
#include "ports.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>

#include <linux/bpf.h>

#include <bpf/bpf.h>

#include "lib/log.h"

void ports_add(const struct datapath *dp, unsigned int ifindex)
{
	struct bpf_devmap_val port = { .ifindex = ifindex }, there;
	char name[IF_NAMESIZE];
	__u32 key = ifindex;
	int err;

	if (!bpf_map_lookup_elem(dp->ports, &key, &there) ||
	    !bpf_map_update_elem(dp->ports, &key, &port, BPF_ANY))
		return;
	err = errno;
	if (!if_indextoname(ifindex, name))
		strcpy(name, "?");
	log_warn("device %s (%u): cannot be an egress device: %s%s", name, ifindex, strerror(err),
		 err == E2BIG ? "; a balancer has at most 64 of them" : "");
}

static bool is_used(const struct datapath *dp, const struct in_force *now, __u32 ifindex)
{
	for (size_t i = 0; i < MPLB_MAX_BACKENDS; i++)
		if (now->backend[i] && dp->backends[i].ifindex == ifindex)
			return true;
	return false;
}

void ports_prune(const struct datapath *dp, const struct in_force *now)
{
	__u32 keys[MPLB_MAX_PORTS], n = 0, key;

	for (bool more = !bpf_map_get_next_key(dp->ports, NULL, &key); more && n < MPLB_MAX_PORTS;
	     more = !bpf_map_get_next_key(dp->ports, &key, &key))
		keys[n++] = key;
	for (__u32 i = 0; i < n; i++)
		if (!is_used(dp, now, keys[i]))
			bpf_map_delete_elem(dp->ports, &keys[i]);
}
