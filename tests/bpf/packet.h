/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_TEST_PACKET_H
#define MPLB_TEST_PACKET_H

/*
 * Builds frames from a description in which whatever is left out is right: a case of a test names
 * only what it is about. Written byte by byte, without the kernel's header structs, so that the
 * frames that a test expects are made by other means than those of the program.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <netinet/in.h>
#include "lib/ip.h"

#define FRAME_MAX 2048
#define ETH_HEAD  14

struct frame {
	size_t len;
	uint8_t at[FRAME_MAX];
};

struct bytes {
	const uint8_t *at;
	size_t len;
};

/* An initialiser of a struct bytes. */
#define BYTES(...)                                                                                 \
	{                                                                                          \
		(const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ })         \
	}

/* TCP options, to be strung together in BYTES(). Lengths 4, 2, 10, 3, 1, 1. */
#define OPT_MSS	   2, 4, 0x05, 0xb4
#define OPT_SACK   4, 2
#define OPT_TIME   8, 10, 0x11, 0x22, 0x33, 0x44, 0, 0, 0, 0
#define OPT_WSCALE 3, 3, 7
#define OPT_NOP	   1
#define OPT_EOL	   0
/* MPTCP options of a SYN (RFC 8684, 3.1 and 3.2). Lengths 4, 12. */
#define OPT_CAPABLE 30, 4, 0x01, 0x01
#define OPT_JOIN    30, 12, 0x10, 0x01, 0xde, 0xad, 0xbe, 0xef, 0x0a, 0x0b, 0x0c, 0x0d
/* Any MPTCP option of a given length begins like this; the rest follows. */
#define OPT_MPTCP(len, subtype) 30, (len), (subtype) << 4

#define FLAG_FIN 0x01
#define FLAG_SYN 0x02
#define FLAG_RST 0x04
#define FLAG_PSH 0x08
#define FLAG_ACK 0x10

#define FRAG_DF 0x4000
#define FRAG_MF 0x2000

/* A length field or the like that shall be 0; 0 itself means "what is right". */
#define LIE_ZERO 0x10000

#define CLIENT_4 "203.0.113.7"
#define CLIENT_6 "2001:db8:c::7"

/* All fields may be left out but dst (for an ethertype of one's own, dst as well). */
struct packet {
	const char *dst; /* text; its family is the packet's */
	const char *src; /* CLIENT_4, CLIENT_6 */
	uint32_t dport, sport; /* 443, 40000; LIE_ZERO: port 0 */
	uint8_t proto; /* TCP. Beside TCP, UDP, ICMP, ICMPv6: 12 bytes that begin with the ports */
	uint32_t icmp_type, icmp_code, icmp_rest; /* echo request; 0; 0x12340001 */
	struct bytes body; /* after the transport header */
	size_t payload; /* bytes after that, a pattern */
	bool headless; /* no transport header: a later fragment */
	uint8_t flags; /* FLAG_*: ACK */
	struct bytes options; /* of TCP, filled up to a word with EOL */
	uint32_t seq, ack;
	uint16_t window; /* 0 */
	uint8_t tos, ttl; /* 0, 57 */
	uint32_t label; /* of IPv6: 0 */
	uint16_t id, frag; /* of IPv4: identification; FRAG_* and the offset in units of 8 bytes */
	struct bytes ip_options; /* of IPv4, a multiple of 4 bytes */
	uint8_t ext_type; /* of IPv6: the first extension header */
	struct bytes ext; /* all of them; with the next headers in place */
	const uint8_t *dmac, *smac; /* 02:00:00:00:00:01, ...:02 */
	uint16_t ethertype; /* by the family */
	unsigned int vlans; /* tags in front of it: 802.1ad, the last 802.1Q */
	size_t padding; /* bytes after the IP packet */
	size_t cut; /* length of the frame, if less than all of it */
	/* What is wrong on purpose. */
	uint32_t version, ihl, doff; /* ihl and doff in words */
	uint32_t ip_len; /* IPv4 total length, IPv6 payload length */
};

void packet_build(const struct packet *p, struct frame *out);

/* The outer side of a forwarded packet. */
struct outer {
	const uint8_t *dmac, *smac;
	uint16_t vlan; /* 0: untagged */
	struct ip dst, src; /* family 0: no outer header */
	uint32_t hash; /* of the flow: flow label of an IPv6 header, source port of gue */
	bool gue;
	struct ip fallback; /* of gue; family 0: none */
};

/* What becomes of an IPv4 or IPv6 packet on its way to a backend. */
void frame_encapsulate(const struct frame *in, const struct outer *outer, struct frame *out);

/* Where the IP header begins: behind up to two VLAN tags. */
size_t frame_l3(const struct frame *f);

/* Source and destination port of an untagged frame without IPv4 options or IPv6 extension headers,
 * and its source address (4 or 16 bytes), put in place without mending the checksums. */
void frame_set_ports(struct frame *f, uint16_t sport, uint16_t dport);
void frame_set_src(struct frame *f, const void *addr);

/* The IP packet's length by its own header. */
size_t frame_ip_len(const struct frame *f);

/* First byte in which two frames differ, or -1. */
int frame_diff(const struct frame *a, const struct frame *b);

/* Internet checksum (RFC 1071) in host byte order, not inverted, over an even or odd length. */
uint16_t inet_sum(const uint8_t *at, size_t len);

/* Is the checksum of this IPv4 header right? */
bool ipv4_checksum_ok(const uint8_t *ip);
/* Is the checksum of what is in this packet without extension headers right? For protocols whose
 * sum takes a pseudo-header in. */
bool l4_checksum_ok(const struct frame *f);

#endif
