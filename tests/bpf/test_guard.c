/* SPDX-License-Identifier: GPL-2.0-only */
/* bpf/guard.h: what gets to a dedicated address. Packets in, verdicts and reasons out; sockets are
 * real ones, in a network namespace of the test's own. */
#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/pkt_cls.h>
#include "bpf/server.skel.h"
#include "lib/monotonic.h"
#include "mplb/guard.h"
#include "rig.h"
#include "server_rig.h"

#define CASES(a)    (sizeof(a) / sizeof(*(a)))
#define OWN4	    "203.0.113.11"
#define OWN6	    "2001:db8:d::11"
#define PREFIX	    "2001:db8:f:1::"
#define TOKEN	    0xdeadbeef /* that of OPT_JOIN */
#define PORT	    443 /* MPTCP */
#define PLAIN	    2223 /* TCP */
#define ALLOWED	    2222
#define UDP_SERVICE 5000
#define UDP_ASKING  40000
#define NONE	    MPLB_SERVER_R_MAX /* not counted: no guarded address */
#define R(name)	    MPLB_SERVER_R_GUARD_##name

static struct server_rig rig;
static struct mplb_guard settings = { .secret = { 0x1122334455667788, 0x99aabbccddeeff00 },
				      .flags = MPLB_GUARD_F_PREFIX,
				      .ephemeral = 32768 };

static void put(const struct bpf_map *map, const void *key, const void *value)
{
	cr_assert(!bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY), "%s",
		  strerror(errno));
}

static void put_settings(void)
{
	__u32 zero = 0;

	put(rig.skel->maps.guard_settings, &zero, &settings);
}

static void know(__u32 token)
{
	__u32 one = 1;

	put(rig.skel->maps.guard_tokens, &token, &one);
}

/* server-pm was heard of so long ago. */
static void heard(unsigned int seconds)
{
	__u32 zero = 0;
	__u64 beat = monotonic_ns() - seconds * 1000000000ULL;

	put(rig.skel->maps.guard_beat, &zero, &beat);
}

static void allow(__u8 proto, __u16 port)
{
	struct mplb_guard_allow key = { .port = htons(port), .proto = proto };
	__u8 one = 1;

	put(rig.skel->maps.guard_allow, &key, &one);
}

static void guard(const char *text)
{
	struct ip ip = server_rig_ip(text);
	struct mplb_server_addr key = { .addr = ip.addr, .family = ip.family };
	__u8 one = 1;

	put(rig.skel->maps.guard_addresses, &key, &one);
}

/* ---- sockets ---- */

static int bound(const char *text, uint16_t port, int type, int proto)
{
	struct sockaddr_storage at;
	socklen_t len = server_rig_sockaddr(text, port, &at);
	int one = 1, fd = socket(at.ss_family, type | SOCK_CLOEXEC, proto);

	if (fd < 0 && proto == IPPROTO_MPTCP)
		rig_skip("this kernel has no MPTCP");
	cr_assert(fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
	setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &one, sizeof(one));
	cr_assert(!bind(fd, (void *)&at, len), "%s: %s", text, strerror(errno));
	return fd;
}

static int listener(const char *text, uint16_t port, int proto)
{
	int fd = bound(text, port, SOCK_STREAM, proto);

	cr_assert(!listen(fd, 8));
	return fd;
}

static int connected(int fd, const char *text, uint16_t port)
{
	struct sockaddr_storage to;
	socklen_t len = server_rig_sockaddr(text, port, &to);

	/* In a namespace that is this young the first try may find no route yet. */
	for (int i = 0; i < 20; i++) {
		if (!connect(fd, (void *)&to, len))
			return fd;
		usleep(50000);
	}
	cr_assert(false, "%s: %s", text, strerror(errno));
	return fd;
}

/* ---- the rig ---- */

