/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VIPs with mp_join: steer: what is learnt of which segments, where joins and their subflows go,
 * and what becomes of entries. A case is a walk: its steps share what has been learnt before.
 */
#include <criterion/criterion.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/lb.skel.h"
#include "mplb/steer.h"
#include "site.h"

/* VIPs and what all slots of their pools' tables have. */
#define HOME_4	 "198.51.100.1" /* owner A */
#define HOME_6	 "2001:db8:100::1" /* owner A, in a pool of its own, where A is called A6 */
#define OTHER_4	 "198.51.100.2" /* owner B */
#define MOVED_4	 "198.51.100.3" /* owner B, fallback A */
#define FIRST_4	 "198.51.100.4" /* owner B, no fallback: nobody was there before */
#define REJECT_4 "198.51.100.5" /* owner B, mp_join: reject */
#define SPREAD_4 "198.51.100.6" /* owner B, hash: addresses */
enum { A, B, C, A6, BACKENDS };
enum { HOME, HOME6, OTHER, MOVED, FIRST, TABLES };

static const struct rig_vip vips[] = {
	{ HOME_4, 443, IPPROTO_TCP, MPLB_MP_JOIN_STEER, HOME },
	{ HOME_6, 443, IPPROTO_TCP, MPLB_MP_JOIN_STEER, HOME6 },
	{ OTHER_4, 443, IPPROTO_TCP, MPLB_MP_JOIN_STEER, OTHER },
	{ MOVED_4, 443, IPPROTO_TCP, MPLB_MP_JOIN_STEER, MOVED },
	{ FIRST_4, 443, IPPROTO_TCP, MPLB_MP_JOIN_STEER, FIRST },
	{ REJECT_4, 443, IPPROTO_TCP, MPLB_MP_JOIN_REJECT, OTHER },
	{ SPREAD_4, 443, IPPROTO_TCP, MPLB_MP_JOIN_STEER, OTHER, .addresses = true },
};

static struct rig rig;

static void open_rig(void)
{
	rig_open(&rig);
	for (uint32_t i = 0; i < BACKENDS; i++) {
		char dst[] = "10.0.1.10";

		dst[sizeof(dst) - 2] += (char)i;
		rig_set_backend(
			&rig, i,
			&(struct rig_backend){ MPLB_FORWARD_GUE, dst, "10.0.0.2", RIG_INGRESS });
	}
	rig_set_constant_pool(&rig, HOME, A);
	rig_set_constant_pool(&rig, HOME6, A6);
	rig_set_constant_pool(&rig, OTHER, B);
	rig_set_constant_pair(&rig, MOVED, B, A);
	rig_set_constant_pair(&rig, FIRST, B, MPLB_NO_BACKEND);
	for (size_t i = 0; i < COUNT_OF(vips); i++)
		rig_add_vip(&rig, &vips[i]);
	rig_commit(&rig);
	for (uint32_t table = 0; table < TABLES; table++) {
		for (uint32_t i = A; i <= B; i++)
			rig_set_member(&rig, table, i, table == HOME6 && i == A ? A6 : i);
		rig_set_member(&rig, table, A6, table == HOME6 ? A6 : A);
	}
}

static void close_rig(void)
{
	rig_close(&rig);
}

TestSuite(lb_steer, .init = open_rig, .fini = close_rig);

/* Keys of servers, eight times the same byte, and the tokens that sha256sum gives for them. */
#define EIGHT(x)  x, x, x, x, x, x, x, x
#define KEY_1	  EIGHT(0xa1)
#define TOKEN_1	  0x09, 0x8a, 0xc7, 0xe0
#define NUMBER_1  0x098ac7e0
#define KEY_2	  EIGHT(0xa2)
#define TOKEN_2	  0x4c, 0x40, 0x49, 0xc7
#define KEY_3	  EIGHT(0xa3)
#define TOKEN_3	  0xa1, 0xdc, 0xfe, 0xaf
#define KEY_4	  EIGHT(0xa4)
#define TOKEN_4	  0xdb, 0x16, 0x22, 0x1a
#define TOKEN_OFF 0xde, 0xad, 0xbe, 0xef
#define ZERO_4	  0, 0, 0, 0

#define CLIENT_KEY EIGHT(0xc1)
#define TS	   OPT_NOP, OPT_NOP, OPT_TIME
/* The client's third ACK, and data with both keys, without and with a checksum. */
#define KEYS_20(key) 30, 20, 0x01, 0x01, CLIENT_KEY, key
#define KEYS_22(key) 30, 22, 0x01, 0x01, CLIENT_KEY, key, 0, 7
#define KEYS_24(key) 30, 24, 0x01, 0x81, CLIENT_KEY, key, 0, 7, 0xab, 0xcd
#define DSS	     30, 8, 0x20, 0x01, 0, 0, 0, 1
#define JOIN(token)  30, 12, 0x10, 0x01, token, 0x0a, 0x0b, 0x0c, 0x0d

#define ACK(vip, port, ...)                                                                        \
	{                                                                                          \
		.dst = vip, .sport = port, .flags = FLAG_ACK, .options = BYTES(__VA_ARGS__)        \
	}
