/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_MPTCP_JOIN_H
#define MPLB_MPTCP_JOIN_H

#include "mplb/mptcp.h"

/*
 * Of a SYN with these MPTCP options (mptcp_subtypes()): may Linux take it for a join? If there is
 * an MP_JOIN of a SYN's length among them (mptcp_find()), and no MP_CAPABLE, next to which MP_JOIN
 * is not looked at and the SYN is one of plain TCP (net/mptcp/subflow.c, subflow_check_req()).
 */
static inline __attribute__((always_inline)) int mptcp_may_join(__u32 subtypes)
{
	return (subtypes & (MPTCP_SAW(MPTCP_SUB_MP_JOIN) | MPTCP_SAW(MPTCP_SUB_MP_CAPABLE))) ==
	       MPTCP_SAW(MPTCP_SUB_MP_JOIN);
}

#endif
