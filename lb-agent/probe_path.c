/* SPDX-License-Identifier: GPL-2.0-only */
#include "probe_path.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>

#include "lib/log.h"
#include "lib/nl.h"
#include "lib/sysctl.h"
#include "loader/nexthop.h"
#include "probe_tc.h"

#define LOOKS_PER_TRY 10 /* while it is broken */
#define PROTOCOL      109 /* of our rules and routes: who made them, for `ip rule` and `ip route` */

struct probe_path {
	const struct datapath *dp;
	__u32 mark;
	struct nl *rt;
	struct probe_tc tc;
	bool has[2]; /* IPv4, IPv6: rule and route are ours to remove */
	bool placed; /* it once was */
	bool broken; /* probes do not go their way, and it was said */
	unsigned int looks; /* since then */
};

static bool *has(struct probe_path *path, unsigned char family)
{
	return &path->has[family == AF_INET6];
}

/* Adds or deletes the rule. 0 or -errno. */
static int change_rule(struct probe_path *path, int type, int flags, unsigned char family)
{
	struct nlmsghdr *nlh = nl_request(path->rt, type, flags);
	struct fib_rule_hdr *rule = mnl_nlmsg_put_extra_header(nlh, sizeof(*rule));

	rule->family = family;
	rule->action = FR_ACT_TO_TBL;
	mnl_attr_put_u32(nlh, FRA_PRIORITY, PROBE_PATH_PREFERENCE);
	mnl_attr_put_u32(nlh, FRA_FWMARK, path->mark);
	mnl_attr_put_u32(nlh, FRA_FWMASK, ~(__u32)MPLB_PROBE_INDEX);
	mnl_attr_put_u32(nlh, FRA_TABLE, PROBE_PATH_TABLE);
	mnl_attr_put_u8(nlh, FRA_PROTOCOL, PROTOCOL);
	return nl_talk(path->rt, nlh, NULL, NULL);
}

/* As in `ip route add local default dev lo table TABLE`. */
static int change_route(struct probe_path *path, int type, int flags, unsigned char family)
{
	struct nlmsghdr *nlh = nl_request(path->rt, type, flags);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));

	rtm->rtm_family = family;
	rtm->rtm_type = RTN_LOCAL;
	rtm->rtm_scope = family == AF_INET ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
	rtm->rtm_protocol = PROTOCOL;
	mnl_attr_put_u32(nlh, RTA_TABLE, PROBE_PATH_TABLE);
	mnl_attr_put_u32(nlh, RTA_OIF, if_nametoindex("lo"));
	return nl_talk(path->rt, nlh, NULL, NULL);
}

static int put_family(struct probe_path *path, unsigned char family)
{
	const char *version = family == AF_INET ? "" : " -6";
	int err;

	err = change_route(path, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, family);
	if (err)
		return log_err_r(err,
				 "health probes: cannot do `ip%s route add local default dev lo "
				 "table %d`: %s%s",
				 version, PROBE_PATH_TABLE, nl_error(path->rt),
				 err == -ENETDOWN ? "; ip link set lo up" : "");
	*has(path, family) = true;
	err = change_rule(path, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, family);
	if (err && err != -EEXIST)
		return log_err_r(err,
				 "health probes: cannot do `ip%s rule add pref %d fwmark 0x%x/0x%x "
				 "lookup %d`: %s",
				 version, PROBE_PATH_PREFERENCE, path->mark,
				 ~(__u32)MPLB_PROBE_INDEX, PROBE_PATH_TABLE, nl_error(path->rt));
	return 0;
}

static void remove_family(struct probe_path *path, unsigned char family)
{
	if (!*has(path, family))
		return;
	/* What somebody else has removed meanwhile is gone all the same. */
	change_rule(path, RTM_DELRULE, 0, family);
	change_route(path, RTM_DELROUTE, 0, family);
	*has(path, family) = false;
}

/* Where the kernel sends a probe. */
struct way {
	unsigned char type;
	__u32 table;
	unsigned int device;
};

