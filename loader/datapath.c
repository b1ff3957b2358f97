/* SPDX-License-Identifier: GPL-2.0-only */
#include "datapath.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "lib/log.h"
#include "mplb/steer.h"

void *datapath_mmap(int map, size_t len)
{
	void *at = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);

	return at == MAP_FAILED ? NULL : at;
}

/* One entry per map that userspace opens: name, and where its descriptor or memory goes. */
struct map_binding {
	const char *name;
	size_t field; /* offset in struct datapath */
	size_t len; /* 0: keep the descriptor; else map this many bytes */
};

static const struct map_binding bindings[] = {
	{ "mplb_vips", offsetof(struct datapath, vips) },
	{ "mplb_tables", offsetof(struct datapath, tables) },
	{ "mplb_vip_stats", offsetof(struct datapath, vip_stats) },
	{ "mplb_backend_stats", offsetof(struct datapath, backend_stats) },
	{ "mplb_reasons", offsetof(struct datapath, reasons) },
	{ "mplb_ports", offsetof(struct datapath, ports) },
	{ "mplb_members", offsetof(struct datapath, members) },
	{ "mplb_backends", offsetof(struct datapath, backends),
	  MPLB_MAX_BACKENDS * sizeof(struct mplb_backend) },
	{ "mplb_vip_info", offsetof(struct datapath, vip_info),
	  MPLB_MAX_VIPS * sizeof(struct mplb_vip_info) },
	{ "mplb_pool_info", offsetof(struct datapath, pool_info),
	  MPLB_MAX_POOLS * sizeof(struct mplb_pool_info) },
	{ "mplb_backend_info", offsetof(struct datapath, backend_info),
	  MPLB_MAX_BACKENDS * sizeof(struct mplb_backend_info) },
	{ "mplb_backend_next", offsetof(struct datapath, backend_next),
	  MPLB_MAX_BACKENDS * sizeof(struct mplb_backend_info) },
	{ "mplb_tokens", offsetof(struct datapath, tokens),
	  MPLB_TOKEN_BUCKETS * sizeof(struct mplb_bucket) },
	{ "mplb_subflows", offsetof(struct datapath, subflows),
	  MPLB_SUBFLOW_BUCKETS * sizeof(struct mplb_bucket) },
};

#define N_BINDINGS (sizeof(bindings) / sizeof(bindings[0]))

/* -EINVAL where the map is not of as many bytes as we are about to use. */
static int check_size(int fd, size_t len)
{
	struct bpf_map_info info = { 0 };
	__u32 info_len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &info_len))
		return -errno;
	return (size_t)info.max_entries * ((info.value_size + 7) & ~7u) == len ? 0 : -EINVAL;
}

static int bind_map(struct datapath *dp, const struct map_binding *b)
{
	void *field = (char *)dp + b->field;
	char path[PIN_PATH_MAX + 32];
	int fd, err;

	snprintf(path, sizeof(path), "%s/%s", dp->folder, b->name);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return -errno;
	if (!b->len) {
		*(int *)field = fd;
		return 0;
	}
	err = check_size(fd, b->len);
	if (!err) {
		*(void **)field = datapath_mmap(fd, b->len);
		err = *(void **)field ? 0 : -errno;
	}
	close(fd);
	return err;
}

int datapath_open(const char *root, struct datapath **out)
{
	struct datapath *dp = calloc(1, sizeof(*dp));
	int err;

	if (!dp)
		return -ENOMEM;
	dp->vips = dp->tables = dp->vip_stats = dp->backend_stats = dp->reasons = dp->ports = -1;
	dp->members = -1;
	err = pin_folder(root, NULL, 0, dp->folder);
	if (err)
		goto fail;
	for (size_t i = 0; i < N_BINDINGS; i++) {
		err = bind_map(dp, &bindings[i]);
		if (err == -ENOENT)
			log_error("%s: no data plane here; attach it first: lbctl attach DEV",
				  dp->folder);
		else if (err == -EINVAL)
			log_error("%s/%s: made by another build of mplb, with another layout; "
				  "start anew: lbctl detach all, then attach and apply",
				  dp->folder, bindings[i].name);
		else if (err)
			log_error("%s/%s: %s%s", dp->folder, bindings[i].name, strerror(-err),
				  err == -EPERM || err == -EACCES ? "; run as root" : "");
		if (err)
			goto fail;
	}
	*out = dp;
	return 0;
fail:
	datapath_close(dp);
	return err;
}

void datapath_close(struct datapath *dp)
{
	if (!dp)
		return;
	for (size_t i = 0; i < N_BINDINGS; i++) {
		void *field = (char *)dp + bindings[i].field;

		if (bindings[i].len) {
			if (*(void **)field)
				munmap(*(void **)field, bindings[i].len);
		} else if (*(int *)field >= 0) {
			close(*(int *)field);
		}
	}
	free(dp);
}

static __u32 map_id(int fd)
{
	struct bpf_map_info info = { 0 };
	__u32 len = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &len) ? 0 : info.id;
}

bool datapath_is_current(const struct datapath *dp)
{
	char path[PIN_PATH_MAX + 32];
	bool current;
	int fd;

	snprintf(path, sizeof(path), "%s/mplb_vips", dp->folder);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return errno != ENOENT;
	current = map_id(fd) == map_id(dp->vips);
	close(fd);
	return current;
}

int datapath_sum(int map, __u32 key, __u64 *sum, size_t words)
{
	int cpus = libbpf_num_possible_cpus(), err = 0;
	__u64 *values;

	if (cpus < 0)
		return cpus;
	values = calloc((size_t)cpus * words, sizeof(*values));
	if (!values)
		return -ENOMEM;
	if (bpf_map_lookup_elem(map, &key, values)) {
		err = -errno;
	} else {
		memset(sum, 0, words * sizeof(*sum));
		for (size_t i = 0; i < (size_t)cpus * words; i++)
			sum[i % words] += values[i];
	}
	free(values);
	return err;
}

int datapath_zero(int map, __u32 key, size_t words)
{
	int cpus = libbpf_num_possible_cpus(), err = 0;
	__u64 *values;

	if (cpus < 0)
		return cpus;
	values = calloc((size_t)cpus * words, sizeof(*values));
	if (!values)
		return -ENOMEM;
	if (bpf_map_update_elem(map, &key, values, BPF_ANY))
		err = -errno;
	free(values);
	return err;
}
