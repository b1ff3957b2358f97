/* SPDX-License-Identifier: GPL-2.0-only */
#include "server_rig.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "bpf/server.skel.h"
#include "netns.h"
#include "rig.h"

struct ip server_rig_ip(const char *text)
{
	struct ip ip;

	cr_assert(!ip_parse(text, &ip), "%s", text);
	return ip;
}

static void list(struct bpf_map *map, const char *text)
{
	struct ip ip = server_rig_ip(text);
	struct mplb_server_addr key = { .addr = ip.addr, .family = ip.family };
	__u8 one = 1;

	cr_assert(!bpf_map__update_elem(map, &key, sizeof(key), &one, sizeof(one), BPF_ANY));
}

/* In an emulator it takes seconds to read the kernel's whole BTF and to verify what a test does not
 * run: MPLB_TEST_BTF is a file with what the programs ask of it. */
void server_rig_open(struct server_rig *rig, const char *program, const char *other)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = getenv("MPLB_TEST_BTF"));
	struct bpf_program *each;

	if (geteuid())
		rig_skip("not root: BPF programs cannot be loaded");
	rig->skel = server_bpf__open_opts(&opts);
	cr_assert(rig->skel, "the programs cannot be opened: %s", strerror(errno));
	bpf_object__for_each_program (each, rig->skel->obj) {
		const char *name = bpf_program__name(each);

		bpf_program__set_autoload(each, !strcmp(name, program) ||
							(other && !strcmp(name, other)));
	}
	cr_assert(!server_bpf__load(rig->skel), "the programs do not load: %s", strerror(errno));
	list(rig->skel->maps.server_balancers, BALANCER4);
	list(rig->skel->maps.server_balancers, BALANCER6);
	list(rig->skel->maps.server_vips, VIP4);
	list(rig->skel->maps.server_vips, VIP6);
}

void server_rig_close(struct server_rig *rig)
{
	server_bpf__destroy(rig->skel);
}

static void set(struct server_rig *rig, const struct mplb_server_settings *settings)
{
	__u32 zero = 0;

	cr_assert(!bpf_map__update_elem(rig->skel->maps.server_settings, &zero, sizeof(zero),
					settings, sizeof(*settings), BPF_ANY));
}

void server_rig_settings(struct server_rig *rig, uint16_t overhead, uint16_t mtu)
{
	set(rig, &(struct mplb_server_settings){ .overhead = overhead, .mtu = mtu });
}

void server_rig_segments(struct server_rig *rig, uint16_t first_flight)
{
	set(rig, &(struct mplb_server_settings){ .first_flight = first_flight });
}

struct mplb_server_count server_rig_count(const struct server_rig *rig, unsigned int reason)
{
	struct mplb_server_count sum = { 0 }, *each;
	int cpus = libbpf_num_possible_cpus();
	__u32 key = reason;

	each = calloc((size_t)cpus, sizeof(*each));
	cr_assert(each &&
		  !bpf_map_lookup_elem(bpf_map__fd(rig->skel->maps.server_counts), &key, each));
	for (int i = 0; i < cpus; i++) {
		sum.packets += each[i].packets;
		sum.bytes += each[i].bytes;
	}
	free(each);
	return sum;
}

static int run_program(const struct bpf_program *prog, const struct frame *in, struct frame *out)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in->at, .data_size_in = (__u32)in->len,
		    .data_out = out->at, .data_size_out = sizeof(out->at), .repeat = 1);

	cr_assert(!bpf_prog_test_run_opts(bpf_program__fd(prog), &opts), "%s", strerror(errno));
	out->len = opts.data_size_out;
	return (int)opts.retval;
}

