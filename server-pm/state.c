/* SPDX-License-Identifier: GPL-2.0-only */
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include "lib/ip.h"
#include <bpf/libbpf.h>
#include "lib/log.h"
#include "object.h"
#include "pins.h"

static const char *const map_names[SERVER_MAP_MAX] = {
	[SERVER_MAP_BALANCERS] = "server_balancers", [SERVER_MAP_VIPS] = "server_vips",
	[SERVER_MAP_COUNTS] = "server_counts",	     [SERVER_MAP_SETTINGS] = "server_settings",
	[SERVER_MAP_STATE] = "server_state",
};

/* A `status` that asks whether someone runs holds the lock for an instant. */
#define LOCK_TRIES 3
#define LOCK_PAUSE 20000 /* us */

struct server_state {
	char *pin_dir;
	char path[PATH_MAX]; /* of the folder with the pins */
	int lock; /* descriptor of that folder, or -1 */
	int fd[SERVER_MAP_MAX];
	struct mplb_server_item item[MPLB_SERVER_MAX_ITEMS]; /* as in the map */
};

const char *server_state_path(const struct server_state *state)
{
	return state->path;
}

static void pin_path(const struct server_state *state, const char *map_name, char *buf, size_t size)
{
	snprintf(buf, size, "%s/%s", state->path, map_name);
}

int server_state_map(const struct server_state *state, enum server_map map)
{
	return state->fd[map];
}

bool server_item_same(const struct mplb_server_item *a, const struct mplb_server_item *b)
{
	return a->kind == b->kind && a->family == b->family && a->port == b->port &&
	       !memcmp(&a->addr, &b->addr, sizeof(a->addr)) && !strcmp(a->name, b->name);
}

/* False where they are not there; where that cannot be seen, opening them says why. */
static bool have_pins(const struct server_state *state)
{
	char path[PATH_MAX + NAME_MAX];

	for (size_t i = 0; i < SERVER_MAP_MAX; i++) {
		pin_path(state, map_names[i], path, sizeof(path));
		if (access(path, F_OK) && errno == ENOENT)
			return false;
	}
	return true;
}

/* Makes and pins the maps that are not there; those that are stay as they are. */
static int make_maps(struct server_state *state)
{
	int err;
	struct bpf_object *object = server_object_open(state->path, NULL, &err);

	if (!object)
		return err;
	err = bpf_object__load(object);
	bpf_object__close(object);
	if (err)
		log_error("BPF maps in %s cannot be made: %s; %s", state->path, strerror(-err),
			  err == -EINVAL  ? "another version left its own: run its `clear`, or "
					    "remove the folder"
			  : err == -ESRCH ? "the kernel's BTF is wanted: boot one built with "
					    "CONFIG_DEBUG_INFO_BTF=y"
					  : "run as root (CAP_BPF, CAP_NET_ADMIN)");
	return err;
}

static int open_maps(struct server_state *state)
{
	char path[PATH_MAX + NAME_MAX];

	for (size_t i = 0; i < SERVER_MAP_MAX; i++) {
		pin_path(state, map_names[i], path, sizeof(path));
		state->fd[i] = bpf_obj_get(path);
		if (state->fd[i] < 0)
			return log_err_r(-errno, "map %s cannot be opened: %s; run as root", path,
					 strerror(errno));
	}
	return 0;
}

static int read_items(struct server_state *state)
{
	int fd = state->fd[SERVER_MAP_STATE];

	for (__u32 i = 0; i < MPLB_SERVER_MAX_ITEMS; i++)
		if (bpf_map_lookup_elem(fd, &i, &state->item[i]))
			return log_err_r(-errno,
					 "map server_state in %s cannot be read: %s; remove "
					 "the folder if another version left it",
					 state->path, strerror(errno));
	return 0;
}

int server_state_open(const char *pin_dir, bool create, struct server_state **out)
{
	struct server_state *state = calloc(1, sizeof(*state));
	int err = 0;

	if (!state)
		return log_err_r(-ENOMEM, "out of memory; free some");
	state->lock = -1;
	for (size_t i = 0; i < SERVER_MAP_MAX; i++)
		state->fd[i] = -1;
	state->pin_dir = strdup(pin_dir);
	server_pins_path(pin_dir, 0, state->path, sizeof(state->path));
	if (!state->pin_dir)
		err = log_err_r(-ENOMEM, "out of memory; free some");
	if (!err && create)
		err = server_pins_make(pin_dir);
	if (!err && !have_pins(state))
		err = create ? make_maps(state) : -ENOENT;
	err = err ? err : open_maps(state);
	err = err ? err : read_items(state);
	if (err) {
		server_state_close(state);
		return err;
	}
	*out = state;
	return 0;
}

void server_state_close(struct server_state *state)
{
	if (!state)
		return;
	for (size_t i = 0; i < SERVER_MAP_MAX; i++)
		if (state->fd[i] >= 0)
			close(state->fd[i]);
	if (state->lock >= 0)
		close(state->lock);
	free(state->pin_dir);
	free(state);
}

