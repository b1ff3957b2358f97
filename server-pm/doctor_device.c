/* SPDX-License-Identifier: GPL-2.0-only */
/* The doctor on the device by which the balancers' packets arrive. */
#include "doctor_exam.h"

#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include "decap.h"
#include "lib/sysctl.h"
#include "tc.h"

#define COMMON_MTU                                                                                 \
	1500 /* of clients' paths: what a full segment fills where the MSS is left alone */

/* Asks about a device. False where it is not there, or cannot say. */
static bool ask(const char *device, unsigned long request, struct ifreq *answer)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool ok;

	snprintf(answer->ifr_name, sizeof(answer->ifr_name), "%s", device);
	ok = fd >= 0 && !ioctl(fd, request, answer);
	if (fd >= 0)
		close(fd);
	return ok;
}

unsigned int doctor_device_flags(const char *device)
{
	struct ifreq answer = { 0 };

	return ask(device, SIOCGIFFLAGS, &answer) ? (unsigned short)answer.ifr_flags : 0;
}

static int device_mtu(const char *device)
{
	struct ifreq answer = { 0 };

	return ask(device, SIOCGIFMTU, &answer) ? answer.ifr_mtu : 0;
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
	doctor_found(x, DOCTOR_QDISC, doctor_command(x, "tc qdisc del dev %s %s", device, kind),
		     "device %s: its %s qdisc is where clsact has to be, which can do the same and "
		     "more",
		     device, kind);
}

/* Strict: the route back to the sender, a client, must go out where the packet came in. */
static void examine_rp_filter(struct examination *x, const char *device)
{
	if (effective_rp_filter(device) != 1 ||
	    doctor_route(x->machine.route, MPLB_FAMILY_4) == (int)if_nametoindex(device))
		return;
	doctor_found(x, DOCTOR_RP_FILTER,
		     doctor_command(x,
				    "sysctl -w net.ipv4.conf.all.rp_filter=0 "
				    "net.ipv4.conf.%s.rp_filter=2",
				    device),
		     "device %s: rp_filter is strict, packets taken out of the tunnel carry "
		     "clients' addresses, and the way back to clients is by another device: the "
		     "kernel drops them without a word",
		     device);
}

static void examine_mtu(struct examination *x, const char *device)
{
	int mtu = device_mtu(device), want = x->config->mtu;

	if (want == SERVER_MTU_ANY)
		want = COMMON_MTU + server_decap_overhead(x->config);
	if (!mtu || mtu >= want)
		return;
	doctor_found(x, DOCTOR_MTU, doctor_command(x, "ip link set dev %s mtu %d", device, want),
		     x->config->mtu == SERVER_MTU_ANY
			     ? "device %s: MTU %d, but with decapsulate.mtu: 0 clients send full "
			       "segments, which fill %d bytes with the tunnel's headers"
			     : "device %s: MTU %d, but the MSS of the VIPs is made for "
			       "decapsulate.mtu: %d",
		     device, mtu, want);
}

/* Seen in namespaces and containers: what a veth leaves to a NIC, an XDP program at the other end
 * forwards unfinished. */
static void examine_checksum(struct examination *x, const char *device)
{
	struct ethtool_drvinfo driver = { .cmd = ETHTOOL_GDRVINFO };
	struct ethtool_value tx = { .cmd = ETHTOOL_GTXCSUM };
	struct ifreq ask_driver = { .ifr_data = (void *)&driver };
	struct ifreq ask_tx = { .ifr_data = (void *)&tx };

	if (!ask(device, SIOCETHTOOL, &ask_driver) || strcmp(driver.driver, "veth") != 0 ||
	    !ask(device, SIOCETHTOOL, &ask_tx) || !tx.data)
		return;
	doctor_found(x, DOCTOR_TX_CHECKSUM, doctor_command(x, "ethtool -K %s tx off", device),
		     "device %s is a veth that leaves checksums to be finished later: an XDP "
		     "program at its other end forwards packets without them",
		     device);
}

/* Where our program is: before it is set up, run says what it finds. */
static void examine_mode(struct examination *x, const char *device)
{
	if (x->state && x->config->mode != SERVER_MODE_GENERIC &&
	    !strcmp(server_decap_mode(x->state, device), "generic"))
		doctor_found(x, DOCTOR_GENERIC_MODE,
			     doctor_advice(x,
					   "use a driver with XDP, or write decapsulate: {device: "
					   "%s, mode: generic} to be told no more",
					   device),
			     "device %s: the decapsulation runs in generic mode, which is slower",
			     device);
}

void doctor_device(struct examination *x)
{
	const char *device = x->config->device;
	char name[64];

	if (!device)
		return;
	if (!if_nametoindex(device)) {
		doctor_found(x, DOCTOR_DEVICE_MISSING,
			     doctor_advice(x, "`ip link` lists them: write one of those"),
			     "decapsulate.device: no device %s on this machine", device);
		return;
	}
	if (server_decap_foreign(x->state, device, name, sizeof(name)))
		doctor_found(x, DOCTOR_XDP_FOREIGN,
			     doctor_command(x,
					    "ip link set dev %s xdp off; ip link set dev %s "
					    "xdpgeneric off",
					    device, device),
			     "device %s: XDP program '%s' is on it and cannot be shared", device,
			     name);
	examine_qdisc(x, device);
	if (!(doctor_device_flags(device) & IFF_UP))
		doctor_found(x, DOCTOR_DEVICE_DOWN,
			     doctor_command(x, "ip link set dev %s up", device),
			     "device %s is down", device);
	examine_mode(x, device);
	examine_mtu(x, device);
	examine_rp_filter(x, device);
	examine_checksum(x, device);
}
