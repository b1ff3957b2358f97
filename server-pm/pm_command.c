/* SPDX-License-Identifier: GPL-2.0-only */
#include "pm_command.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <linux/mptcp.h>

static struct nlmsghdr *begin(struct nl *nl, int family, __u8 command, __u32 token)
{
	struct nlmsghdr *nlh = nl_genl(nl, family, 0, command, MPTCP_PM_VER);

	mnl_attr_put_u32(nlh, MPTCP_PM_ATTR_TOKEN, token);
	return nlh;
}

static void put_addr(struct nlmsghdr *nlh, const struct ip *addr, bool mapped)
{
	struct mplb_ip six = addr->addr;

	if (addr->family == MPLB_FAMILY_4 && !mapped) {
		mnl_attr_put_u16(nlh, MPTCP_PM_ADDR_ATTR_FAMILY, AF_INET);
		mnl_attr_put_u32(nlh, MPTCP_PM_ADDR_ATTR_ADDR4, addr->addr.word[0]);
		return;
	}
	if (mapped) {
		six.word[0] = six.word[1] = 0;
		six.word[2] = htonl(0xffff);
		six.word[3] = addr->addr.word[0];
	}
	mnl_attr_put_u16(nlh, MPTCP_PM_ADDR_ATTR_FAMILY, AF_INET6);
	mnl_attr_put(nlh, MPTCP_PM_ADDR_ATTR_ADDR6, sizeof(six), &six);
}

static void put_end(struct nlmsghdr *nlh, __u16 type, const struct ip *addr, __u16 port,
		    bool mapped, __u32 flags)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, type);

	put_addr(nlh, addr, mapped);
	mnl_attr_put_u16(nlh, MPTCP_PM_ADDR_ATTR_PORT, port);
	if (flags)
		mnl_attr_put_u32(nlh, MPTCP_PM_ADDR_ATTR_FLAGS, flags);
	mnl_attr_nest_end(nlh, nest);
}

static void put_flow(struct nlmsghdr *nlh, const struct pm_flow *flow, __u32 flags)
{
	put_end(nlh, MPTCP_PM_ATTR_ADDR, &flow->local, flow->local_port, flow->mapped, flags);
	put_end(nlh, MPTCP_PM_ATTR_ADDR_REMOTE, &flow->remote, flow->remote_port, flow->mapped, 0);
}

int pm_command_announce(struct nl *nl, int family, __u32 token, const struct announced *address,
			__u8 id)
{
	struct nlmsghdr *nlh = begin(nl, family, MPTCP_PM_CMD_ANNOUNCE, token);
	struct nlattr *nest = mnl_attr_nest_start(nlh, MPTCP_PM_ATTR_ADDR);

	put_addr(nlh, &address->addr, false);
	if (address->port)
		mnl_attr_put_u16(nlh, MPTCP_PM_ADDR_ATTR_PORT, address->port);
	mnl_attr_put_u8(nlh, MPTCP_PM_ADDR_ATTR_ID, id);
	mnl_attr_put_u32(nlh, MPTCP_PM_ADDR_ATTR_FLAGS, MPTCP_PM_ADDR_FLAG_SIGNAL);
	mnl_attr_nest_end(nlh, nest);
	return nl_command(nl, nlh);
}

int pm_command_remove(struct nl *nl, int family, __u32 token, __u8 id)
{
	struct nlmsghdr *nlh = begin(nl, family, MPTCP_PM_CMD_REMOVE, token);

	mnl_attr_put_u8(nlh, MPTCP_PM_ATTR_LOC_ID, id);
	return nl_command(nl, nlh);
}

int pm_command_backup(struct nl *nl, int family, __u32 token, const struct pm_flow *flow,
		      bool backup)
{
	struct nlmsghdr *nlh = begin(nl, family, MPTCP_PM_CMD_SET_FLAGS, token);

	put_flow(nlh, flow, backup ? MPTCP_PM_ADDR_FLAG_BACKUP : 0);
	return nl_command(nl, nlh);
}

int pm_command_close(struct nl *nl, int family, __u32 token, const struct pm_flow *flow)
{
	struct nlmsghdr *nlh = begin(nl, family, MPTCP_PM_CMD_SUBFLOW_DESTROY, token);

	put_flow(nlh, flow, 0);
	return nl_command(nl, nlh);
}