int server_state_lock(struct server_state *state)
{
	struct stat locked, there;
	int fd = open(state->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = 0, tries = LOCK_TRIES;

	if (fd < 0)
		return -errno;
	while ((err = flock(fd, LOCK_EX | LOCK_NB)) && errno == EWOULDBLOCK && --tries)
		usleep(LOCK_PAUSE);
	if (err)
		err = errno == EWOULDBLOCK ? -EBUSY : -errno;
	/* A `clear` that ended meanwhile has removed the folder that was locked here. */
	else if (fstat(fd, &locked) || stat(state->path, &there) || locked.st_ino != there.st_ino)
		err = -EBUSY;
	if (err) {
		close(fd);
		return err;
	}
	state->lock = fd;
	return read_items(state);
}

bool server_state_is_locked(const struct server_state *state)
{
	int fd = open(state->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool locked = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK;

	if (fd >= 0)
		close(fd);
	return locked;
}

size_t server_state_items(const struct server_state *state, const struct mplb_server_item **items)
{
	*items = state->item;
	return MPLB_SERVER_MAX_ITEMS;
}

static struct mplb_server_item *find(const struct server_state *state,
				     const struct mplb_server_item *item)
{
	for (size_t i = 0; i < MPLB_SERVER_MAX_ITEMS; i++)
		if (server_item_same(&state->item[i], item))
			return (struct mplb_server_item *)&state->item[i];
	return NULL;
}

const struct mplb_server_item *server_state_find(const struct server_state *state,
						 const struct mplb_server_item *item)
{
	return find(state, item);
}

static int write_item(struct server_state *state, struct mplb_server_item *entry,
		      const struct mplb_server_item *item)
{
	__u32 index = (__u32)(entry - state->item);

	if (bpf_map_update_elem(state->fd[SERVER_MAP_STATE], &index, item, BPF_ANY))
		return log_err_r(-errno,
				 "map server_state in %s cannot be written: %s; run as root",
				 state->path, strerror(errno));
	*entry = *item;
	return 0;
}

int server_state_save(struct server_state *state, const struct mplb_server_item *item)
{
	static const struct mplb_server_item unused;
	struct mplb_server_item *entry = find(state, item);

	if (!entry)
		entry = find(state, &unused);
	if (!entry)
		return log_err_r(-ENOSPC, "the state has room for %d entries; configure fewer VIPs",
				 MPLB_SERVER_MAX_ITEMS);
	return write_item(state, entry, item);
}

int server_state_forget(struct server_state *state, const struct mplb_server_item *item)
{
	static const struct mplb_server_item unused;
	struct mplb_server_item *entry = find(state, item);

	return entry ? write_item(state, entry, &unused) : 0;
}

int server_state_claim_netns(struct server_state *state)
{
	struct mplb_server_item item = { .kind = MPLB_SERVER_NETNS };
	struct stat ns;

	if (stat("/proc/self/ns/net", &ns))
		return log_err_r(-errno, "/proc/self/ns/net: %s; mount /proc", strerror(errno));
	snprintf(item.value, sizeof(item.value), "%llu", (unsigned long long)ns.st_ino);
	for (size_t i = 0; i < MPLB_SERVER_MAX_ITEMS; i++) {
		if (state->item[i].kind != MPLB_SERVER_NETNS)
			continue;
		if (!strcmp(state->item[i].value, item.value))
			return 0;
		return log_err_r(-EXDEV,
				 "%s is in use for another network namespace; give another "
				 "--pin-dir, or, if that namespace is gone, rm -r %s",
				 state->path, state->path);
	}
	return server_state_save(state, &item);
}

int server_state_remove(struct server_state *state)
{
	char path[PATH_MAX + NAME_MAX];

	for (size_t i = 0; i < SERVER_MAP_MAX; i++) {
		pin_path(state, map_names[i], path, sizeof(path));
		if (unlink(path) && errno != ENOENT)
			return log_err_r(-errno, "pin %s cannot be removed: %s; run as root", path,
					 strerror(errno));
	}
	/* libxdp's folder, where choose_libxdp_bpffs() gave it ours. It is empty but for other
	 * programs' dispatchers; those, and folders above that others use, stay. */
	pin_path(state, "xdp", path, sizeof(path));
	rmdir(path);
	for (int up = 0; up <= 2; up++) {
		server_pins_path(state->pin_dir, up, path, sizeof(path));
		if (rmdir(path))
			break;
	}
	return 0;
}

json_t *server_state_addresses_json(int fd)
{
	struct mplb_server_addr key, *last = NULL, next;
	json_t *list = json_array();
	char text[IP_STRLEN];

	while (!bpf_map_get_next_key(fd, last, &next)) {
		struct ip ip = { .addr = next.addr, .family = next.family };

		json_array_append_new(list, json_string(ip_format(&ip, text)));
		key = next;
		last = &key;
	}
	return list;
}
