/* SPDX-License-Identifier: GPL-2.0-only */
/* lb-agent check */
#include "agent.h"

#include <stdio.h>

#include "loader/config.h"

int agent_cmd_check(const struct agent_options *options)
{
	struct lb_config *config;

	if (lb_config_load(options->config, &config))
		return AGENT_USAGE;
	printf("%s: ok: %zu VIPs, %zu pools\n", options->config, config->n_vips, config->n_pools);
	lb_config_free(config);
	return AGENT_OK;
}
