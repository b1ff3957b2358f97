/* SPDX-License-Identifier: GPL-2.0-only */
#include "kept.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "loader/datapath.h"
#include "loader/pins.h"

#define COPIES	 64 /* more than tests that run at a time */
#define PATH_LEN 128

int kept_mount(void)
{
	return unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
			       mount("bpf", KEPT_ROOT, "bpf", 0, NULL)
		       ? -errno
		       : 0;
}

/* Maps */

static void empty_array(const struct bpf_map *map, size_t size)
{
	void *at = datapath_mmap(bpf_map__fd(map), size);

	cr_assert(at, "%s: mmap: %s", bpf_map__name(map), strerror(errno));
	memset(at, 0, size);
	munmap(at, size);
}

static void empty_percpu_array(const struct bpf_map *map, size_t size)
{
	__u32 n = bpf_map__max_entries(map), *keys = calloc(n, sizeof(*keys));
	void *values = calloc(n, size);

	cr_assert(keys && values);
	for (__u32 i = 0; i < n; i++)
		keys[i] = i;
	cr_assert(!bpf_map_update_batch(bpf_map__fd(map), keys, values, &n, NULL), "%s: %s",
		  bpf_map__name(map), strerror(errno));
	free(keys);
	free(values);
}

/* Each entry that is there. */
static void delete_all(const struct bpf_map *map)
{
	char key[64];

	cr_assert_leq(bpf_map__key_size(map), sizeof(key));
	while (!bpf_map_get_next_key(bpf_map__fd(map), NULL, key))
		cr_assert(!bpf_map_delete_elem(bpf_map__fd(map), key), "%s: %s", bpf_map__name(map),
			  strerror(errno));
}

static void empty(const struct bpf_map *map)
{
	size_t value = (bpf_map__value_size(map) + 7) / 8 * 8;

	switch (bpf_map__type(map)) {
	case BPF_MAP_TYPE_ARRAY:
		empty_array(map, value * bpf_map__max_entries(map));
		break;
	case BPF_MAP_TYPE_PERCPU_ARRAY:
		empty_percpu_array(map, value * (size_t)libbpf_num_possible_cpus());
		break;
	case BPF_MAP_TYPE_ARRAY_OF_MAPS: /* see kept.h */
		break;
	case BPF_MAP_TYPE_HASH:
	case BPF_MAP_TYPE_DEVMAP_HASH:
		delete_all(map);
		break;
	default:
		cr_assert_fail("%s: how is a map of type %u emptied?", bpf_map__name(map),
			       bpf_map__type(map));
	}
}

/* Copies */

/* A copy that no other test holds. The lock is the folder's, and goes with the process. */
static int claim(const char *name, char *folder, size_t size)
{
	for (int i = 0; i < COPIES; i++) {
		int fd;

		snprintf(folder, size, KEPT_ROOT "/%s-%d", name, i);
		cr_assert(!mkdir(folder, 0700) || errno == EEXIST, "%s: %s", folder,
			  strerror(errno));
		fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		cr_assert_geq(fd, 0, "%s: %s", folder, strerror(errno));
		if (!flock(fd, LOCK_EX | LOCK_NB))
			return fd;
		close(fd);
	}
	cr_assert_fail("%d copies of %s are in use", COPIES, name);
	return -1;
}

static void pin_programs(struct bpf_object *obj, const char *folder)
{
	struct bpf_program *prog;
	char path[PATH_LEN];

	bpf_object__for_each_program (prog, obj) {
		if (!bpf_program__autoload(prog))
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, bpf_program__name(prog));
		unlink(path); /* of a test that was ended as it did the same */
		cr_assert(!bpf_program__pin(prog, path), "%s: %s", path, strerror(errno));
	}
}

int kept_load(const char *name, struct bpf_object *obj)
{
	char folder[PATH_LEN / 2];
	struct bpf_program *prog;
	struct bpf_map *map;
	int kept = claim(name, folder, sizeof(folder));
	/* Made last: where it is there, everything is. */
	bool there = !faccessat(kept, "whole", F_OK, 0);

	cr_assert(!pins_bind(obj, folder), "%s: its maps cannot be used again", folder);
	bpf_object__for_each_program (prog, obj)
		bpf_program__set_autoload(prog, bpf_program__autoload(prog) && !there);
	cr_assert(!bpf_object__load(obj), "%s cannot be loaded: %s", name, strerror(errno));
	if (!there) {
		pin_programs(obj, folder);
		cr_assert(!mkdirat(kept, "whole", 0700));
		return kept;
	}
	bpf_object__for_each_map (map, obj) {
		if (!bpf_map__is_internal(map))
			empty(map);
	}
	return kept;
}

int kept_program(int kept, const char *program)
{
	char path[PATH_LEN];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", kept, program);
	fd = bpf_obj_get(path);
	cr_assert_geq(fd, 0, "%s: %s", program, strerror(errno));
	return fd;
}
