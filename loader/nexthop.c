/* SPDX-License-Identifier: GPL-2.0-only */
#include "nexthop.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#define NEIGH_FIXED (NUD_PERMANENT | NUD_NOARP)
#define NEIGH_VALID (NEIGH_FIXED | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY)

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
	__u8 family;

	if (mnl_attr_get_payload_len(attr) < sizeof(*via))
		return;
	family = via->rtvia_family == AF_INET ? MPLB_FAMILY_4 : MPLB_FAMILY_6;
	if (mnl_attr_get_payload_len(attr) != sizeof(*via) + IP_KEYLEN(family))
		return;
	*out = (struct ip){ .family = family };
	memcpy(&out->addr, via->rtvia_addr, IP_KEYLEN(family));
}

static int on_metric(const struct nlattr *attr, void *data)
{
	struct nexthop *hop = data;

	if (mnl_attr_get_type(attr) == RTAX_MTU && nl_attr_u32(attr))
		hop->mtu = nl_attr_u32(attr);
	return MNL_CB_OK;
}

static int on_route(const struct nlmsghdr *nlh, void *data)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	struct nexthop *hop = data;
	const struct nlattr *attr;
	__u8 family;

	if (!nl_is_whole(nlh, sizeof(*rtm)))
		return MNL_CB_OK;
	family = rtm->rtm_family == AF_INET ? MPLB_FAMILY_4 : MPLB_FAMILY_6;
	if (rtm->rtm_type == RTN_LOCAL)
		hop->fault = NEXTHOP_LOCAL;
	else if (rtm->rtm_type != RTN_UNICAST)
		return MNL_CB_OK;
	mnl_attr_for_each (attr, nlh, sizeof(*rtm)) {
		switch (mnl_attr_get_type(attr)) {
		case RTA_OIF:
			hop->device = nl_attr_u32(attr);
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

static int on_neighbour(const struct nlmsghdr *nlh, void *data)
{
	const struct ndmsg *ndm = mnl_nlmsg_get_payload(nlh);
	struct nexthop *hop = data;
	const struct nlattr *attr;

	if (!nl_is_whole(nlh, sizeof(*ndm)))
		return MNL_CB_OK;
	hop->failed = ndm->ndm_state & NUD_FAILED;
	if (!(ndm->ndm_state & NEIGH_VALID))
		return MNL_CB_OK;
	mnl_attr_for_each (attr, nlh, sizeof(*ndm)) {
		if (mnl_attr_get_type(attr) == NDA_LLADDR &&
		    mnl_attr_get_payload_len(attr) == sizeof(hop->dmac)) {
			memcpy(hop->dmac, mnl_attr_get_payload(attr), sizeof(hop->dmac));
			hop->permanent = ndm->ndm_state & NEIGH_FIXED;
			hop->confirmed = ndm->ndm_state & NUD_REACHABLE;
			hop->stale = ndm->ndm_state & NUD_STALE;
			hop->fault = NEXTHOP_OK;
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

/* From the device of the route to the one that packets leave by. */
static int look_at_device(struct nl *rt, struct nexthop *hop)
{
	struct link link, below;
	bool has_below = false;
	int err = link_get(rt, hop->device, &link);

	/* Of a veth, it is the peer that is called so. */
	if (!err && !strcmp(link.kind, "vlan") && link.below && !link.below_is_elsewhere) {
		err = link_get(rt, link.below, &below);
		has_below = true;
	}
	if (err)
		return err;
	memcpy(hop->name, link.name, sizeof(hop->name));
	memcpy(hop->smac, link.address, sizeof(hop->smac));
	/* The route's own metric, if it has one, is the narrower path. */
	if (!hop->mtu || link.mtu < hop->mtu)
		hop->mtu = link.mtu;
	hop->ifindex = link_egress(&link, has_below ? &below : NULL, &hop->vlan, hop->obstacle);
	if (hop->obstacle[0])
		hop->fault = NEXTHOP_DEVICE;
	return 0;
}

static struct nlmsghdr *neighbour_request(struct nl *rt, const struct nexthop *hop, int type,
					  int flags, struct ndmsg **ndm)
{
	struct nlmsghdr *nlh = nl_request(rt, type, flags);

	*ndm = mnl_nlmsg_put_extra_header(nlh, sizeof(**ndm));
	(*ndm)->ndm_family = (__u8)ip_af(&hop->via);
	(*ndm)->ndm_ifindex = (int)hop->device;
	put_ip(nlh, NDA_DST, &hop->via);
	return nlh;
}

static int get_neighbour(struct nl *rt, struct nexthop *hop)
{
	struct ndmsg *ndm;
	int err;

	hop->fault = NEXTHOP_NO_NEIGHBOUR;
	err = nl_talk(rt, neighbour_request(rt, hop, RTM_GETNEIGH, 0, &ndm), on_neighbour, hop);
	return err == -ENOENT ? 0 : err; /* not asked for yet */
}

int nexthop_resolve(struct nl *rt, const struct ip *dst, struct nexthop *out)
{
	struct nexthop hop = { .via = *dst };
	int err = get_route(rt, dst, &hop);

	if (!err && !hop.fault && !hop.device)
		hop.fault = NEXTHOP_NO_ROUTE;
	if (!err && !hop.fault)
		err = look_at_device(rt, &hop);
	if (!err && !hop.fault)
		err = get_neighbour(rt, &hop);
	if (err == -ENODEV) { /* the device went between two questions */
		hop = (struct nexthop){ .via = *dst, .fault = NEXTHOP_NO_ROUTE };
		err = 0;
	}
	if (!err && !hop.fault && hop.src.family != dst->family)
		hop.fault = NEXTHOP_NO_SOURCE;
	if (!err)
		*out = hop;
	return err;
}

int nexthop_probe(struct nl *rt, const struct nexthop *hop)
{
	struct ndmsg *ndm;
	struct nlmsghdr *nlh = neighbour_request(rt, hop, RTM_NEWNEIGH, NLM_F_CREATE, &ndm);

	ndm->ndm_flags = NTF_USE;
	return nl_talk(rt, nlh, NULL, NULL);
}

int nexthop_verify(struct nl *rt, const struct nexthop *hop)
{
	struct ndmsg *ndm;
	struct nlmsghdr *nlh = neighbour_request(rt, hop, RTM_NEWNEIGH, NLM_F_REPLACE, &ndm);

	/* The kernel asks at once, and only who does not answer loses the entry. */
	ndm->ndm_state = NUD_PROBE;
	return nl_talk(rt, nlh, NULL, NULL);
}

const char *nexthop_problem(const struct nexthop *hop, const struct ip *dst,
			    char buf[static NEXTHOP_TEXT])
{
	char addr[IP_STRLEN];

	buf[0] = '\0';
	switch (hop->fault) {
	case NEXTHOP_OK:
		break;
	case NEXTHOP_NO_ROUTE:
		snprintf(buf, NEXTHOP_TEXT, "no route to %s", ip_format(dst, addr));
		break;
	case NEXTHOP_LOCAL:
		snprintf(buf, NEXTHOP_TEXT, "%s is this machine's own address",
			 ip_format(dst, addr));
		break;
	case NEXTHOP_NO_SOURCE:
		snprintf(buf, NEXTHOP_TEXT, "no %s address to send from on %s",
			 dst->family == MPLB_FAMILY_4 ? "IPv4" : "IPv6", hop->name);
		break;
	case NEXTHOP_DEVICE:
		snprintf(buf, NEXTHOP_TEXT, "device %s: %s", hop->name, hop->obstacle);
		break;
	case NEXTHOP_NO_NEIGHBOUR:
		snprintf(buf, NEXTHOP_TEXT, "no neighbour: %s does not answer on %s",
			 ip_format(&hop->via, addr), hop->name);
		break;
	}
	return buf;
}
