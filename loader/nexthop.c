/* SPDX-License-Identifier: GPL-2.0-only */
#include "nexthop.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#define NEIGH_VALID (NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY)

static void put_ip(struct nlmsghdr *nlh, __u16 type, const struct ip *ip)
{
	mnl_attr_put(nlh, type, IP_KEYLEN(ip->family), &ip->addr);
}

/* Copies an address attribute of the right length for family. */
static void get_ip(const struct nlattr *attr, __u8 family, struct ip *out)
{
	if (mnl_attr_get_payload_len(attr) != IP_KEYLEN(family))
		return;
	*out = (struct ip){ .family = family };
	memcpy(&out->addr, mnl_attr_get_payload(attr), IP_KEYLEN(family));
}

/* RTA_VIA: a gateway of the other family. */
static void get_via(const struct nlattr *attr, struct ip *out)
{
	const struct rtvia *via = mnl_attr_get_payload(attr);
	__u8 family = via->rtvia_family == AF_INET ? MPLB_FAMILY_4 : MPLB_FAMILY_6;

	if (mnl_attr_get_payload_len(attr) != sizeof(*via) + IP_KEYLEN(family))
		return;
	*out = (struct ip){ .family = family };
	memcpy(&out->addr, via->rtvia_addr, IP_KEYLEN(family));
}

static int on_metric(const struct nlattr *attr, void *data)
{
	struct nexthop *hop = data;

	if (mnl_attr_get_type(attr) == RTAX_MTU && mnl_attr_get_u32(attr))
		hop->mtu = mnl_attr_get_u32(attr);
	return MNL_CB_OK;
}

static int on_route(const struct nlmsghdr *nlh, void *data)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	__u8 family = rtm->rtm_family == AF_INET ? MPLB_FAMILY_4 : MPLB_FAMILY_6;
	struct nexthop *hop = data;
	const struct nlattr *attr;

	hop->local = rtm->rtm_type == RTN_LOCAL;
	if (rtm->rtm_type != RTN_UNICAST && !hop->local)
		return MNL_CB_OK;
	mnl_attr_for_each (attr, nlh, sizeof(*rtm)) {
		switch (mnl_attr_get_type(attr)) {
		case RTA_OIF:
			hop->ifindex = mnl_attr_get_u32(attr);
			break;
		case RTA_GATEWAY:
			hop->gateway = true;
			get_ip(attr, family, &hop->via);
			break;
		case RTA_VIA:
			hop->gateway = true;
			get_via(attr, &hop->via);
			break;
		case RTA_PREFSRC:
			get_ip(attr, family, &hop->src);
			break;
		case RTA_METRICS:
			mnl_attr_parse_nested(attr, on_metric, hop);
			break;
		}
	}
	return MNL_CB_OK;
}

static int on_link(const struct nlmsghdr *nlh, void *data)
{
	struct nexthop *hop = data;
	const struct nlattr *attr;

	mnl_attr_for_each (attr, nlh, sizeof(struct ifinfomsg)) {
		if (mnl_attr_get_type(attr) == IFLA_MTU) {
			unsigned int mtu = mnl_attr_get_u32(attr);

			/* The route's own metric, if it has one, is the narrower path. */
			if (!hop->mtu || mtu < hop->mtu)
				hop->mtu = mtu;
		} else if (mnl_attr_get_type(attr) == IFLA_ADDRESS &&
			   mnl_attr_get_payload_len(attr) == sizeof(hop->smac)) {
			memcpy(hop->smac, mnl_attr_get_payload(attr), sizeof(hop->smac));
		}
	}
	return MNL_CB_OK;
}

static int on_neighbour(const struct nlmsghdr *nlh, void *data)
{
	const struct ndmsg *ndm = mnl_nlmsg_get_payload(nlh);
	struct nexthop *hop = data;
	const struct nlattr *attr;

	if (!(ndm->ndm_state & NEIGH_VALID))
		return MNL_CB_OK;
	mnl_attr_for_each (attr, nlh, sizeof(*ndm)) {
		if (mnl_attr_get_type(attr) == NDA_LLADDR &&
		    mnl_attr_get_payload_len(attr) == sizeof(hop->dmac)) {
			memcpy(hop->dmac, mnl_attr_get_payload(attr), sizeof(hop->dmac));
			hop->resolved = true;
		}
	}
	return MNL_CB_OK;
}

static int get_route(struct nl *rt, const struct ip *dst, struct nexthop *hop)
{
	struct nlmsghdr *nlh = nl_request(rt, RTM_GETROUTE, 0);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
	int err;

	rtm->rtm_family = (unsigned char)ip_af(dst);
	rtm->rtm_dst_len = (unsigned char)(IP_KEYLEN(dst->family) * 8);
	put_ip(nlh, RTA_DST, dst);
	err = nl_talk(rt, nlh, on_route, hop);
	/* How the kernel says "no route", "unreachable", "prohibit", "blackhole". */
	if (err == -ENETUNREACH || err == -EHOSTUNREACH || err == -EACCES || err == -EINVAL)
		return 0;
	return err;
}

static int get_link(struct nl *rt, struct nexthop *hop)
{
	struct nlmsghdr *nlh = nl_request(rt, RTM_GETLINK, 0);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));

	ifi->ifi_index = (int)hop->ifindex;
	return nl_talk(rt, nlh, on_link, hop);
}

static struct nlmsghdr *neighbour_request(struct nl *rt, const struct nexthop *hop, int type,
					  int flags, __u8 ndm_flags)
{
	struct nlmsghdr *nlh = nl_request(rt, type, flags);
	struct ndmsg *ndm = mnl_nlmsg_put_extra_header(nlh, sizeof(*ndm));

	ndm->ndm_family = (__u8)ip_af(&hop->via);
	ndm->ndm_ifindex = (int)hop->ifindex;
	ndm->ndm_flags = ndm_flags;
	put_ip(nlh, NDA_DST, &hop->via);
	return nlh;
}

int nexthop_resolve(struct nl *rt, const struct ip *dst, struct nexthop *out)
{
	struct nexthop hop = { .via = *dst };
	int err = get_route(rt, dst, &hop);

	if (!err && hop.ifindex && !hop.local) {
		err = get_link(rt, &hop);
		if (!err) {
			err = nl_talk(rt, neighbour_request(rt, &hop, RTM_GETNEIGH, 0, 0),
				      on_neighbour, &hop);
			if (err == -ENOENT) /* not asked for yet */
				err = 0;
		}
	}
	if (!err)
		*out = hop;
	return err;
}

int nexthop_probe(struct nl *rt, const struct nexthop *hop)
{
	return nl_talk(rt, neighbour_request(rt, hop, RTM_NEWNEIGH, NLM_F_CREATE, NTF_USE), NULL,
		       NULL);
}
