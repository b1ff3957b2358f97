/* SPDX-License-Identifier: GPL-2.0-only */
/* The part of fuzz_netlink.c whose headers do not go together with those of the rest. */
#include "fuzz.h"
#include "netlink_route.h"

#include "loader/nexthop.c"

void fuzz_nexthop(unsigned int kind, const void *at, size_t len)
{
	static const mnl_cb_t parsers[] = { on_route, on_link, on_neighbour };
	struct nexthop hop = { 0 };

	mnl_cb_run(at, len, 0, 0, parsers[kind], &hop);
	fuzz_check(!hop.via.family || hop.via.family == MPLB_FAMILY_4 ||
			   hop.via.family == MPLB_FAMILY_6,
		   "a gateway is of a family");
}
