/* SPDX-License-Identifier: GPL-2.0-only */
#include "item_sysctl.h"

#include <string.h>
#include "lib/sysctl.h"
#include "machine.h"

/*
 * How long the kernel waits for the echo of an ADD_ADDR before it sends it again, seconds; at most
 * three times. Up to 6.17 that is the time from one to the next, 120 by default: a client whose
 * first ADD_ADDR is lost stays on the VIP for two minutes. One second, the least there is, repairs
 * a loss within a round trip's order, and covers three seconds. From 6.18 on (net/mptcp/pm.c,
 * mptcp_adjust_add_addr_timeout()) the kernel goes by the round-trip time and doubles it, with this
 * as the upper bound: any value but 0 (never again) will do.
 */
#define ADD_ADDR_TIMEOUT	 "net.mptcp.add_addr_timeout"
#define ADD_ADDR_TIMEOUT_FLAT	 "1"
#define ADD_ADDR_TIMEOUT_HIGHEST "120" /* the default */

#define JOIN_VIP     "net.mptcp.allow_join_initial_addr_port"
#define PATH_MANAGER "net.mptcp.path_manager" /* from 6.15 on; pm_type follows it */
#define PM_TYPE	     "net.mptcp.pm_type" /* from 5.19 on */

static bool add_addr_timeout(long value)
{
	return machine_kernel_at_least(6, 18) ? value > 0 : value == 1;
}

/* 1: answer only for addresses of the device asked on; 2: also only its subnet; 8: never. The
 * values between do answer for an address of global scope on lo (ip-sysctl.rst, arp_ignore). */
static bool arp_ignore(long value)
{
	return value == 1 || value == 2 || value == 8;
}

static bool two(long value)
{
	return value == 2;
}

static const struct {
	struct item_sysctl sysctl;
	bool (*ok)(long value);
} sysctls[] = {
	{ { ADD_ADDR_TIMEOUT, ADD_ADDR_TIMEOUT_FLAT, false }, add_addr_timeout },
	/* VIPs on lo must not be answered for, nor used as the sender, in ARP: the balancer's
	 * segment would send VIP traffic here directly. */
	{ { "net.ipv4.conf.all.arp_ignore", "1", true }, arp_ignore },
	{ { "net.ipv4.conf.all.arp_announce", "2", true }, two },
};

bool item_sysctl(size_t i, struct item_sysctl *out)
{
	if (i >= sizeof(sysctls) / sizeof(*sysctls))
		return false;
	*out = sysctls[i].sysctl;
	if (!strcmp(out->name, ADD_ADDR_TIMEOUT) && machine_kernel_at_least(6, 18))
		out->value = ADD_ADDR_TIMEOUT_HIGHEST;
	return true;
}

bool item_sysctl_manager(enum server_manager manager, struct item_sysctl *out)
{
	bool userspace = manager == SERVER_MANAGER_USERSPACE;
	char value[32];

	if (!sysctl_read(PATH_MANAGER, value, sizeof(value)))
		*out = (struct item_sysctl){ PATH_MANAGER, userspace ? "userspace" : "kernel" };
	else if (!sysctl_read(PM_TYPE, value, sizeof(value)))
		*out = (struct item_sysctl){ PM_TYPE, userspace ? "1" : "0" };
	else
		return false;
	return true;
}

void item_sysctl_c_flag(bool join_vip, struct item_sysctl *out)
{
	*out = (struct item_sysctl){ JOIN_VIP, join_vip ? "1" : "0" };
}

static int is_value(const char *name, const char *wanted)
{
	char value[32];

	return !sysctl_read(name, value, sizeof(value)) && !strcmp(value, wanted);
}

int item_sysctl_ok(const char *name, const char *wanted)
{
	if (!strcmp(name, PATH_MANAGER) || !strcmp(name, PM_TYPE) || !strcmp(name, JOIN_VIP))
		return is_value(name, wanted);
	for (size_t i = 0; i < sizeof(sysctls) / sizeof(*sysctls); i++)
		if (!strcmp(sysctls[i].sysctl.name, name))
			return sysctls[i].ok(sysctl_number(name, -1));
	return 0;
}
