/* SPDX-License-Identifier: GPL-2.0-only */
#include "object.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <bpf/libbpf.h>
#include "bpf/server.skel.h"
#include "lib/log.h"

struct bpf_object *server_object_open(const char *folder, int *err)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "server_bpf");
	struct bpf_object *object;
	char path[PATH_MAX];
	struct bpf_map *map;
	const void *bytes;
	size_t size;

	bytes = server_bpf__elf_bytes(&size);
	object = bpf_object__open_mem(bytes, size, &opts);
	*err = object ? 0 : -errno;
	if (object) {
		bpf_object__for_each_map (map, object) {
			snprintf(path, sizeof(path), "%s/%s", folder, bpf_map__name(map));
			*err = *err ? *err : bpf_map__set_pin_path(map, path);
		}
	}
	if (!*err)
		return object;
	log_error("BPF object cannot be opened: %s", strerror(-*err));
	bpf_object__close(object);
	return NULL;
}
