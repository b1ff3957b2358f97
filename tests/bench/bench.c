/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * make bench: program cost per packet, in the kernel (BPF_PROG_TEST_RUN),
 * median of several runs. Every figure stands beside the floor measured in the
 * same run; compare ratios and differences, not single figures of two machines.
 */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <time.h>

#include <linux/if_link.h>

#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>

#include <bpf/bpf.h>
#include <jansson.h>

#include "lib/log.h"
#include "lib/out.h"
#include "loader/maglev.h"
#include "loader/pooltable.h"
#include "loader/viptable.h"
#include "mplb/hash.h"
#include "mplb/steer.h"
#include "tests/bench/bench.skel.h"

#define LIVE_RUNS   7
#define LIVE_REPEAT 2000000
#define BACKENDS    10
#define SEED	    0x5eed

enum program { EMPTY, WRAPPER, SWAP, PUSH, LB };

struct bench_case {
	const char *name;
	enum program program;
	int family;
	__u32 flows;
	enum { ACK, SYN_CAPABLE, SYN_PLAIN, ACK_DSS, ACK_KEYS, SYN_JOIN } kind;
	enum { TO_IPIP4, TO_IPIP6, TO_GUE4, TO_GUE6, TO_L2, TO_NOTHING } target;
	int verdict;
	enum {
		STEER_NONE,
		STEER, /* mp_join: steer */
		STEER_JOINED, /* and all flows are joined subflows */
		STEER_NEW, /* and each packet has another key */
		STEER_LIMITED, /* and no reset may be sent */
		STEER_PORT, /* to a join port */
	} steer;
};

static const struct bench_case cases[] = {
	{ "empty program", EMPTY, 4, 1, ACK, TO_NOTHING, 2 },
	{ "wrapper alone", WRAPPER, 4, 1, ACK, TO_NOTHING, 2 },
	{ "wrapper + swapped MACs (the floor)", SWAP, 4, 1, ACK, TO_NOTHING, 3 },
	{ "wrapper + 20 bytes pushed", PUSH, 4, 1, ACK, TO_NOTHING, 3 },
	{ "not for a VIP", LB, 4, 1, ACK, TO_NOTHING, 2 },
	{ "l2, IPv4 ACK, 1 flow", LB, 4, 1, ACK, TO_L2, 3 },
	{ "ipip, IPv4 ACK, 1 flow", LB, 4, 1, ACK, TO_IPIP4, 3 },
	{ "ipip, IPv4 ACK, 16 thousand flows", LB, 4, 1 << 14, ACK, TO_IPIP4, 3 },
	{ "ipip, IPv4 ACK, 131 thousand flows", LB, 4, 1 << 17, ACK, TO_IPIP4, 3 },
	{ "ipip, IPv4 ACK, 1 million flows", LB, 4, 1 << 20, ACK, TO_IPIP4, 3 },
	{ "ipip, IPv4 SYN + MP_CAPABLE, 1 flow", LB, 4, 1, SYN_CAPABLE, TO_IPIP4, 3 },
	{ "ipip, IPv4 SYN + MP_CAPABLE, 1 million flows", LB, 4, 1 << 20, SYN_CAPABLE, TO_IPIP4,
	  3 },
	{ "ipip, IPv4 SYN without MPTCP, 1 flow", LB, 4, 1, SYN_PLAIN, TO_IPIP4, 3 },
	{ "ipip, IPv6 ACK, 1 flow", LB, 6, 1, ACK, TO_IPIP6, 3 },
	{ "ipip, IPv6 ACK, 1 million flows", LB, 6, 1 << 20, ACK, TO_IPIP6, 3 },
	{ "gue + fallback, IPv4 ACK, 1 flow", LB, 4, 1, ACK, TO_GUE4, 3 },
	{ "gue + fallback, IPv4 ACK, 1 million flows", LB, 4, 1 << 20, ACK, TO_GUE4, 3 },
	{ "gue + fallback, IPv6 ACK, 1 flow", LB, 6, 1, ACK, TO_GUE6, 3 },
	{ "gue + fallback, IPv6 ACK, 1 million flows", LB, 6, 1 << 20, ACK, TO_GUE6, 3 },
	{ "steer: ACK, 1 flow", LB, 4, 1, ACK, TO_IPIP4, 3, STEER },
	{ "steer: ACK, 1 million flows", LB, 4, 1 << 20, ACK, TO_IPIP4, 3, STEER },
	{ "steer: ACK with DSS, 1 flow", LB, 4, 1, ACK_DSS, TO_IPIP4, 3, STEER },
	{ "steer: ACK with DSS, 1 million flows", LB, 4, 1 << 20, ACK_DSS, TO_IPIP4, 3, STEER },
	{ "steer: ACK of a joined subflow, 1 flow", LB, 4, 1, ACK, TO_IPIP4, 3, STEER_JOINED },
	{ "steer: ACK of a joined subflow, 262 thousand", LB, 4, 1 << 18, ACK, TO_IPIP4, 3,
	  STEER_JOINED },
	{ "steer: SYN + MP_CAPABLE, 1 flow", LB, 4, 1, SYN_CAPABLE, TO_IPIP4, 3, STEER },
	{ "steer: third ACK, known token", LB, 4, 1, ACK_KEYS, TO_IPIP4, 3, STEER },
	{ "steer: third ACK, new tokens, until full", LB, 4, 1, ACK_KEYS, TO_IPIP4, 3, STEER_NEW },
	{ "steer: join, 1 flow", LB, 4, 1, SYN_JOIN, TO_IPIP4, 3, STEER },
	{ "steer: join, 131 thousand flows", LB, 4, 1 << 17, SYN_JOIN, TO_IPIP4, 3, STEER },
	{ "steer: join, unknown, beyond the rate", LB, 4, 1 << 18, SYN_JOIN, TO_IPIP4, 1,
	  STEER_LIMITED },
	{ "join port: ACK, 1 flow", LB, 4, 1, ACK, TO_IPIP4, 3, STEER_PORT },
	{ "join port: ACK, 1 million flows", LB, 4, 1 << 20, ACK, TO_IPIP4, 3, STEER_PORT },
	{ "join port: join, 1 flow", LB, 4, 1, SYN_JOIN, TO_IPIP4, 3, STEER_PORT },
};

