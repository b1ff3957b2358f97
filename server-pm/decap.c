/* SPDX-License-Identifier: GPL-2.0-only */
#include "decap.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/if_link.h>
#include <linux/magic.h>
#include <xdp/libxdp.h>
#include "lib/log.h"
#include "object.h"

#define SKIP_DISPATCHER "LIBXDP_SKIP_DISPATCHER" /* libxdp: one program to a device */

/* Our program on a device. */
struct attached {
	__u32 id;
	enum xdp_attach_mode mode;
	bool legacy; /* on the hook itself, not in libxdp's dispatcher */
};

/* libxdp keeps its dispatcher's pins in /sys/fs/bpf, so that all programs of the machine share the
 * hook. Where that is no bpffs (ip netns exec hides it), ours has to do. */
static void choose_libxdp_bpffs(const struct server_state *state)
{
	struct statfs fs;

	if (statfs("/sys/fs/bpf", &fs) || fs.f_type != BPF_FS_MAGIC)
		setenv("LIBXDP_BPFFS", server_state_path(state), 0);
}

/* 1 with *out, 0 where our program is not there, -ENODEV or -errno. */
static int find_ours(const struct server_state *state, const char *device, struct attached *out)
{
	int ifindex = (int)if_nametoindex(device), found = 0;
	const struct xdp_program *prog = NULL;
	struct xdp_multiprog *mp;

	if (!ifindex)
		return -ENODEV;
	choose_libxdp_bpffs(state);
	mp = xdp_multiprog__get_from_ifindex(ifindex);
	if (libxdp_get_error(mp))
		return libxdp_get_error(mp) == -ENOENT ? 0 : (int)libxdp_get_error(mp);
	out->mode = xdp_multiprog__attach_mode(mp);
	out->legacy = xdp_multiprog__is_legacy(mp);
	prog = out->legacy ? xdp_multiprog__main_prog(mp) : xdp_multiprog__next_prog(NULL, mp);
	while (prog && !found) {
		out->id = xdp_program__id(prog);
		found = server_object_is_ours(state, out->id);
		prog = out->legacy ? NULL : xdp_multiprog__next_prog(prog, mp);
	}
	xdp_multiprog__close(mp);
	return found;
}

int server_decap_look(const struct server_state *state, const char *device)
{
	struct attached at = { 0 };

	return find_ours(state, device, &at);
}

const char *server_decap_mode(const struct server_state *state, const char *device)
{
	struct attached at = { 0 };

	if (find_ours(state, device, &at) != 1)
		return "-";
	return at.mode == XDP_MODE_SKB ? "generic" : "native";
}

const char *server_decap_foreign(const struct server_state *state, const char *device, char *buf,
				 size_t size)
{
	const struct xdp_program *prog;
	struct xdp_multiprog *mp;
	const char *name = NULL;

	if (state)
		choose_libxdp_bpffs(state);
	mp = xdp_multiprog__get_from_ifindex((int)if_nametoindex(device));
	if (libxdp_get_error(mp))
		return NULL;
	prog = xdp_multiprog__is_legacy(mp) ? xdp_multiprog__main_prog(mp) : NULL;
	if (prog && (!state || !server_object_is_ours(state, xdp_program__id(prog)))) {
		snprintf(buf, size, "%s", xdp_program__name(prog) ? xdp_program__name(prog) : "?");
		name = buf;
	}
	xdp_multiprog__close(mp);
	return name;
}

/* libxdp tries first whether the kernel can run its dispatcher, and libbpf complains at length
 * where it cannot: no news for an operator, since the program then has the hook to itself. */
static int attach_quietly(struct xdp_program *prog, int ifindex, enum xdp_attach_mode mode)
{
	libbpf_print_fn_t was = libbpf_set_print(server_object_print_debug);
	int err = xdp_program__attach(prog, ifindex, mode, 0);

	libbpf_set_print(was);
	return err;
}

static int attach_new(const struct server_state *state, int ifindex, enum xdp_attach_mode mode)
{
	struct xdp_program *prog;
	struct bpf_object *object;
	int err;

	choose_libxdp_bpffs(state);
	object = server_object_open(server_state_path(state), SERVER_PROGRAM, &err);
	if (!object)
		return err;
	prog = xdp_program__from_bpf_obj(object, "xdp");
	err = (int)libxdp_get_error(prog);
	if (!err) {
		err = attach_quietly(prog, ifindex, mode);
		xdp_program__close(prog);
	}
	bpf_object__close(object);
	return err;
}

/*
 * A kernel that takes into account whether a function changes packets ("bpf: check changes_pkt_data
 * property for extension programs", 6.13, and stable branches: 6.12) refuses ours in the dispatcher
 * of an older libxdp (1.3 is one), whose slots do not say so. It then has the hook to itself, as on
 * kernels that have no such programs at all.
 */
