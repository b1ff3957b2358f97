/* SPDX-License-Identifier: GPL-2.0-only */
/* The program on the NICs, through libxdp, which shares a NIC between programs where it can. */
#include "datapath.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <xdp/libxdp.h>

#include <linux/if_link.h>

#include "bpf/lb.skel.h"
#include "lib/log.h"
#include "pins.h"

#define MAX_MAPS 64

/* id of the map behind a descriptor, 0 on failure. */
static __u32 map_id(int fd)
{
	struct bpf_map_info info = { 0 };
	__u32 len = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &len) ? 0 : info.id;
}

/* Does this program use that map? */
static bool program_uses(__u32 program, __u32 map)
{
	__u32 ids[MAX_MAPS], len;
	struct bpf_prog_info info = { .nr_map_ids = MAX_MAPS, .map_ids = (__u64)(uintptr_t)ids };
	int fd = bpf_prog_get_fd_by_id(program), err;

	if (fd < 0)
		return false;
	len = sizeof(info);
	err = bpf_obj_get_info_by_fd(fd, &info, &len);
	close(fd);
	for (__u32 i = 0; !err && i < info.nr_map_ids && i < MAX_MAPS; i++)
		if (ids[i] == map)
			return true;
	return false;
}

/* What runs on a NIC: fills in *nic if one of its programs uses the map, else leaves entry as the
 * id of whatever runs there (0: nothing). */
static bool find_on_nic(struct xdp_multiprog *mp, __u32 map, struct datapath_nic *nic)
{
	struct xdp_program *prog = xdp_multiprog__main_prog(mp);
	bool legacy = xdp_multiprog__is_legacy(mp);

	nic->entry = prog ? xdp_program__id(prog) : 0;
	nic->generic = xdp_multiprog__attach_mode(mp) == XDP_MODE_SKB;
	nic->shared = !legacy;
	nic->program = 0;
	if (legacy) {
		if (nic->entry && program_uses(nic->entry, map))
			nic->program = nic->entry;
		return nic->program;
	}
	prog = NULL;
	while ((prog = xdp_multiprog__next_prog(prog, mp))) {
		if (program_uses(xdp_program__id(prog), map))
			nic->program = xdp_program__id(prog);
	}
	return nic->program;
}

int datapath_nics(int vips, struct datapath_nic **out, size_t *n)
{
	struct if_nameindex *list = if_nameindex();
	struct datapath_nic *nics = NULL;
	__u32 map = map_id(vips);
	size_t count = 0, room = 0;

	if (!list)
		return -errno;
	for (; list[room].if_index; room++)
		;
	nics = calloc(room + 1, sizeof(*nics));
	for (size_t i = 0; nics && list[i].if_index; i++) {
		struct xdp_multiprog *mp = xdp_multiprog__get_from_ifindex((int)list[i].if_index);
		struct datapath_nic *nic = &nics[count];

		if (!mp || libxdp_get_error(mp))
			continue;
		if (find_on_nic(mp, map, nic)) {
			nic->ifindex = list[i].if_index;
			snprintf(nic->name, sizeof(nic->name), "%s", list[i].if_name);
			count++;
		}
		xdp_multiprog__close(mp);
	}
	if_freenameindex(list);
	if (!nics)
		return -ENOMEM;
	*out = nics;
	*n = count;
	return 0;
}

static enum xdp_attach_mode xdp_mode(bool generic)
{
	return generic ? XDP_MODE_SKB : XDP_MODE_NATIVE;
}

/* Takes a program off a NIC through libxdp. 0 or -errno. */
static int detach_program(__u32 id, int ifindex, bool generic)
{
	struct xdp_program *prog = xdp_program__from_id(id);
	int err = prog ? (int)libxdp_get_error(prog) : -ENOENT;

	if (!err) {
		err = xdp_program__detach(prog, ifindex, xdp_mode(generic), 0);
		xdp_program__close(prog);
	}
	return err;
}

int datapath_detach(const struct datapath_nic *nic)
{
	int err = detach_program(nic->program, (int)nic->ifindex, nic->generic);

	if (err)
		log_error("%s: cannot detach the program: %s%s", nic->name, strerror(-err),
			  err == -EPERM ? "; run as root" : "");
	return err;
}

/* Takes the program of one data plane, of whatever version, off all NICs. */
static int detach_all(const char *folder)
{
	char path[PIN_PATH_MAX + 32];
	struct datapath_nic *nics = NULL;
	size_t n = 0;
	int map, err;

	snprintf(path, sizeof(path), "%s/mplb_vips", folder);
	map = bpf_obj_get(path);
	if (map < 0)
		return log_err_r(-errno, "%s: %s%s", path, strerror(errno),
				 errno == EPERM || errno == EACCES ? "; run as root" : "");
	err = datapath_nics(map, &nics, &n);
	if (err)
		log_error("cannot list the NICs: %s", strerror(-err));
	for (size_t i = 0; !err && i < n; i++)
		err = datapath_detach(&nics[i]);
	free(nics);
	close(map);
	return err;
}

