/* SPDX-License-Identifier: GPL-2.0-only */
/* server-pm's config file (fuzz_load.h). */
#include "fuzz_load.h"
#include "mplb/maps.h"
#include "server-pm/config.h"

static void check_addresses(const struct server_addresses *list, size_t most)
{
	fuzz_check(list->n <= most, "not more addresses than fit");
	for (size_t i = 0; i < list->n; i++) {
		fuzz_check(!ip_is_unusable(&list->ip[i]), "an address can be a host's");
		for (size_t j = 0; j < i; j++)
			fuzz_check(!ip_equal(&list->ip[i], &list->ip[j]), "addresses differ");
	}
}

static void check(const struct server_config *config)
{
	fuzz_check(config->vips.n > 0, "a backend has a VIP");
	check_addresses(&config->vips, MPLB_MAX_SERVER_VIPS);
	check_addresses(&config->dedicated, 64);
	check_addresses(&config->balancers, MPLB_MAX_BALANCERS);
}

FUZZ_LOAD(struct server_config, server_config_load, check, server_config_free)
