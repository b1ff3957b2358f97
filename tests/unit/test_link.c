/* SPDX-License-Identifier: GPL-2.0-only */
/* Where packets leave: from messages as the kernel sends them. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <net/if.h>
#include <string.h>

#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "loader/link.h"

/* A device; what is 0 or NULL is left out of the message. */
struct device {
	const char *name, *kind;
	unsigned int ifindex, below;
	__u16 vlan, protocol;
	bool is_elsewhere, is_down, is_tunnel;
};

static struct link parse(const struct device *d)
{
	char buf[1024] = { 0 };
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	const __u8 mac[6] = { 2, 0, 0, 0, 0, (__u8)d->ifindex };
	struct link link;

	ifi->ifi_index = (int)d->ifindex;
	ifi->ifi_type = d->is_tunnel ? ARPHRD_TUNNEL : ARPHRD_ETHER;
	ifi->ifi_flags = IFF_UP | (d->is_down ? 0 : IFF_RUNNING);
	mnl_attr_put_strz(nlh, IFLA_IFNAME, d->name);
	mnl_attr_put_u32(nlh, IFLA_MTU, 1500);
	mnl_attr_put(nlh, IFLA_ADDRESS, sizeof(mac), mac);
	if (d->below)
		mnl_attr_put_u32(nlh, IFLA_LINK, d->below);
	if (d->is_elsewhere)
		mnl_attr_put_u32(nlh, IFLA_LINK_NETNSID, 0);
	if (d->kind) {
		struct nlattr *info = mnl_attr_nest_start(nlh, IFLA_LINKINFO), *data;

		mnl_attr_put_strz(nlh, IFLA_INFO_KIND, d->kind);
		data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
		mnl_attr_put_u16(nlh, IFLA_VLAN_ID, d->vlan);
		mnl_attr_put_u16(nlh, IFLA_VLAN_PROTOCOL,
				 htons(d->protocol ? d->protocol : ETH_P_8021Q));
		mnl_attr_nest_end(nlh, data);
		mnl_attr_nest_end(nlh, info);
	}
	cr_assert_eq(link_parse(nlh, &link), MNL_CB_OK);
	return link;
}

static const struct device nic = { .name = "eth0", .ifindex = 3 };
static const struct device veth = { .name = "v0", .kind = "veth", .ifindex = 4, .below = 9 };
static const struct device bridge = { .name = "br0", .kind = "bridge", .ifindex = 5 };
static const struct device vlan = {
	.name = "eth0.100", .kind = "vlan", .ifindex = 6, .below = 3, .vlan = 100
};

Test(link, parse)
{
	struct link link = parse(&vlan);

	cr_expect_eq(link.ifindex, 6);
	cr_expect_str_eq(link.name, "eth0.100");
	cr_expect_str_eq(link.kind, "vlan");
	cr_expect_eq(link.vlan, 100);
	cr_expect_eq(link.vlan_protocol, ETH_P_8021Q);
	cr_expect_eq(link.below, 3);
	cr_expect_eq(link.mtu, 1500);
	cr_expect(link.is_ethernet && link.is_running && !link.below_is_elsewhere);
	cr_expect_eq(link.address[5], 6);
	/* An id is one of a VLAN device only: others number their attributes their own way. */
	cr_expect_eq(parse(&bridge).vlan, 0);
}

static const struct egress {
	const char *what;
	struct device device, below; /* below.name NULL: none */
	unsigned int ifindex;
	__u16 vlan;
	const char *obstacle;
} egresses[] = {
	{ "NIC", nic, { 0 }, 3, 0, "" },
	{ "veth", veth, { 0 }, 4, 0, "" },
	{ "bond", { .name = "b", .kind = "bond", .ifindex = 7 }, { 0 }, 7, 0, "" },
	{ "bridge", bridge, { 0 }, 5, 0, "XDP cannot send through it (bridge)" },
	{ "tunnel",
	  { .name = "t", .ifindex = 7, .is_tunnel = true },
	  { 0 },
	  7,
	  0,
	  "not an Ethernet device" },
	{ "NIC that is down",
	  { .name = "eth0", .ifindex = 3, .is_down = true },
	  { 0 },
	  3,
	  0,
	  "the link is down" },
	{ "VLAN of a NIC", vlan, nic, 3, 100, "" },
	{ "VLAN of a veth", vlan, veth, 4, 100, "" },
	{ "VLAN of a bridge", vlan, bridge, 6, 0, "XDP cannot send through br0 below it (bridge)" },
	{ "VLAN of a VLAN", vlan, vlan, 6, 0, "XDP cannot send through eth0.100 below it (vlan)" },
	{ "VLAN that is down",
	  { .name = "eth0.7", .kind = "vlan", .ifindex = 6, .vlan = 7, .is_down = true },
	  nic,
	  3,
	  7,
	  "the link is down" },
	{ "VLAN of type 802.1ad",
	  { .name = "s", .kind = "vlan", .ifindex = 6, .vlan = 7, .protocol = ETH_P_8021AD },
	  nic,
	  6,
	  0,
	  "its tag is not of type 802.1Q" },
	{ "VLAN of a device elsewhere",
	  { .name = "s", .kind = "vlan", .ifindex = 6, .vlan = 7, .is_elsewhere = true },
	  { 0 },
	  6,
	  0,
	  "the device below is in another namespace" },
};

Test(link, egress)
{
	for (size_t i = 0; i < sizeof(egresses) / sizeof(*egresses); i++) {
		const struct egress *e = &egresses[i];
		struct link link = parse(&e->device), below = { 0 };
		char obstacle[LINK_TEXT];
		unsigned int ifindex;
		__u16 tag = 0xffff;

		if (e->below.name)
			below = parse(&e->below);
		ifindex = link_egress(&link, e->below.name ? &below : NULL, &tag, obstacle);
		cr_expect_eq(ifindex, e->ifindex, "%s: %u", e->what, ifindex);
		cr_expect_eq(tag, e->vlan, "%s: %u", e->what, tag);
		cr_expect_str_eq(obstacle, e->obstacle, "%s: %s", e->what, obstacle);
	}
}

/* A message cut short is no device. */
Test(link, short_message)
{
	char buf[64] = { 0 };
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct link link = { .mtu = 7 };

	cr_expect_eq(link_parse(nlh, &link), MNL_CB_OK);
	cr_expect_eq(link.mtu, 7);
}
