/* SPDX-License-Identifier: GPL-2.0-only */
#include "item_route.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>

#include <linux/rtnetlink.h>
#include "lib/ip.h"
#include "lib/log.h"

#define PREFIX_BITS 64

static struct nlmsghdr *request(struct nl *nl, int type, int flags,
				const struct mplb_server_item *item, unsigned int bits)
{
	struct nlmsghdr *nlh = nl_request(nl, type, flags);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));

	rtm->rtm_family = AF_INET6;
	rtm->rtm_dst_len = (unsigned char)bits;
	mnl_attr_put(nlh, RTA_DST, sizeof(item->addr), &item->addr);
	return nlh;
}

static int change(struct nl *nl, int type, int flags, const struct mplb_server_item *item)
{
	struct nlmsghdr *nlh = request(nl, type, flags, item, PREFIX_BITS);
	struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);

	rtm->rtm_table = RT_TABLE_LOCAL;
	rtm->rtm_type = RTN_LOCAL;
	rtm->rtm_scope = RT_SCOPE_UNIVERSE;
	rtm->rtm_protocol = RTPROT_STATIC;
	mnl_attr_put_u32(nlh, RTA_OIF, if_nametoindex(item->name));
	return nl_talk(nl, nlh, NULL, NULL);
}

static int on_route(const struct nlmsghdr *nlh, void *data)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);

	if (nlh->nlmsg_type == RTM_NEWROUTE)
		*(int *)data = rtm->rtm_type == RTN_LOCAL;
	return MNL_CB_OK;
}

/* Asks where an address of the prefix goes. The answer is an error where that is nowhere. */
int item_route_look(struct nl *nl, const struct mplb_server_item *item)
{
	struct mplb_server_item one = *item;
	int local = 0;

	one.addr.word[3] = ~0U;
	if (nl_talk(nl, request(nl, RTM_GETROUTE, 0, &one, PREFIX_BITS * 2), on_route, &local))
		return 0;
	return local;
}

int item_route_put(struct nl *nl, const struct mplb_server_item *item)
{
	struct ip ip = { .addr = item->addr, .family = item->family };
	char text[IP_STRLEN];
	int err = change(nl, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, item);

	if (!err || err == -EEXIST)
		return 0;
	return log_err_r(err,
			 "route local %s/%d dev %s cannot be set: %s; run as root, with %s up and "
			 "IPv6 enabled",
			 ip_format(&ip, text), PREFIX_BITS, item->name, nl_error(nl), item->name);
}

int item_route_take(struct nl *nl, const struct mplb_server_item *item)
{
	struct ip ip = { .addr = item->addr, .family = item->family };
	char text[IP_STRLEN];
	int err = change(nl, RTM_DELROUTE, 0, item);

	if (!err || err == -ESRCH)
		return 0;
	return log_err_r(err, "route local %s/%d dev %s cannot be removed: %s; run as root",
			 ip_format(&ip, text), PREFIX_BITS, item->name, nl_error(nl));
}
