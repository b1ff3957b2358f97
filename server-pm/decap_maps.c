/* SPDX-License-Identifier: GPL-2.0-only */
/* What the decapsulation's maps hold: VIPs, balancers, settings, counters. */
#include <errno.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "decap.h"
#include "lib/log.h"
#include "mplb/gue.h"

static void server_key(const struct ip *ip, struct mplb_server_addr *key)
{
	*key = (struct mplb_server_addr){ .addr = ip->addr, .family = ip->family };
}

static bool is_listed(const struct server_addresses *list, const struct mplb_server_addr *key)
{
	for (size_t i = 0; list && i < list->n; i++)
		if (list->ip[i].family == key->family &&
		    !memcmp(&list->ip[i].addr, &key->addr, sizeof(key->addr)))
			return true;
	return false;
}

/* Deletes the keys that are not in the list. After a deletion the walk begins anew. */
static void fill_prune(int fd, const struct server_addresses *list)
{
	struct mplb_server_addr key, *last = NULL, next;

	while (!bpf_map_get_next_key(fd, last, &next)) {
		key = next;
		last = &key;
		if (is_listed(list, &key))
			continue;
		bpf_map_delete_elem(fd, &key);
		last = NULL;
	}
}

int server_map_fill(int fd, const char *what, const struct server_addresses *list)
{
	struct mplb_server_addr key;
	__u8 one = 1;

	fill_prune(fd, list);
	for (size_t i = 0; list && i < list->n; i++) {
		server_key(&list->ip[i], &key);
		if (bpf_map_update_elem(fd, &key, &one, BPF_ANY))
			return log_err_r(-errno, "map of the %s cannot be written: %s; run as root",
					 what, strerror(errno));
	}
	return 0;
}

/* The longest that balancers of this config put in front of a packet: GUE, by their addresses'
 * families. An IP-in-IP header is shorter. */
int server_decap_overhead(const struct server_config *config)
{
	for (size_t i = 0; i < config->balancers.n; i++)
		if (config->balancers.ip[i].family == MPLB_FAMILY_6)
			return sizeof(struct ipv6hdr) + sizeof(struct udphdr) + MPLB_GUE_LEN_6;
	return sizeof(struct iphdr) + sizeof(struct udphdr) + MPLB_GUE_LEN_4;
}

static int fill_settings(int fd, const struct server_config *config)
{
	struct mplb_server_settings settings = { .overhead = (__u16)server_decap_overhead(config),
						 .first_flight = (__u16)config->first_flight };
	__u32 zero = 0;

	if (config->mtu > 0)
		settings.mtu = (__u16)config->mtu;
	if (bpf_map_update_elem(fd, &zero, &settings, BPF_ANY))
		return log_err_r(-errno, "map of the settings cannot be written: %s; run as root",
				 strerror(errno));
	return 0;
}

int server_decap_fill(const struct server_state *state, const struct server_config *config)
{
	bool want = config->device;
	int err = server_map_fill(server_state_map(state, SERVER_MAP_VIPS), "VIPs",
				  want ? &config->vips : NULL);

	err = err ? err
		  : server_map_fill(server_state_map(state, SERVER_MAP_BALANCERS), "balancers",
				    want ? &config->balancers : NULL);
	return err ? err : fill_settings(server_state_map(state, SERVER_MAP_SETTINGS), config);
}

int server_decap_compare(const struct server_state *state, enum server_map map,
			 const struct server_addresses *list, size_t *missing, size_t *others)
{
	struct mplb_server_addr key, *last = NULL, next;
	int fd = server_state_map(state, map);
	size_t have = 0, more = 0;

	while (!bpf_map_get_next_key(fd, last, &next)) {
		key = next;
		last = &key;
		if (is_listed(list, &key))
			have++;
		else
			more++;
	}
	if (errno != ENOENT)
		return -errno;
	*missing = list->n - have;
	*others = more;
	return 0;
}

int server_decap_count(const struct server_state *state, enum mplb_server_reason reason,
		       struct mplb_server_count *out)
{
	int cpus = libbpf_num_possible_cpus(), err = 0;
	struct mplb_server_count sum = { 0 }, *each;
	__u32 key = reason;

	each = cpus > 0 ? calloc((size_t)cpus, sizeof(*each)) : NULL;
	if (!each)
		return -ENOMEM;
	if (bpf_map_lookup_elem(server_state_map(state, SERVER_MAP_COUNTS), &key, each))
		err = -errno;
	for (int i = 0; !err && i < cpus; i++) {
		sum.packets += each[i].packets;
		sum.bytes += each[i].bytes;
	}
	free(each);
	if (!err)
		*out = sum;
	return err;
}
