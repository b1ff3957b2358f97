/* SPDX-License-Identifier: GPL-2.0-only */
/* The backend's program: decapsulation, and the judgement behind the second chance. */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "lib/ip.h"
#include "lib/log.h"
#include "mplb/gue.h"
#include "mplb/server.h"
#include "tests/bench/server.skel.h"

#define VIP_4	   "198.51.100.1"
#define VIP_6	   "2001:db8:100::1"
#define CLIENT_4   "192.0.2.2"
#define CLIENT_6   "2001:db8:1::2"
#define BALANCER_4 "10.0.0.2"
#define BALANCER_6 "fd00::2"
#define HERE_4	   "10.0.0.11"
#define HERE_6	   "fd00::11"
#define FALLBACK_4 "10.0.0.12"
#define FALLBACK_6 "fd00::12"

#define PORT	  443
#define FLOW_PORT 10000 /* of the first client that has a socket here */
#define STRANGER  9999 /* of one that has none */
#define FLOWS_MAX 4096
#define NUMBER	  1000000 /* of sequence, in all flows */
#define PAYLOAD	  64

enum program { SWAP, STRIP, SERVER };
enum outer { NO_TUNNEL, IPIP, GUE };

/* Inner and outer header are of one family. */
struct server_case {
	const char *name;
	enum program program;
	int family;
	enum outer outer;
	bool syn, stranger;
	__u32 flows;
	int reason; /* that must be counted; -1: none */
};

static const struct server_case cases[] = {
	{ "wrapper + swapped MACs (the floor)", SWAP, 4, GUE, false, false, 1, -1 },
	{ "wrapper + 20 bytes taken off", STRIP, 4, GUE, false, false, 1, -1 },
	{ "no tunnel packet", SERVER, 4, NO_TUNNEL, false, false, 1, MPLB_SERVER_R_NOT_TUNNEL },
	{ "ipip, IPv4", SERVER, 4, IPIP, false, false, 1, MPLB_SERVER_R_DECAPSULATED },
	{ "gue, IPv4, SYN", SERVER, 4, GUE, true, false, 1, MPLB_SERVER_R_GUE_OPENED },
	{ "gue, IPv4, own socket, 1 flow", SERVER, 4, GUE, false, false, 1,
	  MPLB_SERVER_R_GUE_SOCKET },
	{ "gue, IPv4, own socket, 4 thousand flows", SERVER, 4, GUE, false, false, FLOWS_MAX,
	  MPLB_SERVER_R_GUE_SOCKET },
	{ "gue, IPv4, passed on", SERVER, 4, GUE, false, true, 1, MPLB_SERVER_R_PASSED_ON },
	{ "IPv6 wrapper + swapped MACs (the floor)", SWAP, 6, GUE, false, false, 1, -1 },
	{ "ipip, IPv6", SERVER, 6, IPIP, false, false, 1, MPLB_SERVER_R_DECAPSULATED },
	{ "gue, IPv6, SYN", SERVER, 6, GUE, true, false, 1, MPLB_SERVER_R_GUE_OPENED },
	{ "gue, IPv6, own socket, 1 flow", SERVER, 6, GUE, false, false, 1,
	  MPLB_SERVER_R_GUE_SOCKET },
	{ "gue, IPv6, own socket, 4 thousand flows", SERVER, 6, GUE, false, false, FLOWS_MAX,
	  MPLB_SERVER_R_GUE_SOCKET },
	{ "gue, IPv6, passed on", SERVER, 6, GUE, false, true, 1, MPLB_SERVER_R_PASSED_ON },
};

#define N_CASES (sizeof(cases) / sizeof(cases[0]))

/* ---- the packet ---- */

struct writer {
	__u8 *at;
	size_t len;
};

static void *put(struct writer *w, size_t len)
{
	void *at = w->at + w->len;

	w->len += len;
	return at;
}

static __u16 checksum(const struct iphdr *ip)
{
	const __u16 *word = (const void *)ip;
	__u32 sum = 0;

	for (size_t i = 0; i < sizeof(*ip) / 2; i++)
		sum += word[i];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)~sum;
}

/* An IP header before `behind` bytes. */
static void put_ip(struct writer *w, int family, __u8 proto, size_t behind, const char *src,
		   const char *dst)
{
	if (family == 4) {
		struct iphdr ip = { .version = 4,
				    .ihl = 5,
				    .tot_len = htons((__u16)(sizeof(ip) + behind)),
				    .ttl = 64,
				    .protocol = proto };

		inet_pton(AF_INET, src, &ip.saddr);
		inet_pton(AF_INET, dst, &ip.daddr);
		ip.check = checksum(&ip);
		memcpy(put(w, sizeof(ip)), &ip, sizeof(ip));
	} else {
		struct ipv6hdr ip6 = { .version = 6,
				       .payload_len = htons((__u16)behind),
				       .nexthdr = proto,
				       .hop_limit = 64 };

		inet_pton(AF_INET6, src, &ip6.saddr);
		inet_pton(AF_INET6, dst, &ip6.daddr);
		memcpy(put(w, sizeof(ip6)), &ip6, sizeof(ip6));
	}
}

