/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The backend's programs on a device, attached as server-pm does it: frames in and out of a veth.
 *
 *	net (this test)  ── veth ──  in   10.0.0.11, fd00::11; XDP, clsact; lo: the VIPs
 */
#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kept.h"
#include "netns.h"
#include "rig.h"
#include "server-pm/decap.h"
#include "server-pm/tc.h"
#include "server_rig.h"

#define CASES(a) (sizeof(a) / sizeof(*(a)))
#define PORT	 443
#define QUICK	 300 /* ms for something not to come */
#define TIMEOUT	 5000

static const uint8_t mac_here[6] = { 2, 0, 0, 0, 0, 0x11 }, mac_router[6] = { 2, 0, 0, 0, 0, 1 },
		     mac_fallback[6] = { 2, 0, 0, 0, 0, 0x12 };

static struct server_state *state;
static struct nl *route;
static int net = -1; /* packet socket at the other end of the wire */

static void lay_out(void)
{
	static const struct {
		const char *device, *address;
		unsigned int prefix;
	} addresses[] = { { "in", BACKEND4, 24 },
			  { "in", BACKEND6, 64 },
			  { "lo", VIP4, 32 },
			  { "lo", VIP6, 128 } };

	cr_assert(!netns_enter() && !netns_veth("in", "net", mac_here));
	for (size_t i = 0; i < CASES(addresses); i++)
		cr_assert(!netns_addr(addresses[i].device, addresses[i].address,
				      addresses[i].prefix));
	cr_assert(!netns_neighbour("in", FALLBACK4, mac_fallback) &&
		  !netns_neighbour("in", FALLBACK6, mac_fallback) &&
		  !netns_neighbour("in", "10.0.0.1", mac_router) &&
		  !netns_neighbour("in", "fd00::1", mac_router));
	cr_assert(!netns_route("0.0.0.0", 0, "10.0.0.1", 1, 0) &&
		  !netns_route("::", 0, "fd00::1", 1, 0));
}

static void set_up(void)
{
	struct ip vips[] = { server_rig_ip(VIP4), server_rig_ip(VIP6) };
	struct ip balancers[] = { server_rig_ip(BALANCER4), server_rig_ip(BALANCER6) };
	struct server_config config = {
		.vips = { vips, CASES(vips) },
		.balancers = { balancers, CASES(balancers) },
		.device = "in",
		.mtu = SERVER_MTU_DEVICE,
	};

	if (geteuid())
		rig_skip("not root: BPF programs cannot be loaded");
	cr_assert(!kept_mount());
	lay_out();
	net = server_rig_wire("net");
	cr_assert(!nl_open(NETLINK_ROUTE, 0, &route));
	cr_assert(!server_state_open(KEPT_ROOT "/mplb", true, &state));
	cr_assert(!server_decap_fill(state, &config));
	cr_assert(!server_tc_attach(state, route, "in", SERVER_TC_PASS_ON));
	cr_assert(!server_tc_attach(state, route, "in", SERVER_TC_MSS));
	cr_assert(!server_decap_attach(state, "in", SERVER_MODE_AUTO));
}

static void tear_down(void)
{
	char kind[SERVER_TC_QDISC_LEN];

	cr_expect(!server_decap_detach(state, "in"));
	cr_expect(!server_tc_detach(state, "in", SERVER_TC_MSS));
	cr_expect(!server_tc_remove_qdisc(route, "in"));
	cr_expect(!server_tc_qdisc(route, "in", kind));
	cr_expect_str_eq(kind, "clsact", "the qdisc went with a filter on it");
	cr_expect(!server_tc_detach(state, "in", SERVER_TC_PASS_ON));
	cr_expect(!server_tc_remove_qdisc(route, "in"));
	cr_expect(!server_tc_qdisc(route, "in", kind));
	cr_expect_str_empty(kind);
	server_state_close(state);
	nl_close(route);
	close(net);
}

TestSuite(server_live, .init = set_up, .fini = tear_down);

static const struct bytes mss_option = BYTES(OPT_MSS);

/* A segment in a tunnel from the balancer. */
static void wrapped(bool outer6, bool inner6, uint8_t flags, struct frame *out)
{
	const struct packet p = { .dst = inner6 ? VIP6 : VIP4,
				  .dport = PORT,
				  .flags = flags,
				  .options = flags & FLAG_SYN ? mss_option : (struct bytes){ 0 } };
	const struct outer outer = {
		.dmac = mac_here,
		.smac = mac_router,
		.gue = true,
		.src = server_rig_ip(outer6 ? BALANCER6 : BALANCER4),
		.dst = server_rig_ip(outer6 ? BACKEND6 : BACKEND4),
		.fallback = server_rig_ip(outer6 ? FALLBACK6 : FALLBACK4),
	};
	struct frame inner;

	packet_build(&p, &inner);
	frame_encapsulate(&inner, &outer, out);
}

