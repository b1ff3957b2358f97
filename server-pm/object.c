/* SPDX-License-Identifier: GPL-2.0-only */
#include "object.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include "bpf/server.skel.h"
#include "lib/log.h"

#define MAX_PROG_MAPS 16 /* of a program that may be ours: ours have fewer */
#define GUARD_PREFIX  "guard_" /* of the names of maps that the guard alone uses */

static int set_up_maps(struct bpf_object *object, const char *folder, bool guard)
{
	struct bpf_map *map;
	char path[PATH_MAX];
	int err = 0;

	bpf_object__for_each_map (map, object) {
		snprintf(path, sizeof(path), "%s/%s", folder, bpf_map__name(map));
		err = err ? err : bpf_map__set_pin_path(map, path);
		if (!guard && !strncmp(bpf_map__name(map), GUARD_PREFIX, strlen(GUARD_PREFIX)))
			err = err ? err : bpf_map__set_autocreate(map, false);
	}
	return err;
}

struct bpf_object *server_object_open(const char *folder, const char *program, int *err)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "server_bpf");
	struct bpf_program *each;
	struct bpf_object *object;
	const void *bytes;
	size_t size;

	bytes = server_bpf__elf_bytes(&size);
	object = bpf_object__open_mem(bytes, size, &opts);
	*err = object ? set_up_maps(object, folder,
				    program && !strcmp(program, SERVER_GUARD_PROGRAM))
		      : -errno;
	if (!*err) {
		bpf_object__for_each_program (each, object)
			bpf_program__set_autoload(
				each, program && !strcmp(bpf_program__name(each), program));
		return object;
	}
	log_error("BPF object cannot be opened: %s", strerror(-*err));
	bpf_object__close(object);
	return NULL;
}

int server_object_load(const char *folder, const char *program, struct bpf_object **out)
{
	struct bpf_object *object;
	int err;

	*out = NULL;
	object = server_object_open(folder, program, &err);
	if (!object)
		return err;
	err = bpf_object__load(object);
	if (err) {
		bpf_object__close(object);
		return err;
	}
	*out = object;
	return bpf_program__fd(bpf_object__find_program_by_name(object, program));
}

static __u32 map_id(int fd)
{
	struct bpf_map_info info = { 0 };
	__u32 len = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &len) ? 0 : info.id;
}

static int prog_info(__u32 prog_id, struct bpf_prog_info *info)
{
	__u32 len = sizeof(*info);
	int fd = bpf_prog_get_fd_by_id(prog_id), err;

	if (fd < 0)
		return -errno;
	err = bpf_obj_get_info_by_fd(fd, info, &len) ? -errno : 0;
	close(fd);
	return err;
}

/* Every program of ours looks into one of the maps that the state has open. */
bool server_object_is_ours(const struct server_state *state, __u32 prog_id)
{
	struct bpf_prog_info info = { .nr_map_ids = MAX_PROG_MAPS };
	__u32 id[MAX_PROG_MAPS] = { 0 };

	info.map_ids = (__u64)(long)id;
	if (prog_info(prog_id, &info))
		return false;
	for (int map = 0; map < SERVER_MAP_MAX; map++) {
		__u32 ours = map_id(server_state_map(state, (enum server_map)map));

		for (__u32 i = 0; ours && i < info.nr_map_ids && i < MAX_PROG_MAPS; i++)
			if (id[i] == ours)
				return true;
	}
	return false;
}

int server_object_same_code(int fd, __u32 prog_id)
{
	struct bpf_prog_info one = { 0 }, other = { 0 };
	__u32 len = sizeof(one);
	int err = bpf_obj_get_info_by_fd(fd, &one, &len) ? -errno : prog_info(prog_id, &other);

	return err ? err : !memcmp(one.tag, other.tag, sizeof(one.tag));
}

int server_object_print_debug(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	char line[1024];

	(void)level;
	vsnprintf(line, sizeof(line), fmt, ap);
	line[strcspn(line, "\n")] = '\0';
	if (*line)
		log_debug("%s", line);
	return 0;
}
