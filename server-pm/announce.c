/* SPDX-License-Identifier: GPL-2.0-only */
#include "announce.h"

#include "lib/mptcp_pm.h"
#include "lib/sysctl.h"

bool announce_port_fits_ipv6(void)
{
	return sysctl_number("net.ipv4.tcp_timestamps", 1) == 0 ||
	       sysctl_number("net.mptcp.add_addr_v6_port_drop_ts", 0) == 1;
}

size_t announce_list(const struct server_config *config, bool ipv6, struct announced *out)
{
	size_t n = 0;

	for (size_t i = 0; i < config->dedicated.n && n < MPTCP_PM_MAX_ENDPOINTS; i++)
		out[n++] = (struct announced){ .addr = config->dedicated.ip[i] };
	if (config->guard.prefix.family && n < MPTCP_PM_MAX_ENDPOINTS)
		out[n++] = (struct announced){ .addr = config->guard.prefix, .prefix = true };
	if (!config->join_port)
		return n;
	for (size_t i = 0; i < config->vips.n && n < MPTCP_PM_MAX_ENDPOINTS; i++)
		if (ipv6 || config->vips.ip[i].family == MPLB_FAMILY_4)
			out[n++] = (struct announced){ .addr = config->vips.ip[i],
						       .port = config->join_port };
	return n;
}