static int on_way(const struct nlmsghdr *nlh, void *data)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr;
	struct way *way = data;

	way->type = rtm->rtm_type;
	way->table = rtm->rtm_table;
	mnl_attr_for_each (attr, nlh, sizeof(*rtm)) {
		if (mnl_attr_get_type(attr) == RTA_TABLE)
			way->table = mnl_attr_get_u32(attr);
		else if (mnl_attr_get_type(attr) == RTA_OIF)
			way->device = mnl_attr_get_u32(attr);
	}
	return MNL_CB_OK;
}

static int ask_way(struct probe_path *path, const struct ip *vip, struct way *way)
{
	struct nlmsghdr *nlh = nl_request(path->rt, RTM_GETROUTE, 0);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));

	*way = (struct way){ 0 };
	rtm->rtm_family = (unsigned char)ip_af(vip);
	rtm->rtm_dst_len = (unsigned char)(IP_KEYLEN(vip->family) * 8);
	mnl_attr_put(nlh, RTA_DST, IP_KEYLEN(vip->family), &vip->addr);
	mnl_attr_put_u32(nlh, RTA_MARK, path->mark);
	return nl_talk(path->rt, nlh, on_way, way);
}

static bool is_right(struct probe_path *path, const struct ip *vip, struct way *way)
{
	return !ask_way(path, vip, way) && way->type == RTN_LOCAL &&
	       way->device == if_nametoindex("lo");
}

static int put_program(struct probe_path *path)
{
	int fd = datapath_load_probe(path->dp, path->mark), err;

	if (fd < 0)
		return fd;
	err = probe_tc_attach(&path->tc, fd);
	close(fd);
	return err;
}

/* Puts in place what is missing for these VIPs. 0 or -errno, logged. */
static int put_back(struct probe_path *path, const struct ip *vips, size_t n)
{
	bool done[2] = { false };
	int err = probe_tc_is_there(&path->tc) ? 0 : put_program(path);

	for (size_t i = 0; !err && i < n; i++) {
		bool *one = &done[vips[i].family == MPLB_FAMILY_6];

		if (!*one)
			err = put_family(path, (unsigned char)ip_af(&vips[i]));
		*one = true;
	}
	return err;
}

/* The first VIP to which probes do not go their way, or NULL; *way is the one that they go. */
static const struct ip *find_wrong(struct probe_path *path, const struct ip *vips, size_t n,
				   struct way *way)
{
	for (size_t i = 0; i < n; i++)
		if (!is_right(path, &vips[i], way))
			return &vips[i];
	return NULL;
}

static bool is_in_place(struct probe_path *path, const struct ip *vips, size_t n)
{
	struct way way;

	for (size_t i = 0; i < n; i++)
		if (!*has(path, (unsigned char)ip_af(&vips[i])))
			return false;
	return probe_tc_is_there(&path->tc) && !find_wrong(path, vips, n, &way);
}

/* Says what is in the way. */
static void say_wrong(const struct probe_path *path, const struct ip *vip, const struct way *way)
{
	char addr[IP_STRLEN], device[IF_NAMESIZE] = "nowhere";

	if (way->device)
		if_indextoname(way->device, device);
	log_error("health probes do not run: packets to %s with mark 0x%x leave by %s, by table "
		  "%u, and not through lo; a rule with a preference below %d is in the way, see: "
		  "ip rule",
		  ip_format(vip, addr), path->mark, device, way->table, PROBE_PATH_PREFERENCE);
}

bool probe_path_keep(struct probe_path *path, const struct ip *vips, size_t n)
{
	const struct ip *wrong;
	struct way way;
	int err;

	if (is_in_place(path, vips, n)) {
		if (path->broken)
			log_info("health probes run again");
		path->broken = false;
		return true;
	}
	/* It was said, and is not to be said each time. */
	if (path->broken && ++path->looks % LOOKS_PER_TRY)
		return false;
	if (path->placed && !path->broken)
		log_warn("health probes: their program, rule or route was removed, or another rule "
			 "is in front of it: putting them in place again");
	err = put_back(path, vips, n);
	wrong = err ? NULL : find_wrong(path, vips, n, &way);
	if (wrong && !path->broken)
		say_wrong(path, wrong, &way);
	path->broken = err || wrong;
	path->placed |= !path->broken;
	return !path->broken;
}

