/* SPDX-License-Identifier: GPL-2.0-only */
/* server-pm's config file: as fuzz_config.c. */
#include <string.h>
#include "fuzz.h"
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct server_config untouched;
	struct server_config *config = &untouched;
	int err = server_config_load(fuzz_file_open(data, size), &config);
	unsigned int errors = fuzz_errors();

	fuzz_file_close();
	if (err) {
		fuzz_check(err < 0 && errors, "what is refused has its reason logged");
		fuzz_check(config == &untouched, "a failure leaves *out alone");
		return 0;
	}
	fuzz_check(!errors, "what is accepted has no error logged");
	fuzz_check(config->vips.n > 0, "a backend has a VIP");
	check_addresses(&config->vips, MPLB_MAX_SERVER_VIPS);
	check_addresses(&config->dedicated, 64);
	check_addresses(&config->balancers, MPLB_MAX_BALANCERS);
	server_config_free(config);
	return 0;
}