static size_t ip_len(bool six)
{
	return six ? 40 : 20;
}

static void send_frame(const struct frame *f)
{
	cr_assert_eq(send(net, f->at, f->len, 0), (ssize_t)f->len, "%s", strerror(errno));
}

/* The next frame that leaves the device: a TCP segment of a VIP's, or (gue) one with UDP. False
 * where none comes in time. */
static bool next_frame(bool gue, int ms, struct frame *out)
{
	return server_rig_next(net, gue ? IPPROTO_UDP : IPPROTO_TCP, ms, out);
}

Test(server_live, what_is_not_ours_leaves_for_the_fallback)
{
	for (int outer6 = 0; outer6 < 2; outer6++)
		for (int inner6 = 0; inner6 < 2; inner6++) {
			size_t ip = ip_len(outer6), dst = ETH_HEAD + ip - (outer6 ? 16 : 4);
			const struct ip to = server_rig_ip(outer6 ? FALLBACK6 : FALLBACK4);
			struct frame in, out;

			wrapped(outer6, inner6, FLAG_ACK, &in);
			send_frame(&in);
			cr_assert(next_frame(true, TIMEOUT, &out), "nothing comes out");
			cr_expect_arr_eq(out.at, mac_fallback, 6);
			cr_expect_arr_eq(out.at + 6, mac_here, 6);
			cr_expect_arr_eq(out.at + dst, &to.addr, outer6 ? 16 : 4);
			cr_expect(outer6 || ipv4_checksum_ok(out.at + ETH_HEAD));
			cr_expect_eq(out.at[ETH_HEAD + ip + 8 + 5], 1, "hops");
			/* From the fallback's address on nothing has changed. */
			cr_expect_eq(out.len, in.len);
			cr_expect_arr_eq(out.at + ETH_HEAD + ip + 16, in.at + ETH_HEAD + ip + 16,
					 in.len - ETH_HEAD - ip - 16);
			cr_expect_not(next_frame(true, QUICK, &out), "it came twice");
		}
}

/* A switch that has lost a backend floods its frames to the others. */
Test(server_live, a_frame_for_another_host_is_not_passed_on)
{
	for (int outer6 = 0; outer6 < 2; outer6++) {
		struct frame in, out;

		wrapped(outer6, false, FLAG_ACK, &in);
		memcpy(in.at, mac_fallback, 6);
		send_frame(&in);
		cr_expect_not(next_frame(true, QUICK, &out), "it was passed on");
		cr_expect_not(next_frame(false, 1, &out), "it was answered");
	}
}

/* The second backend's part: no socket, no hops left. The stack resets the flow. */
Test(server_live, a_flow_that_was_passed_on_and_is_unknown_is_reset)
{
	for (int outer6 = 0; outer6 < 2; outer6++)
		for (int inner6 = 0; inner6 < 2; inner6++) {
			struct frame in, out;

			wrapped(outer6, inner6, FLAG_ACK, &in);
			in.at[ETH_HEAD + ip_len(outer6) + 8 + 5] = 1;
			send_frame(&in);
			cr_assert(next_frame(false, TIMEOUT, &out), "no answer");
			cr_expect(out.at[ETH_HEAD + ip_len(inner6) + 13] & FLAG_RST);
			cr_expect_not(next_frame(false, QUICK, &out), "two answers");
			cr_expect_not(next_frame(true, 1, &out), "it was passed on again");
		}
}

/* A SYN in the tunnel is answered by a listener, with a MSS that fits the tunnel: 1500 bytes less
 * 72 of the longest outer header less those of IP and TCP. The handshake's end is known, too. */
Test(server_live, a_listener_answers_with_a_smaller_mss)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };
	int l = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert(l >= 0 && !bind(l, (void *)&any, sizeof(any)) && !listen(l, 8));
	for (int outer6 = 0; outer6 < 2; outer6++)
		for (int inner6 = 0; inner6 < 2; inner6++) {
			uint16_t want = inner6 ? 1368 : 1388;
			struct frame in, out;
			uint8_t *tcp;

			wrapped(outer6, inner6, FLAG_SYN, &in);
			send_frame(&in);
			cr_assert(next_frame(false, TIMEOUT, &out), "no answer");
			tcp = out.at + ETH_HEAD + ip_len(inner6);
			cr_expect_eq(tcp[13], FLAG_SYN | FLAG_ACK);
			cr_expect_eq(tcp[20], 2, "the MSS does not come first");
			cr_expect_eq(tcp[22] << 8 | tcp[23], want, "MSS %d, not %d",
				     tcp[22] << 8 | tcp[23], want);
			wrapped(outer6, inner6, FLAG_RST, &in);
			send_frame(&in); /* for the next round; a request is known, so it stays */
			cr_expect_not(next_frame(true, QUICK, &out), "it was passed on");
		}
	close(l);
}
