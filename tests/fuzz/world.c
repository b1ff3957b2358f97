/* SPDX-License-Identifier: GPL-2.0-only */
#include "world.h"

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "bpf/lb.skel.h"
#include "lib/log.h"
#include "lib/monotonic.h"
#include "mplb/steer.h"

#define WORLD_MEMBERS 8 /* places in mplb_backends for a pool: pool * WORLD_MEMBERS + n */
#define COUNT_OF(a)   (sizeof(a) / sizeof((a)[0]))

/* How the machine is set up for the backends that the FIB is asked about. */
static const char *const commands[] = {
	"ip link set lo up",
	"ip link add mplbf0 address 02:00:00:00:f0:00 type veth"
	" peer name mplbf1 address 02:00:00:00:f1:00",
	"ip link set mplbf0 mtu 9000",
	"ip link set mplbf1 mtu 9000",
	"ip addr add 10.99.0.1/24 dev mplbf0",
	"ip addr add fd99::1/64 dev mplbf0 nodad",
	"ip link set mplbf0 up",
	"ip link set mplbf1 up",
	"echo 1 > /proc/sys/net/ipv4/conf/mplbf0/forwarding",
	"echo 1 > /proc/sys/net/ipv6/conf/mplbf0/forwarding",
	"echo 0 > /proc/sys/net/ipv4/conf/lo/forwarding",
	"echo 0 > /proc/sys/net/ipv6/conf/lo/forwarding",
	"ip neigh add 10.99.0.2 lladdr 02:00:00:00:00:92 dev mplbf0 nud permanent",
	"ip neigh add fd99::2 lladdr 02:00:00:00:00:96 dev mplbf0 nud permanent",
	"ip route add 10.98.0.0/24 via 10.99.0.2 mtu lock 1300",
};

static int run_commands(void)
{
	for (size_t i = 0; i < COUNT_OF(commands); i++)
		if (system(commands[i]) != 0)
			return log_err_r(-EPROTO, "failed: %s", commands[i]);
	return 0;
}

/* Namespace and devices, then the program: it stays bound to nothing. */
static int open_program(struct world *world)
{
	if (unshare(CLONE_NEWNET))
		return log_err_r(-errno, "cannot make a network namespace: %s; run as root",
				 strerror(errno));
	if (run_commands())
		return -EPROTO;
	world->near = if_nametoindex("lo");
	world->away = if_nametoindex("mplbf0");
	world->skel = lb_bpf__open_and_load();
	if (!world->skel)
		return log_err_r(-errno, "cannot load bpf/lb.bpf.c: %s", strerror(errno));
	world->prog = bpf_program__fd(world->skel->progs.mplb_lb);
	world->dp.vips = bpf_map__fd(world->skel->maps.mplb_vips);
	world->dp.tables = bpf_map__fd(world->skel->maps.mplb_tables);
	world->dp.vip_stats = bpf_map__fd(world->skel->maps.mplb_vip_stats);
	world->dp.backend_stats = bpf_map__fd(world->skel->maps.mplb_backend_stats);
	world->dp.reasons = bpf_map__fd(world->skel->maps.mplb_reasons);
	world->dp.backends = datapath_mmap(bpf_map__fd(world->skel->maps.mplb_backends),
					   MPLB_MAX_BACKENDS * sizeof(struct mplb_backend));
	world->dp.members = bpf_map__fd(world->skel->maps.mplb_members);
	world->dp.tokens = datapath_mmap(bpf_map__fd(world->skel->maps.mplb_tokens),
					 MPLB_TOKEN_BUCKETS * sizeof(struct mplb_bucket));
	world->dp.subflows = datapath_mmap(bpf_map__fd(world->skel->maps.mplb_subflows),
					   MPLB_SUBFLOW_BUCKETS * sizeof(struct mplb_bucket));
	return world->dp.backends && world->dp.tokens && world->dp.subflows
		       ? 0
		       : log_err_r(-errno, "cannot map a table");
}

/* Lets packets leave by this device (mplb_ports in bpf/maps.h). */
static int open_port(const struct world *world, uint32_t ifindex)
{
	struct bpf_devmap_val val = { .ifindex = ifindex };
	int fd = bpf_map__fd(world->skel->maps.mplb_ports);

	return bpf_map_update_elem(fd, &ifindex, &val, BPF_ANY)
		       ? log_err_r(-errno, "mplb_ports: %s", strerror(errno))
		       : 0;
}

