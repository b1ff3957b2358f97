/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_DROP_H
#define MPLB_DROP_H

/*
 * Why a packet was not forwarded to a backend. The data plane counts each of these, `lbctl drops`
 * names them, metrics carry them as a label. A number is never given a second meaning: a reason
 * that goes out of use keeps its line, marked "retired".
 *
 * X(number, NAME, "name", action, "what it means and what to do")
 *   action: PASS  the packet goes to the balancer's own network stack, untouched
 *           DROP  the packet is gone
 *           TX    the packet was turned into an answer
 */
#define MPLB_REASONS(X)                                                                            \
	X(0, FORWARDED, "forwarded", TX, "sent to a backend")                                      \
	X(1, NOT_IP, "not_ip", PASS, "neither IPv4 nor IPv6 (ARP, LLDP, VLAN tags, ...)")          \
	X(2, NOT_VIP, "not_vip", PASS, "no VIP has this address, port and protocol")               \
	X(3, IP_TRUNCATED, "ip_truncated", PASS, "the frame ends inside the IP header")            \
	X(4, IP_MALFORMED, "ip_malformed", PASS, "bad IP version or header length")                \
	X(5, LENGTH_MISMATCH, "length_mismatch", DROP,                                             \
	  "for a VIP, but the IP length field and the frame or its headers disagree")              \
	X(6, L4_TRUNCATED, "l4_truncated", DROP,                                                   \
	  "for a VIP, but the TCP or UDP header is cut off")                                       \
	X(7, TCP_MALFORMED, "tcp_malformed", DROP, "for a VIP, but the TCP data offset is wrong")  \
	X(8, FRAGMENT, "fragment", DROP,                                                           \
	  "an IP fragment for a VIP: later ones carry no ports; lower the client's MTU")           \
	X(9, IPV6_EXTENSION, "ipv6_extension", DROP,                                               \
	  "an IPv6 extension header before TCP or UDP, for a VIP")                                 \
	X(10, NO_BACKEND, "no_backend", DROP, "the VIP's pool has no backend that takes traffic")  \
	X(11, NO_ROUTE, "no_route", DROP, "no route to the backend; see `lbctl show backend`")     \
	X(12, NO_NEIGHBOUR, "no_neighbour", DROP,                                                  \
	  "the next hop's link-layer address is unknown; see `lbctl show backend`")                \
	X(13, TOO_BIG, "too_big", DROP,                                                            \
	  "larger than the path to the backend once encapsulated; raise the MTU there")            \
	X(14, NO_HEADROOM, "no_headroom", DROP,                                                    \
	  "the driver left no room in front of the packet for the outer header")                   \
	X(15, JOIN_REJECTED, "join_rejected", TX,                                                  \
	  "MP_JOIN to a VIP, answered with RST and MP_TCPRST (mp_join: reject)")                   \
	X(16, MULTICAST, "multicast", PASS,                                                        \
	  "a broadcast or multicast frame for a VIP's address: not a client's packet")             \
	X(17, TABLE_INCONSISTENT, "table_inconsistent", DROP,                                      \
	  "a table points at nothing: this should never count; please report it")                  \
	X(18, FORWARDING_OFF, "forwarding_off", DROP,                                              \
	  "next hop not resolved by lbctl, and the FIB answers only with forwarding enabled")      \
	X(19, ECHO_REPLY, "echo_reply", TX, "an echo request to a VIP, answered")                  \
	X(20, ICMP_UNRELATED, "icmp_unrelated", DROP,                                              \
	  "an ICMP error to a VIP that quotes no packet of a VIP")                                 \
	X(21, ICMP_OTHER, "icmp_other", PASS, "ICMP to a VIP, neither echo request nor error")     \
	X(22, TOO_BIG_ANSWERED, "too_big_answered", TX,                                            \
	  "as too_big, and the sender was told the MTU that fits")                                 \
	X(23, JOIN_UNKNOWN, "join_unknown", TX,                                                    \
	  "MP_JOIN whose token no connection was seen with, answered with a reset (steer)")        \
	X(24, JOIN_COLLISION, "join_collision", TX,                                                \
	  "MP_JOIN whose token two backends have, answered with a reset (steer)")                  \
	X(25, JOIN_GONE, "join_gone", TX,                                                          \
	  "a SYN for a backend that is not in the pool, answered with a reset (steer, "            \
	  "join_ports)")                                                                           \
	X(26, JOIN_FULL, "join_full", TX,                                                          \
	  "MP_JOIN with no room left for its subflow, answered with a reset (steer)")              \
	X(27, JOIN_LIMITED, "join_limited", DROP,                                                  \
	  "a SYN to be reset (steer, join_ports), beyond the rate at which resets are sent")       \
	X(28, JOIN_PORT_PLAIN, "join_port_plain", TX,                                              \
	  "a SYN without MP_JOIN to a join port, answered with a reset")                           \
	X(29, JOIN_PORT_LOST, "join_port_lost", DROP,                                              \
	  "a segment for a join port whose backend is not in the pool")

enum mplb_reason {
#define X(number, NAME, name, action, text) MPLB_R_##NAME = number,
	MPLB_REASONS(X)
#undef X
		MPLB_R_MAX
};

#endif
