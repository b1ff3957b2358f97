// SPDX-License-Identifier: GPL-2.0-only
#include "mptcp_info.h"

#include <linux/mptcp.h>
#include <linux/tcp.h>
#include <stdio.h>
#include <string.h>

#ifndef SOL_MPTCP
#define SOL_MPTCP 284
#endif
#define LOOK_STATE_ESTABLISHED 1 /* TCP_ESTABLISHED in the kernel's numbering */

/* The layout that MPTCP_TCPINFO and MPTCP_SUBFLOW_ADDRS share: a header, then an array. */
struct look_addrs {
	struct mptcp_subflow_data head;
	struct mptcp_subflow_addrs flow[MPTCP_FLOWS_MAX];
};

struct look_tcp {
	struct mptcp_subflow_data head;
	struct tcp_info flow[MPTCP_FLOWS_MAX];
};

static struct mptcp_flow *look_find(struct mptcp_history *history,
				    const struct mptcp_subflow_addrs *at)
{
	struct mptcp_flow *flow = history->flow;

	for (; flow < history->flow + history->n; flow++) {
		if (endpoint_equal(&flow->local, &at->ss_local) &&
		    endpoint_equal(&flow->remote, &at->ss_remote))
			return flow;
	}
	if (history->n == MPTCP_FLOWS_MAX)
		return NULL;
	memcpy(&flow->local, &at->ss_local, sizeof(flow->local));
	memcpy(&flow->remote, &at->ss_remote, sizeof(flow->remote));
	flow->first = !history->n;
	history->n++;
	return flow;
}

static size_t look_count(const struct mptcp_subflow_data *head)
{
	return head->num_subflows < MPTCP_FLOWS_MAX ? head->num_subflows : MPTCP_FLOWS_MAX;
}

void mptcp_look(int fd, const struct endpoint *peer, struct mptcp_history *history)
{
	struct look_addrs addrs = { .head = { .size_subflow_data = sizeof(addrs.head),
					      .size_user = sizeof(addrs.flow[0]) } };
	struct look_tcp tcp = { .head = { .size_subflow_data = sizeof(tcp.head),
					  .size_user = sizeof(tcp.flow[0]) } };
	socklen_t addrs_len = sizeof(addrs), tcp_len = sizeof(tcp), info_len;
	struct mptcp_info info = { 0 };
	struct mptcp_flow *flow;

	/* A connection that fell back answers as a TCP socket, which does not know the level. */
	info_len = sizeof(info);
	if (getsockopt(fd, SOL_MPTCP, MPTCP_INFO, &info, &info_len)) {
		history->fallback = true;
		return;
	}
	if (info.mptcpi_flags & MPTCP_INFO_FLAG_FALLBACK)
		history->fallback = true;
	if (info.mptcpi_token)
		history->token = info.mptcpi_token;
	if (getsockopt(fd, SOL_MPTCP, MPTCP_SUBFLOW_ADDRS, &addrs, &addrs_len) ||
	    getsockopt(fd, SOL_MPTCP, MPTCP_TCPINFO, &tcp, &tcp_len))
		return;
	/* Two calls, so a subflow that came or went in between is left for the next look. */
	if (addrs.head.num_subflows != tcp.head.num_subflows)
		return;
	for (flow = history->flow; flow < history->flow + history->n; flow++)
		flow->open = false;
	for (size_t i = 0; i < look_count(&addrs.head); i++) {
		flow = look_find(history, &addrs.flow[i]);
		if (!flow)
			continue;
		flow->open = true;
		flow->up |= tcp.flow[i].tcpi_state == LOOK_STATE_ESTABLISHED;
		flow->received = tcp.flow[i].tcpi_bytes_received;
		flow->sent = tcp.flow[i].tcpi_bytes_sent;
		flow->dedicated = !endpoint_equal(&flow->remote, &peer->addr);
	}
}

bool mptcp_joined(const struct mptcp_history *history)
{
	for (size_t i = 0; i < history->n; i++) {
		if (history->flow[i].dedicated && history->flow[i].up)
			return true;
	}
	return false;
}

bool mptcp_joined_peer(const struct mptcp_history *history)
{
	for (size_t i = 0; i < history->n; i++) {
		if (!history->flow[i].dedicated && !history->flow[i].first && history->flow[i].up)
			return true;
	}
	return false;
}

void mptcp_report(const struct mptcp_history *history, json_t *into)
{
	char local[ENDPOINT_STRLEN], remote[ENDPOINT_STRLEN], token[11];
	json_t *list = json_array();

	for (size_t i = 0; i < history->n; i++) {
		const struct mptcp_flow *flow = &history->flow[i];

		json_array_append_new(
			list, json_pack("{s:s, s:s, s:b, s:b, s:b, s:I, s:I}", "local",
					endpoint_format(&flow->local, local), "remote",
					endpoint_format(&flow->remote, remote), "dedicated",
					flow->dedicated, "established", flow->up, "open",
					flow->open, "bytes_received", (json_int_t)flow->received,
					"bytes_sent", (json_int_t)flow->sent));
	}
	snprintf(token, sizeof(token), "0x%08x", history->token);
	json_object_set_new(into, "fallback", json_boolean(history->fallback));
	json_object_set_new(into, "token", json_string(token));
	json_object_set_new(into, "joined", json_boolean(mptcp_joined(history)));
	json_object_set_new(into, "joined_vip", json_boolean(mptcp_joined_peer(history)));
	json_object_set_new(into, "subflows", list);
}
