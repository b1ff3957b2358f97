/* SPDX-License-Identifier: GPL-2.0-only */
/* bpf/server.bpf.c: frame in, action, reason and frame out, through BPF_PROG_TEST_RUN. */
#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <string.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <netinet/ip6.h>
#include "server_rig.h"

#define CASES(a) (sizeof(a) / sizeof(*(a)))
#define PAYLOAD	 40 /* bytes behind the inner IP header: a TCP header with MPTCP options */

#define CLIENT4 "192.0.2.7"
#define CLIENT6 "2001:db8:f::7"

/* ---- a builder: headers one behind the other ---- */

static __u16 checksum(const void *data, size_t len)
{
	const __u8 *byte = data;
	__u32 sum = 0;

	for (size_t i = 0; i < len; i += 2)
		sum += (__u32)byte[i] << 8 | byte[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((__u16)~sum);
}

static void put_eth(struct frame *f, __u16 proto)
{
	static const __u8 macs[12] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2 };

	memcpy(f->at, macs, sizeof(macs));
	f->at[12] = (__u8)(proto >> 8);
	f->at[13] = (__u8)proto;
	f->len = ETH_HLEN;
}

/* An IP header of the family of src, in front of len bytes of proto that are yet to come. */
static void put_ip(struct frame *f, const char *src, const char *dst, __u8 proto, __u8 tos,
		   __u16 len)
{
	struct ip a = server_rig_ip(src), b = server_rig_ip(dst);

	if (a.family == MPLB_FAMILY_4) {
		struct iphdr ip = { .version = 4,
				    .ihl = 5,
				    .tos = tos,
				    .id = htons(0x1234),
				    .ttl = 61,
				    .protocol = proto,
				    .saddr = a.addr.word[0],
				    .daddr = b.addr.word[0] };

		ip.tot_len = htons((__u16)(sizeof(ip) + len));
		ip.check = checksum(&ip, sizeof(ip));
		memcpy(f->at + f->len, &ip, sizeof(ip));
		f->len += sizeof(ip);
	} else {
		struct ip6_hdr ip6 = { .ip6_flow = htonl(6u << 28 | (__u32)tos << 20 | 0x54321),
				       .ip6_plen = htons(len),
				       .ip6_nxt = proto,
				       .ip6_hlim = 61 };

		memcpy(&ip6.ip6_src, &a.addr, 16);
		memcpy(&ip6.ip6_dst, &b.addr, 16);
		memcpy(f->at + f->len, &ip6, sizeof(ip6));
		f->len += sizeof(ip6);
	}
}

static void put_payload(struct frame *f, __u32 len)
{
	for (__u32 i = 0; i < len; i++)
		f->at[f->len++] = (__u8)(i * 7 + 1);
}

/* What a case is made of; what is left out is as a balancer would send it. */
struct shape {
	bool outer6, inner6;
	const char *src; /* outer source */
	const char *vip; /* inner destination */
	__u8 outer_tos, inner_tos;
};

static __u16 ip_length(bool six)
{
	return six ? 40 : 20;
}

static __u16 ethertype(bool six)
{
	return six ? ETH_P_IPV6 : ETH_P_IP;
}

/* The frame that a client sent, as the balancer got it. */
static struct frame plain(const struct shape *s, __u8 tos)
{
	struct frame f = { 0 };

	put_eth(&f, ethertype(s->inner6));
	put_ip(&f, s->inner6 ? CLIENT6 : CLIENT4,
	       s->vip	   ? s->vip
	       : s->inner6 ? VIP6
			   : VIP4,
	       IPPROTO_TCP, tos, PAYLOAD);
	put_payload(&f, PAYLOAD);
	return f;
}

/* The same, encapsulated. */
static struct frame wrapped(const struct shape *s)
{
	struct frame inner = plain(s, s->inner_tos), f = { 0 };