static void put_gue(struct writer *w, bool six, __u8 proto, size_t behind)
{
	size_t header = six ? MPLB_GUE_LEN_6 : MPLB_GUE_LEN_4;
	struct udphdr udp = { .source = htons(MPLB_GUE_SPORT_BASE),
			      .dest = htons(MPLB_GUE_PORT),
			      .len = htons((__u16)(sizeof(udp) + header + behind)) };
	struct mplb_gue gue = { .hlen = (__u8)((header - 4) / 4),
				.proto = proto,
				.version = MPLB_GUE_VERSION,
				.family = six ? MPLB_FAMILY_6 : MPLB_FAMILY_4 };

	memcpy(put(w, sizeof(udp)), &udp, sizeof(udp));
	memcpy(put(w, sizeof(gue)), &gue, sizeof(gue));
	inet_pton(six ? AF_INET6 : AF_INET, six ? FALLBACK_6 : FALLBACK_4,
		  put(w, header - sizeof(gue)));
}

/* Returns the frame's length; *port_off: where the inner source port is. */
static size_t make_frame(const struct server_case *c, __u8 frame[static 256], size_t *port_off)
{
	bool six = c->family == 6;
	size_t tcp_len = sizeof(struct tcphdr) + PAYLOAD;
	size_t inner = (six ? sizeof(struct ipv6hdr) : sizeof(struct iphdr)) + tcp_len;
	size_t gue = sizeof(struct udphdr) + (six ? MPLB_GUE_LEN_6 : MPLB_GUE_LEN_4);
	__u8 proto = six ? IPPROTO_IPV6 : IPPROTO_IPIP;
	struct writer w = { frame, 0 };
	struct ethhdr eth = { .h_dest = { 2, 0, 0, 0, 0, 1 },
			      .h_source = { 2, 0, 0, 0, 0, 2 },
			      .h_proto = htons(six ? ETH_P_IPV6 : ETH_P_IP) };
	struct tcphdr tcp = { .source = htons(c->stranger ? STRANGER : FLOW_PORT),
			      .dest = htons(PORT),
			      .seq = htonl(NUMBER),
			      .ack_seq = htonl(NUMBER),
			      .doff = 5,
			      .syn = c->syn,
			      .ack = !c->syn };

	memset(frame, 0, 256);
	memcpy(put(&w, sizeof(eth)), &eth, sizeof(eth));
	if (c->outer == IPIP)
		put_ip(&w, c->family, proto, inner, six ? BALANCER_6 : BALANCER_4,
		       six ? HERE_6 : HERE_4);
	if (c->outer == GUE) {
		put_ip(&w, c->family, IPPROTO_UDP, gue + inner, six ? BALANCER_6 : BALANCER_4,
		       six ? HERE_6 : HERE_4);
		put_gue(&w, six, proto, inner);
	}
	put_ip(&w, c->family, IPPROTO_TCP, tcp_len, six ? CLIENT_6 : CLIENT_4, six ? VIP_6 : VIP_4);
	*port_off = w.len;
	memcpy(put(&w, sizeof(tcp)), &tcp, sizeof(tcp));
	put(&w, PAYLOAD);
	return w.len;
}

/* ---- sockets ---- */

static int address(int family, const char *text, int port, struct sockaddr_storage *out)
{
	struct sockaddr_in *four = (void *)out;
	struct sockaddr_in6 *six = (void *)out;

	memset(out, 0, sizeof(*out));
	if (family == 4) {
		four->sin_family = AF_INET;
		four->sin_port = htons((__u16)port);
		inet_pton(AF_INET, text, &four->sin_addr);
		return sizeof(*four);
	}
	six->sin6_family = AF_INET6;
	six->sin6_port = htons((__u16)port);
	inet_pton(AF_INET6, text, &six->sin6_addr);
	return sizeof(*six);
}

/* The server's end of a connection whose both directions are at NUMBER, without the other end
 * (TCP_REPAIR). The descriptor or -errno. */
static int flow(int family, int client_port)
{
	static const int queues[] = { TCP_RECV_QUEUE, TCP_SEND_QUEUE };
	int fd = socket(family == 4 ? AF_INET : AF_INET6, SOCK_STREAM, 0), one = 1, number = NUMBER;
	struct sockaddr_storage vip, client;
	socklen_t len = (socklen_t)address(family, family == 4 ? VIP_4 : VIP_6, PORT, &vip);

	address(family, family == 4 ? CLIENT_4 : CLIENT_6, client_port, &client);
	if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &one, sizeof(one)))
		return -errno;
	for (size_t i = 0; i < sizeof(queues) / sizeof(*queues); i++)
		if (setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, &queues[i], sizeof(queues[i])) ||
		    setsockopt(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, &number, sizeof(number)))
			return -errno;
	if (bind(fd, (void *)&vip, len) || connect(fd, (void *)&client, len))
		return -errno;
	return fd;
}

