/* SPDX-License-Identifier: GPL-2.0-only */
#include "rtaddr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

struct rtaddr_list {
	struct rtaddr *entry;
	int n, room;
};

/* IFA_LOCAL is our own end of a point-to-point link, where IFA_ADDRESS is the other; elsewhere they
 * are the same, and IPv6 may have IFA_ADDRESS alone. So the former wins. */
struct rtaddr_attrs {
	const struct nlattr *address, *local, *flags;
};

static int rtaddr_attr(const struct nlattr *attr, void *data)
{
	struct rtaddr_attrs *found = data;

	if (mnl_attr_get_type(attr) == IFA_ADDRESS)
		found->address = attr;
	else if (mnl_attr_get_type(attr) == IFA_LOCAL)
		found->local = attr;
	else if (mnl_attr_get_type(attr) == IFA_FLAGS)
		found->flags = attr;
	return MNL_CB_OK;
}

static int rtaddr_append(struct rtaddr_list *list, const struct rtaddr *entry)
{
	if (list->n == list->room) {
		int room = list->room ? list->room * 2 : 64;
		void *more = reallocarray(list->entry, (size_t)room, sizeof(*entry));

		if (!more) {
			errno = ENOMEM;
			return MNL_CB_ERROR;
		}
		list->entry = more;
		list->room = room;
	}
	list->entry[list->n++] = *entry;
	return MNL_CB_OK;
}

static int rtaddr_msg(const struct nlmsghdr *nlh, void *data)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	struct rtaddr_list *list = data;
	struct rtaddr_attrs found = { 0 };
	const struct nlattr *attr;
	struct rtaddr entry;

	if (nlh->nlmsg_type != RTM_NEWADDR || !nl_is_whole(nlh, sizeof(*ifa)) ||
	    (ifa->ifa_family != AF_INET && ifa->ifa_family != AF_INET6))
		return MNL_CB_OK;
	mnl_attr_parse(nlh, sizeof(*ifa), rtaddr_attr, &found);
	entry = (struct rtaddr){
		.addr.family = ifa->ifa_family == AF_INET ? MPLB_FAMILY_4 : MPLB_FAMILY_6,
		.ifindex = (int)ifa->ifa_index,
		.flags = found.flags ? nl_attr_u32(found.flags) : ifa->ifa_flags,
		.prefix_len = ifa->ifa_prefixlen,
	};
	attr = found.local ? found.local : found.address;
	if (!attr || mnl_attr_get_payload_len(attr) < IP_KEYLEN(entry.addr.family))
		return MNL_CB_OK;
	memcpy(&entry.addr.addr, mnl_attr_get_payload(attr), IP_KEYLEN(entry.addr.family));
	return rtaddr_append(list, &entry);
}

int rtaddr_dump(struct nl *nl, struct rtaddr **out)
{
	struct nlmsghdr *nlh = nl_request(nl, RTM_GETADDR, NLM_F_DUMP);
	struct rtaddr_list list = { 0 };
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));
	int err;

	ifa->ifa_family = AF_UNSPEC;
	err = nl_talk(nl, nlh, rtaddr_msg, &list);
	if (err) {
		free(list.entry);
		return err;
	}
	*out = list.entry;
	return list.n;
}

const struct rtaddr *rtaddr_find(const struct rtaddr *list, size_t n, const struct ip *addr,
				 int ifindex)
{
	for (size_t i = 0; i < n; i++)
		if (ip_equal(&list[i].addr, addr) && (!ifindex || list[i].ifindex == ifindex))
			return &list[i];
	return NULL;
}

static int rtaddr_change(struct nl *nl, int type, int flags, const struct ip *addr, int ifindex)
{
	struct nlmsghdr *nlh = nl_request(nl, type, flags);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));

	ifa->ifa_family = (__u8)ip_af(addr);
	ifa->ifa_prefixlen = (__u8)(IP_KEYLEN(addr->family) * 8);
	ifa->ifa_scope = RT_SCOPE_UNIVERSE;
	ifa->ifa_index = (__u32)ifindex;
	if (addr->family == MPLB_FAMILY_6)
		ifa->ifa_flags = IFA_F_NODAD;
	mnl_attr_put(nlh, IFA_LOCAL, IP_KEYLEN(addr->family), &addr->addr);
	mnl_attr_put(nlh, IFA_ADDRESS, IP_KEYLEN(addr->family), &addr->addr);
	return nl_talk(nl, nlh, NULL, NULL);
}

int rtaddr_add(struct nl *nl, const struct ip *addr, int ifindex)
{
	return rtaddr_change(nl, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, addr, ifindex);
}

int rtaddr_delete(struct nl *nl, const struct ip *addr, int ifindex)
{
	return rtaddr_change(nl, RTM_DELADDR, 0, addr, ifindex);
}