static void set_up(void)
{
	static const char *const addresses[] = { VIP4, VIP6, CLIENT_4, CLIENT_6, OWN4, OWN6, NULL };
	struct ip prefix = server_rig_ip(PREFIX);

	server_rig_open(&rig, "mplb_guard", NULL);
	server_rig_netns(addresses);
	memcpy(settings.prefix, &prefix.addr, sizeof(settings.prefix));
	put_settings();
	guard(OWN4);
	guard(OWN6);
	allow(IPPROTO_TCP, ALLOWED);
	allow(4, 0);
	heard(0);
	listener("::", PORT, IPPROTO_MPTCP);
	listener("::", PLAIN, IPPROTO_TCP);
	bound("::", UDP_SERVICE, SOCK_DGRAM, 0);
	bound("::", UDP_ASKING, SOCK_DGRAM, 0);
}

static void tear_down(void)
{
	server_rig_close(&rig);
}

TestSuite(guard, .init = set_up, .fini = tear_down);

/* The verdict that belongs to a reason, by its line in mplb/server.h. */
static int verdict_of(unsigned int reason)
{
	switch (reason) {
	case NONE:
		return TC_ACT_UNSPEC;
#define VERDICT_PASS TC_ACT_UNSPEC
#define VERDICT_DROP TC_ACT_SHOT
#define X(number, NAME, name, action, text)                                                        \
	case number:                                                                               \
		return VERDICT_##action;
		MPLB_GUARD_REASONS(X)
#undef X
	}
	return -2;
}

static void expect_frame(const char *name, const struct frame *in, unsigned int want)
{
	unsigned int reason;
	int verdict = server_rig_guard(&rig, in, &reason);

	cr_expect_eq(reason, want, "%s: reason %u, not %u", name, reason, want);
	cr_expect_eq(verdict, verdict_of(want), "%s: verdict %d", name, verdict);
}

static void expect(const char *name, const struct packet *p, unsigned int want)
{
	struct frame in;

	packet_build(p, &in);
	expect_frame(name, &in, want);
}

#define USUAL	 OPT_MSS, OPT_SACK, OPT_TIME, OPT_NOP, OPT_WSCALE
#define SYN(...) .flags = FLAG_SYN, .options = BYTES(__VA_ARGS__)

struct guard_case {
	const char *name;
	struct packet packet; /* to OWN4 and OWN6, unless it says otherwise */
	unsigned int reason;
	int only; /* 4 or 6; 0: both */
};

static void expect_all(const struct guard_case *cases, size_t n, const char *own4, const char *own6)
{
	for (size_t i = 0; i < n; i++)
		for (int family = 4; family <= 6; family += 2) {
			struct packet p = cases[i].packet;
			char name[128];

			if (cases[i].only && cases[i].only != family)
				continue;
			if (!p.dst)
				p.dst = family == 4 ? own4 : own6;
			if (!p.dst)
				continue;
			if (p.proto == IPPROTO_ICMP && family == 6)
				p.proto = IPPROTO_ICMPV6;
			snprintf(name, sizeof(name), "%s, IPv%d", cases[i].name, family);
			expect(name, &p, cases[i].reason);
		}
}

/* ---- what opens ---- */

