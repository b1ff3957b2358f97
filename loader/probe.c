/* SPDX-License-Identifier: GPL-2.0-only */
#include "datapath.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "bpf/lb.skel.h"
#include "lib/log.h"
#include "pins.h"

int datapath_load_probe(const struct datapath *dp, __u32 mark)
{
	struct lb_bpf *skel = lb_bpf__open();
	int err, fd = -1;

	if (!skel)
		return log_err_r(-errno, "cannot open the BPF object: %s", strerror(errno));
	skel->rodata->probe_mark = mark;
	bpf_program__set_autoload(skel->progs.mplb_lb, false);
	bpf_program__set_autoload(skel->progs.mplb_probe, true);
	err = pins_bind(skel->obj, dp->folder);
	if (!err) {
		err = lb_bpf__load(skel);
		if (err)
			log_error("the kernel refuses the program of the health probes: %s; -v "
				  "shows what it says",
				  strerror(-err));
	}
	if (!err) {
		fd = dup(bpf_program__fd(skel->progs.mplb_probe));
		err = fd < 0 ? log_err_r(-errno, "cannot keep the program of the health probes: %s",
					 strerror(errno))
			     : 0;
	}
	lb_bpf__destroy(skel);
	return err ? err : fd;
}