#define N_CASES (sizeof(cases) / sizeof(cases[0]))

/* The options of a Linux SYN: MSS, SACK permitted, timestamps, NOP, window
 * scale, MP_CAPABLE. */
static const __u8 syn_options[24] = {
	2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7, 30, 4, 0x01, 0x01,
};

/* Timestamps, then an acknowledgement of data, or the client's third ACK. */
#define TIMESTAMPS 1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8
static const __u8 dss_options[20] = { TIMESTAMPS, 30, 8, 0x20, 0x01, 1, 2, 3, 4 };
static const __u8 keys_options[32] = { TIMESTAMPS, 30, 20, 0x01, 0x01 };
static const __u8 join_options[32] = { 2,    4, 5,    0xb4, 4,	  2,	8, 10, 1, 2,  3,
				       4,    0, 0,    0,    0,	  1,	3, 3,  7, 30, 12,
				       0x10, 1, 0xde, 0xad, 0xbe, 0xef, 1, 2,  3, 4 };
#define JOIN_TOKEN 0xdeadbeef
#define JOIN_BASE  20000

static const struct {
	const __u8 *at;
	size_t len;
} options_of[] = {
	[SYN_CAPABLE] = { syn_options, 24 }, [SYN_PLAIN] = { syn_options, 20 },
	[ACK_DSS] = { dss_options, 20 },     [ACK_KEYS] = { keys_options, 32 },
	[SYN_JOIN] = { join_options, 32 },
};

static bool is_ack(const struct bench_case *c)
{
	return c->kind == ACK || c->kind == ACK_DSS || c->kind == ACK_KEYS;
}

