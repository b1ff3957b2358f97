/* SPDX-License-Identifier: GPL-2.0-only */
/* Whether packets for clients find a way out. */
#include "doctor_exam.h"

#include <errno.h>
#include <string.h>

#include <linux/rtnetlink.h>

/* Addresses that stand for all that are far away; nothing is sent there. */
#define FAR_4 "1.1.1.1"
#define FAR_6 "2606:4700:4700::1111"

static int on_route(const struct nlmsghdr *nlh, void *data)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr;
	int *device = data;

	if (!nl_is_whole(nlh, sizeof(*rtm)) || rtm->rtm_type != RTN_UNICAST)
		return MNL_CB_OK;
	mnl_attr_for_each (attr, nlh, sizeof(*rtm))
		if (mnl_attr_get_type(attr) == RTA_OIF)
			*device = (int)nl_attr_u32(attr);
	return MNL_CB_OK;
}

int doctor_route(struct nl *route, __u8 family)
{
	struct nlmsghdr *nlh = nl_request(route, RTM_GETROUTE, 0);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
	int device = -ENETUNREACH, err;
	struct ip far;

	ip_parse(family == MPLB_FAMILY_4 ? FAR_4 : FAR_6, &far);
	rtm->rtm_family = (unsigned char)ip_af(&far);
	rtm->rtm_dst_len = (unsigned char)(IP_KEYLEN(family) * 8);
	mnl_attr_put(nlh, RTA_DST, IP_KEYLEN(family), &far.addr);
	err = nl_talk(route, nlh, on_route, &device);
	return err ? err : device;
}

static int on_any_route(const struct nlmsghdr *nlh, void *data)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr;
	bool *found = data;

	if (!nl_is_whole(nlh, sizeof(*rtm)) || rtm->rtm_type != RTN_UNICAST)
		return MNL_CB_OK;
	*found = *found || !rtm->rtm_dst_len;
	mnl_attr_for_each (attr, nlh, sizeof(*rtm))
		switch (mnl_attr_get_type(attr)) {
		case RTA_GATEWAY:
		case RTA_VIA:
		case RTA_MULTIPATH:
		case RTA_NH_ID:
			*found = true;
		}
	return MNL_CB_OK;
}

bool doctor_has_router(struct nl *route, __u8 family)
{
	struct nlmsghdr *nlh = nl_request(route, RTM_GETROUTE, NLM_F_DUMP);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
	bool found = false;

	rtm->rtm_family = family == MPLB_FAMILY_4 ? AF_INET : AF_INET6;
	/* What cannot be seen is not complained of. */
	return nl_talk(route, nlh, on_any_route, &found) || found;
}
