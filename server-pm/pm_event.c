/* SPDX-License-Identifier: GPL-2.0-only */
#include "pm_event.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/mptcp.h>
#include "lib/nl.h"

/* In MPTCP_ATTR_FLAGS, from 6.18 on in place of MPTCP_ATTR_SERVER_SIDE. */
#define EVENT_FLAG_SERVER_SIDE 0x2

/* The size of an attribute that is read here; 0: not read. */
static size_t wanted_size(int type)
{
	switch (type) {
	case MPTCP_ATTR_TOKEN:
	case MPTCP_ATTR_SADDR4:
	case MPTCP_ATTR_DADDR4:
		return 4;
	case MPTCP_ATTR_SADDR6:
	case MPTCP_ATTR_DADDR6:
		return 16;
	case MPTCP_ATTR_SPORT:
	case MPTCP_ATTR_DPORT:
	case MPTCP_ATTR_FLAGS:
		return 2;
	case MPTCP_ATTR_SERVER_SIDE:
		return 1;
	default:
		return 0;
	}
}

static void read_address(const struct nlattr *attr, __u8 family, struct ip *out)
{
	*out = (struct ip){ .family = family };
	memcpy(&out->addr, mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr));
}

static int read_attr(const struct nlattr *attr, void *data)
{
	struct pm_event *event = data;
	int type = mnl_attr_get_type(attr);
	size_t size = wanted_size(type);

	if (!size)
		return MNL_CB_OK;
	if (mnl_attr_get_payload_len(attr) != size)
		return MNL_CB_ERROR;
	switch (type) {
	case MPTCP_ATTR_TOKEN:
		event->token = mnl_attr_get_u32(attr);
		break;
	case MPTCP_ATTR_SADDR4:
	case MPTCP_ATTR_SADDR6:
		read_address(attr, size == 4 ? MPLB_FAMILY_4 : MPLB_FAMILY_6, &event->flow.local);
		break;
	case MPTCP_ATTR_DADDR4:
	case MPTCP_ATTR_DADDR6:
		read_address(attr, size == 4 ? MPLB_FAMILY_4 : MPLB_FAMILY_6, &event->flow.remote);
		break;
	case MPTCP_ATTR_SPORT:
		event->flow.local_port = ntohs(mnl_attr_get_u16(attr));
		break;
	case MPTCP_ATTR_DPORT:
		event->flow.remote_port = ntohs(mnl_attr_get_u16(attr));
		break;
	case MPTCP_ATTR_FLAGS:
		event->server_side |= (mnl_attr_get_u16(attr) & EVENT_FLAG_SERVER_SIDE) != 0;
		break;
	case MPTCP_ATTR_SERVER_SIDE:
		event->server_side |= mnl_attr_get_u8(attr) != 0;
		break;
	}
	return MNL_CB_OK;
}

int pm_event_parse(const struct nlmsghdr *nlh, struct pm_event *out)
{
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);
	struct pm_event event = { 0 };

	if (!nl_is_whole(nlh, sizeof(*genl)))
		return -EINVAL;
	event.type = genl->cmd;
	if (mnl_attr_parse(nlh, sizeof(*genl), read_attr, &event) != MNL_CB_OK)
		return -EINVAL;
	if (!event.token && event.type != PM_EVENT_LISTENER_CREATED &&
	    event.type != PM_EVENT_LISTENER_CLOSED)
		return -EINVAL;
	pm_flow_unmap(&event.flow);
	*out = event;
	return 0;
}