static size_t make_frame(const struct bench_case *c, __u8 *frame)
{
	size_t options = options_of[c->kind].len;
	size_t header = c->family == 4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	struct tcphdr *tcp = (void *)(frame + ETH_HLEN + header);
	size_t len = ETH_HLEN + header + sizeof(*tcp) + options;

	memset(frame, 0, 256);
	if (c->family == 4) {
		struct iphdr *ip = (void *)(frame + ETH_HLEN);

		ip->version = 4;
		ip->ihl = 5;
		ip->ttl = 64;
		ip->protocol = IPPROTO_TCP;
		ip->tot_len = htons((__u16)(len - ETH_HLEN));
		ip->daddr = htonl(0xc6336401); /* 198.51.100.1 */
	} else {
		struct ipv6hdr *ip6 = (void *)(frame + ETH_HLEN);

		ip6->version = 6;
		ip6->nexthdr = IPPROTO_TCP;
		ip6->hop_limit = 64;
		ip6->payload_len = htons((__u16)(sizeof(*tcp) + options));
		inet_pton(AF_INET6, "2001:db8::1", &ip6->daddr);
		inet_pton(AF_INET6, "2001:db8:1::", &ip6->saddr);
	}
	tcp->dest = htons(c->steer == STEER_PORT ? JOIN_BASE + 1 : 443);
	tcp->doff = (__u16)((sizeof(*tcp) + options) / 4) & 15;
	if (is_ack(c))
		tcp->ack = 1;
	else
		tcp->syn = 1;
	if (options)
		memcpy(tcp + 1, options_of[c->kind].at, options);
	return len;
}

static const __u8 forward_of[] = {
	[TO_IPIP4] = MPLB_FORWARD_IPIP, [TO_IPIP6] = MPLB_FORWARD_IPIP,
	[TO_GUE4] = MPLB_FORWARD_GUE,	[TO_GUE6] = MPLB_FORWARD_GUE,
	[TO_L2] = MPLB_FORWARD_L2,	[TO_NOTHING] = 0,
};

static int fill_backends(struct bench_bpf *skel, const struct bench_case *c, __u32 ifindex)
{
	for (__u32 i = 0; i < BACKENDS; i++) {
		struct mplb_backend b = {
			.ifindex = ifindex,
			.dmac = { 2, 0, 0, 0, 0, (__u8)i },
			.smac = { 2, 0, 0, 0, 1, (__u8)i },
			.flags = MPLB_BACKEND_F_RESOLVED,
			.mtu = 1600,
			.forward = forward_of[c->target],
			.family = c->target == TO_IPIP6 || c->target == TO_GUE6 ? MPLB_FAMILY_6
										: MPLB_FAMILY_4,
		};

		b.dst.word[0] = htonl(0x0a000001 + i);
		b.src.word[0] = htonl(0x0a0000fe);
		if (bpf_map_update_elem(bpf_map__fd(skel->maps.mplb_backends), &i, &b, 0))
			return -errno;
	}
	return 0;
}

static int fill_table(struct bench_bpf *skel)
{
	struct maglev_member members[BACKENDS];
	struct mplb_table_slot *slots;
	__u32 zero = 0;
	int fd, err;

	/* Owners are the first half, fallbacks the second: every packet has both. */
	for (__u16 i = 0; i < BACKENDS; i++)
		members[i] = (struct maglev_member){
			.id = (__u16)(i + 1),
			.index = i,
			.weight = i < BACKENDS / 2 ? 100 : 0,
			.base = i < BACKENDS / 2 ? 0 : 100,
		};
	fd = pooltable_new(&slots);
	if (fd < 0)
		return fd;
	err = maglev_build(members, BACKENDS, SEED, slots);
	pooltable_unmap(slots);
	if (!err && bpf_map_update_elem(bpf_map__fd(skel->maps.mplb_tables), &zero, &fd, 0))
		err = -errno;
	return err;
}

static int fill_vips(struct bench_bpf *skel, const struct bench_case *c)
{
	struct datapath dp = { .vips = bpf_map__fd(skel->maps.mplb_vips) };
	struct mplb_vip_slot *table = viptable_new();
	struct mplb_vip_slot v4 = { .hash_key = SEED }, v6 = { .hash_key = SEED };
	int err;

	if (!table)
		return -ENOMEM;
	v4.addr.word[0] = htonl(0xc6336401);
	v4.service = mplb_vip_service(htons(443), IPPROTO_TCP, MPLB_FAMILY_4);
	inet_pton(AF_INET6, "2001:db8::1", &v6.addr);
	v6.service = mplb_vip_service(htons(443), IPPROTO_TCP, MPLB_FAMILY_6);
	v6.vip = 1;
	if (c->steer == STEER_PORT) {
		v4.flags = MPLB_VIP_F_PORTS;
		v4.join_base = JOIN_BASE;
		v4.service = mplb_vip_service(htons(JOIN_BASE / MPLB_JOIN_BLOCK * MPLB_JOIN_BLOCK),
					      MPLB_JOIN_PROTO, MPLB_FAMILY_4);
	} else if (c->steer) {
		v4.flags = MPLB_VIP_F_STEER;
	}
	err = viptable_insert(table, &v4);
	if (!err)
		err = viptable_insert(table, &v6);
	viptable_seal(table);
	if (!err)
		err = viptable_commit(&dp, table);
	free(table);
	return err;
}