#define SYN(vip, port, ...)                                                                        \
	{                                                                                          \
		.dst = vip, .sport = port, .flags = FLAG_SYN, .options = BYTES(__VA_ARGS__)        \
	}
#define BARE(vip, port)                                                                            \
	{                                                                                          \
		.dst = vip, .sport = port, .flags = FLAG_ACK                                       \
	}

#define NONE MPLB_NO_BACKEND

struct step {
	const char *name;
	struct packet in;
	/* FORWARDED: the packet, for the backend to, with the fallback of the other one. */
	enum mplb_reason reason;
	uint16_t to, fallback;
	enum mplb_vip_counter counted; /* of the VIP; 0: none but packets and bytes */
};

#define TO(owner, fallback) MPLB_R_FORWARDED, owner, fallback
#define REJECTED(NAME)	    MPLB_R_JOIN_##NAME, NONE, NONE, MPLB_VIP_C_JOIN_##NAME

static const struct rig_vip *vip_of(const struct packet *p)
{
	struct ip dst;

	cr_assert_eq(ip_parse(p->dst, &dst), 0);
	return rig_find_vip(&rig, &dst, p->dport ? (uint16_t)p->dport : 443, IPPROTO_TCP);
}

static void expect_frame(const struct step *s, const struct frame *in, struct frame *out)
{
	const struct rig_vip *vip = vip_of(&s->in);
	struct outer outer;

	if (s->reason == MPLB_R_FORWARDED) {
		outer = rig_outer(&rig, s->to, s->fallback, site_hash(vip, &s->in));
		frame_encapsulate(in, &outer, out);
	} else if (s->reason == MPLB_R_JOIN_LIMITED) {
		*out = *in;
	} else {
		site_reset(&s->in, out);
	}
}

static void check_counters(const struct step *s, const struct rig_counters *before,
			   const struct rig_counters *after)
{
	size_t index = (size_t)(vip_of(&s->in) - rig.vips);

	for (size_t c = MPLB_VIP_C_BYTES + 1; c < MPLB_VIP_C_MAX; c++) {
		__u64 more = after->vip[index].counter[c] - before->vip[index].counter[c];

		cr_expect_eq(more, s->counted && c == s->counted, "%s: VIP counter %zu: %llu more",
			     s->name, c, more);
	}
	for (size_t r = 0; r < MPLB_R_MAX; r++)
		cr_expect_eq(after->reason[r] - before->reason[r],
			     s->reason != MPLB_R_FORWARDED && r == s->reason, "%s: reason %zu",
			     s->name, r);
}

static void walk(const struct step *steps, size_t n)
{
	static struct rig_counters before, after;

	for (size_t i = 0; i < n; i++) {
		const struct step *s = &steps[i];
		struct rig_result result;
		struct frame in, out;

		packet_build(&s->in, &in);
		expect_frame(s, &in, &out);
		rig_count(&rig, &before);
		rig_run(&rig, &in, &result);
		rig_count(&rig, &after);
		cr_expect_eq(result.verdict, s->reason == MPLB_R_JOIN_LIMITED ? XDP_DROP : XDP_TX,
			     "%s: verdict %d", s->name, result.verdict);
		cr_expect_eq(frame_diff(&result.out, &out), -1, "%s: differs at byte %d", s->name,
			     frame_diff(&result.out, &out));
		check_counters(s, &before, &after);
	}
}

#define WALK(...)                                                                                  \
	do {                                                                                       \
		const struct step steps_[] = { __VA_ARGS__ };                                      \
		walk(steps_, COUNT_OF(steps_));                                                    \
	} while (0)

#define LEARNT(NAME) MPLB_VIP_C_LEARNT_##NAME
#define STEERED	     MPLB_VIP_C_JOIN_STEERED

Test(lb_steer, learns)
{
	WALK({ "a join before", SYN(OTHER_4, 1, JOIN(TOKEN_1)), REJECTED(UNKNOWN) },
	     { "third ACK", ACK(HOME_4, 2, KEYS_20(KEY_1)), TO(A, NONE), LEARNT(ACK) },
	     { "again", ACK(HOME_4, 2, KEYS_20(KEY_1)), TO(A, NONE) },
	     { "its data", ACK(HOME_4, 2, KEYS_22(KEY_1)), TO(A, NONE) },
	     { "a join", SYN(OTHER_4, 1, JOIN(TOKEN_1)), TO(A, NONE), STEERED },
	     { "data alone", ACK(HOME_4, 3, KEYS_22(KEY_2)), TO(A, NONE), LEARNT(DATA) },
	     { "its join", SYN(OTHER_4, 4, JOIN(TOKEN_2)), TO(A, NONE), STEERED },
	     { "data with a checksum, behind timestamps", ACK(HOME_4, 5, KEYS_24(KEY_3)),
	       TO(A, NONE), LEARNT(DATA) },
	     { "its join",
	       SYN(OTHER_4, 6, OPT_MSS, OPT_SACK, OPT_TIME, OPT_NOP, OPT_WSCALE, JOIN(TOKEN_3)),
	       TO(A, NONE), STEERED },
	     { "timestamps, then keys", ACK(OTHER_4, 7, TS, KEYS_20(KEY_4)), TO(B, NONE),
	       LEARNT(ACK) },
	     { "its join at the VIP of others", SYN(HOME_4, 8, JOIN(TOKEN_4)), TO(B, NONE),
	       STEERED });
}

