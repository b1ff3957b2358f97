/* SPDX-License-Identifier: GPL-2.0-only */
/* The doctor on the guard: its devices, and services that it would cut off. */
#include "doctor_exam.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/sysctl.h"
#include "tc.h"

#define MAX_SOCKETS	  1024 /* looked at, of a kind */
#define DEFAULT_EPHEMERAL 32768

/* ---- devices ---- */

static bool is_ethernet(const char *device)
{
	struct ifreq request = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool is;

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", device);
	is = fd >= 0 && !ioctl(fd, SIOCGIFHWADDR, &request) &&
	     request.ifr_hwaddr.sa_family == ARPHRD_ETHER;
	if (fd >= 0)
		close(fd);
	return is;
}

static void examine_device(struct examination *x, const char *device)
{
	char kind[SERVER_TC_QDISC_LEN];

	if (!if_nametoindex(device)) {
		doctor_found(x, DOCTOR_GUARD_DEVICE,
			     doctor_advice(x, "name one that `ip link` lists under guard_devices"),
			     "the guard has no device %s to be on", device);
		return;
	}
	if (!is_ethernet(device))
		doctor_found(x, DOCTOR_GUARD_LINK,
			     doctor_advice(x, "name another one under guard_devices"),
			     "device %s has no Ethernet frames, and the guard reads no others",
			     device);
	/* That of the decapsulation is looked at with it. */
	if (x->config->device && !strcmp(x->config->device, device))
		return;
	if (!server_tc_qdisc(x->machine.route, device, kind) && *kind &&
	    strcmp(kind, "clsact") != 0)
		doctor_found(x, DOCTOR_QDISC,
			     doctor_command(x, "tc qdisc del dev %s %s", device, kind),
			     "device %s: its %s qdisc is where clsact has to be, which can do the "
			     "same and more",
			     device, kind);
}

static bool is_guarded(const struct server_guard_config *guard, const char *device)
{
	for (size_t i = 0; i < guard->n_devices; i++)
		if (!strcmp(guard->device[i], device))
			return true;
	return false;
}

/* A host takes packets to any of its addresses from any device. */
static void examine_other_devices(struct examination *x)
{
	int lo = (int)if_nametoindex("lo"), last = 0;
	char device[IF_NAMESIZE];

	for (size_t i = 0; i < x->machine.n_addrs; i++) {
		int ifindex = x->machine.addrs[i].ifindex;

		if (ifindex == lo || ifindex == last ||
		    !if_indextoname((unsigned int)ifindex, device) ||
		    is_guarded(&x->config->guard, device))
			continue;
		last = ifindex;
		doctor_found(x, DOCTOR_GUARD_OTHER_DEVICE,
			     doctor_advice(x,
					   "add it to guard_devices, unless nobody can send such "
					   "packets there"),
			     "packets to dedicated addresses that come in by device %s are not "
			     "guarded",
			     device);
	}
}

/* ---- services that would be cut off ---- */

struct sockets {
	struct pm_listener at[MAX_SOCKETS];
	size_t n;
};

static int collect(const struct pm_listener *socket, void *data)
{
	struct sockets *list = data;

	if (list->n < MAX_SOCKETS)
		list->at[list->n++] = *socket;
	return 0;
}

static bool has_port(const struct sockets *list, __u16 port, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list->at[i].port == port)
			return true;
	return false;
}

static bool is_allowed(const struct server_guard_config *guard, __u8 proto, __u16 port)
{
	for (size_t i = 0; i < guard->n_allow; i++)
		if (guard->allow[i].proto == proto && ntohs(guard->allow[i].port) == port)
			return true;
	return false;
}

/* The first dedicated address that the socket is to be reached at, or NULL. */
static const struct ip *reached_at(const struct server_config *config,
				   const struct pm_listener *socket)
{
	for (size_t i = 0; i < config->dedicated.n; i++)
		if (pm_listener_takes(socket, &config->dedicated.ip[i]))
			return &config->dedicated.ip[i];
	return NULL;
}

/* From this port on sockets of UDP only ask. */
static long first_ephemeral(void)
{
	char range[32];

	return sysctl_read("net.ipv4.ip_local_port_range", range, sizeof(range))
		       ? DEFAULT_EPHEMERAL
		       : strtol(range, NULL, 10);
}

/* Ports below end, but those of except. Each once. */
static void examine_sockets(struct examination *x, __u8 proto, long end, const struct sockets *list,
			    const struct sockets *except)
{
	const char *name = proto == IPPROTO_TCP ? "tcp" : "udp";
	char text[IP_STRLEN];

	for (size_t i = 0; i < list->n; i++) {
		const struct pm_listener *socket = &list->at[i];
		const struct ip *at = reached_at(x->config, socket);

		if (!at || !socket->port || socket->port >= end ||
		    has_port(list, socket->port, i) || has_port(except, socket->port, except->n) ||
		    is_allowed(&x->config->guard, proto, socket->port))
			continue;
		doctor_found(x, DOCTOR_GUARD_CUTS_OFF,
			     doctor_advice(x, "if it is to be reached there, guard_allow: [%u/%s]",
					   socket->port, name),
			     "the guard keeps all from the service at %u/%s on %s", socket->port,
			     name, ip_format(at, text));
	}
}

/* What listens with MPTCP is the service itself. */
static void examine_services(struct examination *x)
{
	static struct sockets mptcp, tcp, udp;
	static const struct sockets none;

	mptcp.n = tcp.n = udp.n = 0;
	if (!x->diag)
		return;
	if (!pm_diag_listeners(x->diag, collect, &mptcp) &&
	    !pm_diag_tcp_listeners(x->diag, collect, &tcp))
		examine_sockets(x, IPPROTO_TCP, 65536, &tcp, &mptcp);
	if (!pm_diag_udp(x->diag, collect, &udp))
		examine_sockets(x, IPPROTO_UDP, first_ephemeral(), &udp, &none);
}

void doctor_guard(struct examination *x)
{
	const struct server_guard_config *guard = &x->config->guard;

	if (!guard->on)
		return;
	for (size_t i = 0; i < guard->n_devices; i++)
		examine_device(x, guard->device[i]);
	examine_other_devices(x);
	examine_services(x);
}