/* A flow as bench.bpf.c makes it, by its name. */
static __u64 flow_name(__u32 flow)
{
	__be16 ports[2] = { htons((__u16)(1024 + (flow & 15))), htons(443) };
	__u32 word;

	memcpy(&word, ports, sizeof(word));
	return mplb_flow_name(mplb_flow_mix4(SEED, htonl(0xcb007100 + (flow >> 4)), word));
}

static void put_entry(struct mplb_bucket *bucket, __u64 entry)
{
	for (size_t i = 0; i < MPLB_BUCKET_ENTRIES; i++) {
		if (!bucket->entry[i]) {
			bucket->entry[i] = entry;
			return;
		}
	}
}

/* What a balancer that steers knows by then: a token, joined subflows, members; and budgets that do
 * not run out, or have. */
static int fill_steering(struct bench_bpf *skel, const struct bench_case *c)
{
	size_t cpus = (size_t)libbpf_num_possible_cpus();
	struct mplb_vip_budget *budget = calloc(cpus, sizeof(*budget));
	struct mplb_bucket *tokens = datapath_mmap(bpf_map__fd(skel->maps.mplb_tokens),
						   MPLB_TOKEN_BUCKETS * sizeof(*tokens));
	struct mplb_bucket *subflows = datapath_mmap(bpf_map__fd(skel->maps.mplb_subflows),
						     MPLB_SUBFLOW_BUCKETS * sizeof(*subflows));
	struct mplb_member_key self = { 0, 0 }, id = { 0, MPLB_MEMBER_ID | 1 };
	__u32 zero = 0;

	if (!budget || !tokens || !subflows)
		return -ENOMEM;
	if (c->steer != STEER_LIMITED)
		put_entry(&tokens[mplb_token_bucket(JOIN_TOKEN)],
			  mplb_entry(JOIN_TOKEN, 0, MPLB_TOKEN_LEARNT, 0));
	for (__u32 flow = 0; c->steer == STEER_JOINED && flow < c->flows; flow++)
		put_entry(&subflows[mplb_subflow_bucket(flow_name(flow))],
			  mplb_entry(mplb_subflow_tag(flow_name(flow)), 0, MPLB_SUBFLOW_JOINED, 0));
	for (size_t i = 0; i < cpus; i++) {
		budget[i].learn.tokens = 1ULL << 60;
		budget[i].reset.tokens = c->steer == STEER_LIMITED ? 0 : 1ULL << 60;
		budget[i].reset.last_ns = 1ULL << 62; /* never filled up */
	}
	munmap(tokens, MPLB_TOKEN_BUCKETS * sizeof(*tokens));
	munmap(subflows, MPLB_SUBFLOW_BUCKETS * sizeof(*subflows));
	if (bpf_map_update_elem(bpf_map__fd(skel->maps.mplb_vip_budget), &zero, budget, 0) ||
	    bpf_map_update_elem(bpf_map__fd(skel->maps.mplb_members), &self, &zero, 0) ||
	    bpf_map_update_elem(bpf_map__fd(skel->maps.mplb_members), &id, &zero, 0))
		return -errno;
	free(budget);
	return 0;
}