static const struct guard_case syns[] = {
	{ "SYN", { .flags = FLAG_SYN }, R(SYN) },
	{ "SYN, as Linux's", { SYN(USUAL) }, R(SYN) },
	{ "MP_CAPABLE", { SYN(USUAL, OPT_CAPABLE) }, R(SYN) },
	{ "no join next to MP_CAPABLE", { SYN(OPT_CAPABLE, OPT_JOIN) }, R(SYN) },
	{ "no join before MP_CAPABLE", { SYN(OPT_JOIN, OPT_CAPABLE) }, R(SYN) },
	{ "MP_JOIN of a SYN/ACK",
	  { SYN(OPT_MPTCP(16, 1), 1, 0xde, 0xad, 0xbe, 0xef, 0, 0, 0, 0, 0, 0, 0, 0, 0) },
	  R(SYN) },
	{ "MP_JOIN behind the end", { SYN(OPT_EOL, OPT_JOIN) }, R(SYN) },
	{ "MP_JOIN behind a stump", { SYN(5, 1, OPT_JOIN) }, R(SYN) },
	{ "MP_JOIN cut off", { SYN(1, 1, 1, 1, 30, 12, 0x10, 1) }, R(SYN) },
	{ "join", { SYN(OPT_JOIN) }, R(JOIN) },
	{ "join, as Linux's", { SYN(USUAL, OPT_JOIN) }, R(JOIN) },
	{ "join behind NOPs", { SYN(1, 1, 1, 1, 1, 1, 1, 1, OPT_JOIN) }, R(JOIN) },
	{ "join with data", { SYN(OPT_JOIN), .payload = 500 }, R(JOIN) },
	{ "join to plain TCP", { SYN(OPT_JOIN), .dport = PLAIN }, R(LISTENER) },
	{ "join to nobody", { SYN(OPT_JOIN), .dport = 81 }, R(LISTENER) },
	{ "SYN to plain TCP", { SYN(USUAL), .dport = PLAIN }, R(SYN) },
	{ "SYN to an allowed port", { SYN(USUAL), .dport = ALLOWED }, R(ALLOWED) },
	{ "SYN from an allowed port", { SYN(USUAL), .sport = ALLOWED }, R(SYN) },
	{ "SYN and FIN", { .flags = FLAG_SYN | FLAG_FIN }, R(SYN) },
	{ "SYN and RST", { .flags = FLAG_SYN | FLAG_RST }, R(SYN) },
	{ "join behind IPv4 options",
	  { SYN(OPT_JOIN), .ip_options = BYTES(1, 1, 1, 1) },
	  R(JOIN),
	  4 },
	{ "SYN behind IPv4 options", { SYN(USUAL), .ip_options = BYTES(1, 1, 1, 1) }, R(SYN), 4 },
};

Test(guard, a_syn_must_be_a_join)
{
	know(TOKEN);
	expect_all(syns, CASES(syns), OWN4, OWN6);
}

Test(guard, other_addresses_are_none_of_its_business)
{
	const struct packet packets[] = {
		{ .dst = VIP4, SYN(USUAL) },
		{ .dst = VIP6, SYN(USUAL) },
		{ .dst = VIP4, SYN(OPT_JOIN) },
		{ .dst = VIP6, .flags = FLAG_ACK },
		{ .dst = VIP4, .proto = IPPROTO_UDP },
		{ .dst = VIP4, .proto = IPPROTO_ICMP },
		{ .dst = VIP4, .frag = FRAG_MF },
		{ .dst = OTHER4, SYN(USUAL) },
		{ .dst = OTHER6, SYN(USUAL) },
		{ .dst = "ff02::1:ff00:11", .proto = IPPROTO_ICMPV6, .icmp_type = 135 },
		{ .ethertype = 0x0806, .dst = NULL, .payload = 28 },
	};

	for (size_t i = 0; i < CASES(packets); i++)
		expect("elsewhere", &packets[i], NONE);
}

Test(guard, an_unknown_token_has_a_small_budget)
{
	const struct packet p = { .dst = OWN4, SYN(OPT_JOIN) };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .repeat = 20000);
	struct timespec begin, end;
	struct frame in;
	__u64 early, dropped, ms;

	packet_build(&p, &in);
	opts.data_in = in.at;
	opts.data_size_in = (__u32)in.len;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	cr_assert(!bpf_prog_test_run_opts(bpf_program__fd(rig.skel->progs.mplb_guard), &opts));
	clock_gettime(CLOCK_MONOTONIC, &end);
	early = server_rig_count(&rig, R(EARLY)).packets;
	dropped = server_rig_count(&rig, R(TOKEN)).packets;
	ms = (__u64)(end.tv_sec - begin.tv_sec) * 1000 + (__u64)(end.tv_nsec / 1000000) -
	     (__u64)(begin.tv_nsec / 1000000);
	cr_expect_eq(early + dropped, 20000);
	cr_expect_geq(early, MPLB_GUARD_EARLY_BURST);
	/* The clock of the program has steps of up to 10 ms. */
	cr_expect_leq(early, MPLB_GUARD_EARLY_BURST + (ms + 20) * MPLB_GUARD_EARLY_RATE / 1000,
		      "%llu in %llu ms", (unsigned long long)early, (unsigned long long)ms);
	know(TOKEN);
	expect("known", &p, R(JOIN));
}

