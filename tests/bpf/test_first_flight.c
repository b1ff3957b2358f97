/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bpf/first_flight.h: the window of third ACKs, frame in, frame out. What the program knows of a
 * connection is in the kernel's own request sockets, which SYNs on a wire make:
 *
 *	net (this test)  ── veth ──  in   10.0.0.11, fd00::11; lo: the VIPs, an MPTCP listener
 */
#include <criterion/criterion.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/pkt_cls.h>
#include "netns.h"
#include "rig.h"
#include "server_rig.h"

#define CASES(a)  (sizeof(a) / sizeof(*(a)))
#define PORT	  443
#define PLAIN	  444 /* a listener that does not know MPTCP */
#define SEGMENTS  10
#define MSS	  1460 /* of OPT_MSS */
#define OPTIONS	  40
#define FLIGHT	  (SEGMENTS * (MSS - OPTIONS))
#define WINDOW_AT 14 /* in a TCP header */
#define SUM_AT	  16
#define TIMEOUT	  5000 /* ms */

#define OPT_SCALE(s) 3, 3, (s)
#define KEYS	     0x01, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16
/* Version 1, flags, two keys; with data: its length, and with checksums: the sum (RFC 8684, 3.1).
 */
#define OPT_KEYS      30, 20, 0x01, KEYS
#define OPT_KEYS_DATA 30, 22, 0x01, KEYS, 0, 15
#define OPT_KEYS_SUM  30, 24, 0x01, KEYS, 0, 15, 0x12, 0x34

static const uint8_t mac_here[6] = { 2, 0, 0, 0, 0, 0x11 }, mac_router[6] = { 2, 0, 0, 0, 0, 1 };
static const struct bytes keys = BYTES(OPT_KEYS);
static struct server_rig rig;
static int net = -1, listeners[4];
static uint16_t last_port;

static void listen_at(const char *address, uint16_t port, int proto, int *fd)
{
	struct sockaddr_storage at;
	socklen_t len = server_rig_sockaddr(address, port, &at);

	*fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, proto);
	cr_assert(*fd >= 0 && !bind(*fd, (void *)&at, len) && !listen(*fd, 64), "%s: %s", address,
		  strerror(errno));
}

static void set_up(void)
{
	server_rig_open(&rig, "mplb_first_flight", NULL);
	server_rig_segments(&rig, SEGMENTS);
	cr_assert(!netns_enter() && !netns_veth("in", "net", mac_here));
	cr_assert(!netns_addr("in", BACKEND4, 24) && !netns_addr("in", BACKEND6, 64) &&
		  !netns_addr("lo", VIP4, 32) && !netns_addr("lo", VIP6, 128) &&
		  !netns_addr("lo", OTHER4, 32));
	cr_assert(!netns_neighbour("in", "10.0.0.1", mac_router) &&
		  !netns_neighbour("in", "fd00::1", mac_router));
	cr_assert(!netns_route("0.0.0.0", 0, "10.0.0.1", 1, 0) &&
		  !netns_route("::", 0, "fd00::1", 1, 0));
	net = server_rig_wire("net");
	listen_at(VIP4, PORT, IPPROTO_MPTCP, &listeners[0]);
	listen_at(VIP6, PORT, IPPROTO_MPTCP, &listeners[1]);
	listen_at(VIP4, PLAIN, IPPROTO_TCP, &listeners[2]);
	listen_at(OTHER4, PORT, IPPROTO_MPTCP, &listeners[3]);
}

static void tear_down(void)
{
	for (size_t i = 0; i < CASES(listeners); i++)
		close(listeners[i]);
	close(net);
	server_rig_close(&rig);
}

TestSuite(first_flight, .init = set_up, .fini = tear_down);

/* A client's segment, with a source port that no test has used before. */
static struct packet segment(const char *dst, uint8_t flags)
{
	return (struct packet){
		.dst = dst,
		.dport = PORT,
		.sport = (uint16_t)(30000 + ++last_port),
		.flags = flags,
		.window = 0xffff,
		.dmac = mac_here,
		.smac = mac_router,
	};
}