int probe_path_open(const struct datapath *dp, __u32 mark, struct probe_path **out)
{
	struct probe_path *path = calloc(1, sizeof(*path));
	int err;

	if (!path)
		return log_err_r(-ENOMEM, "out of memory");
	path->dp = dp;
	path->mark = path->tc.handle = mark;
	err = nl_open(NETLINK_ROUTE, 0, &path->rt);
	if (err)
		log_error("cannot open a netlink socket: %s", strerror(-err));
	else
		err = put_program(path);
	if (err) {
		probe_path_close(path);
		return err;
	}
	*out = path;
	return 0;
}

void probe_path_close(struct probe_path *path)
{
	if (!path)
		return;
	if (path->rt) {
		remove_family(path, AF_INET);
		remove_family(path, AF_INET6);
	}
	probe_tc_detach(&path->tc);
	nl_close(path->rt);
	free(path);
}

__u32 probe_path_mark(const struct probe_path *path)
{
	return path->mark;
}

bool probe_path_source(struct probe_path *path, const struct ip *vip, __u32 index, struct ip *out)
{
	const struct mplb_backend *b = &path->dp->backends[index];
	struct nexthop hop;

	if (b->family == vip->family) {
		*out = (struct ip){ b->src, b->family };
		return b->src.word[0] || b->src.word[3];
	}
	if (nexthop_resolve(path->rt, vip, &hop) || hop.src.family != vip->family ||
	    ip_equal(&hop.src, vip))
		return false;
	*out = hop.src;
	return true;
}

/* net.ipv4.conf.DEVICE.NAME; a dot in a device's name is a slash there. */
static long device_sysctl(const char *device, const char *name)
{
	char key[96];
	size_t at;

	at = (size_t)snprintf(key, sizeof(key), "net.ipv4.conf.");
	for (; *device; device++)
		key[at++] = *device == '.' ? '/' : *device;
	snprintf(key + at, sizeof(key) - at, ".%s", name);
	return sysctl_number(key, 0);
}

void probe_path_warn(struct probe_path *path, const struct ip *vip, __u32 index)
{
	const struct mplb_backend *b = &path->dp->backends[index];
	char device[IF_NAMESIZE], addr[IP_STRLEN];
	struct nexthop hop;
	long strict, all;

	/* IPv6 has no such checks. */
	if (vip->family != MPLB_FAMILY_4 || !if_indextoname(b->ifindex, device) ||
	    nexthop_resolve(path->rt, vip, &hop))
		return;
	ip_format(vip, addr);
	if (hop.fault == NEXTHOP_LOCAL) {
		if (!device_sysctl("all", "accept_local") && !device_sysctl(device, "accept_local"))
			log_warn(
				"VIP %s is an address of this machine, which therefore drops the "
				"answers to health probes: sysctl net.ipv4.conf.%s.accept_local=1, "
				"or take the address off",
				addr, device);
		return;
	}
	strict = device_sysctl(device, "rp_filter");
	all = device_sysctl("all", "rp_filter");
	strict = all > strict ? all : strict;
	if (strict == 1 && hop.ifindex != b->ifindex)
		log_warn("the route to VIP %s is not through %s, so rp_filter drops the answers to "
			 "health probes there: sysctl net.ipv4.conf.%s.rp_filter=2 (and "
			 "net.ipv4.conf.all.rp_filter not 1)%s",
			 addr, device, device,
			 hop.device ? "" : ", and a route to it, such as a default route");
	else if (strict == 2 && !hop.device)
		log_warn("there is no route to VIP %s, so rp_filter drops the answers to health "
			 "probes on %s: add one, such as a default route, or sysctl "
			 "net.ipv4.conf.%s.rp_filter=0",
			 addr, device, device);
}