Test(guard, server_pm_is_not_heard_of)
{
	const struct packet join = { .dst = OWN4, SYN(OPT_JOIN) },
			    syn = { .dst = OWN4, SYN(USUAL) };

	expect("unknown", &join, R(EARLY));
	heard(9);
	expect("9 s ago", &join, R(EARLY));
	heard(11);
	expect("11 s ago, open", &join, R(STALE));
	expect("open is open to joins only", &syn, R(SYN));
	settings.flags |= MPLB_GUARD_F_CLOSED;
	put_settings();
	expect("closed", &join, R(TOKEN));
	know(TOKEN);
	expect("closed, known before", &join, R(JOIN));
	heard(0);
	expect("heard again", &join, R(JOIN));
}

/* ---- what opens nothing ---- */

static const struct guard_case segments[] = {
	{ "ACK", { .flags = FLAG_ACK, .payload = 60 }, R(UNKNOWN) },
	{ "FIN", { .flags = FLAG_FIN | FLAG_ACK }, R(UNKNOWN) },
	{ "RST", { .flags = FLAG_RST }, R(UNKNOWN) },
	{ "SYN/ACK", { .flags = FLAG_SYN | FLAG_ACK }, R(UNKNOWN) },
	{ "no flags", { .flags = FLAG_PSH }, R(UNKNOWN) },
	{ "MP_JOIN in an ACK", { .flags = FLAG_ACK, .options = BYTES(OPT_JOIN) }, R(UNKNOWN) },
	{ "ACK to nobody", { .flags = FLAG_ACK, .dport = 81 }, R(UNKNOWN) },
	{ "ACK to an allowed port", { .flags = FLAG_ACK, .dport = ALLOWED }, R(ALLOWED) },
};

Test(guard, a_segment_must_have_a_socket)
{
	know(TOKEN);
	expect_all(segments, CASES(segments), OWN4, OWN6);
}

/* A flow from the client to that port. */
static void expect_flow(const char *name, bool six, uint16_t dport, unsigned int want)
{
	static const uint8_t flags[] = { FLAG_ACK, FLAG_ACK | FLAG_FIN, FLAG_RST };

	for (size_t i = 0; i < CASES(flags); i++) {
		const struct packet p = {
			.dst = six ? OWN6 : OWN4, .dport = dport, .sport = 41000, .flags = flags[i]
		};

		expect(name, &p, want);
	}
}

Test(guard, each_state_of_a_connection)
{
	for (int six = 0; six < 2; six++) {
		const char *own = six ? OWN6 : OWN4, *from = six ? CLIENT_6 : CLIENT_4;
		int l = listener(own, 8080, IPPROTO_TCP), c, s;

		expect_flow("a listener", six, 8080, R(UNKNOWN));
		c = connected(bound(from, 41000, SOCK_STREAM, 0), own, 8080);
		expect_flow("established, not accepted", six, 8080, R(SOCKET));
		s = accept(l, NULL, NULL);
		close(l);
		expect_flow("established", six, 8080, R(SOCKET));
		close(s);
		expect_flow("closing", six, 8080, R(SOCKET));
		close(c);
		expect_flow("TIME_WAIT", six, 8080, R(SOCKET));
	}
}

/* With TCP_DEFER_ACCEPT the server stays at the request until data come. */
Test(guard, a_request_is_known)
{
	for (int six = 0; six < 2; six++) {
		const char *own = six ? OWN6 : OWN4, *from = six ? CLIENT_6 : CLIENT_4;
		int l = bound(own, 8080, SOCK_STREAM, 0), seconds = 10;

		setsockopt(l, IPPROTO_TCP, 9 /* TCP_DEFER_ACCEPT */, &seconds, sizeof(seconds));
		cr_assert(!listen(l, 8));
		connected(bound(from, 41000, SOCK_STREAM, 0), own, 8080);
		expect_flow("SYN received", six, 8080, R(SOCKET));
		close(l);
	}
}

