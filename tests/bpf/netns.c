/* SPDX-License-Identifier: GPL-2.0-only */
#include "netns.h"

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <time.h>

#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

#include "lib/ip.h"

/* A request under construction, and room for the answer. */
struct request {
	char buf[2048];
	struct nlmsghdr *head;
};

static void *begin(struct request *r, uint16_t type, uint16_t flags, size_t extra)
{
	memset(r->buf, 0, sizeof(r->buf));
	r->head = mnl_nlmsg_put_header(r->buf);
	r->head->nlmsg_type = type;
	r->head->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	r->head->nlmsg_seq = 1;
	return mnl_nlmsg_put_extra_header(r->head, extra);
}

/* Sends the request and waits for the kernel's word. */
static int ask(struct request *r)
{
	struct mnl_socket *nl = mnl_socket_open(NETLINK_ROUTE);
	ssize_t n;
	int err = 0;

	if (!nl)
		return -errno;
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) ||
	    mnl_socket_sendto(nl, r->head, r->head->nlmsg_len) < 0) {
		err = -errno;
	} else {
		n = mnl_socket_recvfrom(nl, r->buf, sizeof(r->buf));
		if (n < 0 || mnl_cb_run(r->buf, (size_t)n, 1, 0, NULL, NULL) < 0)
			err = -errno;
	}
	mnl_socket_close(nl);
	return err;
}

static int put_addr(struct request *r, uint16_t type, const char *text)
{
	struct ip ip;

	if (ip_parse(text, &ip))
		return -EINVAL;
	mnl_attr_put(r->head, type, IP_KEYLEN(ip.family), &ip.addr);
	return 0;
}

static uint8_t family_of(const char *text)
{
	return strchr(text, ':') ? AF_INET6 : AF_INET;
}

static int set_up(const char *name)
{
	struct request r;
	struct ifinfomsg *link = begin(&r, RTM_NEWLINK, 0, sizeof(*link));

	link->ifi_index = (int)if_nametoindex(name);
	link->ifi_flags = link->ifi_change = IFF_UP;
	return ask(&r);
}

int netns_enter(void)
{
	if (unshare(CLONE_NEWNET))
		return -errno;
	return set_up("lo");
}

int netns_veth(const char *name, const char *peer, const uint8_t *mac)
{
	struct request r;
	struct nlattr *info, *data, *other;
	int err;

	begin(&r, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(r.head, IFLA_IFNAME, name);
	if (mac)
		mnl_attr_put(r.head, IFLA_ADDRESS, 6, mac);
	info = mnl_attr_nest_start(r.head, IFLA_LINKINFO);
	mnl_attr_put_strz(r.head, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(r.head, IFLA_INFO_DATA);
	other = mnl_attr_nest_start(r.head, VETH_INFO_PEER);
	mnl_nlmsg_put_extra_header(r.head, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(r.head, IFLA_IFNAME, peer);
	mnl_attr_nest_end(r.head, other);
	mnl_attr_nest_end(r.head, data);
	mnl_attr_nest_end(r.head, info);
	err = ask(&r);
	if (!err)
		err = set_up(name);
	return err ? err : set_up(peer);
}

int netns_addr(const char *dev, const char *addr, unsigned int prefix)
{
	struct request r;
	struct ifaddrmsg *msg = begin(&r, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof(*msg));

	msg->ifa_family = family_of(addr);
	msg->ifa_prefixlen = (uint8_t)prefix;
	msg->ifa_flags = IFA_F_NODAD;
	msg->ifa_index = if_nametoindex(dev);
	if (put_addr(&r, IFA_LOCAL, addr) || put_addr(&r, IFA_ADDRESS, addr))
		return -EINVAL;
	return ask(&r);
}

int netns_neighbour(const char *dev, const char *addr, const uint8_t mac[static 6])
{
	struct request r;
	struct ndmsg *msg = begin(&r, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, sizeof(*msg));

	msg->ndm_family = family_of(addr);
	msg->ndm_ifindex = (int)if_nametoindex(dev);
	msg->ndm_state = NUD_PERMANENT;
	if (put_addr(&r, NDA_DST, addr))
		return -EINVAL;
	mnl_attr_put(r.head, NDA_LLADDR, 6, mac);
	return ask(&r);
}

int netns_route(const char *dst, unsigned int prefix, const char *via, uint8_t type, uint32_t mtu)
{
	struct request r;
	struct rtmsg *msg = begin(&r, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, sizeof(*msg));

	msg->rtm_family = family_of(dst);
	msg->rtm_dst_len = (uint8_t)prefix;
	msg->rtm_table = RT_TABLE_MAIN;
	msg->rtm_protocol = RTPROT_STATIC;
	msg->rtm_scope = RT_SCOPE_UNIVERSE;
	msg->rtm_type = type;
	if (put_addr(&r, RTA_DST, dst) || (via && put_addr(&r, RTA_GATEWAY, via)))
		return -EINVAL;
	if (mtu) {
		struct nlattr *metrics = mnl_attr_nest_start(r.head, RTA_METRICS);

		mnl_attr_put_u32(r.head, RTAX_MTU, mtu);
		mnl_attr_put_u32(r.head, RTAX_LOCK, 1 << RTAX_MTU);
		mnl_attr_nest_end(r.head, metrics);
	}
	return ask(&r);
}
