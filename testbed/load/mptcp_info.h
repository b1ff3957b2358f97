/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_LOAD_MPTCP_INFO_H
#define MPLB_LOAD_MPTCP_INFO_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "endpoint.h"

#define MPTCP_FLOWS_MAX 16

/* A subflow, by its addresses; it stays listed after it was closed. */
struct mptcp_flow {
	struct sockaddr_storage local, remote;
	uint64_t received, sent; /* bytes of payload, as last seen */
	bool open; /* still there when last looked */
	bool up; /* was established at some time */
	bool dedicated; /* its remote end is not the one that the connection was made to */
	bool first; /* the one with which the connection began */
};

/* What the kernel told about an MPTCP connection, over all looks at it. */
struct mptcp_history {
	struct mptcp_flow flow[MPTCP_FLOWS_MAX];
	size_t n;
	bool fallback; /* fell back to plain TCP */
	uint32_t token;
};

/* Looks at the socket once more. peer is what it was connected to. */
void mptcp_look(int fd, const struct endpoint *peer, struct mptcp_history *history);

/* A subflow to another address (or port) than peer was established. */
bool mptcp_joined(const struct mptcp_history *history);
/* A further subflow to the same address and port was established. */
bool mptcp_joined_peer(const struct mptcp_history *history);
/* Adds the keys fallback, token, joined, joined_vip, subflows. */
void mptcp_report(const struct mptcp_history *history, json_t *into);

#endif
