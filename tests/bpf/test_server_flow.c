/* SPDX-License-Identifier: GPL-2.0-only */
/* bpf/second.h: whose flow is it? Held against real sockets: a client and a server on lo, in a
 * network namespace of the test's own. */
#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include "lib/sysctl.h"
#include "rig.h"
#include "server_rig.h"

#define CASES(a) (sizeof(a) / sizeof(*(a)))
#define PORT	 443
#define SPORT	 40000
#define TIMEOUT	 2000 /* ms */

static struct server_rig rig;
static uint32_t seq, ack; /* of the client's next segment */

static void set_up(void)
{
	static const char *const addresses[] = { VIP4, VIP6, CLIENT_4, CLIENT_6, NULL };

	server_rig_open(&rig, "mplb_server", NULL);
	server_rig_netns(addresses);
	cr_assert(!sysctl_write("net.ipv4.tcp_syncookies", "1"));
}

static void tear_down(void)
{
	server_rig_close(&rig);
}

TestSuite(server_flow, .init = set_up, .fini = tear_down);

/* ---- sockets ---- */

static int bound(const char *text, uint16_t port, int proto)
{
	struct sockaddr_storage at;
	socklen_t len = server_rig_sockaddr(text, port, &at);
	int one = 1, fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, proto);

	if (fd < 0 && proto == IPPROTO_MPTCP)
		rig_skip("this kernel has no MPTCP");
	cr_assert(fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
	cr_assert(!bind(fd, (void *)&at, len), "%s: %s", text, strerror(errno));
	return fd;
}

static int listener(bool six, int proto)
{
	int fd = bound(six ? VIP6 : VIP4, PORT, proto);

	cr_assert(!listen(fd, 8));
	return fd;
}

static int open_tap(void)
{
	struct sockaddr_ll lo = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(ETH_P_ALL),
				  .sll_ifindex = (int)if_nametoindex("lo") };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));

	cr_assert(fd >= 0 && !bind(fd, (void *)&lo, sizeof(lo)), "%s", strerror(errno));
	return fd;
}

/* The TCP header of a frame, if it is from the client. */
static uint8_t *clients_tcp(struct frame *f, bool six)
{
	uint8_t *tcp = f->at + ETH_HEAD + (six ? 40 : 20);

	return f->len >= ETH_HEAD + 60 - (six ? 0 : 20) && f->at[12] == (six ? 0x86 : 8) &&
			       tcp[0] << 8 == (SPORT & 0xff00) && tcp[1] == (SPORT & 0xff)
		       ? tcp
		       : NULL;
}

/* Waits for the client's third segment: the ACK with the cookie. */
static void third_ack(int tap, bool six, struct frame *out)
{
	struct pollfd p = { .fd = tap, .events = POLLIN };

	for (;;) {
		uint8_t *tcp;
		ssize_t n;

		cr_assert_eq(poll(&p, 1, TIMEOUT), 1, "no third ACK");
		n = recv(tap, out->at, sizeof(out->at), 0);
		cr_assert(n > 0);
		out->len = (size_t)n;
		tcp = clients_tcp(out, six);
		if (tcp && tcp[13] == FLAG_ACK)
			return;
	}
}

static uint32_t word(const uint8_t *at)
{
	uint32_t n;

	memcpy(&n, at, sizeof(n));
	return ntohl(n);
}

static void take_numbers(int tap, bool six)
{
	struct frame f;

	third_ack(tap, six, &f);
	seq = word(clients_tcp(&f, six) + 4);
	ack = word(clients_tcp(&f, six) + 8);
}

/* A client that has connected (or, with wait unset, has begun to). */
static int client(bool six, int proto, bool wait)
{
	int fd = bound(six ? CLIENT_6 : CLIENT_4, SPORT, proto), tap = open_tap();
	struct sockaddr_storage to;
	socklen_t len = server_rig_sockaddr(six ? VIP6 : VIP4, PORT, &to);

	if (!wait)
		fcntl(fd, F_SETFL, O_NONBLOCK);
	/* In a namespace that is this young the first try may find no route yet. */
	for (int i = 0; i < 20; i++) {
		if (!connect(fd, (void *)&to, len) || (!wait && errno == EINPROGRESS)) {
			if (wait)
				take_numbers(tap, six);
			close(tap);
			return fd;
		}
		usleep(50000);
	}
	cr_assert(false, "%s", strerror(errno));
	return fd;
}

static int accepted(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int conn;

	cr_assert_eq(poll(&p, 1, TIMEOUT), 1, "no connection");
	conn = accept(fd, NULL, NULL);
	cr_assert(conn >= 0);
	return conn;
}

