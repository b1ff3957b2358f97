/* SPDX-License-Identifier: GPL-2.0-only */
#include "datapath.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "bpf/lb.skel.h"
#include "lib/log.h"
#include "pins.h"

#define PROGRAM "mplb_probe"

/* Leaves the other programs out, and sets the one constant that there is. */
static int prepare(struct bpf_object *object, const char *folder, __u32 mark)
{
	struct bpf_program *program;
	struct bpf_map *map;

	bpf_object__for_each_program (program, object)
		bpf_program__set_autoload(program, !strcmp(bpf_program__name(program), PROGRAM));
	bpf_object__for_each_map (map, object) {
		int err = bpf_map__is_internal(map)
				  ? bpf_map__set_initial_value(map, &mark, sizeof(mark))
				  : 0;

		if (err)
			return log_err_r(err, "cannot set the mark of the health probes: %s",
					 strerror(-err));
	}
	return pins_bind(object, folder);
}

int datapath_load_probe(const struct datapath *dp, __u32 mark)
{
	struct bpf_object *object;
	const void *bytes;
	size_t size;
	int err, fd;

	bytes = lb_bpf__elf_bytes(&size);
	object = bpf_object__open_mem(bytes, size, NULL);
	if (!object)
		return log_err_r(-errno, "cannot open the BPF object: %s", strerror(errno));
	err = prepare(object, dp->folder, mark);
	if (!err) {
		err = bpf_object__load(object);
		if (err)
			log_error("the kernel refuses the program of the health probes: %s; -v "
				  "shows what it says",
				  strerror(-err));
	}
	fd = err ? err : dup(bpf_program__fd(bpf_object__find_program_by_name(object, PROGRAM)));
	if (!err && fd < 0)
		fd = log_err_r(-errno, "cannot keep the program of the health probes: %s",
			       strerror(errno));
	bpf_object__close(object);
	return fd;
}
