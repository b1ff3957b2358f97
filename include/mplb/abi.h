/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_ABI_H
#define MPLB_ABI_H

/*
 * The contract between the BPF programs and userspace: every struct that lives in a map.
 * Fixed-width types, explicit padding, byte order in the type, sizes asserted. A change of layout
 * takes a new MPLB_ABI, which is part of the pin path, so that programs never meet a map of
 * another layout.
 */
#include <linux/types.h>

#define MPLB_ABI	 4
#define MPLB_NAME_LEN	 64 /* names of VIPs, pools and backends, with the final NUL */
#define MPLB_TABLE_SLOTS 65537 /* a prime: Maglev needs one (Eisenbud et al., NSDI 2016, 3.4) */
#define MPLB_NO_BACKEND	 0xffff

/* An IPv4 address stands in word 0, the other three are 0. */
struct mplb_ip {
	__be32 word[4];
};

/* MP_JOIN policy of a VIP. */
enum mplb_mp_join {
	MPLB_MP_JOIN_REJECT = 0, /* RST with MP_TCPRST (RFC 8684, 3.6) */
	MPLB_MP_JOIN_HASH = 1, /* no look at options: what an unaware balancer does */
	MPLB_MP_JOIN_STEER = 2, /* to the backend that owns the token (mplb/steer.h) */
};

/* How packets reach a backend. */
enum mplb_forward {
	MPLB_FORWARD_L2 = 0, /* MAC addresses rewritten, same segment */
	MPLB_FORWARD_IPIP = 1, /* IPv4 or IPv6 outer header around either (RFC 2003, 2473, 4213) */
	MPLB_FORWARD_GUE = 2, /* UDP outer, with the fallback for a second chance (mplb/gue.h) */
};

#define MPLB_FAMILY_4 4
#define MPLB_FAMILY_6 6

#define MPLB_VIP_F_WILDCARD  0x1 /* in every slot: some VIP of this table has port 0 (any port) */
#define MPLB_VIP_F_ADDRESSES 0x2 /* the flow hash takes addresses only (pool: hash: addresses) */
#define MPLB_VIP_F_STEER     0x4 /* mp_join: steer */
#define MPLB_VIP_F_PORTS     0x8 /* this slot is a block of join ports */
#define MPLB_VIP_F_RANGES    0x10 /* in every slot: some VIP of this table has join ports */

/*
 * One slot of the VIP table: an open-addressing hash table, linear probing, the home slot of a key
 * is mplb_vip_hash() of it. A key is (address, port, protocol); besides, each VIP address has an
 * entry with port 0 and protocol 0, which answers "is this address a VIP's at all?"; and each block
 * of MPLB_JOIN_BLOCK ports in which a VIP has join ports an entry with the first port of the block
 * and protocol MPLB_JOIN_PROTO, which is otherwise as the VIP's.
 */
#define MPLB_JOIN_BLOCK 256 /* blocks begin at multiples of it */
#define MPLB_JOIN_PROTO 255 /* no protocol: reserved by IANA */

struct mplb_vip_slot {
	struct mplb_ip addr;
	__u32 service; /* mplb_vip_service(); 0: empty, the end of a probe */
	__u16 flags; /* MPLB_VIP_F_* */
	__u8 mp_join; /* enum mplb_mp_join */
	__u8 pad0;
	__u64 hash_key; /* key of the flow hash: from hash_seed, address, port and protocol */
	__u32 vip; /* index into mplb_vip_stats and mplb_vip_info */
	__u32 table; /* index into mplb_tables and mplb_pool_info */
	__u16 join_base; /* join_ports: the port of backend id is this plus id; 0: none */
	__u16 pad1;
	__u32 pad2[5];
};
_Static_assert(sizeof(struct mplb_vip_slot) == 64, "a VIP slot is one cache line");

/*
 * One slot of a pool's table: both are indexes into mplb_backends, or MPLB_NO_BACKEND. A map value
 * holds a line of them: the kernel rounds each value up to 8 bytes, which would double the table.
 */
#define MPLB_TABLE_LINE	 16
#define MPLB_TABLE_LINES ((MPLB_TABLE_SLOTS + MPLB_TABLE_LINE - 1) / MPLB_TABLE_LINE)

struct mplb_table_slot {
	__u16 owner; /* takes new flows */
	__u16 fallback; /* owned the slot before the changes under way */
};
_Static_assert(sizeof(struct mplb_table_slot) == 4, "a table fits a core's L2 cache");

struct mplb_table_line {
	struct mplb_table_slot slot[MPLB_TABLE_LINE];
};