static void reset(int fd)
{
	struct linger now = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

/* ---- packets of the flow ---- */

static void wrap(const struct frame *inner, bool outer6, uint8_t hops, struct frame *out)
{
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 0x11 };
	const struct outer outer = {
		.dmac = mac,
		.smac = mac,
		.gue = true,
		.src = server_rig_ip(outer6 ? BALANCER6 : BALANCER4),
		.dst = server_rig_ip(outer6 ? BACKEND6 : BACKEND4),
		.fallback = server_rig_ip(outer6 ? FALLBACK6 : FALLBACK4),
	};

	frame_encapsulate(inner, &outer, out);
	out->at[ETH_HEAD + (outer6 ? 40 : 20) + 8 + 5] = hops;
}

static unsigned int judged(const struct frame *inner, bool outer6, uint8_t hops)
{
	struct frame in, out;
	unsigned int reason;

	wrap(inner, outer6, hops, &in);
	cr_expect_eq(server_rig_run(&rig, &in, &out, &reason), XDP_PASS);
	return reason;
}

/* What becomes of this packet of the flow, in both kinds of tunnel, at first and at second hand. */
static void expect(const char *name, const struct frame *inner, unsigned int reason)
{
	unsigned int second =
		reason == MPLB_SERVER_R_GUE_SOCKET || reason == MPLB_SERVER_R_GUE_COOKIE
			? MPLB_SERVER_R_GUE_RESCUED
		: reason == MPLB_SERVER_R_PASSED_ON ? MPLB_SERVER_R_GUE_HOPS_USED
						    : reason;

	for (int outer6 = 0; outer6 < 2; outer6++) {
		unsigned int got = judged(inner, outer6, 0);

		cr_expect_eq(got, reason, "%s: reason %u, not %u", name, got, reason);
		got = judged(inner, outer6, 1);
		cr_expect_eq(got, second, "%s, passed on: reason %u, not %u", name, got, second);
	}
}

static void segment(bool six, uint8_t flags, struct frame *out)
{
	const struct packet p = {
		.dst = six ? VIP6 : VIP4,
		.dport = PORT,
		.sport = SPORT,
		.flags = flags,
		.seq = seq,
		.ack = ack,
		.payload = flags == FLAG_ACK ? 60 : 0,
	};

	packet_build(&p, out);
}

/* Segments that open nothing are for this reason; a SYN is always taken. */
static void expect_flow(const char *name, bool six, unsigned int reason)
{
	static const uint8_t flags[] = { FLAG_ACK, FLAG_ACK | FLAG_FIN, FLAG_RST,
					 FLAG_ACK | FLAG_PSH, FLAG_SYN | FLAG_ACK };
	struct frame f;

	for (size_t i = 0; i < CASES(flags); i++) {
		segment(six, flags[i], &f);
		expect(name, &f, reason);
	}
	segment(six, FLAG_SYN, &f);
	expect(name, &f, MPLB_SERVER_R_GUE_OPENED);
}

Test(server_flow, each_state_of_a_connection)
{
	for (int six = 0; six < 2; six++) {
		int l, c, s;

		expect_flow("nobody", six, MPLB_SERVER_R_PASSED_ON);
		l = listener(six, 0);
		expect_flow("a listener that knows nothing of it", six, MPLB_SERVER_R_PASSED_ON);
		c = client(six, 0, true);
		expect_flow("established, not accepted yet", six, MPLB_SERVER_R_GUE_SOCKET);
		s = accepted(l);
		expect_flow("established", six, MPLB_SERVER_R_GUE_SOCKET);
		close(l);
		expect_flow("established, the listener gone", six, MPLB_SERVER_R_GUE_SOCKET);
		shutdown(s, SHUT_WR);
		expect_flow("closing", six, MPLB_SERVER_R_GUE_SOCKET);
		close(c);
		close(s);
		expect_flow("TIME_WAIT", six, MPLB_SERVER_R_GUE_SOCKET);
	}
}

Test(server_flow, a_reset_connection_is_forgotten)
{
	for (int six = 0; six < 2; six++) {
		int l = listener(six, 0), c = client(six, 0, true), s = accepted(l);

		reset(c);
		expect_flow("reset", six, MPLB_SERVER_R_PASSED_ON);
		close(s);
		close(l);
	}
}

