/* SPDX-License-Identifier: GPL-2.0-only */
#include "pooltable.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>

#define BYTES (MPLB_TABLE_LINES * sizeof(struct mplb_table_line))

int pooltable_new(struct mplb_table_slot **slots)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	int fd, err;
	void *at;

	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "mplb_pool_table", sizeof(__u32),
			    sizeof(struct mplb_table_line), MPLB_TABLE_LINES, &opts);
	if (fd < 0)
		return -errno;
	at = datapath_mmap(fd, BYTES);
	if (!at) {
		err = -errno;
		close(fd);
		return err;
	}
	*slots = at;
	return fd;
}

const struct mplb_table_slot *pooltable_live(const struct datapath *dp, __u32 index)
{
	__u32 id = 0;
	void *at;
	int fd;

	if (bpf_map_lookup_elem(dp->tables, &index, &id))
		return NULL;
	fd = bpf_map_get_fd_by_id(id);
	if (fd < 0)
		return NULL;
	at = datapath_mmap(fd, BYTES);
	close(fd);
	return at;
}

void pooltable_unmap(const struct mplb_table_slot *slots)
{
	munmap((void *)slots, BYTES);
}
