/* SPDX-License-Identifier: GPL-2.0-only */
#include "doctor.h"

#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/capability.h>
#include "announce.h"
#include "decap.h"
#include "item.h"
#include "item_sysctl.h"
#include "lib/log.h"
#include "lib/sysctl.h"
#include "pins.h"
#include "tc.h"

struct examination {
	const struct server_config *config;
	const char *pin_dir;
	struct machine machine;
	struct server_state *state; /* NULL: nothing is set up */
	struct doctor_report report;
};

#define blocker(x, ...) ((x)->report.blockers++, log_error(__VA_ARGS__))
#define fault(x, ...)	((x)->report.faults++, log_warn(__VA_ARGS__))

static void examine_rights(struct examination *x)
{
	unsigned long long caps = machine_capabilities();

	if (!(caps & 1ULL << CAP_NET_ADMIN))
		blocker(x, "no right to configure the network (CAP_NET_ADMIN); run as root");
	if (!(caps & (1ULL << CAP_BPF | 1ULL << CAP_SYS_ADMIN)))
		blocker(x, "no right to load BPF programs (CAP_BPF); run as root");
}

static void examine_pins(struct examination *x)
{
	char mend[PATH_MAX + 64];

	if (server_pins_check(x->pin_dir, mend, sizeof(mend)))
		blocker(x, "pin folder %s is not on a BPF file system; %s", x->pin_dir, mend);
}

static void examine_mptcp(struct examination *x)
{
	struct item_sysctl manager;

	if (!x->machine.pm) {
		blocker(x, "this kernel has no MPTCP; boot one built with CONFIG_MPTCP=y");
		return;
	}
	if (sysctl_number("net.mptcp.enabled", 0) == 0)
		blocker(x, "sysctl net.mptcp.enabled is 0; sysctl -w net.mptcp.enabled=1");
	if (sysctl_number("net.mptcp.allow_join_initial_addr_port", -1) < 0)
		blocker(x, "this kernel cannot tell clients not to join a VIP "
			   "(net.mptcp.allow_join_initial_addr_port); boot Linux 5.14 or later");
	if (x->config->manager == SERVER_MANAGER_USERSPACE &&
	    !item_sysctl_manager(SERVER_MANAGER_USERSPACE, &manager))
		blocker(x, "this kernel leaves path management to no program (it has neither "
			   "net.mptcp.path_manager nor net.mptcp.pm_type); boot Linux 5.19 or "
			   "later, or write path_manager: kernel");
}

/* True where the device is there and up. */
static bool is_up(const char *device)
{
	struct ifreq request = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool up;

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", device);
	up = fd >= 0 && !ioctl(fd, SIOCGIFFLAGS, &request) && (request.ifr_flags & IFF_UP);
	if (fd >= 0)
		close(fd);
	return up;
}

static long effective_rp_filter(const char *device)
{
	char name[64], escaped[IFNAMSIZ];
	long all = sysctl_number("net.ipv4.conf.all.rp_filter", 0), here;

	snprintf(escaped, sizeof(escaped), "%s", device);
	for (char *c = escaped; *c; c++)
		if (*c == '.')
			*c = '/';
	snprintf(name, sizeof(name), "net.ipv4.conf.%s.rp_filter", escaped);
	here = sysctl_number(name, 0);
	return here > all ? here : all;
}

/* The programs for the second chance and the MSS hang on a clsact qdisc. */
static void examine_qdisc(struct examination *x, const char *device)
{
	char kind[SERVER_TC_QDISC_LEN];

	if (server_tc_qdisc(x->machine.route, device, kind) || !*kind || !strcmp(kind, "clsact"))
		return;
	blocker(x,
		"device %s: its %s qdisc is where clsact has to be, which can do the same and "
		"more; tc qdisc del dev %s %s",
		device, kind, device, kind);
}

static void examine_device(struct examination *x)
{
	const char *device = x->config->device;
	char name[64];

	if (!device)
		return;
	if (!if_nametoindex(device)) {
		conf_error(x->config->conf, "decapsulate.device",
			   "no device %s on this machine; `ip link` lists them", device);
		x->report.blockers++;
		return;
	}
	if (server_decap_foreign(x->state, device, name, sizeof(name)))
		blocker(x,
			"device %s: XDP program '%s' is on it and cannot be shared; ip link set "
			"dev "
			"%s xdp off (or xdpgeneric off)",
			device, name, device);
	examine_qdisc(x, device);
	if (!is_up(device))
		fault(x, "device %s is down; ip link set dev %s up", device, device);
	if (effective_rp_filter(device) == 1)
		log_warn(
			"device %s: rp_filter is strict, and packets taken out of the tunnel carry "
			"clients' addresses: they are lost unless the route back goes out there, "
			"too; sysctl -w net.ipv4.conf.%s.rp_filter=2 (loose)",
			device, device);
}