/* With TCP_DEFER_ACCEPT the server stays at the request until data come. */
static int deferring(bool six, int proto)
{
	int l = bound(six ? VIP6 : VIP4, PORT, proto), seconds = 10;

	cr_assert(!setsockopt(l, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof(seconds)));
	cr_assert(!listen(l, 8));
	return l;
}

Test(server_flow, a_request_is_known)
{
	for (int six = 0; six < 2; six++) {
		int l = deferring(six, 0), c = client(six, 0, true);

		expect_flow("SYN received", six, MPLB_SERVER_R_GUE_SOCKET);
		reset(c);
		close(l);
	}
}

/* What its numbers say of a segment where another backend may know more; and where it has been
 * passed on, nobody else can be asked: the kernel answers as it does. */
static void expect_fit(const struct frame *f, int six, bool fits, size_t i, int proto)
{
	cr_expect_eq(judged(f, six, 0), fits ? MPLB_SERVER_R_GUE_SOCKET : MPLB_SERVER_R_PASSED_ON,
		     "case %zu, proto %d", i, proto);
	cr_expect_eq(judged(f, six, 1), MPLB_SERVER_R_GUE_RESCUED, "case %zu, passed on, proto %d",
		     i, proto);
}

/* A SYN that was sent again, and came to another backend than the first: either has answered, and
 * the client goes on with one of them. */
Test(server_flow, a_segment_must_fit_the_request)
{
	static const struct {
		uint32_t acks;
		uint8_t flags;
		bool fits;
	} cases[] = {
		{ 0, FLAG_ACK, true },
		{ 0, FLAG_ACK | FLAG_PSH, true },
		{ 1, FLAG_ACK, false },
		{ -1U, FLAG_ACK | FLAG_PSH, false },
		{ 1U << 31, FLAG_ACK | FLAG_FIN, false },
		{ 1, FLAG_RST | FLAG_ACK, false },
		{ 1, FLAG_RST, true }, /* acknowledges nothing */
	};

	for (int six = 0; six < 2; six++)
		for (int proto = 0; proto < 2; proto++) {
			int p = proto ? IPPROTO_MPTCP : 0, l = deferring(six, p),
			    c = client(six, p, true);
			uint32_t is_ack = ack;

			for (size_t i = 0; i < CASES(cases); i++) {
				struct frame f;

				ack = is_ack + cases[i].acks;
				segment(six, cases[i].flags, &f);
				expect_fit(&f, six, cases[i].fits, i, proto);
			}
			reset(c);
			close(l);
		}
}

Test(server_flow, a_listener_of_both_families)
{
	int l = bound("::", PORT, 0), c, s;

	cr_assert(!listen(l, 8));
	expect_flow("listener", false, MPLB_SERVER_R_PASSED_ON);
	c = client(false, 0, true);
	s = accepted(l);
	expect_flow("established", false, MPLB_SERVER_R_GUE_SOCKET);
	close(s);
	close(c);
	close(l);
}

Test(server_flow, mptcp_subflows_are_tcp_sockets)
{
	for (int six = 0; six < 2; six++) {
		int l = listener(six, IPPROTO_MPTCP), c, s;

		expect_flow("listener", six, MPLB_SERVER_R_PASSED_ON);
		c = client(six, IPPROTO_MPTCP, true);
		s = accepted(l);
		expect_flow("MPTCP", six, MPLB_SERVER_R_GUE_SOCKET);
		close(s);
		close(c);
		close(l);
	}
}

/* A flow that differs in one port is another's. */
Test(server_flow, the_whole_tuple_counts)
{
	int l = listener(false, 0), c = client(false, 0, true), s = accepted(l);
	struct frame f;

	segment(false, FLAG_ACK, &f);
	frame_set_ports(&f, SPORT + 1, PORT);
	expect("source port", &f, MPLB_SERVER_R_PASSED_ON);
	frame_set_ports(&f, SPORT, PORT + 1);
	expect("destination port", &f, MPLB_SERVER_R_PASSED_ON);
	frame_set_ports(&f, SPORT, PORT);
	frame_set_src(&f, (const uint8_t[]){ 203, 0, 113, 8 });
	expect("source", &f, MPLB_SERVER_R_PASSED_ON);
	close(s);
	close(c);
	close(l);
}

/* A host that was cut off may have the socket of an old connection of the same ports: where another
 * backend may know the new one, the numbers tell. */
