/* SPDX-License-Identifier: GPL-2.0-only */
#include "mptcp_pm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/genetlink.h>
#include <linux/mptcp.h>
#include "nl.h"

struct mptcp_pm {
	struct nl *nl;
	int family;
};

int mptcp_pm_open(struct mptcp_pm **out)
{
	struct mptcp_pm *pm = calloc(1, sizeof(*pm));
	int err;

	if (!pm)
		return -ENOMEM;
	err = nl_open(NETLINK_GENERIC, 0, &pm->nl);
	if (err)
		goto fail;
	pm->family = nl_family(pm->nl, MPTCP_PM_NAME, NULL, NULL);
	if (pm->family < 0) {
		err = pm->family;
		goto fail;
	}
	*out = pm;
	return 0;
fail:
	mptcp_pm_close(pm);
	return err;
}

void mptcp_pm_close(struct mptcp_pm *pm)
{
	if (!pm)
		return;
	nl_close(pm->nl);
	free(pm);
}

const char *mptcp_pm_error(const struct mptcp_pm *pm)
{
	return nl_error(pm->nl);
}

static struct nlmsghdr *mptcp_pm_request(struct mptcp_pm *pm, int flags, __u8 command)
{
	return nl_genl(pm->nl, pm->family, flags, command, MPTCP_PM_VER);
}

struct mptcp_pm_list {
	struct mptcp_endpoint *out;
	size_t max;
	int n;
};

static int mptcp_pm_endpoint_attr(const struct nlattr *attr, void *data)
{
	struct mptcp_endpoint *e = data;

	switch (mnl_attr_get_type(attr)) {
	case MPTCP_PM_ADDR_ATTR_ADDR4:
		e->addr.family = MPLB_FAMILY_4;
		e->addr.addr.word[0] = nl_attr_u32(attr);
		break;
	case MPTCP_PM_ADDR_ATTR_ADDR6:
		if (mnl_attr_get_payload_len(attr) < sizeof(e->addr.addr))
			break;
		e->addr.family = MPLB_FAMILY_6;
		memcpy(&e->addr.addr, mnl_attr_get_payload(attr), sizeof(e->addr.addr));
		break;
	case MPTCP_PM_ADDR_ATTR_PORT:
		e->port = nl_attr_u16(attr);
		break;
	case MPTCP_PM_ADDR_ATTR_ID:
		e->id = nl_attr_u8(attr);
		break;
	case MPTCP_PM_ADDR_ATTR_FLAGS:
		e->flags = nl_attr_u32(attr);
		break;
	}
	return MNL_CB_OK;
}

static int mptcp_pm_list_attr(const struct nlattr *attr, void *data)
{
	struct mptcp_pm_list *list = data;
	struct mptcp_endpoint e = { 0 };

	if (mnl_attr_get_type(attr) != MPTCP_PM_ATTR_ADDR)
		return MNL_CB_OK;
	mnl_attr_parse_nested(attr, mptcp_pm_endpoint_attr, &e);
	if (!e.addr.family)
		return MNL_CB_OK;
	if ((size_t)list->n < list->max)
		list->out[list->n] = e;
	list->n++;
	return MNL_CB_OK;
}

static int mptcp_pm_list_msg(const struct nlmsghdr *nlh, void *data)
{
	if (!nl_is_whole(nlh, sizeof(struct genlmsghdr)))
		return MNL_CB_OK;
	return mnl_attr_parse(nlh, sizeof(struct genlmsghdr), mptcp_pm_list_attr, data);
}

int mptcp_pm_endpoints(struct mptcp_pm *pm, struct mptcp_endpoint *out, size_t max)
{
	struct mptcp_pm_list list = { .out = out, .max = max };
	struct nlmsghdr *nlh = mptcp_pm_request(pm, NLM_F_DUMP, MPTCP_PM_CMD_GET_ADDR);
	int err = nl_talk(pm->nl, nlh, mptcp_pm_list_msg, &list);

	return err ? err : list.n;
}

