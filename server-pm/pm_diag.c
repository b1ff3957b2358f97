/* SPDX-License-Identifier: GPL-2.0-only */
#include "pm_diag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/inet_diag.h>
#include <linux/mptcp.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

/* States of TCP (include/net/tcp_states.h). */
enum {
	STATE_ESTABLISHED = 1,
	STATE_FIN_WAIT1 = 4,
	STATE_FIN_WAIT2 = 5,
	STATE_CLOSE = 7,
	STATE_CLOSE_WAIT = 8,
	STATE_LISTEN = 10
};

#define STATES_OPEN                                                                                \
	(1u << STATE_ESTABLISHED | 1u << STATE_FIN_WAIT1 | 1u << STATE_FIN_WAIT2 |                 \
	 1u << STATE_CLOSE_WAIT)

/* ---- answers ---- */

static bool is_size(const struct nlattr *attr, size_t size)
{
	return mnl_attr_get_payload_len(attr) == size;
}

/* INET_DIAG_INFO is a struct tcp_info of the kernel's version: longer ones begin alike. */
static int read_info(const struct nlattr *attr, struct pm_subflow *out)
{
	struct tcp_info info = { 0 };
	size_t len = mnl_attr_get_payload_len(attr);

	memcpy(&info, mnl_attr_get_payload(attr), len < sizeof(info) ? len : sizeof(info));
	out->received = info.tcpi_bytes_received;
	out->sent = info.tcpi_bytes_acked;
	return MNL_CB_OK;
}

struct ulp {
	struct pm_subflow *out;
	bool found;
	bool joining; /* the handshake of a join is not over */
};

/* net/mptcp/diag.c, subflow_get_info(): of MP_CAPABLE and MP_JOIN, _LOC says that this end asked
 * for it, _REM that the other end has agreed, or asked. */
static void read_flags(struct ulp *ulp, __u32 flags)
{
	const __u32 joined = MPTCP_SUBFLOW_FLAG_JOIN_LOC | MPTCP_SUBFLOW_FLAG_JOIN_REM;
	const __u32 asked = MPTCP_SUBFLOW_FLAG_MCAP_LOC | MPTCP_SUBFLOW_FLAG_JOIN_LOC;

	ulp->out->initial = (flags & MPTCP_SUBFLOW_FLAG_MCAP_REM) && !(flags & joined);
	ulp->out->server_side = !(flags & asked);
	ulp->out->backup = flags & MPTCP_SUBFLOW_FLAG_BKUP_LOC;
	ulp->joining = !(flags & MPTCP_SUBFLOW_FLAG_FULLY_ESTABLISHED);
}

static int read_mptcp_attr(const struct nlattr *attr, void *data)
{
	struct ulp *ulp = data;

	switch (mnl_attr_get_type(attr)) {
	case MPTCP_SUBFLOW_ATTR_TOKEN_LOC:
		if (!is_size(attr, 4))
			return MNL_CB_ERROR;
		ulp->out->token = mnl_attr_get_u32(attr);
		break;
	case MPTCP_SUBFLOW_ATTR_FLAGS:
		if (!is_size(attr, 4))
			return MNL_CB_ERROR;
		ulp->found = true;
		read_flags(ulp, mnl_attr_get_u32(attr));
		break;
	}
	return MNL_CB_OK;
}

static int read_ulp_attr(const struct nlattr *attr, void *data)
{
	if (mnl_attr_get_type(attr) != INET_ULP_INFO_MPTCP)
		return MNL_CB_OK;
	return mnl_attr_parse_nested(attr, read_mptcp_attr, data);
}

static int read_subflow_attr(const struct nlattr *attr, void *data)
{
	struct ulp *ulp = data;

	switch (mnl_attr_get_type(attr)) {
	case INET_DIAG_ULP_INFO:
		return mnl_attr_parse_nested(attr, read_ulp_attr, ulp);
	case INET_DIAG_INFO:
		return read_info(attr, ulp->out);
	}
	return MNL_CB_OK;
}