Test(lb_steer, learns_nothing)
{
	WALK({ "DSS", ACK(HOME_4, 1, DSS, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), TO(A, NONE) },
	     { "timestamps, DSS", ACK(HOME_4, 1, TS, DSS), TO(A, NONE) },
	     { "no options", BARE(HOME_4, 1), TO(A, NONE) },
	     { "version 0", ACK(HOME_4, 1, 30, 20, 0x00, 0x01, CLIENT_KEY, KEY_1), TO(A, NONE) },
	     { "a SYN's length", ACK(HOME_4, 1, OPT_TIME, OPT_TIME, 30, 4, 1, 1), TO(A, NONE) },
	     { "a SYN/ACK's", ACK(HOME_4, 1, OPT_TIME, 30, 12, 1, 1, KEY_1), TO(A, NONE) },
	     { "a byte too long", ACK(HOME_4, 1, 30, 21, 0x01, 0x01, CLIENT_KEY, KEY_1, 0),
	       TO(A, NONE) },
	     { "past the end", ACK(HOME_4, 1, OPT_TIME, OPT_NOP, 30, 20, 0x01, 0x01, CLIENT_KEY),
	       TO(A, NONE) },
	     { "behind the end of the list", ACK(HOME_4, 1, OPT_EOL, KEYS_20(KEY_1)), TO(A, NONE) },
	     { "a reset",
	       { .dst = HOME_4,
		 .sport = 1,
		 .flags = FLAG_ACK | FLAG_RST,
		 .options = BYTES(KEYS_20(KEY_1)) },
	       TO(A, NONE) },
	     { "no ACK",
	       { .dst = HOME_4, .sport = 1, .flags = FLAG_PSH, .options = BYTES(KEYS_20(KEY_1)) },
	       TO(A, NONE) },
	     { "a VIP that does not steer", ACK(REJECT_4, 1, KEYS_20(KEY_1)), TO(B, NONE) },
	     { "none of these", SYN(OTHER_4, 1, JOIN(TOKEN_1)), REJECTED(UNKNOWN) });
}

Test(lb_steer, subflow)
{
	WALK({ "third ACK", ACK(HOME_4, 1, KEYS_20(KEY_1)), TO(A, NONE), LEARNT(ACK) },
	     { "another flow before", BARE(OTHER_4, 2), TO(B, NONE) },
	     { "join", SYN(OTHER_4, 2, JOIN(TOKEN_1)), TO(A, NONE), STEERED },
	     /* Should A not know it, as with a SYN that was forged, the slot's owner is asked. */
	     { "its ACK", ACK(OTHER_4, 2, 30, 24, 0x10, 0, EIGHT(1), EIGHT(2), EIGHT(3)),
	       TO(A, B) },
	     { "data", BARE(OTHER_4, 2), TO(A, B) },
	     { "the join again", SYN(OTHER_4, 2, JOIN(TOKEN_1)), TO(A, NONE), STEERED },
	     { "data", BARE(OTHER_4, 2), TO(A, B) },
	     { "keys in it teach nothing", ACK(OTHER_4, 2, KEYS_20(KEY_2)), TO(A, B) },
	     { "a reset", { .dst = OTHER_4, .sport = 2, .flags = FLAG_RST }, TO(A, B) },
	     { "where the slot is of the same backend", SYN(HOME_4, 3, JOIN(TOKEN_1)), TO(A, NONE),
	       STEERED },
	     { "its data", BARE(HOME_4, 3), TO(A, NONE) },
	     { "another client's",
	       { .dst = OTHER_4, .src = "203.0.113.8", .sport = 2 },
	       TO(B, NONE) },
	     { "the port used for a new connection", SYN(OTHER_4, 2, OPT_CAPABLE), TO(B, NONE),
	       MPLB_VIP_C_SYN_CAPABLE },
	     { "which is another's", BARE(OTHER_4, 2), TO(B, NONE) });
}

Test(lb_steer, hash_addresses)
{
	WALK({ "third ACK", ACK(HOME_4, 1, KEYS_20(KEY_1)), TO(A, NONE), LEARNT(ACK) },
	     { "join", SYN(SPREAD_4, 2, JOIN(TOKEN_1)), TO(A, NONE), STEERED },
	     { "its data", BARE(SPREAD_4, 2), TO(A, B) },
	     { "another port of the client", BARE(SPREAD_4, 3), TO(B, NONE) });
}