static int compare(const void *a, const void *b)
{
	const __u32 *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int compare_double(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Loads the programs with what a case needs; backends are behind device ifindex. */
static int load(struct bench_bpf *skel, const struct bench_case *c, size_t len, __u32 ifindex)
{
	int err;

	skel->rodata->flow_mask = c->flows - 1;
	skel->rodata->bench_len = (__u32)len;
	skel->rodata->family = (__u8)c->family;
	/* The low half of the server's key in the option, the last thing in the frame. */
	skel->rodata->key_off = c->steer == STEER_NEW ? (__u32)len - 4 : 0;
	err = bench_bpf__load(skel);
	if (!err && c->target != TO_NOTHING) {
		err = fill_backends(skel, c, ifindex);
		if (!err)
			err = fill_table(skel);
		if (!err)
			err = fill_vips(skel, c);
		if (!err && c->steer)
			err = fill_steering(skel, c);
	}
	return err;
}

int bench_run(int prog, const char *name, const void *frame, size_t len, int verdict,
	      __u32 ns[static RUNS])
{
	__u8 out[512];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = (__u32)len,
		    .data_out = out, .repeat = REPEAT);

	for (int run = 0; run <= RUNS; run++) {
		opts.data_size_out = sizeof(out);
		if (bpf_prog_test_run_opts(prog, &opts))
			return -errno;
		if ((int)opts.retval != verdict)
			return log_err_r(-EPROTO, "%s: verdict %u, not %d", name, opts.retval,
					 verdict);
		if (run) /* the first warms up */
			ns[run - 1] = opts.duration;
	}
	qsort(ns, RUNS, sizeof(*ns), compare);
	return 0;
}

void bench_row(json_t *rows, const char *name, const __u32 ns[static RUNS])
{
	json_array_append_new(rows, json_pack("{s:s, s:i, s:i, s:i}", "case", name, "ns",
					      (int)ns[RUNS / 2], "min", (int)ns[0], "max",
					      (int)ns[RUNS - 1]));
}

void bench_compare(json_t *rows, size_t floor)
{
	json_int_t least = json_integer_value(json_object_get(json_array_get(rows, floor), "ns"));

	for (size_t i = 0; i < json_array_size(rows); i++) {
		json_t *row = json_array_get(rows, i);
		json_int_t ns = json_integer_value(json_object_get(row, "ns"));

		json_object_set_new(row, "over_floor", json_integer(ns - least));
		json_object_set_new(row, "ratio", json_real((double)ns / (double)least));
	}
}

/* Runs one case. ns[]: sorted. 0 or -errno, logged. */
static int measure(const struct bench_case *c, __u32 ns[static RUNS])
{
	__u8 frame[256];
	size_t len = make_frame(c, frame);
	struct bpf_program *programs[LB + 1];
	struct bench_bpf *skel = bench_bpf__open();
	int err;

	if (!skel)
		return log_err_r(-errno, "cannot open the BPF object");
	err = load(skel, c, len, 1);
	programs[EMPTY] = skel->progs.bench_empty;
	programs[WRAPPER] = skel->progs.bench_wrapper;
	programs[SWAP] = skel->progs.bench_swap;
	programs[PUSH] = skel->progs.bench_push;
	programs[LB] = skel->progs.bench_lb;
	if (!err)
		err = bench_run(bpf_program__fd(programs[c->program]), c->name, frame, len,
				c->verdict, ns);
	if (err)
		log_error("%s: %s%s", c->name, strerror(-err),
			  err == -EPERM ? "; run as root" : "");
	bench_bpf__destroy(skel);
	return err;
}

/* Live frames: the kernel really sends what the program returns XDP_TX for, over a veth whose far
 * end drops it. Packets that arrived per microsecond, median of LIVE_RUNS. 0 or -errno, logged. */
static int measure_live(const struct bench_case *c, bool balancer, double *mpps)
{
	__u8 frame[256];
	size_t len = make_frame(c, frame);
	struct xdp_md ctx = { .data_end = (__u32)len, .ingress_ifindex = if_nametoindex("near") };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = (__u32)len,
		    .ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .repeat = LIVE_REPEAT,
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = 64);
	struct bench_bpf *skel = bench_bpf__open();
	int far = (int)if_nametoindex("far"), err;
	double runs[LIVE_RUNS];

	if (!skel || !far)
		return log_err_r(-ENODEV, "no veth pair for live frames");
	err = load(skel, c, len, (__u32)ctx.ingress_ifindex);
	if (!err &&
	    bpf_xdp_attach(far, bpf_program__fd(skel->progs.live_sink), XDP_FLAGS_DRV_MODE, NULL))
		err = -errno;
	for (int run = 0; !err && run < LIVE_RUNS; run++) {
		struct timespec begin, end;
		__u64 before = skel->bss->arrived;

		clock_gettime(CLOCK_MONOTONIC, &begin);
		if (bpf_prog_test_run_opts(
			    bpf_program__fd(balancer ? skel->progs.live_lb : skel->progs.live_swap),
			    &opts))
			err = -errno;
		clock_gettime(CLOCK_MONOTONIC, &end);
		runs[run] = (double)(skel->bss->arrived - before) /
			    ((double)(end.tv_sec - begin.tv_sec) * 1e6 +
			     (double)(end.tv_nsec - begin.tv_nsec) / 1e3);
	}
	bpf_xdp_detach(far, XDP_FLAGS_DRV_MODE, NULL);
	bench_bpf__destroy(skel);
	if (err)
		return log_err_r(err, "live frames: %s", strerror(-err));
	qsort(runs, LIVE_RUNS, sizeof(*runs), compare_double);
	*mpps = runs[LIVE_RUNS / 2];
	return 0;
}

