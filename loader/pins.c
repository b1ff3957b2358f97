/* SPDX-License-Identifier: GPL-2.0-only */
#include "pins.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "lib/log.h"

#define START_ANEW "start anew: lbctl detach all, then attach and apply"
#define MAP_PREFIX "mplb_"
#define MAP_MARK   "mplb_vips" /* in every version */

/* Says in what the pinned map is not as the program's. 0: as it is. */
static int check_layout(const struct bpf_map *map, const char *path, int fd)
{
	struct bpf_map_info is = { 0 };
	__u32 len = sizeof(is);

	if (bpf_obj_get_info_by_fd(fd, &is, &len))
		return log_err_r(-errno, "%s: %s", path, strerror(errno));
	if (is.type == bpf_map__type(map) && is.key_size == bpf_map__key_size(map) &&
	    is.value_size == bpf_map__value_size(map) &&
	    is.max_entries == bpf_map__max_entries(map))
		return 0;
	return log_err_r(-EEXIST,
			 "%s: made by another build of mplb: %u values of %u bytes, and this "
			 "program has %u of %u; " START_ANEW,
			 path, is.max_entries, is.value_size, bpf_map__max_entries(map),
			 bpf_map__value_size(map));
}

/* libbpf would look at the pins by itself, but takes the flags that the kernel adds to a devmap for
 * another layout. */
static int bind_map(struct bpf_map *map, const char *folder)
{
	char path[PIN_PATH_MAX + 32];
	int fd, err;

	snprintf(path, sizeof(path), "%s/%s", folder, bpf_map__name(map));
	fd = bpf_obj_get(path);
	if (fd < 0 && errno != ENOENT)
		return log_err_r(-errno, "%s: %s%s", path, strerror(errno),
				 errno == EPERM || errno == EACCES ? "; run as root" : "");
	if (fd < 0) {
		err = bpf_map__set_pin_path(map, path);
		return err ? log_err_r(err, "%s: cannot pin here", path) : 0;
	}
	err = check_layout(map, path, fd);
	if (!err) {
		err = bpf_map__reuse_fd(map, fd);
		if (err)
			log_error("%s: cannot be used again: %s", path, strerror(-err));
	}
	close(fd);
	return err;
}

int pins_bind(struct bpf_object *object, const char *folder)
{
	struct bpf_map *map;
	int err;

	bpf_object__for_each_map (map, object) {
		/* Constants of the program itself are not state. */
		if (bpf_map__is_internal(map))
			continue;
		err = bind_map(map, folder);
		if (err)
			return err;
	}
	return 0;
}

static int is_version(const struct dirent *entry)
{
	char *rest;

	if (entry->d_name[0] != 'v' || entry->d_name[1] < '0' || entry->d_name[1] > '9')
		return 0;
	strtoul(entry->d_name + 1, &rest, 10);
	return !*rest;
}

int pins_for_each(const char *root, int (*call)(const char *folder))
{
	struct dirent **versions;
	int n = scandir(root, &versions, is_version, versionsort), found = 0, err = 0;

	if (n < 0)
		return errno == ENOENT ? 0
				       : log_err_r(-errno, "%s: %s%s", root, strerror(errno),
						   errno == EACCES ? "; run as root" : "");
	for (int i = 0; i < n; i++) {
		char mark[PIN_PATH_MAX + 64];
		int len = snprintf(mark, sizeof(mark), "%.*s/%.32s/" MAP_MARK, PIN_PATH_MAX, root,
				   versions[i]->d_name);

		if (!err && !access(mark, F_OK)) {
			mark[(size_t)len - strlen("/" MAP_MARK)] = '\0';
			err = call(mark);
			found++;
		}
		free(versions[i]);
	}
	free(versions);
	return err ? err : found;
}

static int check_version(const char *folder)
{
	char own[16];

	snprintf(own, sizeof(own), "v%d", MPLB_ABI);
	if (!strcmp(strrchr(folder, '/') + 1, own))
		return 0;
	return log_err_r(-EEXIST,
			 "%s: the data plane of another version of mplb is here; to remove it from "
			 "its NICs, with its config and counters: lbctl detach all; to keep it and "
			 "put this one beside it, on other NICs: --pin-dir DIR",
			 folder);
}

int pins_check_versions(const char *root)
{
	int n = pins_for_each(root, check_version);

	return n < 0 ? n : 0;
}

static int is_map(const struct dirent *entry)
{
	return !strncmp(entry->d_name, MAP_PREFIX, strlen(MAP_PREFIX));
}

int pins_remove(const char *folder)
{
	char path[2 * PIN_PATH_MAX + 16];
	struct dirent **maps;
	int n = scandir(folder, &maps, is_map, alphasort), err = 0;

	if (n < 0)
		return log_err_r(-errno, "%s: %s", folder, strerror(errno));
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%.*s/%s", PIN_PATH_MAX, folder, maps[i]->d_name);
		if (!err && unlink(path))
			err = log_err_r(-errno, "%s: cannot remove: %s", path, strerror(errno));
		free(maps[i]);
	}
	free(maps);
	if (err)
		return err;
	/* The lock of an agent, and its socket's place; and what is above, unless others have pins
	 * there, as server-pm. */
	snprintf(path, sizeof(path), "%s/agent/socket", folder);
	unlink(path);
	snprintf(path, sizeof(path), "%s/agent", folder);
	rmdir(path);
	snprintf(path, sizeof(path), "%s", folder);
	if (!rmdir(path)) {
		*strrchr(path, '/') = '\0';
		rmdir(path);
	}
	return 0;
}
