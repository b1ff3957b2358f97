/* SPDX-License-Identifier: GPL-2.0-only */
/* server-pm/pm_diag.c: the kernel's words about sockets; server-pm/pm_listen.c: which listeners are
 * missing. */
#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include <linux/inet_diag.h>
#include <linux/mptcp.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include "server-pm/pm_diag.h"
#include "server-pm/pm_listen.h"

#define ESTABLISHED 1
#define CLOSE_WAIT  8
#define LISTEN	    10

/* As subflow_get_info() in net/mptcp/diag.c has them. */
#define INITIAL                                                                                    \
	(MPTCP_SUBFLOW_FLAG_MCAP_REM | MPTCP_SUBFLOW_FLAG_FULLY_ESTABLISHED |                      \
	 MPTCP_SUBFLOW_FLAG_CONNECTED)
#define JOINED (MPTCP_SUBFLOW_FLAG_JOIN_REM | MPTCP_SUBFLOW_FLAG_FULLY_ESTABLISHED)

static char buffer[2048];

static void put_end(__be32 word[4], const char *text)
{
	struct ip ip;

	cr_assert_eq(ip_parse(text, &ip), 0);
	memcpy(word, &ip.addr, IP_KEYLEN(ip.family));
}

static struct nlmsghdr *begin(int state, const char *local, const char *remote)
{
	struct inet_diag_msg *msg;
	struct nlmsghdr *nlh;

	memset(buffer, 0, sizeof(buffer));
	nlh = mnl_nlmsg_put_header(buffer);
	nlh->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	msg = mnl_nlmsg_put_extra_header(nlh, sizeof(*msg));
	msg->idiag_family = strchr(local, ':') ? AF_INET6 : AF_INET;
	msg->idiag_state = (__u8)state;
	put_end(msg->id.idiag_src, local);
	put_end(msg->id.idiag_dst, remote);
	msg->id.idiag_sport = htons(443);
	msg->id.idiag_dport = htons(50000);
	return nlh;
}

static void put_ulp(struct nlmsghdr *nlh, __u32 token, __u32 flags)
{
	struct nlattr *ulp = mnl_attr_nest_start(nlh, INET_DIAG_ULP_INFO), *mptcp;

	mnl_attr_put_strz(nlh, INET_ULP_INFO_NAME, "mptcp");
	mptcp = mnl_attr_nest_start(nlh, INET_ULP_INFO_MPTCP);
	mnl_attr_put_u32(nlh, MPTCP_SUBFLOW_ATTR_TOKEN_REM, 0x11111111);
	mnl_attr_put_u32(nlh, MPTCP_SUBFLOW_ATTR_TOKEN_LOC, token);
	mnl_attr_put_u32(nlh, MPTCP_SUBFLOW_ATTR_FLAGS, flags);
	mnl_attr_put_u8(nlh, MPTCP_SUBFLOW_ATTR_ID_LOC, 216);
	mnl_attr_nest_end(nlh, mptcp);
	mnl_attr_nest_end(nlh, ulp);
}

static const struct {
	const char *name;
	int state;
	__u32 flags;
	bool initial, server_side, up, backup;
} subflows[] = {
	{ "initial", ESTABLISHED, INITIAL, true, true, true, false },
	/* Before the client has sent anything but its key. */
	{ "new initial", ESTABLISHED, MPTCP_SUBFLOW_FLAG_MCAP_REM, true, true, true, false },
	{ "initial that is a backup", ESTABLISHED, INITIAL | MPTCP_SUBFLOW_FLAG_BKUP_LOC, true,
	  true, true, true },
	{ "backup as the client wishes only", ESTABLISHED, INITIAL | MPTCP_SUBFLOW_FLAG_BKUP_REM,
	  true, true, true, false },
	{ "initial of a client of this machine", ESTABLISHED, INITIAL | MPTCP_SUBFLOW_FLAG_MCAP_LOC,
	  true, false, true, false },
	{ "joined", ESTABLISHED, JOINED, false, true, true, false },
	{ "joined by this machine", ESTABLISHED, JOINED | MPTCP_SUBFLOW_FLAG_JOIN_LOC, false, false,
	  true, false },
	{ "join under way", ESTABLISHED, MPTCP_SUBFLOW_FLAG_JOIN_REM, false, true, false, false },
	{ "joined, closed by the client", CLOSE_WAIT, JOINED, false, true, false, false },
};