/* Budgets of VIPs that never run out. */
static int fill_budgets(const struct world *world)
{
	size_t cpus = (size_t)libbpf_num_possible_cpus();
	struct mplb_vip_budget *budget = calloc(cpus, sizeof(*budget));
	int fd = bpf_map__fd(world->skel->maps.mplb_vip_budget), err = budget ? 0 : -ENOMEM;

	for (size_t i = 0; budget && i < cpus; i++)
		budget[i].learn.tokens = budget[i].reset.tokens = 1ULL << 60;
	for (uint32_t vip = 0; !err && vip < MPLB_MAX_VIPS; vip++)
		err = bpf_map_update_elem(fd, &vip, budget, BPF_ANY) ? -errno : 0;
	free(budget);
	return err;
}

/* The buckets that were written to: of a few thousand packets, few. */
static void empty(struct mplb_bucket *buckets, size_t n)
{
	static const struct mplb_bucket none;

	for (size_t i = 0; i < n; i++)
		if (memcmp(&buckets[i], &none, sizeof(none)) != 0)
			buckets[i] = none;
}

void world_forget(const struct world *world)
{
	empty(world->dp.tokens, MPLB_TOKEN_BUCKETS);
	empty(world->dp.subflows, MPLB_SUBFLOW_BUCKETS);
	world->model.state->n_tokens = world->model.state->n_subflows = 0;
}

int world_open(struct world *world)
{
	int err;

	memset(world, 0, sizeof(*world));
	err = open_program(world);
	if (!err)
		err = open_port(world, world->near);
	if (!err)
		err = open_port(world, world->away);
	if (err)
		return err;
	err = world_fill(world);
	if (err)
		return log_err_r(err, "cannot fill the maps: %s", strerror(-err));
	world->model.vips = world->vips;
	world->model.pools = world->pools;
	world->model.backends = world->dp.backends;
	world->model.fib = world->fib;
	world->model.n_backends = MPLB_MAX_BACKENDS;
	world->model.no_forwarding = world->near;
	world->model.members = world->members;
	world->model.state = &world->state;
	return fill_budgets(world);
}

void world_set_budget(const struct world *world, bool full)
{
	static struct mplb_budget *budget;
	int cpus = libbpf_num_possible_cpus();
	uint32_t zero = 0;

	if (!budget)
		budget = calloc((size_t)cpus, sizeof(*budget));
	for (int i = 0; budget && i < cpus; i++) {
		budget[i].last_ns = monotonic_ns();
		budget[i].tokens = full ? MPLB_ICMP_BURST : 0;
	}
	bpf_map_update_elem(bpf_map__fd(world->skel->maps.mplb_icmp_budget), &zero, budget,
			    BPF_ANY);
}

void world_run(const struct world *world, const uint8_t *frame, size_t len, uint32_t ingress,
	       bool traced, struct world_result *out)
{
	uint8_t in[sizeof(struct mplb_trace) + WORLD_FRAME_MAX];
	static uint8_t back[sizeof(out->frame) + sizeof(struct mplb_trace)];
	const size_t meta = traced ? sizeof(struct mplb_trace) : 0;
	struct mplb_trace trace = { .magic = MPLB_TRACE_MAGIC,
				    .vip = MPLB_TRACE_NONE,
				    .slot = MPLB_TRACE_NONE,
				    .owner = MPLB_NO_BACKEND,
				    .fallback = MPLB_NO_BACKEND,
				    .reason = MPLB_R_MAX };
	struct xdp_md ctx = { .data = (uint32_t)meta,
			      .data_end = (uint32_t)(meta + len),
			      .ingress_ifindex = ingress };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in, .data_size_in = ctx.data_end,
		    .data_out = back, .data_size_out = sizeof(back), .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx), .repeat = 1);

	memcpy(in, &trace, meta);
	memcpy(in + meta, frame, len);
	if (bpf_prog_test_run_opts(world->prog, &opts)) {
		out->verdict = -errno;
		return;
	}
	out->verdict = (int)opts.retval;
	memcpy(&out->trace, traced ? (const void *)back : &trace, sizeof(trace));
	out->len = opts.data_size_out - meta;
	memcpy(out->frame, back + meta, out->len);
}
