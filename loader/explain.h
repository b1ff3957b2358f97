/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_EXPLAIN_H
#define MPLB_EXPLAIN_H

#include "datapath.h"
#include "lib/ip.h"

/* A made-up packet, run through the program on a NIC. */
enum explain_kind { EXPLAIN_SEGMENT, EXPLAIN_SYN, EXPLAIN_CAPABLE, EXPLAIN_JOIN };

struct explain_packet {
	__u8 protocol; /* IPPROTO_TCP, IPPROTO_UDP */
	enum explain_kind kind; /* TCP only */
	struct ip src, dst; /* of one family */
	__u16 sport, dport; /* host byte order */
	__u32 token; /* EXPLAIN_JOIN: host byte order */
};

struct explain_result {
	bool reached; /* false: another XDP program on the NIC took the packet first */
	int action; /* XDP_* */
	struct mplb_trace trace;
};

/* Runs the program that is on the NIC; counters stay as they are. 0 or -errno. */
int explain_run(const struct datapath_nic *nic, const struct explain_packet *packet,
		struct explain_result *out);

#endif