Test(server_flow, a_segment_must_fit_the_socket)
{
	static const struct {
		uint32_t ahead, acks;
		uint8_t flags;
		bool fits;
	} cases[] = {
		{ 0, 0, FLAG_ACK, true },
		{ 100000, 0, FLAG_ACK, true },
		{ -100000U, -100000U, FLAG_ACK, true },
		{ 1U << 28, 0, FLAG_ACK, true },
		{ -(1U << 28), 0, FLAG_ACK, true },
		{ 0, 1 - (1U << 28), FLAG_ACK, true },
		{ 0, 1, FLAG_ACK, false }, /* what was never sent */
		{ 0, -(1U << 28), FLAG_ACK, false },
		{ 0, 1U << 31, FLAG_ACK, false },
		{ (1U << 28) + 1, 0, FLAG_ACK, false },
		{ -(1U << 28) - 1, 0, FLAG_ACK, false },
		{ 1U << 31, 0, FLAG_ACK | FLAG_FIN, false },
		{ 0, 1U << 30, FLAG_RST, true }, /* acknowledges nothing */
		{ 1U << 30, 0, FLAG_RST, false },
		{ 0, 1U << 30, FLAG_RST | FLAG_ACK, false },
	};

	for (int six = 0; six < 2; six++)
		for (int proto = 0; proto < 2; proto++) {
			int p = proto ? IPPROTO_MPTCP : 0, l = listener(six, p),
			    c = client(six, p, true), s = accepted(l);
			uint32_t is_seq = seq, is_ack = ack;

			for (size_t i = 0; i < CASES(cases); i++) {
				struct frame f;

				seq = is_seq + cases[i].ahead;
				ack = is_ack + cases[i].acks;
				segment(six, cases[i].flags, &f);
				expect_fit(&f, six, cases[i].fits, i, proto);
			}
			close(s);
			close(c);
			close(l);
		}
}

/* ---- SYN cookies ---- */

Test(server_flow, a_syn_cookie_of_this_host_is_known)
{
	cr_assert(!sysctl_write("net.ipv4.tcp_syncookies", "2"));
	for (int six = 0; six < 2; six++) {
		int tap = open_tap(), l = listener(six, 0), c = client(six, 0, true);
		struct frame ack;

		third_ack(tap, six, &ack);
		reset(c);
		close(accepted(l)); /* it was reset: the listener alone is left */
		expect("cookie", &ack, MPLB_SERVER_R_GUE_COOKIE);
		clients_tcp(&ack, six)[13] |= FLAG_PSH;
		expect("cookie, with a request", &ack, MPLB_SERVER_R_GUE_COOKIE);
		clients_tcp(&ack, six)[13] |= FLAG_RST;
		expect("a reset is no answer to a SYN/ACK", &ack, MPLB_SERVER_R_PASSED_ON);
		clients_tcp(&ack, six)[13] = FLAG_ACK;
		clients_tcp(&ack, six)[8] ^= 0x40;
		expect("another number", &ack, MPLB_SERVER_R_PASSED_ON);
		close(l);
		clients_tcp(&ack, six)[8] ^= 0x40;
		expect("the listener gone", &ack, MPLB_SERVER_R_PASSED_ON);
		close(tap);
	}
}

/* ---- ICMP errors ---- */

/* An error of this type that quotes a packet of the VIP's to the client, changed at one byte. */
static void error(bool six, uint8_t type, size_t cut, int at, uint8_t value, struct frame *out)
{
	const struct packet quoted = { .src = six ? VIP6 : VIP4,
				       .dst = six ? CLIENT_6 : CLIENT_4,
				       .sport = PORT,
				       .dport = SPORT };
	struct packet p = { .dst = six ? VIP6 : VIP4,
			    .src = six ? "2001:db8:f::1" : "192.0.2.1",
			    .proto = six ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
			    .icmp_type = type };
	struct frame f;

	packet_build(&quoted, &f);
	if (at >= 0)
		f.at[ETH_HEAD + at] = value;
	p.body = (struct bytes){ f.at + ETH_HEAD, cut ? cut : f.len - ETH_HEAD };
	packet_build(&p, out);
}

static void expect_error(const char *name, bool six, uint8_t type, size_t cut, int at,
			 uint8_t value, unsigned int reason)
{
	struct frame f;

	error(six, type, cut, at, value, &f);
	expect(name, &f, reason);
}