Test(lb_steer, families)
{
	WALK({ "IPv4 connection", ACK(HOME_4, 1, KEYS_20(KEY_1)), TO(A, NONE), LEARNT(ACK) },
	     { "IPv6 join", SYN(HOME_6, 2, JOIN(TOKEN_1)), TO(A6, NONE), STEERED },
	     { "its data", BARE(HOME_6, 2), TO(A6, NONE) },
	     { "IPv6 connection", ACK(HOME_6, 3, KEYS_20(KEY_2)), TO(A6, NONE), LEARNT(ACK) },
	     { "IPv6 join", SYN(HOME_6, 4, JOIN(TOKEN_2)), TO(A6, NONE), STEERED },
	     { "IPv4 join", SYN(OTHER_4, 5, JOIN(TOKEN_2)), TO(A, NONE), STEERED },
	     { "its data", BARE(OTHER_4, 5), TO(A, B) },
	     { "a VLAN tag",
	       { .dst = OTHER_4,
		 .sport = 6,
		 .flags = FLAG_SYN,
		 .vlans = 2,
		 .options = BYTES(JOIN(TOKEN_2)) },
	       TO(A, NONE),
	       STEERED },
	     { "and a reset",
	       { .dst = HOME_6,
		 .sport = 6,
		 .flags = FLAG_SYN,
		 .vlans = 2,
		 .options = BYTES(JOIN(TOKEN_OFF)) },
	       REJECTED(UNKNOWN) },
	     { "the same server by the other pool again: no collision",
	       ACK(HOME_4, 7, KEYS_20(KEY_2)), TO(A, NONE) },
	     { "join", SYN(OTHER_4, 8, JOIN(TOKEN_2)), TO(A, NONE), STEERED });
}

Test(lb_steer, collision)
{
	WALK({ "one", ACK(HOME_4, 1, KEYS_20(KEY_1)), TO(A, NONE), LEARNT(ACK) },
	     { "join", SYN(HOME_4, 2, JOIN(TOKEN_1)), TO(A, NONE), STEERED },
	     { "another server has it too", ACK(OTHER_4, 3, KEYS_20(KEY_1)), TO(B, NONE),
	       MPLB_VIP_C_TOKEN_COLLISIONS },
	     { "join", SYN(HOME_4, 4, JOIN(TOKEN_1)), REJECTED(COLLISION) },
	     { "seen again", ACK(HOME_4, 1, KEYS_20(KEY_1)), TO(A, NONE) },
	     { "join", SYN(HOME_4, 4, JOIN(TOKEN_1)), REJECTED(COLLISION) },
	     { "the subflow that was there goes on", BARE(HOME_4, 2), TO(A, NONE) });
}

Test(lb_steer, unknown)
{
	WALK({ "third ACK", ACK(HOME_4, 1, KEYS_20(KEY_1)), TO(A, NONE), LEARNT(ACK) },
	     { "another token", SYN(HOME_4, 2, JOIN(TOKEN_OFF)), REJECTED(UNKNOWN) },
	     { "token 0", SYN(HOME_4, 2, JOIN(ZERO_4)), REJECTED(UNKNOWN) },
	     { "a join of another length", SYN(HOME_4, 2, 30, 11, 0x10, 1, TOKEN_1, 1, 2, 3),
	       REJECTED(UNKNOWN) },
	     { "the last of two joins counts", SYN(HOME_4, 2, JOIN(TOKEN_OFF), JOIN(TOKEN_1)),
	       TO(A, NONE), STEERED },
	     { "so here", SYN(HOME_4, 2, JOIN(TOKEN_1), JOIN(TOKEN_OFF)), REJECTED(UNKNOWN) },
	     { "with MP_CAPABLE", SYN(HOME_4, 3, OPT_CAPABLE, JOIN(TOKEN_OFF)), REJECTED(UNKNOWN) },
	     { "plain SYN", SYN(HOME_4, 3, OPT_MSS), TO(A, NONE), MPLB_VIP_C_SYN_PLAIN },
	     { "no options",
	       { .dst = HOME_4, .flags = FLAG_SYN },
	       TO(A, NONE),
	       MPLB_VIP_C_SYN_PLAIN });
}

/* Owner B, fallback A: the slot has moved, and a connection may be of either. */
Test(lb_steer, moved)
{
	WALK({ "a third ACK whose SYN was not seen here", ACK(MOVED_4, 1, KEYS_20(KEY_1)), TO(B, A),
	       MPLB_VIP_C_LEARN_UNSURE },
	     { "its join", SYN(HOME_4, 9, JOIN(TOKEN_1)), REJECTED(UNKNOWN) },
	     { "SYN", SYN(MOVED_4, 2, OPT_CAPABLE), TO(B, A), MPLB_VIP_C_SYN_CAPABLE },
	     { "SYN again", SYN(MOVED_4, 2, OPT_CAPABLE), TO(B, A), MPLB_VIP_C_SYN_CAPABLE },
	     { "third ACK", ACK(MOVED_4, 2, KEYS_20(KEY_2)), TO(B, A), LEARNT(ACK) },
	     { "join", SYN(HOME_4, 9, JOIN(TOKEN_2)), TO(B, NONE), STEERED },
	     { "learnt before the slot moved", ACK(HOME_4, 3, KEYS_20(KEY_3)), TO(A, NONE),
	       LEARNT(ACK) },
	     { "data after it: A has it still", ACK(MOVED_4, 3, KEYS_22(KEY_3)), TO(B, A) },
	     { "join", SYN(MOVED_4, 9, JOIN(TOKEN_3)), TO(A, NONE), STEERED },
	     { "the subflow", BARE(MOVED_4, 9), TO(A, B) },
	     { "a plain SYN is not noted", SYN(MOVED_4, 4, OPT_MSS), TO(B, A),
	       MPLB_VIP_C_SYN_PLAIN },
	     { "so its keys are no better", ACK(MOVED_4, 4, KEYS_20(KEY_4)), TO(B, A),
	       MPLB_VIP_C_LEARN_UNSURE },
	     { "nobody before", ACK(FIRST_4, 5, KEYS_20(KEY_4)), TO(B, NONE), LEARNT(ACK) });
}