static int remove_one(const char *folder)
{
	int lock = pin_lock(folder, 1), err;

	if (lock < 0)
		return lock;
	err = detach_all(folder);
	if (!err)
		err = pins_remove(folder);
	close(lock);
	return err;
}

int datapath_remove(const char *root)
{
	char folder[PIN_PATH_MAX];
	int err = pin_folder(root, NULL, 0, folder);

	if (!err)
		err = pins_for_each(root, remove_one);
	if (!err)
		return log_err_r(-ENOENT, "%s: no data plane here; nothing to detach", folder);
	return err < 0 ? err : 0;
}

static int explain_attach(const char *dev, int err, enum datapath_mode mode)
{
	switch (err) {
	case -EPERM:
	case -EACCES:
		return log_err_r(err,
				 "%s: not allowed to attach; run as root (CAP_NET_ADMIN, CAP_BPF)",
				 dev);
	case -EOPNOTSUPP:
		return log_err_r(err, "%s: no %s XDP on this NIC%s", dev,
				 mode == DATAPATH_GENERIC ? "generic" : "native",
				 mode == DATAPATH_NATIVE ? "; try: mode auto" : "");
	case -EBUSY:
		return log_err_r(
			err,
			"%s: another XDP program is on this NIC, and this kernel and libxdp "
			"cannot chain ours with it; remove it: ip link set dev %s xdp off",
			dev, dev);
	default:
		return log_err_r(err, "%s: cannot attach: %s (-v shows what the libraries say)",
				 dev, strerror(-err));
	}
}

/* The object, not loaded, with its maps bound to the pins. */
static int open_object(const char *folder, struct lb_bpf **out)
{
	struct lb_bpf *skel = lb_bpf__open();
	int err;

	if (!skel)
		return log_err_r(-errno, "cannot open the BPF object: %s", strerror(errno));
	err = pins_bind(skel->obj, folder);
	if (err) {
		lb_bpf__destroy(skel);
		return err;
	}
	*out = skel;
	return 0;
}

/* Where to attach. */
struct place {
	const char *folder, *dev;
	int ifindex;
};

/* One try through libxdp. Id of the program in *id. 0 or -errno; *logged: it was said why. */
static int add_once(const struct place *place, bool generic, __u32 *id, bool *logged)
{
	struct xdp_program *prog;
	struct lb_bpf *skel = NULL;
	int err = open_object(place->folder, &skel);

	*logged = !skel;
	if (!skel)
		return err;
	prog = xdp_program__from_bpf_obj(skel->obj, "xdp");
	err = prog ? (int)libxdp_get_error(prog) : -EINVAL;
	if (!err) {
		err = xdp_program__attach(prog, place->ifindex, xdp_mode(generic), 0);
		*id = xdp_program__id(prog);
		xdp_program__close(prog);
	}
	lb_bpf__destroy(skel);
	return err;
}

/* Puts a program on the NIC, beside others where they share it. Id of it in *id. 0, -EOPNOTSUPP for
 * a mode that the NIC does not have, or -errno, logged. */
static int add_program(const struct place *place, bool generic, __u32 *id)
{
	bool logged;
	int err = add_once(place, generic, id, &logged);

	/* Linux 6.12 refuses a program that changes packets in the dispatcher of libxdp before
	 * 1.5.5; alone on the NIC it needs none. */
	if (err == -EINVAL && !logged && !getenv("LIBXDP_SKIP_DISPATCHER")) {
		setenv("LIBXDP_SKIP_DISPATCHER", "1", 1);
		err = add_once(place, generic, id, &logged);
		unsetenv("LIBXDP_SKIP_DISPATCHER");
	}
	if (err && err != -EOPNOTSUPP && !logged)
		explain_attach(place->dev, err, generic ? DATAPATH_GENERIC : DATAPATH_NATIVE);
	/* What is invalid here is not the user's input. */
	return err == -EINVAL ? -EPROTO : err;
}

/* id of a program by its descriptor, 0 on failure. */
static __u32 program_id(int fd)
{
	struct bpf_prog_info info = { 0 };
	__u32 len = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &len) ? 0 : info.id;
}

