/* SPDX-License-Identifier: GPL-2.0-only */
/* The part of fuzz_netlink.c about server-pm's parsers: events, and what sockets there are. */
#include "fuzz.h"
#include "netlink_server.h"

#include "server-pm/pm_diag.h"
#include "server-pm/pm_event.h"

static int on_message(const struct nlmsghdr *nlh, void *data)
{
	struct pm_event event = { 0 };
	struct pm_subflow subflow = { 0 };
	struct pm_listener listener = { 0 };

	switch (*(unsigned int *)data) {
	case 0:
		if (!pm_event_parse(nlh, &event))
			fuzz_check(event.flow.local.family <= MPLB_FAMILY_6, "a family");
		break;
	case 1:
		if (pm_subflow_parse(nlh, &subflow) == 1)
			fuzz_check(subflow.token && subflow.flow.local.family, "token and family");
		break;
	default:
		if (pm_listener_parse(nlh, &listener) == 1)
			fuzz_check(listener.addr.family, "a family");
	}
	return MNL_CB_OK;
}

void fuzz_server(unsigned int kind, const void *at, size_t len)
{
	mnl_cb_run(at, len, 0, 0, on_message, &kind);
}