/* Waits for the kernel's answer to a SYN from this port: its request socket is there, then. */
static void answered(const char *dst, uint16_t port)
{
	size_t to = ETH_HEAD + (strchr(dst, ':') ? 40 : 20) + 2;
	struct frame answer;

	do
		cr_assert(server_rig_next(net, IPPROTO_TCP, TIMEOUT, &answer),
			  "%s does not answer a SYN", dst);
	while ((answer.at[to] << 8 | answer.at[to + 1]) != port);
}

/* Has the kernel make a request socket, by a SYN with these options. Returns the third ACK. */
static struct packet ask(const char *dst, uint32_t dport, struct bytes options)
{
	struct packet p = segment(dst, FLAG_SYN);
	struct frame syn;

	p.dport = dport;
	p.options = options;
	packet_build(&p, &syn);
	cr_assert_eq(send(net, syn.at, syn.len, 0), (ssize_t)syn.len, "%s", strerror(errno));
	answered(dst, p.sport);
	p.flags = FLAG_ACK;
	p.options = keys;
	return p;
}

/* The window behind the program, everything else held against the frame in front of it. */
static uint16_t run(const char *name, const struct packet *p, bool counted)
{
	__u64 before = server_rig_count(&rig, MPLB_SERVER_R_FIRST_FLIGHT).packets;
	size_t tcp = ETH_HEAD + (strchr(p->dst, ':') ? 40 : 20);
	struct frame in, out;
	uint16_t window;

	packet_build(p, &in);
	cr_expect_eq(server_rig_first_flight(&rig, &in, &out), TC_ACT_UNSPEC, "%s", name);
	cr_expect_eq(server_rig_count(&rig, MPLB_SERVER_R_FIRST_FLIGHT).packets - before, counted,
		     "%s: counted", name);
	if (p->cut)
		return p->window;
	window = (uint16_t)(out.at[tcp + WINDOW_AT] << 8 | out.at[tcp + WINDOW_AT + 1]);
	cr_expect(l4_checksum_ok(&out), "%s: checksum", name);
	memcpy(out.at + tcp + WINDOW_AT, in.at + tcp + WINDOW_AT, 2);
	memcpy(out.at + tcp + SUM_AT, in.at + tcp + SUM_AT, 2);
	cr_expect_eq(frame_diff(&in, &out), -1, "%s: more was changed", name);
	return window;
}

static void expect_untouched(const char *name, const struct packet *p)
{
	uint16_t window = run(name, p, false);

	cr_expect_eq(window, p->window, "%s: %d", name, window);
}

static const char *const vips[] = { VIP4, VIP6 };

Test(first_flight, is_what_the_windows_scale_makes_of_it)
{
	for (size_t i = 0; i < CASES(vips); i++)
		for (uint8_t scale = 0; scale <= 14; scale++) {
			const struct bytes syn =
				BYTES(OPT_MSS, OPT_NOP, OPT_SCALE(scale), OPT_CAPABLE);
			struct packet p = ask(vips[i], PORT, syn);
			uint16_t want = FLIGHT >> scale, got = run(vips[i], &p, true);

			cr_expect_eq(got, want ? want : 1, "%s, scale %d: %d", vips[i], scale, got);
		}
}

Test(first_flight, wherever_the_keys_stand)
{
	const struct bytes syn = BYTES(OPT_MSS, OPT_NOP, OPT_SCALE(7), OPT_CAPABLE),
			   syn_time = BYTES(OPT_MSS, OPT_SACK, OPT_TIME, OPT_NOP, OPT_SCALE(7),
					    OPT_CAPABLE);
	const struct bytes acks[] = {
		BYTES(OPT_KEYS),
		BYTES(OPT_KEYS_DATA),
		BYTES(OPT_KEYS_SUM),
		BYTES(OPT_NOP, OPT_NOP, OPT_TIME, OPT_KEYS),
		BYTES(OPT_NOP, OPT_NOP, OPT_TIME, OPT_KEYS_DATA),
		BYTES(OPT_NOP, OPT_NOP, OPT_TIME, OPT_KEYS_SUM),
		BYTES(OPT_KEYS, OPT_NOP, OPT_NOP, OPT_TIME),
	};

	for (size_t v = 0; v < CASES(vips); v++)
		for (size_t i = 0; i < CASES(acks); i++) {
			struct packet p = ask(vips[v], PORT, i < 3 ? syn : syn_time);

			p.options = acks[i];
			p.payload = i % 3 ? 15 : 0;
			cr_expect_eq(run("keys", &p, true), FLIGHT >> 7, "%s, case %zu", vips[v],
				     i);
		}
}