/* FLOWS_MAX established connections to the VIP, which last as long as this process. 0 or -errno. */
static int connect_flows(int family)
{
	for (int i = 0; i < FLOWS_MAX; i++) {
		int fd = flow(family, FLOW_PORT + i);

		if (fd < 0)
			return fd;
	}
	return 0;
}

/* A network namespace of this process's own with VIP, clients and connections. 0 or -errno, logged.
 */
static int make_host(void)
{
	const rlim_t need = 2 * FLOWS_MAX + 64; /* two families */
	struct rlimit limit;
	int err;

	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < need)
		limit.rlim_cur = need;
	if (limit.rlim_max < need)
		limit.rlim_max = need;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		return log_err_r(-errno, "%llu descriptors are needed: %s; raise ulimit -Hn",
				 (unsigned long long)need, strerror(errno));
	if (unshare(CLONE_NEWNET) ||
	    system("ip link set lo up && ip addr add " VIP_4 "/32 dev lo && "
		   "ip addr add " CLIENT_4 "/32 dev lo && "
		   "ip addr add " VIP_6 "/128 dev lo nodad && "
		   "ip addr add " CLIENT_6 "/128 dev lo nodad"))
		return log_err_r(-EPERM, "cannot make a network namespace with addresses");
	err = connect_flows(4);
	if (!err)
		err = connect_flows(6);
	return err ? log_err_r(err, "cannot connect to a VIP here: %s", strerror(-err)) : 0;
}

/* ---- the cases ---- */

static int list(struct bpf_map *map, const char *text)
{
	struct mplb_server_addr key = { 0 };
	struct ip ip;
	__u8 one = 1;

	if (ip_parse(text, &ip))
		return -EINVAL;
	key.addr = ip.addr;
	key.family = ip.family;
	return bpf_map__update_elem(map, &key, sizeof(key), &one, sizeof(one), BPF_ANY);
}

static int load(struct server_bpf *skel, const struct server_case *c, const __u8 *frame, size_t len,
		size_t port_off)
{
	struct bpf_program *prog;
	int err;

	bpf_object__for_each_program (prog, skel->obj)
		bpf_program__set_autoload(prog, !strncmp(bpf_program__name(prog), "bench_", 6));
	skel->rodata->bench_len = (__u32)len;
	skel->rodata->flow_mask = c->flows - 1;
	skel->rodata->port_off = (__u32)port_off;
	skel->rodata->port_base = c->stranger ? STRANGER : FLOW_PORT;
	skel->rodata->outer_six = c->family == 6;
	memcpy(skel->bss->frame, frame, sizeof(skel->bss->frame));
	err = server_bpf__load(skel);
	if (!err)
		err = list(skel->maps.server_balancers, BALANCER_4);
	if (!err)
		err = list(skel->maps.server_balancers, BALANCER_6);
	if (!err)
		err = list(skel->maps.server_vips, VIP_4);
	return err ? err : list(skel->maps.server_vips, VIP_6);
}

/* Was every packet counted as what the case says? 0 or -EPROTO, logged. */
static int check_reason(const struct server_bpf *skel, const struct server_case *c)
{
	size_t cpus = (size_t)libbpf_num_possible_cpus();
	struct mplb_server_count each[cpus];
	__u32 key = (__u32)c->reason;
	__u64 packets = 0;

	if (c->reason < 0)
		return 0;
	if (bpf_map_lookup_elem(bpf_map__fd(skel->maps.server_counts), &key, each))
		return -errno;
	for (size_t i = 0; i < cpus; i++)
		packets += each[i].packets;
	if (packets == (__u64)(RUNS + 1) * REPEAT)
		return 0;
	return log_err_r(-EPROTO, "%s: %llu of %llu packets were that", c->name,
			 (unsigned long long)packets, (RUNS + 1ULL) * REPEAT);
}

static int measure(const struct server_case *c, __u32 ns[static RUNS])
{
	struct server_bpf *skel = server_bpf__open();
	struct bpf_program *programs[SERVER + 1];
	size_t len, port_off;
	__u8 frame[256];
	int err;

	if (!skel)
		return log_err_r(-errno, "cannot open the BPF object");
	len = make_frame(c, frame, &port_off);
	err = load(skel, c, frame, len, port_off);
	programs[SWAP] = skel->progs.bench_swap;
	programs[STRIP] = skel->progs.bench_strip;
	programs[SERVER] = skel->progs.bench_server;
	if (!err)
		err = bench_run(bpf_program__fd(programs[c->program]), c->name, frame, len, 2, ns);
	if (!err)
		err = check_reason(skel, c);
	if (err)
		log_error("%s: %s", c->name, strerror(-err));
	server_bpf__destroy(skel);
	return err;
}

json_t *bench_server(void)
{
	json_t *rows = json_array();
	__u32 ns[RUNS];

	if (make_host()) {
		json_decref(rows);
		return NULL;
	}
	for (size_t i = 0; i < N_CASES; i++) {
		if (measure(&cases[i], ns)) {
			json_decref(rows);
			return NULL;
		}
		bench_row(rows, cases[i].name, ns);
	}
	bench_compare(rows, 0);
	return rows;
}