/* C has left the pools: nothing says who is the same server as it. */
Test(lb_steer, gone)
{
	struct mplb_member_key key = { OTHER, A };

	for (uint32_t table = 0; table < TABLES; table++)
		rig_set_member(&rig, table, C, C);
	rig_set_constant_pool(&rig, FIRST, C);
	rig_commit(&rig);
	WALK({ "third ACK", ACK(FIRST_4, 1, KEYS_20(KEY_1)), TO(C, NONE), LEARNT(ACK) },
	     { "join", SYN(OTHER_4, 2, JOIN(TOKEN_1)), TO(C, NONE), STEERED });
	for (uint32_t table = 0; table < TABLES; table++) {
		key = (struct mplb_member_key){ table, C };
		cr_assert_eq(bpf_map_delete_elem(rig.dp.members, &key), 0);
	}
	WALK({ "join", SYN(OTHER_4, 3, JOIN(TOKEN_1)), REJECTED(GONE) },
	     { "a join leaves nothing behind", BARE(OTHER_4, 3), TO(B, NONE) });
}

static uint32_t tick(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint32_t)(((uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec) >>
			  MPLB_TICK_SHIFT);
}

static struct mplb_bucket *bucket_of(uint32_t token)
{
	return &rig.dp.tokens[mplb_token_bucket(token)];
}

/* Fills the bucket of KEY_1 with other tokens. */
static void fill(uint32_t age, uint32_t state)
{
	for (uint32_t i = 0; i < MPLB_BUCKET_ENTRIES; i++)
		bucket_of(NUMBER_1)->entry[i] = mplb_entry(i + 1, tick() - age, state, A);
}

static bool has(uint32_t tag)
{
	for (size_t i = 0; i < MPLB_BUCKET_ENTRIES; i++)
		if (bucket_of(NUMBER_1)->entry[i] &&
		    mplb_entry_tag(bucket_of(NUMBER_1)->entry[i]) == tag)
			return true;
	return false;
}

static const struct step arrives = { "keys", ACK(HOME_4, 1, KEYS_20(KEY_1)), TO(A, NONE),
				     LEARNT(ACK) };
static const struct step refused = { "keys", ACK(HOME_4, 1, KEYS_20(KEY_1)), TO(A, NONE),
				     MPLB_VIP_C_LEARN_FULL };

/* Runs a packet for what becomes of the bucket. */
static uint64_t learn_in_full(const struct step *s)
{
	static struct rig_counters counters;
	struct rig_result result;
	struct frame in;

	packet_build(&s->in, &in);
	rig_run(&rig, &in, &result);
	rig_count(&rig, &counters);
	return counters.vip[0].counter[MPLB_VIP_C_TOKENS_EVICTED];
}

Test(lb_steer, evicts)
{
	fill(0, MPLB_TOKEN_LEARNT);
	walk(&refused, 1);
	cr_expect(!has(NUMBER_1));
	fill(MPLB_TOKEN_KEEP_JOINED - 10, MPLB_TOKEN_JOINED);
	walk(&refused, 1);
	/* The oldest of those that no join has come for. */
	bucket_of(NUMBER_1)->entry[3] =
		mplb_entry(4, tick() - MPLB_TOKEN_KEEP_LEARNT - 5, MPLB_TOKEN_LEARNT, A);
	bucket_of(NUMBER_1)->entry[5] =
		mplb_entry(6, tick() - MPLB_TOKEN_KEEP_LEARNT - 9, MPLB_TOKEN_LEARNT, A);
	cr_expect_eq(learn_in_full(&arrives), 1);
	cr_expect(has(NUMBER_1) && has(4) && !has(6), "the wrong one was given up");
	/* Without such, the oldest that no join has come for in an hour. */
	fill(MPLB_TOKEN_KEEP_JOINED + 10, MPLB_TOKEN_JOINED);
	bucket_of(NUMBER_1)->entry[7] =
		mplb_entry(8, tick() - MPLB_TOKEN_KEEP_JOINED - 20, MPLB_TOKEN_JOINED, A);
	cr_expect_eq(learn_in_full(&arrives), 2);
	cr_expect(has(NUMBER_1) && !has(8), "the wrong one was given up");
	/* A free one before all. */
	fill(MPLB_TOKEN_KEEP_JOINED + 10, MPLB_TOKEN_LEARNT);
	bucket_of(NUMBER_1)->entry[2] = 0;
	walk(&arrives, 1);
	cr_expect_eq(mplb_entry_tag(bucket_of(NUMBER_1)->entry[2]), NUMBER_1);
}