Test(pm_diag, kinds_of_subflows)
{
	for (size_t i = 0; i < sizeof(subflows) / sizeof(*subflows); i++) {
		struct nlmsghdr *nlh = begin(subflows[i].state, "198.51.100.1", "192.0.2.2");
		struct pm_subflow got;
		char text[IP_STRLEN];

		put_ulp(nlh, 0xb5bc2b56, subflows[i].flags);
		cr_assert_eq(pm_subflow_parse(nlh, &got), 1, "%s", subflows[i].name);
		cr_expect_eq(got.token, 0xb5bc2b56);
		cr_expect_eq(got.initial, subflows[i].initial, "%s", subflows[i].name);
		cr_expect_eq(got.server_side, subflows[i].server_side, "%s", subflows[i].name);
		cr_expect_eq(got.up, subflows[i].up, "%s", subflows[i].name);
		cr_expect_eq(got.backup, subflows[i].backup, "%s", subflows[i].name);
		cr_expect_str_eq(ip_format(&got.flow.local, text), "198.51.100.1");
		cr_expect_str_eq(ip_format(&got.flow.remote, text), "192.0.2.2");
		cr_expect_eq(got.flow.local_port, 443);
		cr_expect_eq(got.flow.remote_port, 50000);
	}
}

Test(pm_diag, mapped_addresses_and_bytes)
{
	struct nlmsghdr *nlh = begin(ESTABLISHED, "::ffff:198.51.100.1", "::ffff:192.0.2.2");
	struct {
		struct tcp_info info;
		char later[64]; /* what a later kernel has in addition */
	} info = { .info = { .tcpi_bytes_received = 17, .tcpi_bytes_acked = 1ULL << 40 } };
	struct pm_subflow got;

	mnl_attr_put(nlh, INET_DIAG_INFO, sizeof(info), &info);
	put_ulp(nlh, 1, INITIAL);
	cr_assert_eq(pm_subflow_parse(nlh, &got), 1);
	cr_expect(got.flow.mapped);
	cr_expect_eq(got.flow.local.family, MPLB_FAMILY_4);
	cr_expect_eq(got.received, 17);
	cr_expect_eq(got.sent, 1ULL << 40);

	nlh = begin(ESTABLISHED, "198.51.100.1", "192.0.2.2");
	mnl_attr_put(nlh, INET_DIAG_INFO, 8, &info);
	put_ulp(nlh, 1, INITIAL);
	cr_assert_eq(pm_subflow_parse(nlh, &got), 1, "an early kernel's is shorter");
	cr_expect_eq(got.sent, 0);
}

Test(pm_diag, other_sockets)
{
	struct nlmsghdr *nlh = begin(ESTABLISHED, "198.51.100.1", "192.0.2.2");
	struct pm_subflow got = { .token = 42 };
	struct nlattr *ulp;

	cr_expect_eq(pm_subflow_parse(nlh, &got), 0, "plain TCP");
	ulp = mnl_attr_nest_start(nlh, INET_DIAG_ULP_INFO);
	mnl_attr_put_strz(nlh, INET_ULP_INFO_NAME, "tls");
	mnl_attr_nest_end(nlh, ulp);
	cr_expect_eq(pm_subflow_parse(nlh, &got), 0, "TLS");
	nlh = begin(ESTABLISHED, "198.51.100.1", "192.0.2.2");
	put_ulp(nlh, 0, 0);
	cr_expect_eq(pm_subflow_parse(nlh, &got), 0, "fallen back to TCP");
	nlh->nlmsg_type = SOCK_DIAG_BY_FAMILY + 1;
	cr_expect_eq(pm_subflow_parse(nlh, &got), -EINVAL, "another message");
	cr_expect_eq(got.token, 42, "output touched");
}

Test(pm_diag, attributes_of_a_wrong_size)
{
	static const int types[] = { MPTCP_SUBFLOW_ATTR_TOKEN_LOC, MPTCP_SUBFLOW_ATTR_FLAGS };

	for (size_t i = 0; i < 2; i++) {
		struct nlmsghdr *nlh = begin(ESTABLISHED, "198.51.100.1", "192.0.2.2");
		struct nlattr *ulp = mnl_attr_nest_start(nlh, INET_DIAG_ULP_INFO);
		struct nlattr *mptcp = mnl_attr_nest_start(nlh, INET_ULP_INFO_MPTCP);
		struct pm_subflow got;

		mnl_attr_put_u8(nlh, (__u16)types[i], 1);
		mnl_attr_nest_end(nlh, mptcp);
		mnl_attr_nest_end(nlh, ulp);
		cr_expect_eq(pm_subflow_parse(nlh, &got), -EINVAL);
	}
}

Test(pm_diag, messages_cut_anywhere)
{
	struct nlmsghdr *nlh = begin(ESTABLISHED, "2001:db8:100::1", "2001:db8:1::2");
	__u32 whole;

	put_ulp(nlh, 7, INITIAL);
	whole = nlh->nlmsg_len;
	for (__u32 len = 0; len <= whole; len++) {
		/* On the heap, so that ASan sees a read past the end. */
		struct nlmsghdr *cut = malloc(whole);
		struct pm_listener listener;
		struct pm_subflow got;

		memcpy(cut, nlh, whole);
		cut = realloc(cut, len > sizeof(*cut) ? len : sizeof(*cut));
		cut->nlmsg_len = len;
		cr_expect_neq(pm_subflow_parse(cut, &got), len < whole, "%u bytes", len);
		pm_listener_parse(cut, &listener);
		free(cut);
	}
}

