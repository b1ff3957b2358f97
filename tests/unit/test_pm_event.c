/* SPDX-License-Identifier: GPL-2.0-only */
/* server-pm/pm_event.c: what the kernel says of connections, and what no kernel says. */
#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/mptcp.h>
#include "lib/ip.h"
#include "server-pm/pm_event.h"

#define FAMILY 30

static char buffer[1024];

static struct nlmsghdr *begin(int type)
{
	struct nlmsghdr *nlh;
	struct genlmsghdr *genl;

	memset(buffer, 0, sizeof(buffer));
	nlh = mnl_nlmsg_put_header(buffer);
	nlh->nlmsg_type = FAMILY;
	genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
	genl->cmd = (__u8)type;
	return nlh;
}

static void put_addr(struct nlmsghdr *nlh, int type, const char *text)
{
	struct ip ip;

	cr_assert_eq(ip_parse(text, &ip), 0);
	mnl_attr_put(nlh, (__u16)type, IP_KEYLEN(ip.family), &ip.addr);
}

static void put_flow(struct nlmsghdr *nlh, const char *local, const char *remote)
{
	bool six = strchr(local, ':');

	put_addr(nlh, six ? MPTCP_ATTR_SADDR6 : MPTCP_ATTR_SADDR4, local);
	put_addr(nlh, six ? MPTCP_ATTR_DADDR6 : MPTCP_ATTR_DADDR4, remote);
	mnl_attr_put_u16(nlh, MPTCP_ATTR_SPORT, htons(443));
	mnl_attr_put_u16(nlh, MPTCP_ATTR_DPORT, htons(50000));
}

static void expect_flow(const struct pm_flow *flow, const char *local, const char *remote)
{
	char text[IP_STRLEN];

	cr_expect_str_eq(ip_format(&flow->local, text), local);
	cr_expect_str_eq(ip_format(&flow->remote, text), remote);
	cr_expect_eq(flow->local_port, 443);
	cr_expect_eq(flow->remote_port, 50000);
}

Test(pm_event, established)
{
	struct nlmsghdr *nlh = begin(MPTCP_EVENT_ESTABLISHED);
	struct pm_event event;

	mnl_attr_put_u32(nlh, MPTCP_ATTR_TOKEN, 0xb5bc2b56);
	put_flow(nlh, "198.51.100.1", "192.0.2.2");
	mnl_attr_put_u16(nlh, MPTCP_ATTR_FLAGS, 0x2);
	cr_assert_eq(pm_event_parse(nlh, &event), 0);
	cr_expect_eq(event.type, MPTCP_EVENT_ESTABLISHED);
	cr_expect_eq(event.token, 0xb5bc2b56);
	cr_expect(event.server_side);
	cr_expect_not(event.flow.mapped);
	expect_flow(&event.flow, "198.51.100.1", "192.0.2.2");
}

Test(pm_event, server_side_before_linux_6_18)
{
	for (__u8 server = 0; server <= 1; server++) {
		struct nlmsghdr *nlh = begin(MPTCP_EVENT_ESTABLISHED);
		struct pm_event event;

		mnl_attr_put_u32(nlh, MPTCP_ATTR_TOKEN, 1);
		put_flow(nlh, "2001:db8:100::1", "2001:db8:1::2");
		mnl_attr_put_u8(nlh, MPTCP_ATTR_SERVER_SIDE, server);
		mnl_attr_put_u16(nlh, MPTCP_ATTR_FLAGS, MPTCP_PM_EV_FLAG_DENY_JOIN_ID0);
		cr_assert_eq(pm_event_parse(nlh, &event), 0);
		cr_expect_eq(event.server_side, server);
		expect_flow(&event.flow, "2001:db8:100::1", "2001:db8:1::2");
	}
}

Test(pm_event, ipv4_of_an_ipv6_socket_is_plain_ipv4)
{
	struct nlmsghdr *nlh = begin(MPTCP_EVENT_SUB_ESTABLISHED);
	struct pm_event event;

	mnl_attr_put_u32(nlh, MPTCP_ATTR_TOKEN, 1);
	put_flow(nlh, "::ffff:203.0.113.11", "::ffff:192.0.2.66");
	cr_assert_eq(pm_event_parse(nlh, &event), 0);
	cr_expect(event.flow.mapped);
	expect_flow(&event.flow, "203.0.113.11", "192.0.2.66");
}