/* The buckets of subflows: full of live ones, a join finds no room; nobody's is given up. */
Test(lb_steer, subflows_full)
{
	struct mplb_bucket full;

	for (uint32_t i = 0; i < MPLB_BUCKET_ENTRIES; i++)
		full.entry[i] = mplb_entry(i, tick(), MPLB_SUBFLOW_JOINED, B);
	for (uint32_t b = 0; b < MPLB_SUBFLOW_BUCKETS; b++)
		rig.dp.subflows[b] = full;
	WALK({ "keys", ACK(HOME_4, 1, KEYS_20(KEY_1)), TO(A, NONE), LEARNT(ACK) },
	     { "join", SYN(OTHER_4, 2, JOIN(TOKEN_1)), REJECTED(FULL) },
	     { "SYN", SYN(MOVED_4, 3, OPT_CAPABLE), TO(B, A), MPLB_VIP_C_SYN_CAPABLE });
	for (uint32_t b = 0; b < MPLB_SUBFLOW_BUCKETS; b++)
		cr_assert(!memcmp(&rig.dp.subflows[b], &full, sizeof(full)));
	for (uint32_t i = 0; i < MPLB_BUCKET_ENTRIES; i++)
		full.entry[i] =
			mplb_entry(i, tick() - MPLB_SUBFLOW_KEEP_JOINED, MPLB_SUBFLOW_JOINED, B);
	for (uint32_t b = 0; b < MPLB_SUBFLOW_BUCKETS; b++)
		rig.dp.subflows[b] = full;
	WALK({ "no note takes an idle subflow's place", SYN(MOVED_4, 3, OPT_CAPABLE), TO(B, A),
	       MPLB_VIP_C_SYN_CAPABLE });
	for (uint32_t b = 0; b < MPLB_SUBFLOW_BUCKETS; b++)
		cr_assert(!memcmp(&rig.dp.subflows[b], &full, sizeof(full)));
	cr_expect_eq(learn_in_full(&(struct step){ "join", SYN(OTHER_4, 2, JOIN(TOKEN_1)),
						   TO(A, NONE), STEERED }),
		     0);
	WALK({ "a join takes one's that is idle", BARE(OTHER_4, 2), TO(A, B) });
}

/* Leaves this many of each kind to the VIPs, on every CPU. */
static void set_budgets(__u64 learn, __u64 reset)
{
	size_t cpus = (size_t)libbpf_num_possible_cpus();
	struct mplb_vip_budget *budget = calloc(cpus, sizeof(*budget));
	struct timespec now;
	__u64 ns;

	clock_gettime(CLOCK_MONOTONIC, &now);
	/* As if filled a minute from now: nothing is added meanwhile. */
	ns = ((__u64)now.tv_sec + 60) * 1000000000;
	for (size_t i = 0; i < cpus; i++)
		budget[i] = (struct mplb_vip_budget){ { ns, learn }, { ns, reset } };
	for (__u32 vip = 0; vip < rig.n_vips; vip++)
		cr_assert_eq(bpf_map_update_elem(bpf_map__fd(rig.skel->maps.mplb_vip_budget), &vip,
						 budget, BPF_ANY),
			     0);
	free(budget);
}

Test(lb_steer, limits)
{
	WALK({ "keys", ACK(HOME_4, 1, KEYS_20(KEY_1)), TO(A, NONE), LEARNT(ACK) });
	set_budgets(0, 0);
	WALK({ "keys", ACK(HOME_4, 2, KEYS_20(KEY_2)), TO(A, NONE), MPLB_VIP_C_LEARN_LIMITED },
	     { "unknown", SYN(HOME_4, 3, JOIN(TOKEN_OFF)), MPLB_R_JOIN_LIMITED, NONE, NONE,
	       MPLB_VIP_C_JOIN_LIMITED },
	     { "a join that is known passes", SYN(OTHER_4, 4, JOIN(TOKEN_1)), TO(A, NONE),
	       STEERED },
	     { "and so does its subflow", BARE(OTHER_4, 4), TO(A, B) });
	set_budgets(1, 1);
	WALK({ "another VIP's, too", SYN(HOME_4, 3, JOIN(TOKEN_OFF)), REJECTED(UNKNOWN) },
	     { "unknown", SYN(OTHER_4, 3, JOIN(TOKEN_OFF)), REJECTED(UNKNOWN) },
	     { "keys", ACK(HOME_4, 2, KEYS_20(KEY_2)), TO(A, NONE), LEARNT(ACK) });
}

/* A join that is explained is decided alike, and leaves no trace. */
Test(lb_steer, explained)
{
	const struct packet join = SYN(OTHER_4, 2, JOIN(TOKEN_1));
	const struct packet off = SYN(OTHER_4, 2, JOIN(TOKEN_OFF));
	static struct mplb_bucket before[MPLB_SUBFLOW_BUCKETS];
	static struct rig_counters counted, after;
	struct mplb_bucket tokens;
	struct rig_result result;
	struct frame in;

	WALK({ "keys", ACK(HOME_4, 1, KEYS_20(KEY_1)), TO(A, NONE), LEARNT(ACK) });
	tokens = *bucket_of(NUMBER_1);
	memcpy(before, rig.dp.subflows, sizeof(before));
	set_budgets(0, 0);
	rig_count(&rig, &counted);
	packet_build(&join, &in);
	rig_explain(&rig, &in, &result);
	cr_expect_eq(result.trace.reason, MPLB_R_FORWARDED);
	cr_expect_eq(result.trace.owner, A);
	cr_expect_eq(result.trace.via, MPLB_VIA_TOKEN);
	packet_build(&off, &in);
	rig_explain(&rig, &in, &result);
	cr_expect_eq(result.trace.reason, MPLB_R_JOIN_UNKNOWN, "whatever the budget");
	cr_expect_eq(result.trace.owner, MPLB_NO_BACKEND);
	rig_count(&rig, &after);
	cr_expect(!memcmp(&counted, &after, sizeof(after)), "something was counted");
	cr_expect(!memcmp(bucket_of(NUMBER_1), &tokens, sizeof(tokens)), "tokens changed");
	cr_expect(!memcmp(before, rig.dp.subflows, sizeof(before)), "subflows changed");
	WALK({ "the join", join, TO(A, NONE), STEERED });
	packet_build(&(struct packet)BARE(OTHER_4, 2), &in);
	rig_explain(&rig, &in, &result);
	cr_expect_eq(result.trace.via, MPLB_VIA_SUBFLOW);
	cr_expect_eq(result.trace.owner, A);
	cr_expect_eq(result.trace.fallback, B);
}