	put_eth(&f, ethertype(s->outer6));
	put_ip(&f,
	       s->src	   ? s->src
	       : s->outer6 ? BALANCER6
			   : BALANCER4,
	       s->outer6 ? BACKEND6 : BACKEND4, s->inner6 ? IPPROTO_IPV6 : IPPROTO_IPIP,
	       s->outer_tos, (__u16)(inner.len - ETH_HLEN));
	memcpy(f.at + f.len, inner.at + ETH_HLEN, inner.len - ETH_HLEN);
	f.len += inner.len - ETH_HLEN;
	return f;
}

static struct iphdr *outer4(struct frame *f)
{
	return (struct iphdr *)(f->at + ETH_HLEN);
}

static void fix_outer4(struct frame *f)
{
	outer4(f)->check = 0;
	outer4(f)->check = checksum(outer4(f), sizeof(struct iphdr));
}

/* ---- the program under test ---- */

static struct server_rig rig;

static void set_up(void)
{
	server_rig_open(&rig, "mplb_server", NULL);
}

static void tear_down(void)
{
	server_rig_close(&rig);
}

static int run(const struct frame *in, struct frame *out, unsigned int *reason)
{
	return server_rig_run(&rig, in, out, reason);
}

static void expect_same(const char *name, const struct frame *want, const struct frame *got)
{
	int at = frame_diff(want, got);

	cr_expect_eq(got->len, want->len, "%s: %zu bytes, not %zu", name, got->len, want->len);
	cr_expect_eq(at, -1, "%s: byte %d is %02x, not %02x", name, at, got->at[at < 0 ? 0 : at],
		     want->at[at < 0 ? 0 : at]);
}

/* The frame is passed on, untouched, for this reason. */
static void expect_untouched(const char *name, const struct frame *in, unsigned int want)
{
	struct frame out;
	unsigned int reason;

	cr_expect_eq(run(in, &out, &reason), XDP_PASS, "%s: not passed", name);
	cr_expect_eq(reason, want, "%s: reason %u, not %u", name, reason, want);
	expect_same(name, in, &out);
}

static void expect_stripped(const char *name, const struct frame *in, const struct frame *want)
{
	struct frame out;
	unsigned int reason;

	cr_expect_eq(run(in, &out, &reason), XDP_PASS, "%s: not passed", name);
	cr_expect_eq(reason, MPLB_SERVER_R_DECAPSULATED, "%s: reason %u", name, reason);
	expect_same(name, want, &out);
}

TestSuite(server, .init = set_up, .fini = tear_down);

static const struct {
	const char *name;
	struct shape shape;
} families[] = {
	{ "IPv4 in IPv4", { .outer6 = false, .inner6 = false } },
	{ "IPv6 in IPv4", { .outer6 = false, .inner6 = true } },
	{ "IPv4 in IPv6", { .outer6 = true, .inner6 = false } },
	{ "IPv6 in IPv6", { .outer6 = true, .inner6 = true } },
};

Test(server, all_four_encapsulations_are_taken_off)
{
	for (size_t i = 0; i < CASES(families); i++) {
		struct frame in = wrapped(&families[i].shape);
		struct frame want = plain(&families[i].shape, 0);

		expect_stripped(families[i].name, &in, &want);
	}
}

Test(server, padding_behind_the_outer_packet_is_no_harm)
{
	for (size_t i = 0; i < CASES(families); i++) {
		struct frame in = wrapped(&families[i].shape);
		struct frame want = plain(&families[i].shape, 0);

		memset(in.at + in.len, 0, 9);
		in.len += 9;
		memset(want.at + want.len, 0, 9);
		want.len += 9;
		expect_stripped(families[i].name, &in, &want);
	}
}

Test(server, strangers_and_other_destinations_are_left_alone)
{
	for (size_t i = 0; i < CASES(families); i++) {
		struct shape s = families[i].shape;
		struct frame in;

		s.src = s.outer6 ? STRANGER6 : STRANGER4;
		in = wrapped(&s);
		expect_untouched(families[i].name, &in, MPLB_SERVER_R_NOT_BALANCER);
		s.src = NULL;
		s.vip = s.inner6 ? OTHER6 : OTHER4;
		in = wrapped(&s);
		expect_untouched(families[i].name, &in, MPLB_SERVER_R_NOT_VIP);
	}
}