/* The host's own: the other end is on the client's address. */
Test(guard, the_hosts_own_connections)
{
	for (int six = 0; six < 2; six++) {
		const char *own = six ? OWN6 : OWN4, *far = six ? CLIENT_6 : CLIENT_4;
		int l = listener(far, 8081, IPPROTO_TCP);
		struct packet p = {
			.dst = own, .sport = 8081, .dport = 42000, .flags = FLAG_SYN | FLAG_ACK
		};

		expect("an answer to nothing", &p, R(UNKNOWN));
		connected(bound(own, 42000, SOCK_STREAM, 0), far, 8081);
		expect("an answer", &p, R(SOCKET));
		close(l);
	}
}

/* ---- other protocols ---- */

static const struct guard_case others[] = {
	{ "UDP to nobody", { .proto = IPPROTO_UDP, .dport = 81 }, R(OTHER) },
	{ "UDP to a service", { .proto = IPPROTO_UDP, .dport = UDP_SERVICE }, R(OTHER) },
	{ "UDP to one that has asked", { .proto = IPPROTO_UDP, .dport = UDP_ASKING }, R(ANSWER) },
	{ "UDP to a TCP port that is allowed",
	  { .proto = IPPROTO_UDP, .dport = ALLOWED },
	  R(OTHER) },
	{ "a protocol", { .proto = 47 }, R(OTHER) },
	{ "one that is allowed", { .proto = 4 }, R(ALLOWED) },
	{ "echo request", { .proto = IPPROTO_ICMP, .icmp_type = 8 }, R(REQUEST), 4 },
	{ "timestamp request", { .proto = IPPROTO_ICMP, .icmp_type = 13 }, R(REQUEST), 4 },
	{ "echo reply", { .proto = IPPROTO_ICMP, .icmp_type = LIE_ZERO }, R(ICMP), 4 },
	{ "unreachable", { .proto = IPPROTO_ICMP, .icmp_type = 3, .icmp_code = 4 }, R(ICMP), 4 },
	{ "time exceeded", { .proto = IPPROTO_ICMP, .icmp_type = 11 }, R(ICMP), 4 },
	{ "echo request", { .proto = IPPROTO_ICMPV6, .icmp_type = 128 }, R(REQUEST), 6 },
	{ "node query", { .proto = IPPROTO_ICMPV6, .icmp_type = 139 }, R(REQUEST), 6 },
	{ "echo reply", { .proto = IPPROTO_ICMPV6, .icmp_type = 129 }, R(ICMP), 6 },
	{ "too big", { .proto = IPPROTO_ICMPV6, .icmp_type = 2 }, R(ICMP), 6 },
	{ "neighbour solicitation", { .proto = IPPROTO_ICMPV6, .icmp_type = 135 }, R(ICMP), 6 },
	{ "neighbour advertisement", { .proto = IPPROTO_ICMPV6, .icmp_type = 136 }, R(ICMP), 6 },
	{ "ICMP of the other family", { .proto = IPPROTO_ICMPV6, .icmp_type = 2 }, R(OTHER), 4 },
	/* 4 bytes of ports and 8 more stand for what is behind the extension header. */
	{ "hop-by-hop options",
	  { .ext_type = 0, .ext = BYTES(6, 0, 1, 4, 0, 0, 0, 0) },
	  R(OTHER),
	  6 },
	{ "routing header", { .ext_type = 43, .ext = BYTES(6, 0, 0, 0, 0, 0, 0, 0) }, R(OTHER), 6 },
	{ "destination options",
	  { SYN(OPT_JOIN), .ext_type = 60, .ext = BYTES(6, 0, 1, 4, 0, 0, 0, 0) },
	  R(OTHER),
	  6 },
	{ "first fragment of TCP", { SYN(OPT_JOIN), .frag = FRAG_MF }, R(TCP_FRAGMENT), 4 },
	{ "later fragment of TCP",
	  { .frag = 3, .headless = true, .payload = 40 },
	  R(TCP_FRAGMENT),
	  4 },
	{ "first fragment of UDP",
	  { .proto = IPPROTO_UDP, .dport = UDP_SERVICE, .frag = FRAG_MF },
	  R(OTHER),
	  4 },
	{ "first fragment of an answer",
	  { .proto = IPPROTO_UDP, .dport = UDP_ASKING, .frag = FRAG_MF },
	  R(ANSWER),
	  4 },
	{ "later fragment of UDP",
	  { .proto = IPPROTO_UDP, .frag = 185, .headless = true, .payload = 40 },
	  R(FRAGMENT),
	  4 },
	{ "later fragment of another protocol",
	  { .proto = 47, .frag = 185, .headless = true, .payload = 40 },
	  R(OTHER),
	  4 },
	{ "first fragment of TCP",
	  { SYN(OPT_JOIN), .ext_type = 44, .ext = BYTES(6, 0, 0, 1, 0, 0, 0, 1) },
	  R(TCP_FRAGMENT),
	  6 },
	{ "all of a SYN in a fragment",
	  { SYN(OPT_JOIN), .ext_type = 44, .ext = BYTES(6, 0, 0, 0, 0, 0, 0, 1) },
	  R(TCP_FRAGMENT),
	  6 },
	{ "later fragment of UDP",
	  { .proto = IPPROTO_UDP, .ext_type = 44, .ext = BYTES(17, 0, 5, 0xc8, 0, 0, 0, 1) },
	  R(FRAGMENT),
	  6 },
	{ "first fragment of an answer",
	  { .proto = IPPROTO_UDP,
	    .dport = UDP_ASKING,
	    .ext_type = 44,
	    .ext = BYTES(17, 0, 0, 1, 0, 0, 0, 1) },
	  R(ANSWER),
	  6 },
	{ "a header behind a fragment header",
	  { SYN(OPT_JOIN), .ext_type = 44,
	    .ext = BYTES(60, 0, 0, 1, 0, 0, 0, 1, 6, 0, 1, 4, 0, 0, 0, 0) },
	  R(OTHER),
	  6 },
};