/* In a network namespace of this process's own, which goes with it. */
static json_t *bench_live(void)
{
	static const struct bench_case tx = { "XDP_TX alone", SWAP, 4, 1, ACK, TO_NOTHING, 3 };
	static const struct bench_case one = { "ipip, 1 flow", LB, 4, 1, ACK, TO_IPIP4, 3 };
	static const struct bench_case many = {
		"ipip, 1 million flows", LB, 4, 1 << 20, ACK, TO_IPIP4, 3
	};
	const struct bench_case *const all[] = { &tx, &one, &many };
	double mpps = 0, bare = 0;
	json_t *rows = json_array();

	if (unshare(CLONE_NEWNET) ||
	    system("ip link add near type veth peer name far && ip link set near up && "
		   "ip link set far up")) {
		log_error("cannot make a veth pair in a network namespace");
		return rows;
	}
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (measure_live(all[i], all[i] != &tx, &mpps))
			break;
		if (all[i] == &tx)
			bare = mpps;
		json_array_append_new(rows, json_pack("{s:s, s:f, s:f}", "case", all[i]->name,
						      "mpps", mpps, "of_tx", mpps / bare));
	}
	return rows;
}

int main(int argc, char **argv)
{
	static const struct out_column columns[] = {
		{ "case", "CASE" }, { "ns", "NS/PACKET" },	    { "min", "MIN" },
		{ "max", "MAX" },   { "over_floor", "OVER FLOOR" }, { "ratio", "X FLOOR" },
		{ NULL, NULL },
	};
	static const struct out_column live_columns[] = {
		{ "case", "LIVE FRAMES OVER VETH" },
		{ "mpps", "MPPS" },
		{ "of_tx", "OF XDP_TX" },
		{ NULL, NULL },
	};
	static const struct out_column server_columns[] = {
		{ "case", "THE BACKEND'S PROGRAM" },
		{ "ns", "NS/PACKET" },
		{ "min", "MIN" },
		{ "max", "MAX" },
		{ "over_floor", "OVER FLOOR" },
		{ "ratio", "X FLOOR" },
		{ NULL, NULL },
	};
	json_t *rows = json_array(), *all, *live, *server;
	struct utsname uts;
	size_t floor = 0;
	__u32 ns[RUNS];

	log_init("bench", LOG_WARN);
	log_bpf_init();
	uname(&uts);
	for (size_t i = 0; i < N_CASES; i++) {
		if (measure(&cases[i], ns)) {
			json_decref(rows);
			return 1;
		}
		if (cases[i].program == SWAP)
			floor = i;
		bench_row(rows, cases[i].name, ns);
	}
	bench_compare(rows, floor);
	printf("kernel %s, median of %d runs of %d packets; floor: swapped MACs\n\n", uts.release,
	       RUNS, REPEAT);
	out_table(rows, columns);
	putchar('\n');
	live = bench_live();
	out_table(live, live_columns);
	putchar('\n');
	server = bench_server();
	if (!server) {
		json_decref(rows);
		json_decref(live);
		return 1;
	}
	out_table(server, server_columns);
	all = json_pack("{s:s, s:i, s:i, s:o, s:o, s:o}", "kernel", uts.release, "runs", RUNS,
			"repeat", REPEAT, "cases", rows, "live", live, "server", server);
	if (argc > 1 && json_dump_file(all, argv[1], JSON_INDENT(2) | JSON_REAL_PRECISION(6)))
		log_error("%s: cannot write", argv[1]);
	json_decref(all);
	return 0;
}
