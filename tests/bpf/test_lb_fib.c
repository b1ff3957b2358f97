/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Backends whose next hop is not resolved: the program asks the kernel. In a network namespace of
 * the test's own, which ends with its process:
 *
 *     in0 ---- in1    packets come in by in0
 *     out0 --- out1   the way to the backends: 10.9.0.0/24, fd09::/64; .2 is a router
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <unistd.h>
#include "netns.h"
#include "site.h"

static struct rig rig;
static uint32_t in0, out0;

static const uint8_t own_mac[6] = { 0x02, 0xee, 0, 0, 0, 0x10 };
enum way { TO_ROUTER, TO_SERVER };
static const uint8_t peer_mac[2][6] = {
	[TO_ROUTER] = { 0x02, 0xee, 0, 0, 0, 0x20 }, [TO_SERVER] = { 0x02, 0xee, 0, 0, 0, 0x30 }
};

static int make_neighbours(void)
{
	return netns_neighbour("out0", "10.9.0.2", peer_mac[TO_ROUTER]) ||
	       netns_neighbour("out0", "10.9.0.3", peer_mac[TO_SERVER]) ||
	       netns_neighbour("in0", "10.8.0.3", peer_mac[TO_SERVER]) ||
	       netns_neighbour("out0", "fd09::2", peer_mac[TO_ROUTER]) ||
	       netns_neighbour("out0", "fd09::3", peer_mac[TO_SERVER]);
}

static int make_routes(void)
{
	return netns_addr("in0", "10.8.0.1", 24) || netns_addr("out0", "10.9.0.1", 24) ||
	       netns_addr("out0", "fd09::1", 64) ||
	       netns_route("10.99.0.0", 16, "10.9.0.2", RTN_UNICAST, 0) ||
	       netns_route("10.98.0.0", 16, "10.9.0.2", RTN_UNICAST, 1400) ||
	       netns_route("10.66.0.0", 16, NULL, RTN_BLACKHOLE, 0) ||
	       netns_route("10.67.0.0", 16, NULL, RTN_PROHIBIT, 0) ||
	       netns_route("fd99::", 32, "fd09::2", RTN_UNICAST, 0);
}

static void set_sysctl(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY);

	cr_assert(fd >= 0 && write(fd, value, strlen(value)) == (ssize_t)strlen(value), "%s: %s",
		  path, strerror(errno));
	close(fd);
}

static void set_forwarding(const char *value)
{
	set_sysctl("/proc/sys/net/ipv4/ip_forward", value);
	set_sysctl("/proc/sys/net/ipv6/conf/all/forwarding", value);
}

/* The rig in its namespace: backend 0, not resolved, behind both VIPs. */
static void open_namespace(void)
{
	if (geteuid() != 0)
		rig_skip("needs root");
	if (netns_enter())
		rig_skip("no network namespaces");
	if (access("/proc/sys/net/ipv6", F_OK))
		rig_skip("no IPv6");
	if (netns_veth("in0", "in1", NULL) || netns_veth("out0", "out1", own_mac))
		rig_skip("no veth devices");
	cr_assert_eq(make_routes(), 0);
	cr_assert_eq(make_neighbours(), 0);
	in0 = if_nametoindex("in0");
	out0 = if_nametoindex("out0");
	site_open(&rig);
	set_forwarding("1");
}

struct fib_case {
	const char *name;
	const char *backend; /* its address */
	enum mplb_forward forward;
	size_t payload;
	enum mplb_reason reason;
	enum way way; /* whose MAC address it must get */
};

static const struct fib_case cases[] = {
	{ "on the segment, l2", "10.9.0.3", MPLB_FORWARD_L2, 9, MPLB_R_FORWARDED, TO_SERVER },
	{ "on the segment, ipip", "10.9.0.3", MPLB_FORWARD_IPIP, 9, MPLB_R_FORWARDED, TO_SERVER },
	{ "behind a router", "10.99.0.1", MPLB_FORWARD_IPIP, 9, MPLB_R_FORWARDED, TO_ROUTER },
	{ "IPv6, on the segment", "fd09::3", MPLB_FORWARD_IPIP, 9, MPLB_R_FORWARDED, TO_SERVER },
	{ "IPv6, behind a router", "fd99::1", MPLB_FORWARD_IPIP, 9, MPLB_R_FORWARDED, TO_ROUTER },
	{ "IPv6, l2", "fd09::3", MPLB_FORWARD_L2, 9, MPLB_R_FORWARDED, TO_SERVER },
	{ "route with an MTU, just fits", "10.98.0.1", MPLB_FORWARD_IPIP, 1340, MPLB_R_FORWARDED,
	  TO_ROUTER },
	{ "route with an MTU, a byte over", "10.98.0.1", MPLB_FORWARD_IPIP, 1341, MPLB_R_TOO_BIG },
	{ "no neighbour", "10.9.0.4", MPLB_FORWARD_IPIP, 9, MPLB_R_NO_NEIGHBOUR },
	{ "no neighbour, IPv6", "fd09::4", MPLB_FORWARD_IPIP, 9, MPLB_R_NO_NEIGHBOUR },
	{ "no route", "10.77.0.1", MPLB_FORWARD_IPIP, 9, MPLB_R_NO_ROUTE },
	{ "no route, IPv6", "fd77::1", MPLB_FORWARD_IPIP, 9, MPLB_R_NO_ROUTE },
	{ "a blackhole", "10.66.0.1", MPLB_FORWARD_IPIP, 9, MPLB_R_NO_ROUTE },
	{ "prohibited", "10.67.0.1", MPLB_FORWARD_IPIP, 9, MPLB_R_NO_ROUTE },
	{ "our own address", "10.9.0.1", MPLB_FORWARD_IPIP, 9, MPLB_R_NO_ROUTE },
};