Test(server_flow, icmp_errors_go_where_the_flow_is)
{
	static const uint8_t types[2][4] = { { 3, 11, 12, 3 }, { 1, 2, 3, 4 } };

	for (int six = 0; six < 2; six++) {
		const unsigned int none = MPLB_SERVER_R_GUE_STATELESS;
		size_t ip = six ? 40 : 20;
		int l, c, s;

		for (int i = 0; i < 4; i++)
			expect_error("unknown", six, types[six][i], 0, -1, 0,
				     MPLB_SERVER_R_PASSED_ON);
		l = listener(six, 0);
		expect_error("listener", six, types[six][0], 0, -1, 0, MPLB_SERVER_R_PASSED_ON);
		c = client(six, 0, true);
		s = accepted(l);
		for (int i = 0; i < 4; i++)
			expect_error("known", six, types[six][i], 0, -1, 0,
				     MPLB_SERVER_R_GUE_SOCKET);
		expect_error("8 bytes quoted", six, types[six][0], ip + 8, -1, 0,
			     MPLB_SERVER_R_GUE_SOCKET);
		expect_error("the ports quoted", six, types[six][0], ip + 4, -1, 0,
			     MPLB_SERVER_R_GUE_SOCKET);
		expect_error("half of the ports", six, types[six][0], ip + 3, -1, 0, none);
		expect_error("half of the header", six, types[six][0], 12, -1, 0, none);
		expect_error("echo request", six, six ? 128 : 8, 0, -1, 0, none);
		expect_error("UDP", six, types[six][0], 0, six ? 6 : 9, IPPROTO_UDP, none);
		expect_error("another version", six, types[six][0], 0, 0, 0x55, none);
		if (!six) {
			expect_error("a later fragment", six, 3, 0, 7, 1, none);
			expect_error("a header of 16 bytes", six, 3, 0, 0, 0x44, none);
		}
		expect_error("another client's port", six, types[six][0], 0, (int)ip + 3, 0x41,
			     MPLB_SERVER_R_PASSED_ON);
		close(s);
		close(c);
		close(l);
	}
}

/* ---- what hides the flow ---- */

static const struct {
	const char *name;
	struct packet p;
	unsigned int reason;
} hidden[] = {
	{ "IPv4 options",
	  { .dst = VIP4, .ip_options = BYTES(1, 1, 1, 0) },
	  MPLB_SERVER_R_GUE_SOCKET },
	{ "first fragment", { .dst = VIP4, .frag = FRAG_MF }, MPLB_SERVER_R_GUE_STATELESS },
	{ "later fragment",
	  { .dst = VIP4, .frag = 9, .headless = true, .payload = 40 },
	  MPLB_SERVER_R_GUE_STATELESS },
	{ "destination options",
	  { .dst = VIP6, .ext_type = 60, .ext = BYTES(6, 0, 1, 4, 0, 0, 0, 0) },
	  MPLB_SERVER_R_GUE_SOCKET },
	{ "hop-by-hop and two words of destination options",
	  { .dst = VIP6,
	    .ext_type = 0,
	    .ext = BYTES(60, 0, 1, 4, 0, 0, 0, 0, 6, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
			 0) },
	  MPLB_SERVER_R_GUE_SOCKET },
	{ "an atomic fragment",
	  { .dst = VIP6, .ext_type = 44, .ext = BYTES(6, 0, 0, 0, 1, 2, 3, 4) },
	  MPLB_SERVER_R_GUE_SOCKET },
	{ "a first fragment",
	  { .dst = VIP6, .ext_type = 44, .ext = BYTES(6, 0, 0, 1, 1, 2, 3, 4) },
	  MPLB_SERVER_R_GUE_STATELESS },
	{ "a later fragment",
	  { .dst = VIP6, .ext_type = 44, .ext = BYTES(6, 0, 0, 8, 1, 2, 3, 4) },
	  MPLB_SERVER_R_GUE_STATELESS },
	{ "a routing header that is not at its end",
	  { .dst = VIP6, .ext_type = 43, .ext = BYTES(6, 0, 0, 1, 0, 0, 0, 0) },
	  MPLB_SERVER_R_GUE_STATELESS },
};

Test(server_flow, options_and_extension_headers_are_skipped_and_fragments_are_not)
{
	for (int six = 0; six < 2; six++) {
		int l = listener(six, 0), c = client(six, 0, true), s = accepted(l);

		for (size_t i = 0; i < CASES(hidden); i++) {
			struct packet p = hidden[i].p;
			struct frame f;

			if (server_rig_ip(p.dst).family != (six ? MPLB_FAMILY_6 : MPLB_FAMILY_4))
				continue;
			p.sport = SPORT;
			p.dport = PORT;
			p.seq = seq;
			p.ack = ack;
			packet_build(&p, &f);
			expect(hidden[i].name, &f, hidden[i].reason);
		}
		close(s);
		close(c);
		close(l);
	}
}
