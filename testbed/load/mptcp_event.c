// SPDX-License-Identifier: GPL-2.0-only
#include "mptcp_event.h"

#include <arpa/inet.h>
#include <linux/genetlink.h>
#include <linux/mptcp.h>
#include <string.h>

static void event_set_addr(struct endpoint *at, const struct nlattr *attr, bool six)
{
	struct sockaddr_in6 *to6 = (void *)&at->addr;
	struct sockaddr_in *to4 = (void *)&at->addr;
	size_t len = mnl_attr_get_payload_len(attr);

	if (six && len == sizeof(to6->sin6_addr)) {
		to6->sin6_family = AF_INET6;
		memcpy(&to6->sin6_addr, mnl_attr_get_payload(attr), len);
		at->len = sizeof(*to6);
	} else if (!six && len == sizeof(to4->sin_addr)) {
		to4->sin_family = AF_INET;
		memcpy(&to4->sin_addr, mnl_attr_get_payload(attr), len);
		at->len = sizeof(*to4);
	}
}

static int event_attr(const struct nlattr *attr, void *data)
{
	struct mptcp_event *event = data;

	switch (mnl_attr_get_type(attr)) {
	case MPTCP_ATTR_TOKEN:
		event->token = mnl_attr_get_u32(attr);
		break;
	case MPTCP_ATTR_SADDR4:
	case MPTCP_ATTR_SADDR6:
		event_set_addr(&event->local, attr, mnl_attr_get_type(attr) == MPTCP_ATTR_SADDR6);
		break;
	case MPTCP_ATTR_DADDR4:
	case MPTCP_ATTR_DADDR6:
		event_set_addr(&event->remote, attr, mnl_attr_get_type(attr) == MPTCP_ATTR_DADDR6);
		break;
	case MPTCP_ATTR_SPORT:
		endpoint_set_port(&event->local, ntohs(mnl_attr_get_u16(attr)));
		break;
	case MPTCP_ATTR_DPORT:
		endpoint_set_port(&event->remote, ntohs(mnl_attr_get_u16(attr)));
		break;
	case MPTCP_ATTR_SERVER_SIDE:
		event->server_side = mnl_attr_get_u8(attr);
		break;
	case MPTCP_ATTR_REM_ID:
		event->rem_id = mnl_attr_get_u8(attr);
		break;
	case MPTCP_ATTR_ERROR:
		event->error = mnl_attr_get_u8(attr);
		break;
	case MPTCP_ATTR_RESET_REASON:
		event->reset_reason = mnl_attr_get_u32(attr);
		break;
	}
	return MNL_CB_OK;
}

bool mptcp_event_read(const struct nlmsghdr *nlh, struct mptcp_event *out)
{
	struct mptcp_event event = { 0 };

	if (mnl_attr_parse(nlh, sizeof(struct genlmsghdr), event_attr, &event) != MNL_CB_OK)
		return false;
	*out = event;
	return true;
}
