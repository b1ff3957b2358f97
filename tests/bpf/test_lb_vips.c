/* SPDX-License-Identifier: GPL-2.0-only */
/* The VIP table: many VIPs, keys that meet in the same place, the ends of the table. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "loader/viptable.h"
#include "mplb/hash.h"
#include "site.h"

#define CHAIN (MPLB_VIP_PROBES - 1) /* longest that viptable_insert() makes */

static struct rig rig;

/* A rig whose VIPs all have the same backend. */
static void open_plain(void)
{
	const struct rig_backend b = { MPLB_FORWARD_L2, "10.0.0.11", "10.0.0.2", RIG_INGRESS };

	rig_open(&rig);
	rig_set_backend(&rig, 0, &b);
	rig_set_constant_pool(&rig, 0, 0);
}

/* The VIP that the program finds for this packet, MPLB_TRACE_NONE: none. */
static uint32_t found(const char *dst, uint16_t port, uint8_t proto)
{
	const struct packet p = { .dst = dst, .dport = port ? port : LIE_ZERO, .proto = proto };
	struct rig_result result;
	struct frame in;

	packet_build(&p, &in);
	rig_explain(&rig, &in, &result);
	cr_expect_eq(result.verdict, result.trace.vip == MPLB_TRACE_NONE ? XDP_PASS : XDP_TX);
	return result.trace.vip;
}

/* Before the first config: nothing is a VIP. */
Test(lb_vips, no_table)
{
	static const struct site_case cases[] = {
		{ "TCP", { .dst = L2_4 }, XDP_PASS, MPLB_R_NOT_VIP },
		{ "UDP over IPv6", { .dst = L2_6, .proto = 17 }, XDP_PASS, MPLB_R_NOT_VIP },
		{ "a fragment", { .dst = L2_4, .frag = FRAG_MF }, XDP_PASS, MPLB_R_NOT_VIP },
		{ "cut", { .dst = L2_4, .cut = 40 }, XDP_PASS, MPLB_R_NOT_VIP },
	};

	rig_open(&rig);
	site_check_all(&rig, cases, COUNT_OF(cases));
	rig_commit(&rig);
	site_check_all(&rig, cases, COUNT_OF(cases));
	rig_close(&rig);
}

/* Addresses and ports of VIP number i: three patterns that sites have. */
static void name_vip(uint32_t i, char addr[static IP_STRLEN], uint16_t *port, uint8_t *proto)
{
	uint32_t n = i / 3;

	*port = 443;
	*proto = IPPROTO_TCP;
	if (i % 3 == 0) { /* an address each, IPv4 */
		snprintf(addr, IP_STRLEN, "198.51.%u.%u", 100 + n / 256, n % 256);
	} else if (i % 3 == 1) { /* an address each, IPv6 */
		snprintf(addr, IP_STRLEN, "2001:db8:100::%x", n + 1);
	} else { /* few addresses with many ports */
		snprintf(addr, IP_STRLEN, "192.0.2.%u", n / 100);
		*port = (uint16_t)(8000 + n % 100);
		*proto = n % 2 ? IPPROTO_UDP : IPPROTO_TCP;
	}
}

#define MANY 1000

Test(lb_vips, many)
{
	char addr[IP_STRLEN];
	uint16_t port;
	uint8_t proto;

	open_plain();
	for (uint32_t i = 0; i < MANY; i++) {
		struct rig_vip vip = { .addr = addr };

		name_vip(i, addr, &vip.port, &vip.proto);
		cr_assert_eq(rig_add_vip(&rig, &vip), i);
	}
	rig_commit(&rig);
	for (uint32_t i = 0; i < MANY; i++) {
		name_vip(i, addr, &port, &proto);
		cr_expect_eq(found(addr, port, proto), i, "VIP %u, %s port %u", i, addr, port);
		cr_expect_eq(found(addr, port - 100, proto), MPLB_TRACE_NONE, "below %u", i);
		cr_expect_eq(found(addr, port + 100, proto), MPLB_TRACE_NONE, "above %u", i);
		cr_expect_eq(found(addr, port, proto ^ IPPROTO_TCP ^ IPPROTO_UDP), MPLB_TRACE_NONE,
			     "other protocol of %u", i);
	}
	/* Next to the last of each pattern. */
	for (uint32_t i = MANY; i < MANY + 30; i++) {
		name_vip(i, addr, &port, &proto);
		cr_expect_eq(found(addr, port, proto), MPLB_TRACE_NONE, "%s port %u", addr, port);
	}
	rig_close(&rig);
}

/* Sites number their addresses one after the other: their places must differ. */
Test(lb_vips, neighbours_spread)
{
	static const char *const bases[] = { "198.51.100.0", "10.0.0.0",
					     "2001:db8::", "2001:db8:1:2:3:4:5:6600",
					     "fd00:0:0:1::" };

	for (size_t b = 0; b < COUNT_OF(bases); b++) {
		struct mplb_vip_slot *table = viptable_new();

		for (unsigned int i = 0; i < 256; i++) {
			struct mplb_vip_slot vip = { 0 };
			struct ip ip;
			int err;

			cr_assert_eq(ip_parse(bases[b], &ip), 0);
			vip.addr = ip.addr;
			((uint8_t *)&vip.addr)[ip.family == MPLB_FAMILY_4 ? 3 : 15] = (uint8_t)i;
			vip.service = mplb_vip_service(htons(443), IPPROTO_TCP, ip.family);
			err = viptable_insert(table, &vip);
			cr_assert_eq(err, 0, "%s: no room for VIP %u", bases[b], i);
		}
		free(table);
	}
}

