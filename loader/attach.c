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

#include "bpf/lb.skel.h"
#include "lib/log.h"

#define PROGRAM_NAME "mplb_lb"
#define MAX_MAPS     64

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

int datapath_nics(const struct datapath *dp, struct datapath_nic **out, size_t *n)
{
	struct if_nameindex *list = if_nameindex();
	struct datapath_nic *nics = NULL;
	__u32 map = map_id(dp->vips);
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

int datapath_detach(const struct datapath *dp, const struct datapath_nic *nic)
{
	struct xdp_program *prog = xdp_program__from_id(nic->program);
	int err = prog ? (int)libxdp_get_error(prog) : -ENOENT;

	(void)dp;
	if (!err) {
		err = xdp_program__detach(prog, (int)nic->ifindex,
					  nic->generic ? XDP_MODE_SKB : XDP_MODE_NATIVE, 0);
		xdp_program__close(prog);
	}
	if (err)
		log_error("%s: cannot detach the program: %s%s", nic->name, strerror(-err),
			  err == -EPERM ? "; run as root" : "");
	return err;
}

/* Opens the object and tells libbpf where its maps are pinned: those that are there are used,
 * the others made. */
static int open_object(const char *folder, struct lb_bpf **out)
{
	struct lb_bpf *skel = lb_bpf__open();
	char path[PIN_PATH_MAX + 32];
	struct bpf_map *map;

	if (!skel)
		return log_err_r(-errno, "cannot open the BPF object: %s", strerror(errno));
	bpf_object__for_each_map (map, skel->obj) {
		snprintf(path, sizeof(path), "%s/%s", folder, bpf_map__name(map));
		if (bpf_map__set_pin_path(map, path)) {
			lb_bpf__destroy(skel);
			return log_err_r(-EINVAL, "%s: cannot pin here", path);
		}
	}
	*out = skel;
	return 0;
}

/* One try in one mode. 0 or -errno; -EBUSY for a NIC that runs somebody else's program. */
static int try_attach(const char *folder, int ifindex, enum xdp_attach_mode mode)
{
	struct xdp_program *prog;
	struct lb_bpf *skel;
	int err = open_object(folder, &skel);

	if (err)
		return err;
	prog = xdp_program__from_bpf_obj(skel->obj, "xdp");
	err = prog ? (int)libxdp_get_error(prog) : -EINVAL;
	if (!err) {
		err = xdp_program__attach(prog, ifindex, mode, 0);
		xdp_program__close(prog);
	}
	lb_bpf__destroy(skel);
	return err;
}

/* Says why a NIC cannot be had, where something runs on it already. 0: nothing does, or it can be
 * shared. */
static int check_occupied(const char *folder, const char *dev, int ifindex)
{
	struct xdp_multiprog *mp = xdp_multiprog__get_from_ifindex(ifindex);
	char path[PIN_PATH_MAX + 32];
	struct datapath_nic nic = { 0 };
	int map, err = 0;

	if (!mp || libxdp_get_error(mp))
		return 0;
	snprintf(path, sizeof(path), "%s/mplb_vips", folder);
	map = bpf_obj_get(path);
	if (find_on_nic(mp, map < 0 ? 0 : map_id(map), &nic))
		err = log_err_r(-EEXIST, "%s: mplb is attached here already (program %u)", dev,
				nic.program);
	else if (xdp_multiprog__is_legacy(mp))
		err = log_err_r(
			-EBUSY,
			"%s: another XDP program (id %u) is on this NIC, and not behind libxdp's "
			"dispatcher, so it cannot be shared; remove it: ip link set dev %s xdp off",
			dev, nic.entry, dev);
	if (map >= 0)
		close(map);
	xdp_multiprog__close(mp);
	return err;
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
	default:
		return log_err_r(err, "%s: cannot attach: %s (-v shows what the libraries say)",
				 dev, strerror(-err));
	}
}

int datapath_attach(const char *root, const char *dev, enum datapath_mode mode)
{
	int ifindex = (int)if_nametoindex(dev), err, lock;
	char folder[PIN_PATH_MAX];

	if (!ifindex)
		return log_err_r(-ENODEV,
				 "%s: no such device in this network namespace; see: ip link", dev);
	err = pin_folder(root, NULL, 1, folder);
	if (err)
		return err;
	lock = pin_lock(folder, 1);
	if (lock < 0)
		return lock;
	err = check_occupied(folder, dev, ifindex);
	if (err)
		goto out;
	err = -EOPNOTSUPP;
	if (mode != DATAPATH_GENERIC)
		err = try_attach(folder, ifindex, XDP_MODE_NATIVE);
	if (err == -EOPNOTSUPP && mode != DATAPATH_NATIVE) {
		err = try_attach(folder, ifindex, XDP_MODE_SKB);
		if (!err && mode == DATAPATH_AUTO)
			log_warn(
				"%s: the driver has no native XDP; attached in generic mode, which "
				"is slower",
				dev);
	}
	if (err)
		explain_attach(dev, err, mode);
out:
	close(lock);
	return err;
}
