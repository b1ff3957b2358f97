/* SPDX-License-Identifier: GPL-2.0-only */
#include "pm_event.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/filter.h>
#include <linux/genetlink.h>
#include <linux/mptcp.h>
#include "lib/log.h"
#include "lib/nl.h"

/* In MPTCP_ATTR_FLAGS, from 6.18 on in place of MPTCP_ATTR_SERVER_SIDE. */
#define EVENT_FLAG_SERVER_SIDE 0x2

#define EVENT_BUFFER (32 << 20)

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

/* In the kernel: fewer wakeups, and more room for the events that matter. */
static int filter_events(struct nl *nl, __u32 types)
{
	/* The command of a generic netlink message, the type, stands behind the netlink header:
	 * type < 32 && types >> type & 1. */
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, NLMSG_HDRLEN),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 31, 4, 0),
		BPF_STMT(BPF_MISC | BPF_TAX, 0),
		BPF_STMT(BPF_LD | BPF_IMM, types),
		BPF_STMT(BPF_ALU | BPF_RSH | BPF_X, 0),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 1, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, ~0U),
	};
	const struct sock_fprog program = { sizeof(code) / sizeof(*code), code };

	return setsockopt(nl_fd(nl), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program))
		       ? -errno
		       : 0;
}

int pm_event_subscribe(struct nl *nl, __u32 types, const char *who, const char *hint)
{
	int size = EVENT_BUFFER, family, err;
	unsigned int group;

	family = nl_family(nl, MPTCP_PM_NAME, MPTCP_PM_EV_GRP_NAME, &group);
	if (family < 0)
		return log_err_r(family,
				 "%sthis kernel tells no events of MPTCP connections (generic "
				 "netlink " MPTCP_PM_NAME ", group " MPTCP_PM_EV_GRP_NAME "); %s",
				 who, hint);
	if (setsockopt(nl_fd(nl), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		log_warn("%sno large buffer for MPTCP events: %s; run as root (CAP_NET_ADMIN)", who,
			 strerror(errno));
	err = filter_events(nl, types);
	if (err)
		log_debug("%sno filter for MPTCP events: %s", who, strerror(-err));
	err = nl_join(nl, group);
	return err ? log_err_r(err,
			       "%sMPTCP events cannot be received: %s; run as root "
			       "(CAP_NET_ADMIN)",
			       who, strerror(-err))
		   : family;
}