/* A request about one endpoint. id 0 leaves the choice to the kernel. */
static int mptcp_pm_endpoint_talk(struct mptcp_pm *pm, __u8 command, const struct mptcp_endpoint *e,
				  __u8 id)
{
	struct nlmsghdr *nlh = mptcp_pm_request(pm, 0, command);
	struct nlattr *nest = mnl_attr_nest_start(nlh, MPTCP_PM_ATTR_ADDR);

	mnl_attr_put_u16(nlh, MPTCP_PM_ADDR_ATTR_FAMILY, (__u16)ip_af(&e->addr));
	if (e->addr.family == MPLB_FAMILY_4)
		mnl_attr_put_u32(nlh, MPTCP_PM_ADDR_ATTR_ADDR4, e->addr.addr.word[0]);
	else
		mnl_attr_put(nlh, MPTCP_PM_ADDR_ATTR_ADDR6, sizeof(e->addr.addr), &e->addr.addr);
	if (id)
		mnl_attr_put_u8(nlh, MPTCP_PM_ADDR_ATTR_ID, id);
	if (e->port)
		mnl_attr_put_u16(nlh, MPTCP_PM_ADDR_ATTR_PORT, e->port);
	mnl_attr_put_u32(nlh, MPTCP_PM_ADDR_ATTR_FLAGS, e->flags);
	mnl_attr_nest_end(nlh, nest);
	return nl_talk(pm->nl, nlh, NULL, NULL);
}

int mptcp_pm_add(struct mptcp_pm *pm, const struct mptcp_endpoint *endpoint)
{
	return mptcp_pm_endpoint_talk(pm, MPTCP_PM_CMD_ADD_ADDR, endpoint, 0);
}

int mptcp_pm_delete(struct mptcp_pm *pm, const struct mptcp_endpoint *endpoint)
{
	/* With id 0 the kernel would close the initial subflows of all connections instead. */
	if (!endpoint->id)
		return -EINVAL;
	return mptcp_pm_endpoint_talk(pm, MPTCP_PM_CMD_DEL_ADDR, endpoint, endpoint->id);
}

int mptcp_pm_set_flags(struct mptcp_pm *pm, const struct mptcp_endpoint *endpoint)
{
	return mptcp_pm_endpoint_talk(pm, MPTCP_PM_CMD_SET_FLAGS, endpoint, endpoint->id);
}

static int mptcp_pm_limits_attr(const struct nlattr *attr, void *data)
{
	struct mptcp_limits *limits = data;

	if (mnl_attr_get_type(attr) == MPTCP_PM_ATTR_RCV_ADD_ADDRS)
		limits->add_addr_accepted = nl_attr_u32(attr);
	else if (mnl_attr_get_type(attr) == MPTCP_PM_ATTR_SUBFLOWS)
		limits->subflows = nl_attr_u32(attr);
	return MNL_CB_OK;
}

static int mptcp_pm_limits_msg(const struct nlmsghdr *nlh, void *data)
{
	if (!nl_is_whole(nlh, sizeof(struct genlmsghdr)))
		return MNL_CB_OK;
	return mnl_attr_parse(nlh, sizeof(struct genlmsghdr), mptcp_pm_limits_attr, data);
}

int mptcp_pm_get_limits(struct mptcp_pm *pm, struct mptcp_limits *out)
{
	struct nlmsghdr *nlh = mptcp_pm_request(pm, 0, MPTCP_PM_CMD_GET_LIMITS);
	struct mptcp_limits limits = { 0 };
	int err = nl_talk(pm->nl, nlh, mptcp_pm_limits_msg, &limits);

	if (!err)
		*out = limits;
	return err;
}

int mptcp_pm_set_limits(struct mptcp_pm *pm, const struct mptcp_limits *limits)
{
	struct nlmsghdr *nlh = mptcp_pm_request(pm, 0, MPTCP_PM_CMD_SET_LIMITS);

	mnl_attr_put_u32(nlh, MPTCP_PM_ATTR_RCV_ADD_ADDRS, limits->add_addr_accepted);
	mnl_attr_put_u32(nlh, MPTCP_PM_ATTR_SUBFLOWS, limits->subflows);
	return nl_talk(pm->nl, nlh, NULL, NULL);
}
