/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_SERVER_H
#define MPLB_SERVER_H

/*
 * The backend's side of the contract: what lives in the maps of bpf/server.bpf.c, and why a packet
 * was or was not decapsulated. Part of MPLB_ABI like abi.h.
 */
#include "mplb/abi.h"
#include "mplb/maps.h"

#define MPLB_SERVER_PIN_DIR   "server" /* below MPLB_PIN_ROOT/v<MPLB_ABI>/ */
#define MPLB_SERVER_MAX_ITEMS 512 /* VIP addresses, endpoints (at most 8), sysctls, ... */

/* Key of the VIPs and the balancers. */
struct mplb_server_addr {
	struct mplb_ip addr;
	__u8 family; /* MPLB_FAMILY_4, MPLB_FAMILY_6 */
	__u8 pad[3];
};
_Static_assert(sizeof(struct mplb_server_addr) == 20, "a hash key has no implicit padding");

/*
 * What became of a packet to a dedicated address under `guard: on`; as MPLB_SERVER_REASONS. Packets
 * to other addresses are not counted.
 */
#define MPLB_GUARD_REASONS(X)                                                                      \
	X(26, GUARD_SOCKET, "guard_socket", PASS, "guard: the flow has a socket here")             \
	X(27, GUARD_COOKIE, "guard_cookie", PASS,                                                  \
	  "guard: the segment answers a SYN cookie of this host")                                  \
	X(28, GUARD_JOIN, "guard_join", PASS, "guard: a join to a live connection")                \
	X(29, GUARD_EARLY, "guard_early", PASS,                                                    \
	  "guard: a join to a connection not known, one of the few let in each second")            \
	X(30, GUARD_STALE, "guard_stale", PASS,                                                    \
	  "guard: a join while server-pm does not run (guard_on_stale: open)")                     \
	X(31, GUARD_ALLOWED, "guard_allowed", PASS, "guard: listed under guard_allow")             \
	X(32, GUARD_ICMP, "guard_icmp", PASS, "guard: ICMP errors, answers, neighbour discovery")  \
	X(33, GUARD_ANSWER, "guard_answer", PASS, "guard: UDP to a socket that has asked for it")  \
	X(34, GUARD_FRAGMENT, "guard_fragment", PASS,                                              \
	  "guard: a later fragment, not of TCP: nothing without the first one")                    \
	X(35, GUARD_SYN, "guard_syn", DROP,                                                        \
	  "guard: a SYN that is no join; list its port under guard_allow if it is wanted")         \
	X(36, GUARD_TOKEN, "guard_token", DROP,                                                    \
	  "guard: a join to a connection that this host does not have")                            \
	X(37, GUARD_ADDRESS, "guard_address", DROP,                                                \
	  "guard: a join to an address that was not made for its connection")                      \
	X(38, GUARD_LISTENER, "guard_listener", DROP,                                              \
	  "guard: a join to a port on which nobody listens with MPTCP")                            \
	X(39, GUARD_UNKNOWN, "guard_unknown", DROP,                                                \
	  "guard: TCP that opens nothing and has no socket here")                                  \
	X(40, GUARD_REQUEST, "guard_request", DROP,                                                \
	  "guard: an ICMP request; list icmp under guard_allow to have it answered")               \
	X(41, GUARD_OTHER, "guard_other", DROP,                                                    \
	  "guard: UDP nobody has asked for, or another protocol; see guard_allow")                 \
	X(42, GUARD_TCP_FRAGMENT, "guard_tcp_fragment", DROP,                                      \
	  "guard: a fragment of a TCP segment, which cannot be judged")                            \
	X(43, GUARD_MALFORMED, "guard_malformed", DROP, "guard: headers cut off or malformed")

/*
 * What became of a frame. A number is never given a second meaning.
 * X(number, NAME, "name", action, "what it means and what to do")
 *   action: PASS  the frame goes to the kernel's stack (decapsulated, or untouched)
 *           DROP  the frame is gone
 */
