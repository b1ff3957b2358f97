/* SPDX-License-Identifier: GPL-2.0-only */
#include "link.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

static void get_text(const struct nlattr *attr, char *out, size_t size)
{
	if (!mnl_attr_validate(attr, MNL_TYPE_NUL_STRING))
		snprintf(out, size, "%s", mnl_attr_get_str(attr));
}

static void get_vlan(const struct nlattr *data, struct link *link)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested (attr, data) {
		if (mnl_attr_get_type(attr) == IFLA_VLAN_ID)
			link->vlan = nl_attr_u16(attr);
		else if (mnl_attr_get_type(attr) == IFLA_VLAN_PROTOCOL)
			link->vlan_protocol = ntohs(nl_attr_u16(attr));
	}
}

static void get_link_info(const struct nlattr *info, struct link *link)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested (attr, info) {
		if (mnl_attr_get_type(attr) == IFLA_INFO_KIND)
			get_text(attr, link->kind, sizeof(link->kind));
		else if (mnl_attr_get_type(attr) == IFLA_INFO_DATA && !strcmp(link->kind, "vlan"))
			get_vlan(attr, link);
	}
}

int link_parse(const struct nlmsghdr *nlh, void *out)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct link *link = out;
	const struct nlattr *attr;

	if (!nl_is_whole(nlh, sizeof(*ifi)))
		return MNL_CB_OK;
	*link = (struct link){ .ifindex = (unsigned int)ifi->ifi_index };
	link->is_ethernet = ifi->ifi_type == ARPHRD_ETHER;
	link->is_running = ifi->ifi_flags & IFF_UP && ifi->ifi_flags & IFF_RUNNING;
	mnl_attr_for_each (attr, nlh, sizeof(*ifi)) {
		switch (mnl_attr_get_type(attr)) {
		case IFLA_IFNAME:
			get_text(attr, link->name, sizeof(link->name));
			break;
		case IFLA_MTU:
			link->mtu = nl_attr_u32(attr);
			break;
		case IFLA_LINK:
			link->below = nl_attr_u32(attr);
			break;
		case IFLA_LINK_NETNSID:
			link->below_is_elsewhere = true;
			break;
		case IFLA_LINKINFO:
			get_link_info(attr, link);
			break;
		case IFLA_ADDRESS:
			if (mnl_attr_get_payload_len(attr) == sizeof(link->address))
				memcpy(link->address, mnl_attr_get_payload(attr),
				       sizeof(link->address));
			break;
		}
	}
	return MNL_CB_OK;
}

int link_get(struct nl *rt, unsigned int ifindex, struct link *out)
{
	struct nlmsghdr *nlh = nl_request(rt, RTM_GETLINK, 0);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));

	*out = (struct link){ 0 };
	ifi->ifi_index = (int)ifindex;
	return nl_talk(rt, nlh, link_parse, out);
}

/* Can XDP send through a device? Hardware can, or says so when it is asked; of the devices made of
 * software, these have ndo_xdp_xmit. */
static bool can_send(const struct link *link)
{
	return !link->kind[0] || !strcmp(link->kind, "veth") || !strcmp(link->kind, "tun") ||
	       !strcmp(link->kind, "bond");
}

/* What is wrong with a device that is not a VLAN; NULL: nothing. */
static const char *device_obstacle(const struct link *link, char text[static LINK_TEXT])
{
	if (!link->is_ethernet)
		return "not an Ethernet device";
	if (can_send(link))
		return NULL;
	snprintf(text, LINK_TEXT, "XDP cannot send through it (%s)", link->kind);
	return text;
}

/* The same of a VLAN device. */
static const char *vlan_obstacle(const struct link *vlan, const struct link *below,
				 char text[static LINK_TEXT])
{
	if (vlan->vlan_protocol != ETH_P_8021Q)
		return "its tag is not of type 802.1Q";
	if (vlan->below_is_elsewhere || !below)
		return "the device below is in another namespace";
	if (can_send(below))
		return NULL;
	snprintf(text, LINK_TEXT, "XDP cannot send through %s below it (%s)", below->name,
		 below->kind);
	return text;
}

unsigned int link_egress(const struct link *link, const struct link *below, __u16 *vlan,
			 char obstacle[static LINK_TEXT])
{
	bool is_vlan = !strcmp(link->kind, "vlan");
	const char *wrong;
	char text[LINK_TEXT];

	wrong = is_vlan ? vlan_obstacle(link, below, text) : device_obstacle(link, text);
	is_vlan &= !wrong;
	if (!wrong && !link->is_running)
		wrong = "the link is down";
	snprintf(obstacle, LINK_TEXT, "%s", wrong ? wrong : "");
	*vlan = is_vlan ? link->vlan : 0;
	return is_vlan ? below->ifindex : link->ifindex;
}
