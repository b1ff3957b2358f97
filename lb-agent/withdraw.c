/* SPDX-License-Identifier: GPL-2.0-only */
/* lb-agent withdraw: for when no lb-agent runs any more. */
#include "agent.h"

#include <event2/event.h>

#include "anycast.h"
#include "lib/log.h"
#include "loader/config.h"

/* So that nothing is decided. */
static struct anycast_health unknown(void *data, const struct lb_pool *pool)
{
	(void)data;
	return (struct anycast_health){ .undecided = (unsigned int)pool->n_backends };
}

static void on_left(void *data)
{
	event_base_loopbreak(data);
}

static int withdraw(const struct lb_config *config)
{
	struct anycast_env env = { .base = event_base_new(), .health = unknown };
	struct anycast *anycast = NULL;
	int code = AGENT_REFUSED;

	if (!env.base) {
		log_error("cannot make an event loop");
		return code;
	}
	if (!anycast_open(&env, &anycast) && !anycast_configure(anycast, config)) {
		anycast_leave(anycast, on_left, env.base);
		event_base_dispatch(env.base);
		code = anycast_is_withdrawn(anycast) ? AGENT_OK : AGENT_REFUSED;
	}
	anycast_close(anycast);
	event_base_free(env.base);
	return code;
}

int agent_cmd_withdraw(const struct agent_options *options)
{
	struct lb_config *config;
	int code = AGENT_OK;

	if (lb_config_load(options->config, &config))
		return AGENT_USAGE;
	if (config->n_anycast)
		code = withdraw(config);
	if (code == AGENT_OK)
		log_info("nothing is announced");
	lb_config_free(config);
	return code;
}