/* An ICMP error about a joined subflow goes to its backend. */
Test(lb_steer, icmp)
{
	static const struct packet quoted = {
		.dst = CLIENT_4, .src = OTHER_4, .dport = 2, .sport = 443, .frag = FRAG_DF
	};
	struct packet error = { .dst = OTHER_4,
				.src = "192.0.2.99",
				.proto = IPPROTO_ICMP,
				.icmp_type = 3,
				.icmp_code = 4,
				.icmp_rest = 1400 };
	struct rig_result result;
	struct frame frame, in, out;
	struct outer outer;

	WALK({ "keys", ACK(HOME_4, 1, KEYS_20(KEY_1)), TO(A, NONE), LEARNT(ACK) },
	     { "join", SYN(OTHER_4, 2, JOIN(TOKEN_1)), TO(A, NONE), STEERED });
	packet_build(&quoted, &frame);
	error.body = (struct bytes){ frame.at + ETH_HEAD, 28 };
	packet_build(&error, &in);
	rig_run(&rig, &in, &result);
	outer = rig_outer(&rig, A, B, site_hash(vip_of(&error), &(struct packet)BARE(OTHER_4, 2)));
	frame_encapsulate(&in, &outer, &out);
	cr_expect_eq(result.verdict, XDP_TX);
	cr_expect_eq(frame_diff(&result.out, &out), -1);
}

/* Join ports */

#define PORTS_4 "198.51.100.11" /* of HOME's pool */
#define PORTS_6 "2001:db8:100::b"
#define BASE	20000

static void open_ports(void)
{
	open_rig();
	rig_add_vip(&rig, &(struct rig_vip){ PORTS_4, 443, IPPROTO_TCP, MPLB_MP_JOIN_REJECT, MOVED,
					     .join_base = BASE });
	rig_add_vip(&rig, &(struct rig_vip){ PORTS_6, 443, IPPROTO_TCP, MPLB_MP_JOIN_STEER, HOME6,
					     .join_base = BASE });
	rig_add_vip(&rig, &(struct rig_vip){ PORTS_4, 20001 + MPLB_JOIN_BLOCK, IPPROTO_TCP,
					     MPLB_MP_JOIN_REJECT, HOME });
	rig_commit(&rig);
	rig_set_member(&rig, MOVED, MPLB_MEMBER_ID | 1, A);
	rig_set_member(&rig, MOVED, MPLB_MEMBER_ID | 3, C);
	rig_set_member(&rig, HOME6, MPLB_MEMBER_ID | 3, A6);
}

TestSuite(lb_join_ports, .init = open_ports, .fini = close_rig);

struct port_step {
	const char *name;
	struct packet in;
	int verdict;
	enum mplb_reason reason;
	uint16_t to; /* FORWARDED */
	enum mplb_vip_counter counted; /* of the VIP with the join ports */
};

static const struct rig_vip *ports_vip(const struct packet *p)
{
	struct ip dst;

	cr_assert_eq(ip_parse(p->dst, &dst), 0);
	return rig_find_vip(&rig, &dst, 443, IPPROTO_TCP);
}

static void check_port(const struct port_step *s)
{
	static struct rig_counters before, after;
	const struct rig_vip *vip = ports_vip(&s->in);
	struct rig_result result;
	struct frame in, out;
	struct outer outer;

	packet_build(&s->in, &in);
	out = in;
	if (s->reason == MPLB_R_FORWARDED) {
		outer = rig_outer(&rig, s->to, NONE, site_hash(vip, &s->in));
		frame_encapsulate(&in, &outer, &out);
	} else if (s->reason == MPLB_R_JOIN_PORT_PLAIN) {
		site_plain_reset(&s->in, &out);
	} else if (s->verdict == XDP_TX) {
		site_reset(&s->in, &out);
	}
	rig_count(&rig, &before);
	rig_run(&rig, &in, &result);
	rig_count(&rig, &after);
	cr_expect_eq(result.verdict, s->verdict, "%s: verdict %d", s->name, result.verdict);
	cr_expect_eq(frame_diff(&result.out, &out), -1, "%s: differs at byte %d", s->name,
		     frame_diff(&result.out, &out));
	for (size_t r = 1; r < MPLB_R_MAX; r++)
		cr_expect_eq(after.reason[r] - before.reason[r], r == s->reason, "%s: reason %zu",
			     s->name, r);
	for (size_t c = MPLB_VIP_C_BYTES + 1; c < MPLB_VIP_C_MAX; c++)
		cr_expect_eq(after.vip[vip - rig.vips].counter[c] -
				     before.vip[vip - rig.vips].counter[c],
			     s->counted && c == s->counted, "%s: counter %zu", s->name, c);
}