/* A VIP's or balancer's address as that of the other family must not match. */
Test(server, families_do_not_mix)
{
	struct shape s = { .outer6 = true, .src = "a00:2::" };
	struct frame in = wrapped(&s);

	expect_untouched("a balancer's 4 bytes in front of zeros", &in, MPLB_SERVER_R_NOT_BALANCER);
	s = (struct shape){ .inner6 = true, .vip = "c633:6401::" };
	in = wrapped(&s);
	expect_untouched("a VIP's 4 bytes in front of zeros", &in, MPLB_SERVER_R_NOT_VIP);
}

Test(server, a_frame_cut_at_any_byte_is_left_alone)
{
	for (size_t i = 0; i < CASES(families); i++) {
		struct frame whole = wrapped(&families[i].shape);

		/* BPF_PROG_TEST_RUN takes no frame without an Ethernet header. */
		for (__u32 len = ETH_HLEN; len < whole.len; len++) {
			struct frame in = whole, out;
			unsigned int reason;

			in.len = len;
			cr_expect_eq(run(&in, &out, &reason), XDP_PASS);
			expect_same(families[i].name, &in, &out);
			cr_expect_eq(reason,
				     len < (__u32)ETH_HLEN + ip_length(families[i].shape.outer6)
					     ? MPLB_SERVER_R_IP_TRUNCATED
					     : MPLB_SERVER_R_INNER_TRUNCATED,
				     "%s: cut at %u: reason %u", families[i].name, len, reason);
		}
	}
}

/* The outer header is right about its length, and the inner packet is cut off. */
Test(server, an_inner_packet_cut_at_any_byte_is_left_alone)
{
	for (size_t i = 0; i < CASES(families); i++) {
		const struct shape *s = &families[i].shape;
		struct frame whole = wrapped(s);
		__u32 begin = ETH_HLEN + ip_length(s->outer6);

		for (__u32 len = begin + 1; len < whole.len; len++) {
			struct frame in = whole, out;
			unsigned int reason, want = MPLB_SERVER_R_INNER_MALFORMED;

			if (len < begin + ip_length(s->inner6))
				want = MPLB_SERVER_R_INNER_TRUNCATED;
			in.len = len;
			if (s->outer6) {
				((struct ip6_hdr *)(in.at + ETH_HLEN))->ip6_plen =
					htons((__u16)(len - begin));
			} else {
				outer4(&in)->tot_len = htons((__u16)(len - ETH_HLEN));
				fix_outer4(&in);
			}
			cr_expect_eq(run(&in, &out, &reason), XDP_PASS);
			expect_same(families[i].name, &in, &out);
			cr_expect_eq(reason, want, "%s: cut at %u: reason %u", families[i].name,
				     len, reason);
		}
	}
}

/* One field of an IPv4-in-IPv4 (four) or IPv6-in-IPv6 frame is overwritten; offsets from the start
 * of the frame. */
