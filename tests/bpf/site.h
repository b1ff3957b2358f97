/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_TEST_SITE_H
#define MPLB_TEST_SITE_H

/*
 * The config that most cases run in, and the check of one case.
 *
 * Pool number n has the VIPs 198.51.100.(n + 1) and 2001:db8:100::(n + 1), port 443, TCP and UDP,
 * mp_join: reject. Those without a comment of their own have one backend, of the same number.
 */
#include "rig.h"

enum site_pool {
	SITE_L2, /* out of the device that the packet came by: XDP_TX */
	SITE_IPIP4,
	SITE_IPIP6,
	SITE_L2_AWAY, /* out of another: XDP_REDIRECT */
	SITE_IPIP4_AWAY,
	SITE_IPIP6_AWAY,
	SITE_EMPTY, /* without backends */
	SITE_BAD_BACKEND, /* a table with an index beyond the map of backends */
	SITE_NO_TABLE, /* no table at this index */
	SITE_BAD_TABLE, /* an index beyond the map of tables */
	SITE_GUE4,
	SITE_GUE6,
	SITE_GUE4_MOVED, /* owner: the backend of that number; fallback: that of SITE_GUE4 */
	SITE_GUE6_MOVED,
	SITE_L2_VLAN, /* the next hop is on a VLAN */
	SITE_IPIP4_VLAN,
	SITE_GUE6_VLAN,
	SITE_ADDRESSES, /* hash: addresses, any port; backend of SITE_IPIP4 */
	SITE_SMALL4, /* small MTUs */
	SITE_SMALL6,
	SITE_POOLS
};

#define L2_4	      "198.51.100.1"
#define L2_6	      "2001:db8:100::1"
#define IPIP4_4	      "198.51.100.2"
#define IPIP4_6	      "2001:db8:100::2"
#define IPIP6_4	      "198.51.100.3"
#define IPIP6_6	      "2001:db8:100::3"
#define AWAY_4	      "198.51.100.5" /* SITE_IPIP4_AWAY */
#define AWAY_6	      "2001:db8:100::5"
#define EMPTY_4	      "198.51.100.7"
#define EMPTY_6	      "2001:db8:100::7"
#define BAD_BACKEND_4 "198.51.100.8"
#define NO_TABLE_4    "198.51.100.9"
#define NO_TABLE_6    "2001:db8:100::9"
#define BAD_TABLE_4   "198.51.100.10"
#define GUE4_4	      "198.51.100.11"
#define GUE4_6	      "2001:db8:100::b"
#define GUE6_4	      "198.51.100.12"
#define GUE6_6	      "2001:db8:100::c"
#define L2_VLAN_4     "198.51.100.15"
#define L2_VLAN_6     "2001:db8:100::f"
#define GUE6_VLAN_4   "198.51.100.17"
#define ADDRESSES_4   "198.51.100.18"
#define SMALL4_4      "198.51.100.19"
#define SMALL6_6      "2001:db8:100::14"
#define SMALL_MTU     600
/* TCP port 443, mp_join: hash, pool SITE_L2. */
#define HASH_4 "198.51.100.101"
#define HASH_6 "2001:db8:100::101"
/* TCP any port -> SITE_IPIP4, TCP port 443 -> SITE_L2, UDP any port -> SITE_IPIP6. */
#define ANY_4 "198.51.100.102"
#define ANY_6 "2001:db8:100::102"
/* TCP port 443 -> SITE_L2, nothing else. */
#define TCP_ONLY_4 "198.51.100.103"
#define TCP_ONLY_6 "2001:db8:100::103"
/* No VIP. */
#define STRANGER_4 "198.51.100.200"
#define STRANGER_6 "2001:db8:100::200"

/* rig_open() with all of it in force. */
void site_open(struct rig *rig);

struct site_case {
	const char *name;
	struct packet in;
	int verdict; /* XDP_* */
	/* The one counted, and what comes out. FORWARDED: the packet, for the backend of pool to;
	 * JOIN_REJECTED, ECHO_REPLY, TOO_BIG_ANSWERED: such an answer (for the MTU of pool to); any
	 * other: the packet as it came in. */
	enum mplb_reason reason;
	enum site_pool to;
	enum mplb_vip_counter syn; /* counted besides; 0: none */
};

/* Runs a case: the verdict, every byte of the frame that comes out, and every counter. */
void site_check(struct rig *rig, const struct site_case *c);
void site_check_all(struct rig *rig, const struct site_case *cases, size_t n);

/* The address of a pool's VIPs, text; the backend of a pool, NULL: it has none of its own. */
const char *site_vip(enum site_pool pool, bool six);
const struct rig_backend *site_backend(enum site_pool pool);

/* The hash of the flow that a packet belongs to. */
uint32_t site_hash(const struct rig_vip *vip, const struct packet *p);

/* The reset that answers a join, and that which answers another SYN. */
void site_reset(const struct packet *syn, struct frame *out);
void site_plain_reset(const struct packet *syn, struct frame *out);

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