static void read_address(__u8 family, const __be32 word[4], struct ip *out)
{
	*out = (struct ip){ .family = family == AF_INET ? MPLB_FAMILY_4 : MPLB_FAMILY_6 };
	memcpy(&out->addr, word, IP_KEYLEN(out->family));
}

static const struct inet_diag_msg *diag_msg(const struct nlmsghdr *nlh)
{
	const struct inet_diag_msg *msg = mnl_nlmsg_get_payload(nlh);

	if (!nl_is_whole(nlh, sizeof(*msg)) || nlh->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
	    (msg->idiag_family != AF_INET && msg->idiag_family != AF_INET6))
		return NULL;
	return msg;
}

static void read_flow(const struct inet_diag_msg *msg, struct pm_flow *out)
{
	read_address(msg->idiag_family, msg->id.idiag_src, &out->local);
	read_address(msg->idiag_family, msg->id.idiag_dst, &out->remote);
	out->local_port = ntohs(msg->id.idiag_sport);
	out->remote_port = ntohs(msg->id.idiag_dport);
	pm_flow_unmap(out);
}

int pm_subflow_parse(const struct nlmsghdr *nlh, struct pm_subflow *out)
{
	const struct inet_diag_msg *msg = diag_msg(nlh);
	struct pm_subflow subflow = { 0 };
	struct ulp ulp = { .out = &subflow };

	if (!msg || mnl_attr_parse(nlh, sizeof(*msg), read_subflow_attr, &ulp) != MNL_CB_OK)
		return -EINVAL;
	if (!ulp.found || !subflow.token)
		return 0;
	subflow.up = msg->idiag_state == STATE_ESTABLISHED && !(ulp.joining && !subflow.initial);
	read_flow(msg, &subflow.flow);
	*out = subflow;
	return 1;
}

static int read_listener_attr(const struct nlattr *attr, void *data)
{
	struct pm_listener *out = data;

	if (mnl_attr_get_type(attr) != INET_DIAG_SKV6ONLY)
		return MNL_CB_OK;
	if (!is_size(attr, 1))
		return MNL_CB_ERROR;
	out->both = !mnl_attr_get_u8(attr);
	return MNL_CB_OK;
}

static int parse_bound(const struct nlmsghdr *nlh, int state, struct pm_listener *out)
{
	const struct inet_diag_msg *msg = diag_msg(nlh);
	struct pm_listener listener = { 0 };

	if (!msg || mnl_attr_parse(nlh, sizeof(*msg), read_listener_attr, &listener) != MNL_CB_OK)
		return -EINVAL;
	if (msg->idiag_state != state)
		return 0;
	read_address(msg->idiag_family, msg->id.idiag_src, &listener.addr);
	listener.port = ntohs(msg->id.idiag_sport);
	*out = listener;
	return 1;
}

int pm_listener_parse(const struct nlmsghdr *nlh, struct pm_listener *out)
{
	return parse_bound(nlh, STATE_LISTEN, out);
}

/* ---- questions ---- */

static struct inet_diag_req_v2 *begin(struct nl *nl, int flags, __u8 family, __u32 states,
				      struct nlmsghdr **nlh)
{
	struct inet_diag_req_v2 *req;

	*nlh = nl_request(nl, SOCK_DIAG_BY_FAMILY, flags);
	req = mnl_nlmsg_put_extra_header(*nlh, sizeof(*req));
	req->sdiag_family = family;
	req->sdiag_protocol = IPPROTO_TCP;
	req->idiag_states = states;
	req->id.idiag_cookie[0] = req->id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	return req;
}

struct subflow_call {
	pm_subflow_cb cb;
	void *data;
};

/* What cannot be read is passed over: an answer about one socket must not hide the others. */
static int on_subflow(const struct nlmsghdr *nlh, void *data)
{
	const struct subflow_call *call = data;
	struct pm_subflow subflow;

	if (pm_subflow_parse(nlh, &subflow) == 1 && call->cb(&subflow, call->data)) {
		errno = ECANCELED;
		return MNL_CB_ERROR;
	}
	return MNL_CB_OK;
}