/*
 * Key of mplb_members: who of a pool is meant. The value is an index into mplb_backends.
 *   MPLB_MEMBER_ID | id  the member with this id: the port base + id is its own
 *   an index             the member that is the same server as this backend, of whatever pool: it
 *                        takes the joins whose tokens were learnt there
 */
#define MPLB_MEMBER_ID 0x10000

struct mplb_member_key {
	__u32 table; /* index into mplb_tables */
	__u32 which;
};

#define MPLB_BACKEND_F_RESOLVED 0x1 /* ifindex, smac and dmac are valid; else ask the FIB */

/* Where and how to send a packet of one backend. */
struct mplb_backend {
	struct mplb_ip dst; /* outer destination: the backend's address */
	struct mplb_ip src; /* outer source: the balancer's own address towards it */
	__u32 ifindex; /* egress */
	__u8 dmac[6]; /* these two as they stand in an Ethernet header */
	__u8 smac[6];
	__u16 flags; /* MPLB_BACKEND_F_* */
	__u16 mtu; /* of the path to the backend, bytes of an IP packet */
	__u8 forward; /* enum mplb_forward */
	__u8 family; /* of dst and src: MPLB_FAMILY_4, MPLB_FAMILY_6 */
	__u16 csum; /* sum of the constant words of an outer IPv4 header, folded, not inverted */
	__u16 vlan; /* VLAN id to send with (802.1Q), 0: untagged */
	__u8 pad[6];
};
_Static_assert(sizeof(struct mplb_backend) == 64, "a backend is one cache line");

/* Counters of a VIP, per CPU. X(NAME, "name", "what it counts") */
#define MPLB_VIP_COUNTERS(X)                                                                       \
	X(PACKETS, "packets", "packets forwarded to a backend")                                    \
	X(BYTES, "bytes", "bytes of their IP packets, without the outer header")                   \
	X(SYN_CAPABLE, "syn_mp_capable", "SYNs with MP_CAPABLE")                                   \
	X(SYN_PLAIN, "syn_plain", "SYNs without MPTCP options")                                    \
	X(JOIN_REJECTED, "mp_join_rejected", "SYNs with MP_JOIN answered with a reset")            \
	X(JOIN_HASHED, "mp_join_hashed", "SYNs with MP_JOIN forwarded by their 5-tuple")           \
	X(JOIN_STEERED, "mp_join_steered", "SYNs with MP_JOIN sent to the owner of their token")   \
	X(JOIN_BY_PORT, "mp_join_by_port", "SYNs with MP_JOIN sent to the member of their port")   \
	X(JOIN_UNKNOWN, "mp_join_unknown", "SYNs with MP_JOIN rejected: unknown token")            \
	X(JOIN_COLLISION, "mp_join_collision", "SYNs with MP_JOIN rejected: token of two members") \
	X(JOIN_GONE, "mp_join_gone", "SYNs with MP_JOIN rejected: their member has left")          \
	X(JOIN_FULL, "mp_join_full", "SYNs with MP_JOIN rejected: no room for their subflow")      \
	X(JOIN_LIMITED, "mp_join_limited", "SYNs dropped: to be reset, but beyond the rate")       \
	X(LEARNT_ACK, "learnt_ack", "tokens learnt from the third ACK")                            \
	X(LEARNT_DATA, "learnt_data", "tokens learnt from data with MP_CAPABLE")                   \
	X(LEARN_UNSURE, "learn_unsure", "not learnt: a pool change may have come in between")      \
	X(LEARN_LIMITED, "learn_limited", "not learnt: beyond the rate")                           \
	X(LEARN_FULL, "learn_full", "not learnt: no room that may be taken")                       \
	X(TOKEN_COLLISIONS, "token_collisions", "tokens that a second member came with")           \
	X(TOKENS_EVICTED, "tokens_evicted", "tokens given up for newer ones")                      \
	X(SUBFLOWS_EVICTED, "subflows_evicted", "joined subflows given up for newer ones")

enum mplb_vip_counter {
#define X(NAME, name, text) MPLB_VIP_C_##NAME,
	MPLB_VIP_COUNTERS(X)
#undef X
		MPLB_VIP_C_MAX
};

struct mplb_vip_stats {
	__u64 counter[MPLB_VIP_C_MAX];
};

struct mplb_backend_stats {
	__u64 packets;
	__u64 bytes; /* of the IP packets, without the outer header */
};

/*
 * What the program did with a packet, for `lbctl explain`. A packet run through BPF_PROG_TEST_RUN
 * with this struct as its XDP metadata, magic set, is decided like any other, is not counted, and
 * comes back with the rest filled in.
 */
#define MPLB_TRACE_MAGIC 0x6d706c62ee781a11ULL
#define MPLB_TRACE_NONE	 0xffffffff