static int run_counted(const struct server_rig *rig, const struct bpf_program *prog,
		       const struct frame *in, struct frame *out, unsigned int *reason)
{
	struct mplb_server_count before[MPLB_SERVER_R_MAX];
	int verdict;

	*reason = MPLB_SERVER_R_MAX;
	for (unsigned int i = 0; i < MPLB_SERVER_R_MAX; i++)
		before[i] = server_rig_count(rig, i);
	verdict = run_program(prog, in, out);
	for (unsigned int i = 0; i < MPLB_SERVER_R_MAX; i++) {
		struct mplb_server_count now = server_rig_count(rig, i);

		if (now.packets == before[i].packets)
			continue;
		cr_expect_eq(now.packets, before[i].packets + 1);
		cr_expect_eq(now.bytes, before[i].bytes + in->len);
		cr_expect_eq(*reason, MPLB_SERVER_R_MAX, "two reasons counted");
		*reason = i;
	}
	return verdict;
}

int server_rig_run(const struct server_rig *rig, const struct frame *in, struct frame *out,
		   unsigned int *reason)
{
	return run_counted(rig, rig->skel->progs.mplb_server, in, out, reason);
}

int server_rig_guard(const struct server_rig *rig, const struct frame *in, unsigned int *reason)
{
	struct frame out;
	int verdict = run_counted(rig, rig->skel->progs.mplb_guard, in, &out, reason);

	cr_expect_eq(frame_diff(in, &out), -1, "the guard changed the frame");
	return verdict;
}

int server_rig_pass_on(const struct server_rig *rig, const struct frame *in)
{
	struct frame ours = *in, out;
	int verdict;

	/* The device of a BPF_PROG_TEST_RUN is lo: a frame for this host has its address. */
	memset(ours.at, 0, 6);
	verdict = run_program(rig->skel->progs.mplb_pass_on, &ours, &out);
	cr_expect_eq(frame_diff(&ours, &out), -1, "tc changed the frame");
	return verdict;
}

int server_rig_mss(const struct server_rig *rig, const struct frame *in, struct frame *out)
{
	return run_program(rig->skel->progs.mplb_mss, in, out);
}

int server_rig_first_flight(const struct server_rig *rig, const struct frame *in, struct frame *out)
{
	return run_program(rig->skel->progs.mplb_first_flight, in, out);
}

void server_rig_netns(const char *const *addresses)
{
	cr_assert(!netns_enter());
	for (; *addresses; addresses++)
		cr_assert(!netns_addr("lo", *addresses, strchr(*addresses, ':') ? 128 : 32), "%s",
			  *addresses);
}

int server_rig_wire(const char *dev)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));

	at.sll_ifindex = (int)if_nametoindex(dev);
	cr_assert(fd >= 0 && !bind(fd, (void *)&at, sizeof(at)), "%s: %s", dev, strerror(errno));
	return fd;
}

bool server_rig_next(int wire, uint8_t proto, int ms, struct frame *out)
{
	struct sockaddr_ll from = { 0 };
	socklen_t len = sizeof(from);
	struct pollfd p = { .fd = wire, .events = POLLIN };

	while (poll(&p, 1, ms) == 1) {
		ssize_t n = recvfrom(wire, out->at, sizeof(out->at), 0, (void *)&from, &len);
		bool six = out->at[12] == 0x86;

		cr_assert_gt(n, 0);
		out->len = (size_t)n;
		if (from.sll_pkttype != PACKET_OUTGOING &&
		    out->at[ETH_HEAD + (six ? 6 : 9)] == proto)
			return true;
	}
	return false;
}

socklen_t server_rig_sockaddr(const char *text, uint16_t port, struct sockaddr_storage *out)
{
	struct ip ip = server_rig_ip(text);
	struct sockaddr_in *in = (void *)out;
	struct sockaddr_in6 *in6 = (void *)out;

	memset(out, 0, sizeof(*out));
	if (ip.family == MPLB_FAMILY_4) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		in->sin_addr.s_addr = ip.addr.word[0];
		return sizeof(*in);
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	memcpy(&in6->sin6_addr, &ip.addr, 16);
	return sizeof(*in6);
}
