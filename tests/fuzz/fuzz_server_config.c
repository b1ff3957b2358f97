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

static void check_guard(const struct server_config *config)
{
	const struct server_guard_config *guard = &config->guard;

	fuzz_check(guard->on == (guard->n_devices > 0), "a guard is somewhere");
	fuzz_check(guard->on || (!guard->n_allow && !guard->prefix.family),
		   "without a guard there is nothing for it");
	fuzz_check(guard->n_allow <= MPLB_GUARD_MAX_ALLOW, "not more is allowed than fits");
	for (size_t i = 0; i < guard->n_allow; i++)
		fuzz_check(guard->allow[i].port ||
				   (guard->allow[i].proto != 6 && guard->allow[i].proto != 17),
			   "TCP and UDP are not let in as a whole");
	if (guard->prefix.family)
		fuzz_check(guard->prefix.family == MPLB_FAMILY_6 && !guard->prefix.addr.word[2] &&
				   !guard->prefix.addr.word[3],
			   "a prefix has 64 bits");
}

static void check(const struct server_config *config)
{
	fuzz_check(config->vips.n > 0, "a backend has a VIP");
	check_addresses(&config->vips, MPLB_MAX_SERVER_VIPS);
	check_addresses(&config->dedicated, 64);
	check_addresses(&config->balancers, MPLB_MAX_BALANCERS);
	check_guard(config);
}

FUZZ_LOAD(struct server_config, server_config_load, check, server_config_free)
