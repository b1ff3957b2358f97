/* SPDX-License-Identifier: GPL-2.0-only */
#include "viptable.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "mplb/hash.h"

struct mplb_vip_slot *viptable_new(void)
{
	return calloc(MPLB_VIP_SLOTS, sizeof(struct mplb_vip_slot));
}

int viptable_insert(struct mplb_vip_slot *table, const struct mplb_vip_slot *vip)
{
	__u64 word[2];
	__u32 home;

	memcpy(word, &vip->addr, sizeof(word));
	home = mplb_vip_hash(word[0], word[1], vip->service, MPLB_VIP_SLOTS);
	/* One less than the program looks at, so that each chain ends at an empty slot. */
	for (__u32 i = 0; i + 1 < MPLB_VIP_PROBES; i++) {
		struct mplb_vip_slot *slot = &table[(home + i) & (MPLB_VIP_SLOTS - 1)];

		if (slot->service == vip->service &&
		    !memcmp(&slot->addr, &vip->addr, sizeof(vip->addr)))
			return -EEXIST;
		if (!slot->service) {
			*slot = *vip;
			return 0;
		}
	}
	return -ENOSPC;
}

void viptable_seal(struct mplb_vip_slot *table)
{
	__u16 others = 0;

	for (size_t i = 0; i < MPLB_VIP_SLOTS; i++) {
		__u32 service = table[i].service;

		if (table[i].flags & MPLB_VIP_F_PORTS)
			others |= MPLB_VIP_F_RANGES;
		else if (service >> 16 & 0xff && !(service & 0xffff)) /* a VIP with port 0 */
			others |= MPLB_VIP_F_WILDCARD;
	}
	for (size_t i = 0; i < MPLB_VIP_SLOTS; i++)
		table[i].flags |= others;
}

int viptable_commit(const struct datapath *dp, const struct mplb_vip_slot *table)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	__u32 zero = 0;
	int fd, err = 0;
	void *at;

	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "mplb_vip_table", sizeof(__u32),
			    sizeof(struct mplb_vip_slot), MPLB_VIP_SLOTS, &opts);
	if (fd < 0)
		return -errno;
	at = datapath_mmap(fd, VIPTABLE_BYTES);
	if (at) {
		memcpy(at, table, VIPTABLE_BYTES);
		munmap(at, VIPTABLE_BYTES);
	}
	if (!at || bpf_map_update_elem(dp->vips, &zero, &fd, BPF_ANY))
		err = -errno;
	close(fd);
	return err;
}

const struct mplb_vip_slot *viptable_live(const struct datapath *dp)
{
	__u32 zero = 0, id = 0;
	void *at;
	int fd;

	if (bpf_map_lookup_elem(dp->vips, &zero, &id))
		return NULL;
	fd = bpf_map_get_fd_by_id(id);
	if (fd < 0)
		return NULL;
	at = datapath_mmap(fd, VIPTABLE_BYTES);
	close(fd);
	return at;
}