#define MPLB_SERVER_REASONS(X)                                                                     \
	X(0, DECAPSULATED, "decapsulated", PASS,                                                   \
	  "IP in IP: outer header taken off, inner packet given to the stack")                     \
	X(1, NOT_IP, "not_ip", PASS, "neither IPv4 nor IPv6 (ARP, LLDP, VLAN tags, ...)")          \
	X(2, NOT_TUNNEL, "not_tunnel", PASS, "an IP packet that carries no IP packet")             \
	X(3, IP_TRUNCATED, "ip_truncated", PASS, "the frame ends inside the outer IP header")      \
	X(4, IP_MALFORMED, "ip_malformed", PASS,                                                   \
	  "bad version, header length, length or checksum of the outer IP header")                 \
	X(5, IP_OPTIONS, "ip_options", PASS,                                                       \
	  "IPv4 options or IPv6 extension headers in the outer header: no balancer sends them")    \
	X(6, FRAGMENT, "fragment", PASS,                                                           \
	  "the outer packet is a fragment; raise the MTU between balancer and backend")            \
	X(7, MULTICAST, "multicast", PASS, "a tunnel packet in a broadcast or multicast frame")    \
	X(8, NOT_BALANCER, "not_balancer", PASS,                                                   \
	  "the outer source is not in `balancers`; add it there if it is a balancer of yours")     \
	X(9, INNER_TRUNCATED, "inner_truncated", PASS, "the frame ends inside the inner packet")   \
	X(10, INNER_MALFORMED, "inner_malformed", PASS,                                            \
	  "bad version, header length or length of the inner IP header")                           \
	X(11, NOT_VIP, "not_vip", PASS,                                                            \
	  "the inner destination is not in `vips`; balancer and backend disagree about VIPs")      \
	X(12, ECN_CONGESTION, "ecn_congestion", DROP,                                              \
	  "congestion marked on the outer header of a flow without ECN (RFC 6040, 4.2)")           \
	X(13, STRIP_FAILED, "strip_failed", PASS,                                                  \
	  "the driver did not let the header be taken off")                                        \
	X(14, GUE_TRUNCATED, "gue_truncated", PASS,                                                \
	  "the outer packet ends inside the UDP or GUE header of a packet to port 6080")           \
	X(15, GUE_MALFORMED, "gue_malformed", PASS,                                                \
	  "UDP length, or GUE variant, flags, protocol or fallback that no balancer sends")        \
	X(16, GUE_CHECKSUM, "gue_checksum", PASS,                                                  \
	  "GUE in IPv6 with a UDP checksum, which balancers do not make (RFC 6935)")               \
	X(17, GUE_OPENED, "gue_opened", PASS, "GUE: a SYN, which is always for the first backend") \
	X(18, GUE_SOCKET, "gue_socket", PASS, "GUE: the flow has a socket here")                   \
	X(19, GUE_COOKIE, "gue_cookie", PASS,                                                      \
	  "GUE: the segment answers a SYN cookie of this host")                                    \
	X(20, GUE_STATELESS, "gue_stateless", PASS,                                                \
	  "GUE: nothing to look up (UDP, fragments, ICMP other than errors about TCP)")            \
	X(21, GUE_RESCUED, "gue_rescued", PASS,                                                    \
	  "GUE, passed on by another backend: a second chance that found its socket here")         \
	X(22, GUE_HOPS_USED, "gue_hops_used", PASS,                                                \
	  "GUE, passed on by another backend, and unknown here, too: the stack answers")           \
	X(23, GUE_UNKNOWN, "gue_unknown", PASS,                                                    \
	  "GUE: unknown here, and no other backend to ask: the stack answers")                     \
	X(24, PASSED_ON, "passed_on", PASS,                                                        \
	  "GUE: unknown here, sent on to the fallback (second chance)")                            \
	X(25, MSS_LOWERED, "mss_lowered", PASS,                                                    \
	  "sent, not received: a SYN/ACK of a VIP, its MSS lowered to fit the tunnel")             \
	MPLB_GUARD_REASONS(X)                                                                      \
	X(44, FIRST_FLIGHT, "first_flight", PASS,                                                  \
	  "a client's third ACK to a VIP, its window lowered to the first flight of the answer")

