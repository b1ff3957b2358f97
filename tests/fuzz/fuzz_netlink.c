/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The parsers of the kernel's replies. Input: which parser, then netlink messages as recvfrom()
 * would give them, with nothing behind them.
 */
#include <stdlib.h>
#include <string.h>
#include "fuzz.h"
#include "netlink_route.h"
#include "netlink_server.h"

#include "lib/mptcp_pm.c"
#include "lib/nl.c"
#include "lib/rtaddr.c"

#define ENDPOINTS 4

static void parse_endpoints(const void *at, size_t len)
{
	struct mptcp_endpoint out[ENDPOINTS] = { 0 };
	struct mptcp_pm_list list = { .out = out, .max = ENDPOINTS };

	mnl_cb_run(at, len, 0, 0, mptcp_pm_list_msg, &list);
	for (int i = 0; i < list.n && i < ENDPOINTS; i++)
		fuzz_check(out[i].addr.family == MPLB_FAMILY_4 ||
				   out[i].addr.family == MPLB_FAMILY_6,
			   "an endpoint is of a family");
}

static void parse_addresses(const void *at, size_t len)
{
	struct rtaddr_list list = { 0 };
	struct ip any = { .family = MPLB_FAMILY_4 };

	mnl_cb_run(at, len, 0, 0, rtaddr_msg, &list);
	rtaddr_find(list.entry, (size_t)list.n, &any, 1);
	free(list.entry);
}

static void parse_error(const void *at, size_t len)
{
	static struct nl nl;

	nl.error[0] = '\0';
	nl_keep_error(&nl, at, len);
	fuzz_check(memchr(nl.error, '\0', sizeof(nl.error)) != NULL, "an error text ends");
}

static void parse_family(const void *at, size_t len)
{
	struct nl_family_search found = { .group.name = "mptcp_pm_events" };

	mnl_cb_run(at, len, 0, 0, nl_family_msg, &found);
}

static void parse_limits(const void *at, size_t len)
{
	struct mptcp_limits limits = { 0 };

	mnl_cb_run(at, len, 0, 0, mptcp_pm_limits_msg, &limits);
}

/* libmnl 1.0.4 takes a message length for a signed number, and a negative one for a good one. The
 * kernel sends none; they would only hide what comes behind. */
static void mend_lengths(uint8_t *at, size_t len)
{
	struct nlmsghdr head;

	for (size_t off = 0; off + sizeof(head) <= len; off += MNL_ALIGN(head.nlmsg_len)) {
		memcpy(&head, at + off, sizeof(head));
		head.nlmsg_len &= INT32_MAX;
		memcpy(at + off, &head, sizeof(head));
		if (head.nlmsg_len < sizeof(head) || head.nlmsg_len > len)
			break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *at;

	if (size < 1)
		return 0;
	at = malloc(size - 1 ? size - 1 : 1);
	if (!at)
		return 0;
	memcpy(at, data + 1, size - 1);
	size--;
	mend_lengths(at, size);
	switch (data[0] & 15) {
	case 0:
	case 1:
	case 2:
		fuzz_nexthop(data[0] & 7, at, size);
		break;
	case 3:
		parse_endpoints(at, size);
		break;
	case 4:
		parse_addresses(at, size);
		break;
	case 5:
		parse_error(at, size);
		break;
	case 6:
		parse_family(at, size);
		break;
	case 7:
		parse_limits(at, size);
		break;
	default:
		fuzz_server(data[0] & 3, at, size);
	}
	free(at);
	return 0;
}