/* Exchanges the only program of a NIC for a new one, in one step of the kernel's. */
static int exchange_program(const struct place *place, const struct datapath_nic *nic, __u32 *id)
{
	LIBBPF_OPTS(bpf_xdp_attach_opts, opts);
	__u32 flags = XDP_FLAGS_REPLACE | (nic->generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE);
	struct lb_bpf *skel = NULL;
	int err = open_object(place->folder, &skel), fd;

	if (!skel)
		return err;
	err = lb_bpf__load(skel);
	opts.old_prog_fd = bpf_prog_get_fd_by_id(nic->program);
	if (!err && opts.old_prog_fd < 0)
		err = -errno;
	if (!err) {
		fd = bpf_program__fd(skel->progs.mplb_lb);
		err = bpf_xdp_attach(place->ifindex, fd, flags, &opts);
		*id = program_id(fd);
	}
	if (opts.old_prog_fd >= 0)
		close(opts.old_prog_fd);
	lb_bpf__destroy(skel);
	return err ? explain_attach(place->dev, err, DATAPATH_AUTO) : 0;
}

/* Puts the new program on a NIC that runs ours already. Behind a dispatcher both run for a moment:
 * whichever has a packet first decides about it, as the other would. */
static int replace_program(const struct place *place, const struct datapath_nic *nic,
			   enum datapath_mode mode, struct datapath_attached *out)
{
	struct datapath_attached done = { .replaced = nic->program, .generic = nic->generic };
	int err;

	if (mode != DATAPATH_AUTO && nic->generic != (mode == DATAPATH_GENERIC))
		return log_err_r(-EBUSY,
				 "%s: mplb is attached here already, in %s mode; to change the "
				 "mode: lbctl detach %s, then attach",
				 place->dev, nic->generic ? "generic" : "native", place->dev);
	if (nic->shared) {
		err = add_program(place, nic->generic, &done.program);
		if (err == -EOPNOTSUPP)
			explain_attach(place->dev, err, mode);
		else if (!err && detach_program(nic->program, place->ifindex, nic->generic))
			log_warn("%s: the old program (%u) stays beside the new one; both do the "
				 "same",
				 place->dev, nic->program);
	} else {
		err = exchange_program(place, nic, &done.program);
	}
	if (!err)
		*out = done;
	return err;
}

static int attach_anew(const struct place *place, enum datapath_mode mode,
		       struct datapath_attached *out)
{
	struct datapath_attached done = { 0 };
	int err = -EOPNOTSUPP;

	if (mode != DATAPATH_GENERIC)
		err = add_program(place, false, &done.program);
	if (err == -EOPNOTSUPP && mode != DATAPATH_NATIVE) {
		done.generic = true;
		err = add_program(place, true, &done.program);
		if (!err && mode == DATAPATH_AUTO)
			log_warn("%s: the driver has no native XDP; attached in generic mode, "
				 "which is slower",
				 place->dev);
	}
	if (err == -EOPNOTSUPP)
		explain_attach(place->dev, err, mode);
	if (!err)
		*out = done;
	return err;
}

/* What runs on the NIC: nic->program is ours, if it is there. -EBUSY, logged: somebody else's that
 * cannot be shared with. */
static int look_at_nic(const struct place *place, struct datapath_nic *nic)
{
	struct xdp_multiprog *mp = xdp_multiprog__get_from_ifindex(place->ifindex);
	char path[PIN_PATH_MAX + 32];
	int map, err = 0;

	if (!mp || libxdp_get_error(mp))
		return 0;
	snprintf(path, sizeof(path), "%s/mplb_vips", place->folder);
	map = bpf_obj_get(path);
	if (!find_on_nic(mp, map < 0 ? 0 : map_id(map), nic) && xdp_multiprog__is_legacy(mp))
		err = log_err_r(
			-EBUSY,
			"%s: another XDP program (id %u) is on this NIC, and not behind libxdp's "
			"dispatcher, so it cannot be shared; remove it: ip link set dev %s xdp off",
			place->dev, nic->entry, place->dev);
	if (map >= 0)
		close(map);
	xdp_multiprog__close(mp);
	return err;
}

int datapath_attach(const char *root, const char *dev, enum datapath_mode mode,
		    struct datapath_attached *out)
{
	struct place place = { .dev = dev, .ifindex = (int)if_nametoindex(dev) };
	struct datapath_nic nic = { 0 };
	char folder[PIN_PATH_MAX];
	int err, lock;

	if (!place.ifindex)
		return log_err_r(-ENODEV,
				 "%s: no such device in this network namespace; see: ip link", dev);
	err = pins_check_versions(root);
	if (!err)
		err = pin_folder(root, NULL, 1, folder);
	if (err)
		return err;
	lock = pin_lock(folder, 1);
	if (lock < 0)
		return lock;
	place.folder = folder;
	err = look_at_nic(&place, &nic);
	if (!err)
		err = nic.program ? replace_program(&place, &nic, mode, out)
				  : attach_anew(&place, mode, out);
	close(lock);
	return err;
}
