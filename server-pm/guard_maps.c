/* SPDX-License-Identifier: GPL-2.0-only */
#include "guard_maps.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include "decap.h"
#include "lib/log.h"
#include "lib/monotonic.h"
#include "lib/sysctl.h"
#include "object.h"

#define BATCH 4096 /* tokens looked at at a time: more than there ever are in one bucket */
/* Where the ports begin that the kernel gives to sockets that want any (ip-sysctl.rst). */
#define PORT_RANGE	  "net.ipv4.ip_local_port_range"
#define DEFAULT_EPHEMERAL 32768

static const struct {
	const char *name;
	size_t fd; /* offset into struct guard_maps; NO_FD: the program's own */
} maps_all[] = {
	{ "guard_settings", offsetof(struct guard_maps, settings) },
	{ "guard_addresses", offsetof(struct guard_maps, addresses) },
	{ "guard_allow", offsetof(struct guard_maps, allow) },
	{ "guard_beat", offsetof(struct guard_maps, beat) },
	{ "guard_tokens", offsetof(struct guard_maps, tokens) },
#define NO_FD SIZE_MAX
	{ "guard_budget", NO_FD },
};

#define N_MAPS (sizeof(maps_all) / sizeof(*maps_all))

static int *fd_of(struct guard_maps *maps, size_t i)
{
	return maps_all[i].fd == NO_FD ? NULL : (int *)(void *)((char *)maps + maps_all[i].fd);
}

static void path_of(const struct server_state *state, size_t i, char *buf, size_t size)
{
	snprintf(buf, size, "%s/%s", server_state_path(state), maps_all[i].name);
}

static int make(const struct server_state *state)
{
	struct bpf_object *object;
	struct bpf_program *each;
	int err;

	object = server_object_open(server_state_path(state), SERVER_GUARD_PROGRAM, &err);
	if (!object)
		return err;
	bpf_object__for_each_program (each, object)
		bpf_program__set_autoload(each, false);
	err = bpf_object__load(object);
	bpf_object__close(object);
	return err ? log_err_r(err,
			       "the guard's maps in %s cannot be made: %s; run as root, with "
			       "20 MiB of memory to spare",
			       server_state_path(state), strerror(-err))
		   : 0;
}

void guard_maps_close(struct guard_maps *maps)
{
	for (size_t i = 0; i < N_MAPS; i++) {
		int *fd = fd_of(maps, i);

		if (fd && *fd >= 0)
			close(*fd);
		if (fd)
			*fd = -1;
	}
}

int guard_maps_open(const struct server_state *state, bool create, struct guard_maps *out)
{
	struct guard_maps maps = { -1, -1, -1, -1, -1 };
	char path[PATH_MAX + NAME_MAX];
	int err = create ? make(state) : 0;

	for (size_t i = 0; !err && i < N_MAPS; i++) {
		int *fd = fd_of(&maps, i);

		if (!fd)
			continue;
		path_of(state, i, path, sizeof(path));
		*fd = bpf_obj_get(path);
		if (*fd < 0)
			err = -errno;
		if (err && (create || err != -ENOENT))
			log_error("map %s cannot be opened: %s; run as root", path, strerror(-err));
	}
	if (err) {
		guard_maps_close(&maps);
		return err;
	}
	*out = maps;
	return 0;
}

int guard_maps_remove(const struct server_state *state)
{
	char path[PATH_MAX + NAME_MAX];

	for (size_t i = 0; i < N_MAPS; i++) {
		path_of(state, i, path, sizeof(path));
		if (unlink(path) && errno != ENOENT)
			return log_err_r(-errno, "pin %s cannot be removed: %s; run as root", path,
					 strerror(errno));
	}
	return 0;
}

/* ---- settings ---- */

int guard_maps_settings(const struct guard_maps *maps, struct mplb_guard *out)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(maps->settings, &zero, out) ? -errno : 0;
}

void guard_address(const struct mplb_guard *settings, const struct ip *prefix, __u32 token,
		   struct ip *out)
{
	struct mplb_guard now = *settings;

	now.prefix[0] = prefix->addr.word[0];
	now.prefix[1] = prefix->addr.word[1];
	*out = (struct ip){ .family = MPLB_FAMILY_6 };
	mplb_guard_address(&now, token, &out->addr);
}

static __u16 ephemeral(void)
{
	unsigned int first;
	char range[32];

	if (sysctl_read(PORT_RANGE, range, sizeof(range)) || sscanf(range, "%u", &first) != 1)
		return DEFAULT_EPHEMERAL;
	return (__u16)first;
}