enum mplb_server_reason {
#define X(number, NAME, name, action, text) MPLB_SERVER_R_##NAME = number,
	MPLB_SERVER_REASONS(X)
#undef X
		MPLB_SERVER_R_MAX
};

/* Counters of a reason, per CPU. */
struct mplb_server_count {
	__u64 packets;
	__u64 bytes; /* of the frames as they came */
};

/*
 * What server-pm tells the programs, besides VIPs and balancers. The MSS of a VIP's SYN/ACKs is
 * lowered to what is left of the MTU (mtu, or where that is 0 the device's own) after the tunnel's
 * overhead and the inner IP and TCP header. first_flight: how many full segments of an answer the
 * initial subflow is given before the client's first acknowledgement.
 */
struct mplb_server_settings {
	__u16 overhead; /* bytes that a balancer puts in front of the inner IP header, at most */
	__u16 mtu; /* of the path from the balancers */
	__u16 first_flight; /* 0: no limit */
	__u16 pad;
};
_Static_assert(sizeof(struct mplb_server_settings) == 8, "no implicit padding");

/* Kinds of things that server-pm sets. It takes those with high numbers back first. */
enum mplb_server_kind {
	MPLB_SERVER_NONE = 0, /* an unused entry */
	MPLB_SERVER_NETNS = 1, /* the network namespace that the other entries are about */
	MPLB_SERVER_SYSCTL = 2,
	MPLB_SERVER_LIMIT = 3, /* of the MPTCP path manager */
	MPLB_SERVER_ADDRESS = 4, /* a VIP, on lo */
	MPLB_SERVER_ENDPOINT = 5, /* of the MPTCP path manager */
	MPLB_SERVER_PASS_ON = 6, /* the second chance on a device: tc ingress */
	MPLB_SERVER_MSS = 7, /* the MSS announced by VIPs on a device: tc egress */
	MPLB_SERVER_FIRST_FLIGHT = 8, /* of answers from VIPs, on a device: tc ingress */
	/* Taken back before PASS_ON, on which it relies. */
	MPLB_SERVER_XDP = 9, /* the decapsulation on a device */
	MPLB_SERVER_GUARD = 10, /* of the dedicated addresses, on a device: tc ingress */
	/* Behind the guard, so that there is no time in which it is open. */
	MPLB_SERVER_ROUTE = 11, /* to this host: the prefix of the connections' addresses */
	MPLB_SERVER_KIND_MAX
};

#define MPLB_SERVER_F_OURS 0x1 /* set by server-pm; else found in place, and left by `clear` */

#define MPLB_SERVER_NAME_LEN  64
#define MPLB_SERVER_VALUE_LEN 32

/*
 * One thing that server-pm keeps in place. It is written before the thing itself is changed, so
 * that a later `clear` or `run` knows what to take back, whenever the daemon was killed. Which of
 * addr, port and name identifies an item depends on its kind.
 */
struct mplb_server_item {
	__u8 kind; /* enum mplb_server_kind */
	__u8 family; /* of addr: MPLB_FAMILY_4, MPLB_FAMILY_6; 0: none */
	__u8 flags; /* MPLB_SERVER_F_* */
	__u8 pad;
	__u32 endpoint_flags; /* MPTCP_PM_ADDR_FLAG_* */
	struct mplb_ip addr;
	char name[MPLB_SERVER_NAME_LEN]; /* sysctl, limit or device */
	char value[MPLB_SERVER_VALUE_LEN]; /* as wanted */
	char before[MPLB_SERVER_VALUE_LEN]; /* as it was before server-pm set it */
	__u16 port; /* of an endpoint; 0: none */
	__u8 pad1[6];
};
_Static_assert(sizeof(struct mplb_server_item) == 160, "an item has no implicit padding");

#endif