static void examine_addresses(struct examination *x)
{
	const struct server_config *c = x->config;
	const struct machine *m = &x->machine;
	char text[IP_STRLEN], device[IF_NAMESIZE] = "?";
	int lo = (int)if_nametoindex("lo");

	for (size_t i = 0; i < c->dedicated.n; i++)
		if (!rtaddr_find(m->addrs, m->n_addrs, &c->dedicated.ip[i], 0))
			fault(x,
			      "dedicated address %s is not on this machine, so joins to it go "
			      "elsewhere unless something translates it; ip address add %s dev "
			      "DEVICE",
			      ip_format(&c->dedicated.ip[i], text), text);
	for (size_t i = 0; i < c->vips.n; i++) {
		const struct rtaddr *at = rtaddr_find(m->addrs, m->n_addrs, &c->vips.ip[i], 0);

		if (!at || at->ifindex == lo)
			continue;
		if_indextoname((unsigned int)at->ifindex, device);
		log_warn("VIP %s is on device %s, which answers ARP and ND for it; unless that is "
			 "meant: ip address delete %s dev %s",
			 ip_format(&c->vips.ip[i], text), device, text, device);
	}
	if (!is_up("lo"))
		fault(x, "device lo is down, so VIPs on it receive nothing; ip link set dev lo up");
}

/* An IPv6 address with a port does not go into an option next to TCP timestamps. */
static void examine_join_port(struct examination *x)
{
	const struct server_config *c = x->config;
	struct announced list[MPTCP_PM_MAX_ENDPOINTS];
	size_t left_out = announce_list(c, true, list) - announce_list(c, false, list);
	char text[IP_STRLEN];

	if (!c->join_port || !left_out || announce_port_fits_ipv6())
		return;
	if (announce_list(c, false, list))
		log_warn("join_port: this kernel sends no ADD_ADDR with an IPv6 address and a port "
			 "next to TCP timestamps, so IPv6 VIPs are not announced; connections to "
			 "them are told %s, which clients without that family cannot join; sysctl "
			 "-w net.ipv4.tcp_timestamps=0, Linux 7.2, or mp_join: steer on the "
			 "balancer",
			 ip_format(&list[0].addr, text));
	else
		fault(x, "join_port: this kernel sends no ADD_ADDR with an IPv6 address and a port "
			 "next to TCP timestamps, so nothing is announced; sysctl -w "
			 "net.ipv4.tcp_timestamps=0 and start anew, boot Linux 7.2, give an IPv4 "
			 "VIP or a "
			 "dedicated address, or write mp_join: steer on the balancer");
}

/* Endpoints in the way: the same address with other flags, or too many of others. */
static void examine_endpoints(struct examination *x)
{
	const struct item_place place = { .machine = &x->machine, .state = x->state };
	struct mplb_server_item *plan;
	size_t more = 0, others = x->machine.n_endpoints;
	int n = x->machine.pm ? item_plan(x->config, &plan) : -ENOENT;
	char text[ITEM_TEXT];

	if (n < 0)
		return;
	for (int i = 0; i < n; i++) {
		const struct ip ip = { .addr = plan[i].addr, .family = plan[i].family };

		if (plan[i].kind != MPLB_SERVER_ENDPOINT)
			continue;
		more++;
		if (machine_endpoint(&x->machine, &ip, plan[i].port))
			others--;
		if (item_look(&place, &plan[i]) == -EEXIST)
			blocker(x,
				"%s: there is an endpoint of this address with other flags; "
				"ip mptcp endpoint delete id %u",
				item_text(&plan[i], text),
				machine_endpoint(&x->machine, &ip, plan[i].port)->id);
	}
	free(plan);
	if (!x->state && more + others > MPTCP_PM_MAX_ENDPOINTS)
		blocker(x,
			"%zu MPTCP endpoints are there and %zu are wanted, and the kernel has room "
			"for %d; `ip mptcp endpoint` lists them: delete some",
			others, more, MPTCP_PM_MAX_ENDPOINTS);
}

int doctor_examine(const struct server_config *config, const char *pin_dir,
		   struct doctor_report *out)
{
	struct examination x = { .config = config, .pin_dir = pin_dir };
	int err = machine_open(&x.machine);

	if (err)
		return err;
	examine_rights(&x);
	examine_pins(&x);
	if (!x.report.blockers)
		err = server_state_open(pin_dir, false, &x.state);
	if (!err || err == -ENOENT)
		err = machine_look(&x.machine);
	if (!err) {
		examine_mptcp(&x);
		examine_device(&x);
		examine_addresses(&x);
		examine_join_port(&x);
		examine_endpoints(&x);
		*out = x.report;
	}
	server_state_close(x.state);
	machine_close(&x.machine);
	return err;
}
