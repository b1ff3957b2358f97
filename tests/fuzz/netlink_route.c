/* SPDX-License-Identifier: GPL-2.0-only */
/* The part of fuzz_netlink.c whose headers do not go together with those of the rest. */
#include "fuzz.h"
#include "netlink_route.h"

#include "loader/link.c"
#include "loader/nexthop.c"

void fuzz_nexthop(unsigned int kind, const void *at, size_t len)
{
	struct nexthop hop = { 0 };
	struct link link = { 0 };

	if (kind == 1)
		mnl_cb_run(at, len, 0, 0, link_parse, &link);
	else
		mnl_cb_run(at, len, 0, 0, kind ? on_neighbour : on_route, &hop);
	fuzz_check(!hop.via.family || hop.via.family == MPLB_FAMILY_4 ||
			   hop.via.family == MPLB_FAMILY_6,
		   "a gateway is of a family");
}
