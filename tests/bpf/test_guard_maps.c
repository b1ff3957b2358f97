/* SPDX-License-Identifier: GPL-2.0-only */
/* server-pm/guard_maps.c: what the guard's maps hold, on a bpffs of the test's own. */
#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include "kept.h"
#include "rig.h"
#include "server-pm/guard_maps.h"
#include "server_rig.h"

#define TOKENS 10000 /* more than are looked at at a time */

static struct server_state *state;
static struct guard_maps maps;
static struct ip own[] = { { .family = MPLB_FAMILY_4 }, { .family = MPLB_FAMILY_6 } };
static struct mplb_guard_allow ssh = { .proto = IPPROTO_TCP }, dns = { .proto = IPPROTO_UDP };

static void set_up(void)
{
	if (geteuid())
		rig_skip("not root: BPF maps cannot be made");
	cr_assert(!kept_mount());
	own[0] = server_rig_ip("203.0.113.11");
	own[1] = server_rig_ip("2001:db8:d::11");
	ssh.port = htons(22);
	dns.port = htons(53);
	cr_assert(!server_state_open(KEPT_ROOT "/mplb", true, &state));
	cr_assert_eq(guard_maps_open(state, false, &maps), -ENOENT, "maps without a guard");
	cr_assert(!guard_maps_open(state, true, &maps));
}

static void tear_down(void)
{
	guard_maps_close(&maps);
	server_state_close(state);
}

TestSuite(guard_maps, .init = set_up, .fini = tear_down);

static bool has(int fd, const void *key)
{
	__u8 value;

	return !bpf_map_lookup_elem(fd, key, &value);
}

static bool has_address(const struct ip *ip)
{
	const struct mplb_server_addr key = { .addr = ip->addr, .family = ip->family };

	return has(maps.addresses, &key);
}

Test(guard_maps, hold_the_config_and_nothing_else)
{
	struct server_config c = { .dedicated = { own, 2 },
				   .guard = { .on = true,
					      .closed = true,
					      .allow = &ssh,
					      .n_allow = 1,
					      .prefix = server_rig_ip("2001:db8:0:1::") } };
	struct mplb_guard first, second;

	cr_assert(!guard_maps_fill(&maps, &c) && !guard_maps_settings(&maps, &first));
	cr_expect(has_address(&own[0]) && has_address(&own[1]));
	cr_expect(has(maps.allow, &ssh) && !has(maps.allow, &dns));
	cr_expect_eq(first.flags, MPLB_GUARD_F_CLOSED | MPLB_GUARD_F_PREFIX);
	cr_expect(!memcmp(first.prefix, &c.guard.prefix.addr, sizeof(first.prefix)));
	cr_expect_geq(first.ephemeral, 1024);
	cr_expect(first.secret[0] && first.secret[1], "no secret");
	c = (struct server_config){ .dedicated = { own, 1 },
				    .guard = { .on = true, .allow = &dns, .n_allow = 1 } };
	cr_assert(!guard_maps_fill(&maps, &c) && !guard_maps_settings(&maps, &second));
	cr_expect(has_address(&own[0]) && !has_address(&own[1]));
	cr_expect(!has(maps.allow, &ssh) && has(maps.allow, &dns));
	cr_expect_eq(second.flags, 0);
	cr_expect(!memcmp(first.secret, second.secret, sizeof(first.secret)),
		  "clients have addresses made with the old secret");
}

Test(guard_maps, outlive_those_who_opened_them)
{
	struct server_config c = { .dedicated = { own, 2 }, .guard = { .on = true } };
	struct mplb_guard first, second;

	cr_assert(!guard_maps_fill(&maps, &c) && !guard_maps_settings(&maps, &first));
	cr_assert(!guard_maps_token_add(&maps, 7, 1));
	guard_maps_close(&maps);
	cr_assert(!guard_maps_open(state, true, &maps));
	cr_assert(!guard_maps_settings(&maps, &second));
	cr_expect(!memcmp(&first, &second, sizeof(first)));
	cr_expect_eq(guard_maps_tokens_prune(&maps, 0), 1);
	guard_maps_close(&maps);
	cr_assert(!guard_maps_remove(state));
	cr_expect_eq(guard_maps_open(state, false, &maps), -ENOENT);
	cr_assert(!guard_maps_remove(state), "twice");
}

Test(guard_maps, tokens_not_seen_twice_are_forgotten)
{
	for (__u32 i = 0; i < TOKENS; i++)
		cr_assert(!guard_maps_token_add(&maps, i * 2654435761u, 100));
	cr_expect_eq(guard_maps_tokens_prune(&maps, 0), TOKENS, "looking is not forgetting");
	/* The next look sees half of them, the one after that a quarter. */
	for (__u32 i = 0; i < TOKENS / 2; i++)
		guard_maps_token_add(&maps, i * 2654435761u, 101);
	cr_expect_eq(guard_maps_tokens_prune(&maps, 101), TOKENS);
	for (__u32 i = 0; i < TOKENS / 4; i++)
		guard_maps_token_add(&maps, i * 2654435761u, 102);
	cr_expect_eq(guard_maps_tokens_prune(&maps, 102), TOKENS / 2);
	guard_maps_token_remove(&maps, 0);
	cr_expect_eq(guard_maps_tokens_prune(&maps, 103), TOKENS / 4 - 1);
	cr_expect_eq(guard_maps_tokens_prune(&maps, 105), 0);
}

Test(guard_maps, silence)
{
	cr_expect_eq(guard_maps_silence(&maps), -1, "never heard of");
	guard_maps_beat(&maps);
	cr_expect_geq(guard_maps_silence(&maps), 0);
}