Test(guard, other_protocols)
{
	know(TOKEN);
	expect_all(others, CASES(others), OWN4, OWN6);
}

Test(guard, requests_where_icmp_is_allowed)
{
	const struct packet four = { .dst = OWN4, .proto = IPPROTO_ICMP, .icmp_type = 8 };
	const struct packet six = { .dst = OWN6, .proto = IPPROTO_ICMPV6, .icmp_type = 128 };

	allow(IPPROTO_ICMP, 0);
	allow(IPPROTO_ICMPV6, 0);
	expect("IPv4", &four, R(ALLOWED));
	expect("IPv6", &six, R(ALLOWED));
}

Test(guard, a_connected_datagram_socket_has_asked)
{
	for (int six = 0; six < 2; six++) {
		const char *own = six ? OWN6 : OWN4;
		struct packet p = { .dst = own, .proto = IPPROTO_UDP, .sport = 53, .dport = 1053 };
		int fd = bound(own, 1053, SOCK_DGRAM, 0);

		expect("not connected", &p, R(OTHER));
		connected(fd, six ? CLIENT_6 : CLIENT_4, 53);
		expect("connected", &p, R(ANSWER));
		p.sport = 54;
		expect("from another port", &p, R(OTHER));
		close(fd);
	}
}

/* ---- an address per connection ---- */

static const char *derived(__u32 token, char buf[static IP_STRLEN])
{
	struct ip ip = { .family = MPLB_FAMILY_6 };

	mplb_guard_address(&settings, token, &ip.addr);
	return ip_format(&ip, buf);
}