static uint32_t home_of(const struct ip *ip, uint16_t port)
{
	__u64 word[2];

	memcpy(word, &ip->addr, sizeof(word));
	return mplb_vip_hash(word[0], word[1],
			     mplb_vip_service(htons(port), IPPROTO_TCP, ip->family),
			     MPLB_VIP_SLOTS);
}

struct key {
	char addr[IP_STRLEN];
	uint16_t port;
};

/* Finds n keys with this home, from an address on that is moved on. */
static void find_keys(struct key *keys, size_t n, uint32_t home, uint32_t *from)
{
	for (size_t k = 0; k < n;) {
		struct in_addr in = { htonl((*from)++) };
		struct ip ip = { .addr.word[0] = in.s_addr, .family = MPLB_FAMILY_4 };

		for (uint32_t port = 1; k < n && port < 65536; port += 257) {
			if (home_of(&ip, (uint16_t)port) != home)
				continue;
			inet_ntop(AF_INET, &in, keys[k].addr, IP_STRLEN);
			keys[k++].port = (uint16_t)port;
			break;
		}
	}
}

static int insert(const struct key *key, uint32_t vip)
{
	struct mplb_vip_slot slot = { .vip = vip };
	struct ip ip;

	cr_assert_eq(ip_parse(key->addr, &ip), 0);
	slot.addr = ip.addr;
	slot.service = mplb_vip_service(htons(key->port), IPPROTO_TCP, ip.family);
	return viptable_insert(rig.table, &slot);
}

static void check_chain(uint32_t home)
{
	struct key keys[CHAIN + 2];
	uint32_t from = 0x0a000000;

	open_plain();
	find_keys(keys, CHAIN + 2, home, &from);
	for (uint32_t i = 0; i < CHAIN; i++)
		cr_assert_eq(insert(&keys[i], i), 0);
	cr_expect_eq(insert(&keys[0], 99), -EEXIST);
	cr_expect_eq(insert(&keys[CHAIN - 1], 99), -EEXIST);
	cr_expect_eq(insert(&keys[CHAIN], 99), -ENOSPC);
	rig_commit(&rig);
	for (uint32_t i = 0; i < CHAIN; i++)
		cr_expect_eq(found(keys[i].addr, keys[i].port, IPPROTO_TCP), i, "home %u, key %u",
			     home, i);
	for (uint32_t i = CHAIN; i < CHAIN + 2; i++)
		cr_expect_eq(found(keys[i].addr, keys[i].port, IPPROTO_TCP), MPLB_TRACE_NONE,
			     "home %u, key %u is not there", home, i);
	rig_close(&rig);
}

Test(lb_vips, longest_chain)
{
	check_chain(MPLB_VIP_SLOTS / 2);
}

/* Chains go round the end of the table. */
Test(lb_vips, chain_round_the_end)
{
	check_chain(MPLB_VIP_SLOTS - 1);
}

/* All slots that a probe looks at are taken, by keys of two homes: whether there are VIPs of any
 * port cannot be read from an empty slot then. */
Test(lb_vips, wildcard_behind_full_chain)
{
	struct key keys[CHAIN + 1], next;
	struct rig_vip any = { .proto = IPPROTO_TCP };
	uint32_t from = 0x0a000000, home = 1000;

	open_plain();
	find_keys(keys, CHAIN + 1, home, &from);
	find_keys(&next, 1, home + CHAIN, &from);
	any.addr = keys[CHAIN].addr;
	rig.n_vips = CHAIN + 1; /* numbers below are given here */
	cr_assert_eq(rig_add_vip(&rig, &any), CHAIN + 1);
	for (uint32_t i = 0; i < CHAIN; i++)
		cr_assert_eq(insert(&keys[i], i), 0);
	cr_assert_eq(insert(&next, CHAIN), 0);
	rig_commit(&rig);
	cr_expect_eq(found(next.addr, next.port, IPPROTO_TCP), CHAIN);
	cr_expect_eq(found(keys[CHAIN].addr, keys[CHAIN].port, IPPROTO_TCP), CHAIN + 1,
		     "the VIP of any port is found behind a full chain");
	cr_expect_eq(found(keys[CHAIN].addr, keys[CHAIN].port, IPPROTO_UDP), MPLB_TRACE_NONE);
	rig_close(&rig);
}

/* What is taken out of the table is no VIP any more, neither is its address. */
Test(lb_vips, replaced)
{
	static const struct site_case after[] = {
		{ "the VIP", { .dst = L2_4 }, XDP_PASS, MPLB_R_NOT_VIP },
		{ "a fragment", { .dst = L2_4, .frag = FRAG_MF }, XDP_PASS, MPLB_R_NOT_VIP },
		{ "the one that is new", { .dst = STRANGER_4 }, XDP_TX, MPLB_R_FORWARDED, SITE_L2 },
		{ "a fragment for it",
		  { .dst = STRANGER_4, .frag = FRAG_MF },
		  XDP_DROP,
		  MPLB_R_FRAGMENT },
	};
	const struct rig_vip vip = { .addr = STRANGER_4, .port = 443, .proto = IPPROTO_TCP };

	site_open(&rig);
	memset(rig.table, 0, VIPTABLE_BYTES);
	rig.n_vips = 0;
	rig_add_vip(&rig, &vip);
	rig_commit(&rig);
	site_check_all(&rig, after, COUNT_OF(after));
	rig_close(&rig);
}