#define AT(vip, port, ...)                                                                         \
	{                                                                                          \
		.dst = vip, .dport = port, __VA_ARGS__                                             \
	}
#define JOIN_AT(vip, port) AT(vip, port, .flags = FLAG_SYN, .options = BYTES(JOIN(TOKEN_OFF)))
#define BY_PORT(index)	   XDP_TX, MPLB_R_FORWARDED, index, MPLB_VIP_C_JOIN_BY_PORT

Test(lb_join_ports, table)
{
	const struct port_step steps[] = {
		{ "join", JOIN_AT(PORTS_4, BASE + 1), BY_PORT(A) },
		{ "join of another", JOIN_AT(PORTS_4, BASE + 3), BY_PORT(C) },
		{ "join, IPv6", JOIN_AT(PORTS_6, BASE + 3), BY_PORT(A6) },
		{ "a segment", AT(PORTS_4, BASE + 3), XDP_TX, MPLB_R_FORWARDED, C },
		{ "keys are of no interest",
		  AT(PORTS_6, BASE + 3, .options = BYTES(KEYS_20(KEY_1))), XDP_TX, MPLB_R_FORWARDED,
		  A6 },
		{ "a tag", AT(PORTS_4, BASE + 3, .vlans = 1), XDP_TX, MPLB_R_FORWARDED, C },
		{ "a reset", AT(PORTS_4, BASE + 3, .flags = FLAG_RST), XDP_TX, MPLB_R_FORWARDED,
		  C },
		{ "MP_CAPABLE",
		  AT(PORTS_4, BASE + 1, .flags = FLAG_SYN, .options = BYTES(OPT_CAPABLE)), XDP_TX,
		  MPLB_R_JOIN_PORT_PLAIN, NONE, MPLB_VIP_C_SYN_PLAIN },
		{ "plain SYN without options", AT(PORTS_4, BASE + 1, .flags = FLAG_SYN), XDP_TX,
		  MPLB_R_JOIN_PORT_PLAIN, NONE, MPLB_VIP_C_SYN_PLAIN },
		{ "plain SYN, IPv6", AT(PORTS_6, BASE + 3, .flags = FLAG_SYN, .vlans = 1), XDP_TX,
		  MPLB_R_JOIN_PORT_PLAIN, NONE, MPLB_VIP_C_SYN_PLAIN },
		{ "nobody's", JOIN_AT(PORTS_4, BASE + 2), XDP_TX, MPLB_R_JOIN_GONE, NONE,
		  MPLB_VIP_C_JOIN_GONE },
		{ "nobody's segment", AT(PORTS_4, BASE + 2), XDP_DROP, MPLB_R_JOIN_PORT_LOST },
		{ "the last of the block",
		  AT(PORTS_4, BASE / MPLB_JOIN_BLOCK * MPLB_JOIN_BLOCK + MPLB_JOIN_BLOCK - 1),
		  XDP_DROP, MPLB_R_JOIN_PORT_LOST },
		{ "one more",
		  AT(PORTS_4, BASE / MPLB_JOIN_BLOCK * MPLB_JOIN_BLOCK + MPLB_JOIN_BLOCK), XDP_PASS,
		  MPLB_R_NOT_VIP },
		{ "the base", JOIN_AT(PORTS_4, BASE), XDP_PASS, MPLB_R_NOT_VIP },
		{ "the first of the block", AT(PORTS_4, BASE / MPLB_JOIN_BLOCK * MPLB_JOIN_BLOCK),
		  XDP_PASS, MPLB_R_NOT_VIP },
		{ "UDP", AT(PORTS_4, BASE + 1, .proto = IPPROTO_UDP), XDP_PASS, MPLB_R_NOT_VIP },
		{ "another VIP's address", AT(HOME_4, BASE + 1), XDP_PASS, MPLB_R_NOT_VIP },
	};

	for (size_t i = 0; i < COUNT_OF(steps); i++)
		check_port(&steps[i]);
}

/* Resets are limited; what goes to a member is not. */
Test(lb_join_ports, limits)
{
	const struct port_step steps[] = {
		{ "plain", AT(PORTS_4, BASE + 1, .flags = FLAG_SYN), XDP_DROP, MPLB_R_JOIN_LIMITED,
		  NONE, MPLB_VIP_C_JOIN_LIMITED },
		{ "nobody's", JOIN_AT(PORTS_4, BASE + 2), XDP_DROP, MPLB_R_JOIN_LIMITED, NONE,
		  MPLB_VIP_C_JOIN_LIMITED },
		{ "join", JOIN_AT(PORTS_4, BASE + 1), BY_PORT(A) },
	};

	set_budgets(0, 0);
	for (size_t i = 0; i < COUNT_OF(steps); i++)
		check_port(&steps[i]);
}