static int attach_once(const struct server_state *state, int ifindex, enum xdp_attach_mode mode)
{
	int err = attach_new(state, ifindex, mode);

	if (err != -EINVAL || getenv(SKIP_DISPATCHER))
		return err;
	setenv(SKIP_DISPATCHER, "1", 1);
	err = attach_new(state, ifindex, mode);
	unsetenv(SKIP_DISPATCHER);
	return err;
}

static int attach_error(int err, const struct server_state *state, const char *device,
			const char *mode)
{
	char name[64], text[128];

	if ((err == -EBUSY || err == -EEXIST) &&
	    server_decap_foreign(state, device, name, sizeof(name)))
		return log_err_r(
			err,
			"device %s: XDP program '%s' is on it and cannot be shared; take it "
			"off: ip link set dev %s xdp off (or xdpgeneric off)",
			device, name, device);
	libxdp_strerror(err, text, sizeof(text));
	return log_err_r(
		err,
		"device %s: decapsulation cannot be attached in %s mode: %s; `ip link show "
		"dev %s` shows what is on it, -v what the kernel says",
		device, mode, text, device);
}

int server_decap_attach(const struct server_state *state, const char *device, enum server_mode mode)
{
	int ifindex = (int)if_nametoindex(device), err = -EOPNOTSUPP;

	if (!ifindex)
		return log_err_r(-ENODEV, "device %s: no such device; `ip link` lists them",
				 device);
	if (mode != SERVER_MODE_GENERIC)
		err = attach_once(state, ifindex, XDP_MODE_NATIVE);
	if (err && mode == SERVER_MODE_NATIVE)
		return attach_error(err, state, device, "native");
	if (!err)
		return 0;
	if (mode == SERVER_MODE_AUTO && err != -EBUSY && err != -EEXIST)
		log_warn("device %s: native XDP refused (%s); falling back to generic mode, which "
			 "is slower",
			 device, strerror(-err));
	if (mode == SERVER_MODE_GENERIC || (err != -EBUSY && err != -EEXIST))
		err = attach_once(state, ifindex, XDP_MODE_SKB);
	return err ? attach_error(err, state, device, "generic") : 0;
}

int server_decap_detach(const struct server_state *state, const char *device)
{
	struct xdp_program *prog;
	struct attached at = { 0 };
	int err = find_ours(state, device, &at);

	if (err <= 0)
		return err == -ENODEV ? 0 : err;
	prog = xdp_program__from_id(at.id);
	err = (int)libxdp_get_error(prog);
	if (!err) {
		err = xdp_program__detach(prog, (int)if_nametoindex(device), at.mode, 0);
		xdp_program__close(prog);
	}
	if (err)
		log_error("device %s: decapsulation cannot be detached: %s; ip link set dev %s xdp "
			  "off",
			  device, strerror(-err), device);
	return err;
}

/* On the hook itself one program takes the other's place at once. */
static int replace_legacy(int ifindex, const struct attached *at, int new_fd)
{
	LIBBPF_OPTS(bpf_xdp_attach_opts, opts, .old_prog_fd = bpf_prog_get_fd_by_id(at->id));
	__u32 flags = at->mode == XDP_MODE_SKB ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;
	int err;

	if (opts.old_prog_fd < 0)
		return -errno;
	err = bpf_xdp_attach(ifindex, new_fd, flags | XDP_FLAGS_REPLACE, &opts);
	close(opts.old_prog_fd);
	return err;
}

/* In the dispatcher both are there for a moment: the second finds nothing left to decapsulate. */
static int replace_shared(const struct server_state *state, int ifindex, const struct attached *at)
{
	struct xdp_program *old = xdp_program__from_id(at->id);
	int err = (int)libxdp_get_error(old);

	if (err)
		return err;
	err = attach_once(state, ifindex, at->mode);
	if (!err)
		err = xdp_program__detach(old, ifindex, at->mode, 0);
	xdp_program__close(old);
	return err;
}

int server_decap_upgrade(const struct server_state *state, const char *device)
{
	struct attached at = { 0 };
	struct bpf_object *object;
	int fd, same, err = find_ours(state, device, &at);

	if (err <= 0)
		return err;
	fd = server_object_load(server_state_path(state), SERVER_PROGRAM, &object);
	same = fd < 0 ? fd : server_object_same_code(fd, at.id);
	err = same < 0 ? same : 0;
	if (!same)
		err = at.legacy ? replace_legacy((int)if_nametoindex(device), &at, fd)
				: replace_shared(state, (int)if_nametoindex(device), &at);
	bpf_object__close(object);
	if (err)
		log_error("device %s: the program cannot be replaced: %s; `clear`, then run again",
			  device, strerror(-err));
	return err;
}
