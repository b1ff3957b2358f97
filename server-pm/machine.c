/* SPDX-License-Identifier: GPL-2.0-only */
#include "machine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include <linux/mptcp.h>
#include "lib/log.h"

int machine_open(struct machine *out)
{
	struct machine m = { 0 };
	int err = nl_open(NETLINK_ROUTE, 0, &m.route);

	if (err)
		return log_err_r(err, "rtnetlink: %s; see that the process may open sockets",
				 strerror(-err));
	err = mptcp_pm_open(&m.pm);
	if (err && err != -ENOENT) {
		nl_close(m.route);
		return log_err_r(err, "generic netlink: %s; see that the process may open sockets",
				 strerror(-err));
	}
	*out = m;
	return 0;
}

void machine_close(struct machine *m)
{
	nl_close(m->route);
	mptcp_pm_close(m->pm);
	free(m->addrs);
	*m = (struct machine){ 0 };
}

static int look_addresses(struct machine *m)
{
	struct rtaddr *addrs;
	int n = rtaddr_dump(m->route, &addrs);

	if (n < 0)
		return log_err_r(n, "addresses cannot be listed: %s", nl_error(m->route));
	free(m->addrs);
	m->addrs = addrs;
	m->n_addrs = (size_t)n;
	return 0;
}

int machine_look(struct machine *m)
{
	size_t max = sizeof(m->endpoints) / sizeof(*m->endpoints);
	int n = look_addresses(m);

	if (n || !m->pm)
		return n;
	n = mptcp_pm_endpoints(m->pm, m->endpoints, max);
	if (n < 0)
		return log_err_r(n, "MPTCP endpoints cannot be listed: %s; run as root",
				 mptcp_pm_error(m->pm));
	m->n_endpoints = (size_t)n < max ? (size_t)n : max;
	n = mptcp_pm_get_limits(m->pm, &m->limits);
	if (n < 0)
		return log_err_r(n, "MPTCP limits cannot be read: %s", mptcp_pm_error(m->pm));
	return 0;
}

const struct mptcp_endpoint *machine_endpoint(const struct machine *m, const struct ip *addr,
					      __u16 port)
{
	for (size_t i = 0; i < m->n_endpoints; i++) {
		const struct mptcp_endpoint *e = &m->endpoints[i];

		if (e->port == port && !(e->flags & MPTCP_PM_ADDR_FLAG_IMPLICIT) &&
		    ip_equal(&e->addr, addr))
			return e;
	}
	return NULL;
}

bool machine_kernel_at_least(unsigned int major, unsigned int minor)
{
	unsigned int have_major, have_minor;
	struct utsname name;

	if (uname(&name) || sscanf(name.release, "%u.%u", &have_major, &have_minor) != 2)
		return false;
	return have_major > major || (have_major == major && have_minor >= minor);
}

unsigned long long machine_capabilities(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	unsigned long long caps = 0;
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "CapEff: %llx", &caps) == 1)
			break;
	if (file)
		fclose(file);
	return caps;
}