int pm_diag_subflows(struct nl *nl, pm_subflow_cb cb, void *data)
{
	static const __u8 families[] = { AF_INET, AF_INET6 };
	struct subflow_call call = { cb, data };
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(families); i++) {
		struct nlmsghdr *nlh;
		struct inet_diag_req_v2 *req =
			begin(nl, NLM_F_DUMP, families[i], STATES_OPEN, &nlh);

		/* INET_DIAG_ULP_INFO comes to the privileged unasked. */
		req->idiag_ext = 1 << (INET_DIAG_INFO - 1);
		err = nl_talk(nl, nlh, on_subflow, &call);
	}
	return err;
}

struct listener_call {
	pm_listener_cb cb;
	void *data;
	int state;
};

static int on_listener(const struct nlmsghdr *nlh, void *data)
{
	const struct listener_call *call = data;
	struct pm_listener listener;

	if (parse_bound(nlh, call->state, &listener) == 1 && call->cb(&listener, call->data)) {
		errno = ECANCELED;
		return MNL_CB_ERROR;
	}
	return MNL_CB_OK;
}

static int list_bound(struct nl *nl, __u32 protocol, int state, pm_listener_cb cb, void *data)
{
	static const __u8 families[] = { AF_INET, AF_INET6 };
	struct listener_call call = { cb, data, state };
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(families); i++) {
		struct nlmsghdr *nlh;

		begin(nl, NLM_F_DUMP, families[i], 1u << state, &nlh);
		mnl_attr_put_u32(nlh, INET_DIAG_REQ_PROTOCOL, protocol);
		err = nl_talk(nl, nlh, on_listener, &call);
	}
	return err;
}

int pm_diag_listeners(struct nl *nl, pm_listener_cb cb, void *data)
{
	return list_bound(nl, IPPROTO_MPTCP, STATE_LISTEN, cb, data);
}

int pm_diag_tcp_listeners(struct nl *nl, pm_listener_cb cb, void *data)
{
	return list_bound(nl, IPPROTO_TCP, STATE_LISTEN, cb, data);
}

int pm_diag_udp(struct nl *nl, pm_listener_cb cb, void *data)
{
	return list_bound(nl, IPPROTO_UDP, STATE_CLOSE, cb, data);
}

bool pm_listener_takes(const struct pm_listener *listener, const struct ip *addr)
{
	static const struct mplb_ip any;

	if (ip_equal(&listener->addr, addr))
		return true;
	return !memcmp(&listener->addr.addr, &any, sizeof(any)) &&
	       (listener->addr.family == addr->family || listener->both);
}

static int on_state(const struct nlmsghdr *nlh, void *data)
{
	const struct inet_diag_msg *msg = diag_msg(nlh);

	*(bool *)data = msg && msg->idiag_state == STATE_ESTABLISHED;
	return MNL_CB_OK;
}

bool pm_diag_alive(struct nl *nl, const struct pm_flow *flow)
{
	__u8 family = flow->local.family == MPLB_FAMILY_4 ? AF_INET : AF_INET6;
	struct nlmsghdr *nlh;
	struct inet_diag_req_v2 *req = begin(nl, 0, family, STATES_OPEN, &nlh);
	bool alive = false;

	/* The kernel finds an IPv4 flow by its IPv4 addresses, whatever kind of socket it has. */
	memcpy(req->id.idiag_src, &flow->local.addr, IP_KEYLEN(flow->local.family));
	memcpy(req->id.idiag_dst, &flow->remote.addr, IP_KEYLEN(flow->remote.family));
	req->id.idiag_sport = htons(flow->local_port);
	req->id.idiag_dport = htons(flow->remote_port);
	return !nl_talk(nl, nlh, on_state, &alive) && alive;
}