static const struct guard_case at_derived[] = {
	{ "join", { SYN(OPT_JOIN) }, R(JOIN) },
	{ "join to plain TCP", { SYN(OPT_JOIN), .dport = PLAIN }, R(LISTENER) },
	{ "SYN", { SYN(USUAL) }, R(SYN) },
	{ "SYN to an allowed port", { SYN(USUAL), .dport = ALLOWED }, R(SYN) },
	{ "ACK to an allowed port", { .flags = FLAG_ACK, .dport = ALLOWED }, R(UNKNOWN) },
	{ "UDP to one that has asked", { .proto = IPPROTO_UDP, .dport = UDP_ASKING }, R(OTHER) },
	{ "a protocol that is allowed", { .proto = 4 }, R(OTHER) },
	{ "echo request", { .proto = IPPROTO_ICMPV6, .icmp_type = 128 }, R(REQUEST) },
	{ "too big", { .proto = IPPROTO_ICMPV6, .icmp_type = 2 }, R(ICMP) },
};

Test(guard, an_address_is_one_connections)
{
	const struct packet scan = { .dst = PREFIX "1", SYN(OPT_JOIN) };
	char own[IP_STRLEN], other[IP_STRLEN];
	const struct packet p = { .dst = derived(TOKEN, own), SYN(OPT_JOIN) };
	const struct packet stray = { .dst = derived(TOKEN + 1, other), SYN(OPT_JOIN) };

	allow(IPPROTO_ICMPV6, 0);
	expect("a token not known yet", &p, R(EARLY));
	know(TOKEN);
	know(TOKEN + 1);
	expect_all(at_derived, CASES(at_derived), NULL, own);
	expect("another connection's address", &stray, R(ADDRESS));
	expect("nobody's address", &scan, R(ADDRESS));
	heard(11);
	expect("open is not open to strays", &stray, R(ADDRESS));
	settings.flags &= (__u16)~MPLB_GUARD_F_PREFIX;
	put_settings();
	expect("no prefix", &p, NONE);
}

/* The application listens at one address only. (That server-pm then takes joins for all the others
 * needs a device: a program that runs on none cannot give a packet to a socket.) */
Test(guard, a_listener_elsewhere_is_none_for_an_address)
{
	char own[IP_STRLEN], common[IP_STRLEN];
	const struct packet p = { .dst = derived(TOKEN, own), SYN(OPT_JOIN), .dport = 8443 };

	know(TOKEN);
	listener(VIP6, 8443, IPPROTO_MPTCP);
	expect("nobody listens", &p, R(LISTENER));
	listener(derived(0, common), 8443, IPPROTO_TCP);
	expect("plain TCP does", &p, R(LISTENER));
}

/* ---- broken packets ---- */

static const struct guard_case broken[] = {
	{ "data offset 4", { SYN(OPT_JOIN), .doff = 4 }, R(MALFORMED) },
	{ "data offset 15, and nothing there", { .flags = FLAG_SYN, .doff = 15 }, R(MALFORMED) },
	{ "header length 4", { SYN(OPT_JOIN), .ihl = 4 }, R(MALFORMED), 4 },
	{ "version 5", { SYN(OPT_JOIN), .version = 5 }, R(MALFORMED) },
};

Test(guard, broken_packets)
{
	know(TOKEN);
	expect_all(broken, CASES(broken), OWN4, OWN6);
}

/* Wherever a frame ends: cut off it is nothing that gets in. */
Test(guard, cut_off_anywhere)
{
	know(TOKEN);
	for (int six = 0; six < 2; six++) {
		const struct packet p = { .dst = six ? OWN6 : OWN4, SYN(USUAL, OPT_JOIN) };
		struct frame whole, in;

		packet_build(&p, &whole);
		expect_frame("whole", &whole, R(JOIN));
		for (size_t len = ETH_HEAD; len < whole.len; len++) {
			unsigned int reason,
				want = len < ETH_HEAD + (six ? 40 : 20) ? NONE : R(MALFORMED);
			LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in.at,
				    .data_size_in = (__u32)len);

			in = whole;
			in.len = len;
			/* The kernel runs no program on a frame that has no whole IP header. */
			if (bpf_prog_test_run_opts(bpf_program__fd(rig.skel->progs.mplb_guard),
						   &opts))
				continue;
			server_rig_guard(&rig, &in, &reason);
			cr_expect_eq(reason, want, "%zu bytes: reason %u", len, reason);
		}
	}
}