static void set_backend(const char *addr, enum mplb_forward forward)
{
	rig_set_backend(&rig, 0,
			&(struct rig_backend){
				.forward = forward,
				.dst = addr,
				.src = strchr(addr, ':') ? "fd09::1" : "10.9.0.1",
			});
}

/* Runs a packet to the VIP that comes in by in0; counts before and after. */
static void run(size_t payload, struct frame *in, struct rig_result *result, __u64 *reasons)
{
	static struct rig_counters before, after;
	const struct packet p = { .dst = L2_4, .payload = payload };

	packet_build(&p, in);
	rig_count(&rig, &before);
	cr_assert_eq(rig_run_with(&rig, in, NULL, 0, in0, result), 0);
	rig_count(&rig, &after);
	for (size_t i = 0; i < MPLB_R_MAX; i++)
		reasons[i] = after.reason[i] - before.reason[i];
}

/* What the FIB was asked for is in the trace, too. */
static void check_trace(const struct fib_case *c, const struct frame *in)
{
	const struct mplb_trace trace = { .magic = MPLB_TRACE_MAGIC };
	struct rig_result result;

	cr_assert_eq(rig_run_with(&rig, in, &trace, sizeof(trace), in0, &result), 0);
	cr_expect_eq(result.trace.reason, c->reason, "%s: reason %u", c->name, result.trace.reason);
	if (c->reason != MPLB_R_FORWARDED)
		return;
	cr_expect_eq(result.trace.fib, 1, "%s", c->name);
	cr_expect_eq(result.trace.ifindex, out0, "%s: device %u", c->name, result.trace.ifindex);
}

static void check(const struct fib_case *c)
{
	struct frame in, expected;
	struct rig_result result;
	__u64 reasons[MPLB_R_MAX];
	struct outer outer;

	set_backend(c->backend, c->forward);
	run(c->payload, &in, &result, reasons);
	check_trace(c, &in);
	outer = rig_outer(&rig, 0, 0, rig_hash_frame(&rig.vips[0], &in));
	outer.smac = own_mac;
	outer.dmac = peer_mac[c->way];
	if (c->reason == MPLB_R_FORWARDED)
		frame_encapsulate(&in, &outer, &expected);
	else
		expected = in;
	cr_expect_eq(result.verdict, c->reason == MPLB_R_FORWARDED ? XDP_REDIRECT : XDP_DROP,
		     "%s: verdict %d", c->name, result.verdict);
	cr_expect_eq(frame_diff(&result.out, &expected), -1, "%s: differs at byte %d", c->name,
		     frame_diff(&result.out, &expected));
	for (size_t i = 0; i < MPLB_R_MAX; i++)
		cr_expect_eq(reasons[i], i == c->reason && c->reason != MPLB_R_FORWARDED,
			     "%s: reason %zu counted %llu times", c->name, i, reasons[i]);
}

Test(lb_fib, next_hops)
{
	open_namespace();
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		check(&cases[i]);
	rig_close(&rig);
}

/* Back out of the device that the packet came by. */
Test(lb_fib, same_device)
{
	struct rig_result result;
	__u64 reasons[MPLB_R_MAX];
	struct frame in;

	open_namespace();
	set_backend("10.8.0.3", MPLB_FORWARD_L2);
	run(9, &in, &result, reasons);
	cr_expect_eq(result.verdict, XDP_TX, "verdict %d", result.verdict);
	cr_expect_eq(memcmp(result.out.at, peer_mac[TO_SERVER], 6), 0);
	rig_close(&rig);
}

/* The kernel's FIB answers only where it would forward itself; a resolved backend needs none. */
Test(lb_fib, forwarding_off)
{
	static const char *const backends[] = { "10.9.0.3", "fd09::3" };
	struct rig_result result;
	__u64 reasons[MPLB_R_MAX];
	struct frame in;

	open_namespace();
	set_forwarding("0");
	for (size_t i = 0; i < COUNT_OF(backends); i++) {
		set_backend(backends[i], MPLB_FORWARD_IPIP);
		run(9, &in, &result, reasons);
		cr_expect_eq(result.verdict, XDP_DROP, "%s: %d", backends[i], result.verdict);
		cr_expect_eq(reasons[MPLB_R_FORWARDING_OFF], 1, "%s", backends[i]);
	}
	rig_set_backend(&rig, 0,
			&(struct rig_backend){ MPLB_FORWARD_IPIP, "10.9.0.3", "10.9.0.1", out0 });
	run(9, &in, &result, reasons);
	cr_expect_eq(result.verdict, XDP_REDIRECT, "resolved: %d", result.verdict);
	rig_close(&rig);
}
