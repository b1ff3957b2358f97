/* SPDX-License-Identifier: GPL-2.0-only */
/* The doctor on addresses, ARP and routes. */
#include "doctor_exam.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include <linux/if_addr.h>
#include "item_sysctl.h"
#include "lib/sysctl.h"

#define ARP_IGNORE_ALL "net.ipv4.conf.all.arp_ignore"

/* RFC 1918, and RFC 6598 (carriers' address translation). */
static bool is_private(const struct ip *ip)
{
	__u32 a = ntohl(ip->addr.word[0]);

	return ip->family == MPLB_FAMILY_4 &&
	       (a >> 24 == 10 || a >> 20 == 0xac1 || a >> 16 == 0xc0a8 || a >> 22 == 0x191);
}

static void examine_dedicated(struct examination *x, const struct ip *ip)
{
	const struct rtaddr *at = rtaddr_find(x->machine.addrs, x->machine.n_addrs, ip, 0);
	char text[IP_STRLEN], device[IF_NAMESIZE] = "?";

	ip_format(ip, text);
	if (is_private(ip))
		doctor_found(
			x, DOCTOR_PRIVATE_ADDRESS,
			doctor_advice(x, "give a public address under dedicated, if clients "
					 "come from outside"),
			"dedicated address %s is a private one: Apple's clients ignore it, and "
			"stay on the VIP",
			text);
	if (!at) {
		doctor_found(x, DOCTOR_DEDICATED_MISSING,
			     doctor_command(x, "ip address add %s dev lo", text),
			     "dedicated address %s is not on this machine: joins to it go "
			     "elsewhere, unless something translates it",
			     text);
		return;
	}
	if_indextoname((unsigned int)at->ifindex, device);
	if (!(doctor_device_flags(device) & IFF_UP) && strcmp(device, "lo") != 0)
		doctor_found(
			x, DOCTOR_DEDICATED_DOWN,
			doctor_command(x, "ip link set dev %s up", device),
			"dedicated address %s is on device %s, which is down: the kernel takes "
			"no packets to it",
			text, device);
	if (at->flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED))
		doctor_found(
			x, DOCTOR_DEDICATED_TENTATIVE,
			doctor_command(x,
				       "ip address del %s/%u dev %s; ip address add %s/%u dev "
				       "%s nodad",
				       text, at->prefix_len, device, text, at->prefix_len, device),
			at->flags & IFA_F_DADFAILED
				? "dedicated address %s on device %s: another host has it, and "
				  "the kernel does not use it (duplicate address detection); "
				  "if it has not"
				: "dedicated address %s on device %s is tentative: the kernel "
				  "does not use it before duplicate address detection is over",
			text, device);
}

void doctor_dedicated(struct examination *x)
{
	for (size_t i = 0; i < x->config->dedicated.n; i++)
		examine_dedicated(x, &x->config->dedicated.ip[i]);
}

/* A device without neighbours answers no questions about addresses. */
static bool has_neighbours(const char *device)
{
	return !(doctor_device_flags(device) & (IFF_LOOPBACK | IFF_NOARP | IFF_POINTOPOINT));
}

void doctor_vips(struct examination *x)
{
	const struct machine *m = &x->machine;
	char text[IP_STRLEN], device[IF_NAMESIZE];

	if (!(doctor_device_flags("lo") & IFF_UP))
		doctor_found(x, DOCTOR_LO_DOWN, doctor_command(x, "ip link set dev lo up"),
			     "device lo is down, so VIPs on it receive nothing");
	for (size_t i = 0; i < m->n_addrs; i++)
		for (size_t j = 0; j < x->config->vips.n; j++) {
			if (!ip_equal(&m->addrs[i].addr, &x->config->vips.ip[j]) ||
			    !if_indextoname((unsigned int)m->addrs[i].ifindex, device) ||
			    !has_neighbours(device))
				continue;
			ip_format(&x->config->vips.ip[j], text);
			doctor_found(x, DOCTOR_VIP_ON_SEGMENT,
				     doctor_command(x, "ip address del %s/%u dev %s", text,
						    m->addrs[i].prefix_len, device),
				     "VIP %s is on device %s, which answers %s for it: the segment "
				     "sends all of the VIP's packets here, past the balancer",
				     text, device,
				     x->config->vips.ip[j].family == MPLB_FAMILY_4 ? "ARP" : "ND");
		}
}

static bool any_ipv4(const struct server_addresses *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->ip[i].family == MPLB_FAMILY_4)
			return true;
	return false;
}

/* The larger of a device's arp_ignore and that of `all` holds: one of 3 to 7 undoes the 1 of `all`.
 */
static void examine_arp(struct examination *x, const char *device)
{
	char name[64];
	long here;

	snprintf(name, sizeof(name), "net.ipv4.conf.%.32s.arp_ignore", device);
	for (char *c = name + strlen("net.ipv4.conf."); *c && c < strrchr(name, '.'); c++)
		if (*c == '.')
			*c = '/';
	here = sysctl_number(name, 0);
	if (here <= sysctl_number(ARP_IGNORE_ALL, 0) || here == 2 || here == 8 ||
	    !has_neighbours(device))
		return;
	doctor_found(
		x, DOCTOR_ARP_DEVICE, doctor_command(x, "sysctl -w %s=1", name),
		"sysctl %s is %ld: device %s answers ARP for VIPs, and the segment sends their "
		"packets here, past the balancer",
		name, here, device);
}

/* Where `all` itself is wrong, it is the matter of what server-pm keeps. */
void doctor_arp(struct examination *x)
{
	DIR *dir = any_ipv4(&x->config->vips) && item_sysctl_ok(ARP_IGNORE_ALL, "1")
			   ? opendir("/proc/sys/net/ipv4/conf")
			   : NULL;
	const struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' && strcmp(entry->d_name, "all") != 0 &&
		    strcmp(entry->d_name, "default") != 0)
			examine_arp(x, entry->d_name);
	if (dir)
		closedir(dir);
}

static bool any_family(const struct server_config *config, __u8 family)
{
	for (size_t i = 0; i < config->vips.n; i++)
		if (config->vips.ip[i].family == family)
			return true;
	for (size_t i = 0; i < config->dedicated.n; i++)
		if (config->dedicated.ip[i].family == family)
			return true;
	return false;
}

void doctor_routes(struct examination *x)
{
	static const __u8 families[] = { MPLB_FAMILY_4, MPLB_FAMILY_6 };

	for (size_t i = 0; i < sizeof(families); i++)
		if (any_family(x->config, families[i]) &&
		    doctor_route(x->machine.route, families[i]) < 0 &&
		    !doctor_has_router(x->machine.route, families[i]))
			doctor_found(
				x, DOCTOR_NO_ROUTE,
				doctor_advice(x, "ip route add default via ROUTER"),
				"no %s route leads off this machine's own networks: answers to "
				"clients beyond them are not sent",
				families[i] == MPLB_FAMILY_4 ? "IPv4" : "IPv6");
}