static const struct {
	const char *name;
	bool six;
	__u32 offset;
	__u8 value;
	bool fix; /* the outer checksum is right nevertheless */
	unsigned int reason;
} broken[] = {
	{ "ARP", false, 13, 0x06, false, MPLB_SERVER_R_NOT_IP },
	{ "a VLAN tag", false, 12, 0x81, false, MPLB_SERVER_R_NOT_IP },
	{ "a multicast frame", false, 0, 0x01, false, MPLB_SERVER_R_MULTICAST },
	{ "outer version 6 behind the IPv4 type", false, 14, 0x65, true,
	  MPLB_SERVER_R_IP_MALFORMED },
	{ "outer header of 16 bytes", false, 14, 0x44, true, MPLB_SERVER_R_IP_MALFORMED },
	{ "outer options", false, 14, 0x46, true, MPLB_SERVER_R_IP_OPTIONS },
	{ "outer options, longest", false, 14, 0x4f, true, MPLB_SERVER_R_IP_OPTIONS },
	{ "outer length below its header", false, 17, 19, true, MPLB_SERVER_R_IP_MALFORMED },
	{ "outer length beyond the frame", false, 16, 0x7f, true, MPLB_SERVER_R_INNER_TRUNCATED },
	{ "wrong outer checksum", false, 24, 0x77, false, MPLB_SERVER_R_IP_MALFORMED },
	{ "first fragment", false, 20, 0x20, true, MPLB_SERVER_R_FRAGMENT },
	{ "later fragment", false, 21, 0x01, true, MPLB_SERVER_R_FRAGMENT },
	{ "UDP", false, 23, IPPROTO_UDP, true, MPLB_SERVER_R_NOT_TUNNEL },
	{ "GRE", false, 23, IPPROTO_GRE, true, MPLB_SERVER_R_NOT_TUNNEL },
	{ "protocol 41 in front of IPv4", false, 23, IPPROTO_IPV6, true,
	  MPLB_SERVER_R_INNER_MALFORMED },
	{ "inner version 5", false, 34, 0x55, true, MPLB_SERVER_R_INNER_MALFORMED },
	{ "inner header of 16 bytes", false, 34, 0x44, true, MPLB_SERVER_R_INNER_MALFORMED },
	{ "inner header longer than the packet", false, 37, 19, true,
	  MPLB_SERVER_R_INNER_MALFORMED },
	{ "inner length beyond the outer's", false, 36, 1, true, MPLB_SERVER_R_INNER_MALFORMED },
	{ "outer version 4 behind the IPv6 type", true, 14, 0x40, false,
	  MPLB_SERVER_R_IP_MALFORMED },
	{ "outer payload beyond the frame", true, 18, 1, false, MPLB_SERVER_R_INNER_TRUNCATED },
	{ "outer payload of nothing", true, 19, 0, false, MPLB_SERVER_R_IP_MALFORMED },
	{ "TCP in IPv6", true, 20, IPPROTO_TCP, false, MPLB_SERVER_R_NOT_TUNNEL },
	{ "protocol 4 in front of IPv6", true, 20, IPPROTO_IPIP, false,
	  MPLB_SERVER_R_INNER_MALFORMED },
	{ "inner version 4", true, 54, 0x40, false, MPLB_SERVER_R_INNER_MALFORMED },
	{ "inner payload beyond the outer's", true, 58, 1, false, MPLB_SERVER_R_INNER_MALFORMED },
};

Test(server, malformed_and_fragmented_packets_are_left_alone)
{
	for (size_t i = 0; i < CASES(broken); i++) {
		struct shape s = { .outer6 = broken[i].six, .inner6 = broken[i].six };
		struct frame in = wrapped(&s);

		in.at[broken[i].offset] = broken[i].value;
		if (broken[i].fix)
			fix_outer4(&in);
		expect_untouched(broken[i].name, &in, broken[i].reason);
	}
}

/* An extension header of 8 bytes between the outer IPv6 header and what it carries. */
Test(server, ipv6_extension_headers_are_left_alone)
{
	static const struct {
		const char *name;
		__u8 extension, next;
		unsigned int reason;
	} cases[] = {
		{ "fragment of a tunnel packet", IPPROTO_FRAGMENT, IPPROTO_IPIP,
		  MPLB_SERVER_R_FRAGMENT },
		{ "fragment of IPv6 in IPv6", IPPROTO_FRAGMENT, IPPROTO_IPV6,
		  MPLB_SERVER_R_FRAGMENT },
		{ "fragment of something else", IPPROTO_FRAGMENT, IPPROTO_TCP,
		  MPLB_SERVER_R_NOT_TUNNEL },
		{ "tunnel encapsulation limit (RFC 2473)", IPPROTO_DSTOPTS, IPPROTO_IPIP,
		  MPLB_SERVER_R_IP_OPTIONS },
		{ "hop-by-hop", IPPROTO_HOPOPTS, IPPROTO_IPV6, MPLB_SERVER_R_IP_OPTIONS },
		{ "hop-by-hop before ICMPv6", IPPROTO_HOPOPTS, IPPROTO_ICMPV6,
		  MPLB_SERVER_R_NOT_TUNNEL },
		{ "routing header", IPPROTO_ROUTING, IPPROTO_IPIP, MPLB_SERVER_R_IP_OPTIONS },
	};

	for (size_t i = 0; i < CASES(cases); i++) {
		struct frame in = { 0 };

		put_eth(&in, ETH_P_IPV6);
		put_ip(&in, BALANCER6, BACKEND6, cases[i].extension, 0, 8 + 20 + PAYLOAD);
		put_payload(&in, 8);
		in.at[in.len - 8] = cases[i].next;
		put_ip(&in, CLIENT4, VIP4, IPPROTO_TCP, 0, PAYLOAD);
		put_payload(&in, PAYLOAD);
		expect_untouched(cases[i].name, &in, cases[i].reason);
		in.len = ETH_HLEN + 40;
		expect_untouched(cases[i].name, &in, MPLB_SERVER_R_IP_TRUNCATED);
	}
}