Test(pm_event, a_connection_that_closed_has_a_token_alone)
{
	struct nlmsghdr *nlh = begin(MPTCP_EVENT_CLOSED);
	struct pm_event event;

	mnl_attr_put_u32(nlh, MPTCP_ATTR_TOKEN, 7);
	cr_assert_eq(pm_event_parse(nlh, &event), 0);
	cr_expect_eq(event.token, 7);
	cr_expect_eq(event.flow.local.family, 0);
}

Test(pm_event, listeners_have_no_token)
{
	struct nlmsghdr *nlh = begin(PM_EVENT_LISTENER_CLOSED);
	struct pm_event event;

	put_addr(nlh, MPTCP_ATTR_SADDR4, "198.51.100.1");
	mnl_attr_put_u16(nlh, MPTCP_ATTR_SPORT, htons(443));
	cr_assert_eq(pm_event_parse(nlh, &event), 0);
	cr_expect_eq(event.flow.local_port, 443);
}

Test(pm_event, attributes_that_nobody_knows_are_passed_over)
{
	struct nlmsghdr *nlh = begin(MPTCP_EVENT_CLOSED);
	struct pm_event event;

	mnl_attr_put_u8(nlh, 200, 1);
	mnl_attr_put_u32(nlh, MPTCP_ATTR_TOKEN, 7);
	cr_expect_eq(pm_event_parse(nlh, &event), 0);
}

Test(pm_event, no_token)
{
	struct pm_event event = { .token = 42 };

	cr_expect_eq(pm_event_parse(begin(MPTCP_EVENT_CLOSED), &event), -EINVAL);
	cr_expect_eq(event.token, 42, "output touched");
}

Test(pm_event, attributes_of_a_wrong_size)
{
	static const int types[] = { MPTCP_ATTR_TOKEN,	MPTCP_ATTR_SADDR4, MPTCP_ATTR_SADDR6,
				     MPTCP_ATTR_DADDR4, MPTCP_ATTR_DADDR6, MPTCP_ATTR_SPORT,
				     MPTCP_ATTR_DPORT,	MPTCP_ATTR_FLAGS,  MPTCP_ATTR_SERVER_SIDE };
	static const char bytes[32] = { 0 };

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		for (size_t size = 0; size <= 17; size += size == 3 ? 2 : 3) {
			struct nlmsghdr *nlh = begin(MPTCP_EVENT_ESTABLISHED);
			struct pm_event event;

			/* 0, 3, 5, 8, 11, 14, 17: no attribute has such a size. */
			mnl_attr_put(nlh, (__u16)types[i], size, bytes);
			mnl_attr_put_u32(nlh, MPTCP_ATTR_TOKEN, 7);
			cr_expect_eq(pm_event_parse(nlh, &event), -EINVAL, "type %d, %zu bytes",
				     types[i], size);
		}
	}
}

Test(pm_event, messages_cut_anywhere)
{
	struct nlmsghdr *nlh = begin(MPTCP_EVENT_ESTABLISHED);
	__u32 whole;

	mnl_attr_put_u32(nlh, MPTCP_ATTR_TOKEN, 7);
	put_flow(nlh, "2001:db8:100::1", "2001:db8:1::2");
	whole = nlh->nlmsg_len;
	for (__u32 len = 0; len <= whole; len++) {
		/* On the heap, so that ASan sees a read past the end. */
		struct nlmsghdr *cut = malloc(whole);
		struct pm_event event;

		memcpy(cut, nlh, whole);
		cut = realloc(cut, len > sizeof(*cut) ? len : sizeof(*cut));
		cut->nlmsg_len = len;
		pm_event_parse(cut, &event);
		if (len < NLMSG_HDRLEN + GENL_HDRLEN + 8)
			cr_expect_eq(pm_event_parse(cut, &event), -EINVAL, "%u bytes", len);
		free(cut);
	}
}