/* The secret stays as it is: clients have addresses that were made with it. */
static int fill_settings(const struct guard_maps *maps, const struct server_guard_config *guard)
{
	struct mplb_guard now = { 0 };
	__u32 zero = 0;
	int err = guard_maps_settings(maps, &now);

	if (!err && !now.secret[0] && !now.secret[1] &&
	    getrandom(now.secret, sizeof(now.secret), 0) != sizeof(now.secret))
		err = -EIO;
	now.flags = guard->closed ? MPLB_GUARD_F_CLOSED : 0;
	now.ephemeral = ephemeral();
	now.prefix[0] = now.prefix[1] = 0;
	if (guard->prefix.family) {
		now.flags |= MPLB_GUARD_F_PREFIX;
		now.prefix[0] = guard->prefix.addr.word[0];
		now.prefix[1] = guard->prefix.addr.word[1];
	}
	if (!err && bpf_map_update_elem(maps->settings, &zero, &now, BPF_ANY))
		err = -errno;
	return err ? log_err_r(err, "the guard's settings cannot be written: %s; run as root",
			       strerror(-err))
		   : 0;
}

static bool is_allowed(const struct server_guard_config *guard, const struct mplb_guard_allow *key)
{
	for (size_t i = 0; i < guard->n_allow; i++)
		if (!memcmp(&guard->allow[i], key, sizeof(*key)))
			return true;
	return false;
}

static int fill_allow(const struct guard_maps *maps, const struct server_guard_config *guard)
{
	struct mplb_guard_allow key, *last = NULL, next;
	__u8 one = 1;

	while (!bpf_map_get_next_key(maps->allow, last, &next)) {
		key = next;
		last = &key;
		if (is_allowed(guard, &key))
			continue;
		bpf_map_delete_elem(maps->allow, &key);
		last = NULL;
	}
	for (size_t i = 0; i < guard->n_allow; i++)
		if (bpf_map_update_elem(maps->allow, &guard->allow[i], &one, BPF_ANY))
			return log_err_r(-errno,
					 "map of guard_allow cannot be written: %s; run as "
					 "root",
					 strerror(errno));
	return 0;
}

int guard_maps_fill(const struct guard_maps *maps, const struct server_config *config)
{
	int err = fill_settings(maps, &config->guard);

	err = err ? err : fill_allow(maps, &config->guard);
	return err ? err
		   : server_map_fill(maps->addresses, "dedicated addresses", &config->dedicated);
}

/* ---- tokens ---- */

void guard_maps_beat(const struct guard_maps *maps)
{
	__u64 now = monotonic_ns();
	__u32 zero = 0;

	bpf_map_update_elem(maps->beat, &zero, &now, BPF_ANY);
}

long long guard_maps_silence(const struct guard_maps *maps)
{
	__u64 beat = 0, now = monotonic_ns();
	__u32 zero = 0;

	if (bpf_map_lookup_elem(maps->beat, &zero, &beat) || !beat || beat > now)
		return -1;
	return (long long)((now - beat) / 1000000);
}

int guard_maps_token_add(const struct guard_maps *maps, __u32 token, __u32 look)
{
	return bpf_map_update_elem(maps->tokens, &token, &look, BPF_ANY) ? -errno : 0;
}

void guard_maps_token_remove(const struct guard_maps *maps, __u32 token)
{
	bpf_map_delete_elem(maps->tokens, &token);
}

struct batch {
	__u32 token[BATCH], look[BATCH];
};

/* Deletes what is old of n tokens; the number of the others. */
static long prune_batch(const struct guard_maps *maps, const struct batch *b, __u32 n, __u32 look)
{
	long left = 0;

	for (__u32 i = 0; i < n; i++) {
		if (look && b->look[i] + 1 < look)
			guard_maps_token_remove(maps, b->token[i]);
		else
			left++;
	}
	return left;
}

long guard_maps_tokens_prune(const struct guard_maps *maps, __u32 look)
{
	struct batch *b = malloc(sizeof(*b));
	__u32 at = 0, *from = NULL, n;
	long left = 0;
	int err = b ? 0 : -ENOMEM;

	while (!err) {
		n = BATCH;
		err = bpf_map_lookup_batch(maps->tokens, from, &at, b->token, b->look, &n, NULL)
			      ? -errno
			      : 0;
		from = &at;
		if (!err || err == -ENOENT)
			left += prune_batch(maps, b, n, look);
	}
	free(b);
	/* -ENOENT: that was all. */
	return err == -ENOENT ? left : err;
}