/* RFC 6040, figure 4. Codepoints: 0 not-ECT, 1 ECT(1), 2 ECT(0), 3 CE; -1: dropped. */
static const int ecn_out[4][4] = {
	/* outer:   0  1  2  3 */
	/* inner 0 */ { 0, 0, 0, -1 },
	/* inner 1 */ { 1, 1, 1, 3 },
	/* inner 2 */ { 2, 1, 2, 3 },
	/* inner 3 */ { 3, 3, 3, 3 },
};

Test(server, congestion_marks_are_carried_over)
{
	for (size_t i = 0; i < CASES(families); i++) {
		for (__u8 both = 0; both < 16; both++) {
			struct shape s = families[i].shape;
			int want = ecn_out[both >> 2][both & 3];
			struct frame in, out, expected;
			unsigned int reason;

			s.outer_tos = both & 3;
			s.inner_tos = 0xb8 | both >> 2; /* the DSCP stays the inner one */
			in = wrapped(&s);
			if (want < 0) {
				cr_expect_eq(run(&in, &out, &reason), XDP_DROP);
				cr_expect_eq(reason, MPLB_SERVER_R_ECN_CONGESTION);
				continue;
			}
			expected = plain(&s, (__u8)(0xb8 | want));
			expect_stripped(families[i].name, &in, &expected);
		}
	}
}

Test(server, plain_packets_are_untouched)
{
	for (size_t i = 0; i < CASES(families); i++) {
		struct frame in = plain(&families[i].shape, 0x02);

		expect_untouched(families[i].name, &in, MPLB_SERVER_R_NOT_TUNNEL);
		for (__u32 len = ETH_HLEN; len < in.len; len++) {
			struct frame cut = in;
			__u32 header = ETH_HLEN + ip_length(families[i].shape.inner6);

			cut.len = len;
			expect_untouched(families[i].name, &cut,
					 len < header ? MPLB_SERVER_R_IP_TRUNCATED
						      : MPLB_SERVER_R_NOT_TUNNEL);
		}
	}
}

/* Only one layer comes off: what is inside may be meant for a tunnel of the backend's own. */
Test(server, one_layer_only)
{
	struct shape s = { 0 };
	struct frame inner = wrapped(&s), in = { 0 }, want = { 0 };

	/* A tunnel packet whose payload, sent to the VIP, is a tunnel packet. */
	put_eth(&in, ETH_P_IP);
	put_ip(&in, BALANCER4, BACKEND4, IPPROTO_IPIP, 0, (__u16)(20 + inner.len - ETH_HLEN));
	put_eth(&want, ETH_P_IP);
	for (int i = 0; i < 2; i++) {
		struct frame *f = i ? &want : &in;

		put_ip(f, BALANCER4, VIP4, IPPROTO_IPIP, 0, (__u16)(inner.len - ETH_HLEN));
		memcpy(f->at + f->len, inner.at + ETH_HLEN, inner.len - ETH_HLEN);
		f->len += inner.len - ETH_HLEN;
	}
	expect_stripped("tunnel in tunnel", &in, &want);
}