Test(pm_diag, listeners)
{
	struct nlmsghdr *nlh = begin(LISTEN, "::", "::");
	struct pm_listener got;

	mnl_attr_put_u8(nlh, INET_DIAG_SKV6ONLY, 0);
	cr_assert_eq(pm_listener_parse(nlh, &got), 1);
	cr_expect(got.both);
	cr_expect_eq(got.port, 443);
	nlh = begin(LISTEN, "::", "::");
	mnl_attr_put_u8(nlh, INET_DIAG_SKV6ONLY, 1);
	cr_assert_eq(pm_listener_parse(nlh, &got), 1);
	cr_expect_not(got.both);
	nlh = begin(LISTEN, "0.0.0.0", "0.0.0.0");
	cr_assert_eq(pm_listener_parse(nlh, &got), 1);
	cr_expect_not(got.both);
	cr_expect_eq(pm_listener_parse(begin(ESTABLISHED, "192.0.2.1", "192.0.2.2"), &got), 0);
	nlh = begin(LISTEN, "::", "::");
	mnl_attr_put_u32(nlh, INET_DIAG_SKV6ONLY, 0);
	cr_expect_eq(pm_listener_parse(nlh, &got), -EINVAL);
}

/* Listeners as "ADDRESS PORT [both]", up to four. */
static const struct {
	const char *name;
	const char *there[4];
	const char *dedicated;
	bool wanted;
} wants[] = {
	{ "nobody listens", { NULL }, "203.0.113.11", false },
	{ "on the VIP alone", { "198.51.100.1 443" }, "203.0.113.11", true },
	{ "on the VIP alone, other family", { "198.51.100.1 443" }, "2001:db8:d::11", true },
	{ "on another port of the VIP", { "198.51.100.1 80" }, "203.0.113.11", false },
	{ "on every address", { "0.0.0.0 443" }, "203.0.113.11", false },
	{ "on the VIP and every address",
	  { "198.51.100.1 443", "0.0.0.0 443" },
	  "203.0.113.11",
	  false },
	{ "on the VIP and the dedicated address",
	  { "203.0.113.11 443", "198.51.100.1 443" },
	  "203.0.113.11",
	  false },
	{ "on every IPv6 address, both families",
	  { "198.51.100.1 443", ":: 443 both" },
	  "203.0.113.11",
	  false },
	{ "on every IPv6 address only", { "198.51.100.1 443", ":: 443" }, "203.0.113.11", true },
	{ "on an address that is no VIP", { "192.0.2.9 443" }, "203.0.113.11", false },
	{ "on the IPv6 VIP, every IPv4 address",
	  { "2001:db8:100::1 443", "0.0.0.0 443" },
	  "2001:db8:d::11",
	  true },
};

Test(pm_listen, wanted)
{
	struct ip vip[2], dedicated;
	const struct server_addresses vips = { vip, 2 };

	ip_parse("198.51.100.1", &vip[0]);
	ip_parse("2001:db8:100::1", &vip[1]);
	for (size_t i = 0; i < sizeof(wants) / sizeof(*wants); i++) {
		struct pm_listener there[4] = { 0 };
		size_t n = 0;

		for (; n < 4 && wants[i].there[n]; n++) {
			char addr[IP_STRLEN], both[8] = "";
			unsigned int port;

			sscanf(wants[i].there[n], "%45s %u %7s", addr, &port, both);
			ip_parse(addr, &there[n].addr);
			there[n].port = (__u16)port;
			there[n].both = *both;
		}
		ip_parse(wants[i].dedicated, &dedicated);
		cr_expect_eq(pm_listen_wanted(there, n, &vips, &dedicated, 443), wants[i].wanted,
			     "%s", wants[i].name);
	}
}

/* At join_port there always is a listener, ours where nobody else's takes the joins. */
Test(pm_listen, wanted_at_the_join_port)
{
	struct pm_listener vip = { .port = 443 };
	struct ip addr;

	ip_parse("198.51.100.1", &addr);
	vip.addr = addr;
	cr_expect(pm_listen_wanted(&vip, 1, NULL, &addr, 20003));
	cr_expect(pm_listen_wanted(&vip, 0, NULL, &addr, 20003));
	vip.port = 20003;
	cr_expect_not(pm_listen_wanted(&vip, 1, NULL, &addr, 20003));
	vip.addr = (struct ip){ .family = MPLB_FAMILY_4 };
	cr_expect_not(pm_listen_wanted(&vip, 1, NULL, &addr, 20003));
}