/* What picked the backend. */
enum mplb_via {
	MPLB_VIA_HASH = 0, /* the slot of the 5-tuple */
	MPLB_VIA_TOKEN = 1, /* the token of a join */
	MPLB_VIA_SUBFLOW = 2, /* an earlier join of the same 5-tuple */
	MPLB_VIA_PORT = 3, /* the join port */
};

struct mplb_trace {
	__u64 magic;
	__u32 vip; /* MPLB_TRACE_NONE: no VIP */
	__u32 hash; /* of the flow */
	__u32 slot; /* of the pool's table */
	__u16 owner; /* indexes into mplb_backends */
	__u16 fallback;
	__u16 reason; /* enum mplb_reason */
	__u8 fib; /* 1: next hop from bpf_fib_lookup; 0: from the backend's entry */
	__u8 via; /* enum mplb_via */
	__u32 ifindex; /* egress */
};
_Static_assert(sizeof(struct mplb_trace) == 32, "XDP metadata holds at most 32 bytes on 6.1");

/* Names and settings behind the indexes: written and read by userspace, never by the program. */
struct mplb_vip_info {
	char name[MPLB_NAME_LEN]; /* "": unused */
	char pool[MPLB_NAME_LEN];
	struct mplb_ip addr;
	__be16 port;
	__u8 proto;
	__u8 family;
	__u8 mp_join; /* enum mplb_mp_join */
	__u8 pad;
	__u16 join_base; /* join_ports, host byte order; 0: none */
};

struct mplb_pool_info {
	char name[MPLB_NAME_LEN]; /* "": unused */
	__u64 hash_seed;
	__u8 forward; /* enum mplb_forward */
	__u8 hash_addresses; /* hash: addresses */
	__u8 all_down; /* enum mplb_all_down */
	__u8 pad[5];
};

/* What becomes of a pool whose health checks find every backend down. */
enum mplb_all_down {
	MPLB_ALL_DOWN_KEEP = 0, /* health is ignored: it may be the checks that fail */
	MPLB_ALL_DOWN_STOP = 1, /* nobody takes new connections */
};

/*
 * Member states: who is in which table of the pair. They follow from what is kept: the weight in
 * the fallback table (0: not in it), the weight for new flows (0: none), and why not.
 */
enum mplb_member_state {
	MPLB_MEMBER_JOINING = 0, /* owner table only: new since the changes under way began */
	MPLB_MEMBER_ACTIVE = 1, /* both */
	MPLB_MEMBER_DRAINING = 2, /* fallback table only: keeps its old flows */
	MPLB_MEMBER_DOWN =
		3, /* fallback table only: lost its health, or was taken out of the config */
};

struct mplb_backend_info {
	char name[MPLB_NAME_LEN]; /* "": unused */
	char pool[MPLB_NAME_LEN];
	struct mplb_ip addr;
	__u32 table; /* index into mplb_tables of the pool it is in */
	__u32 weight; /* as the config or the operator said */
	__u32 base_weight; /* weight in the fallback table: before the changes under way */
	__u16 id;
	__u8 family;
	__u8 state; /* enum mplb_member_state */
	__u8 forward; /* enum mplb_forward */
	__u8 flags; /* MPLB_MEMBER_F_* */
	__u16 config_weight; /* as the config says, for when the operator's order is taken back */
	__u32 prev_weight; /* between the first and the last of the changes under way; 0: none */
};

#define MPLB_MEMBER_F_DRAIN  0x1 /* the operator's order: lbctl drain */
#define MPLB_MEMBER_F_WEIGHT 0x2 /* the operator's order: lbctl weight; the config's is ignored */
#define MPLB_MEMBER_F_GONE   0x4 /* no longer in the config, kept for the fallback table */
#define MPLB_MEMBER_F_DOWN   0x8 /* its health checks fail */
#define MPLB_MEMBER_F_KEPT   0x10 /* takes new flows though it is down: all are (all_down: keep) */

/* A budget, per CPU: a token bucket. */
struct mplb_budget {
	__u64 last_ns; /* when it was last filled, CLOCK_MONOTONIC */
	__u64 tokens; /* what is above the burst is spent, but not filled up again */
};
#define MPLB_ICMP_RATE	 1000 /* generated ICMP errors, a second */
#define MPLB_ICMP_BURST	 1000
#define MPLB_LEARN_RATE	 50000 /* keys hashed for tokens, a second and VIP */
#define MPLB_LEARN_BURST 50000
#define MPLB_RESET_RATE	 5000 /* resets for SYNs to a VIP that steers, or to join ports */
#define MPLB_RESET_BURST 5000

struct mplb_vip_budget {
	struct mplb_budget learn, reset;
};

#endif