Test(first_flight, of_other_lengths)
{
	const struct bytes syn = BYTES(OPT_MSS, OPT_NOP, OPT_SCALE(2), OPT_CAPABLE),
			   small = BYTES(2, 4, 2, 24 /* 536 */, OPT_NOP, OPT_SCALE(2), OPT_CAPABLE);
	struct packet p = ask(VIP4, PORT, small);

	cr_expect_eq(run("small segments", &p, true), SEGMENTS * (536 - OPTIONS) >> 2);
	p = ask(VIP4, PORT, syn);
	server_rig_segments(&rig, 2);
	cr_expect_eq(run("two segments", &p, true), 2 * (MSS - OPTIONS) >> 2);
	server_rig_segments(&rig, 1000);
	expect_untouched("more than any window", &p);
	server_rig_segments(&rig, 0);
	expect_untouched("no limit", &p);
}

Test(first_flight, all_else_is_left_alone)
{
	const struct bytes syn = BYTES(OPT_MSS, OPT_NOP, OPT_SCALE(7), OPT_CAPABLE);
	const struct bytes plain = BYTES(OPT_MSS, OPT_NOP, OPT_SCALE(7));
	const struct bytes others[] = {
		BYTES(OPT_NOP, OPT_NOP, OPT_TIME, OPT_MPTCP(12, 2), 1, 2, 3, 4, 5, 6, 7, 8, 9),
		BYTES(OPT_MPTCP(20, 2), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17),
		BYTES(OPT_MPTCP(12, 0), 1, 2, 3, 4, 5, 6, 7, 8, 9, OPT_NOP, OPT_NOP, OPT_TIME),
		BYTES(OPT_MPTCP(24, 1), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17,
		      18, 19, 20, 21),
		BYTES(OPT_EOL, OPT_KEYS),
		BYTES(99, 0, OPT_KEYS),
		BYTES(99, 200, OPT_KEYS),
	};
	struct packet p;

	for (size_t v = 0; v < CASES(vips); v++) {
		for (size_t i = 0; i < CASES(others); i++) {
			p = ask(vips[v], PORT, syn);
			p.options = others[i];
			expect_untouched("no keys", &p);
		}
		p = ask(vips[v], PORT, syn);
		p.window = FLIGHT >> 7;
		expect_untouched("a window that small", &p);
		p.window = 0;
		expect_untouched("no window at all", &p);
		p = ask(vips[v], PORT, syn);
		p.flags = FLAG_SYN | FLAG_ACK;
		expect_untouched("SYN/ACK", &p);
		p.flags = FLAG_RST | FLAG_ACK;
		expect_untouched("RST", &p);
		p.flags = FLAG_ACK;
		p.sport++;
		expect_untouched("nobody has asked", &p);
		p = segment(vips[v], FLAG_ACK);
		p.options = keys;
		p.proto = IPPROTO_UDP;
		p.payload = 40;
		{
			struct frame in, out;

			packet_build(&p, &in);
			server_rig_first_flight(&rig, &in, &out);
			cr_expect_eq(frame_diff(&in, &out), -1, "UDP");
		}
		p = ask(vips[v], PORT, syn);
		/* BPF_PROG_TEST_RUN takes no frame without an IP header. What is cut off behind the
		 * option's first bytes the kernel drops for its length. */
		for (p.cut = ETH_HEAD + (v ? 40 : 20); p.cut < ETH_HEAD + (v ? 63u : 43u); p.cut++)
			expect_untouched("cut off", &p);
	}
	p = ask(VIP4, PLAIN, plain);
	p.options = (struct bytes)BYTES(OPT_NOP, OPT_NOP, OPT_TIME, OPT_NOP, OPT_NOP, OPT_TIME);
	expect_untouched("plain TCP", &p);
	p = ask(OTHER4, PORT, syn);
	expect_untouched("an address that is no VIP", &p);
}
