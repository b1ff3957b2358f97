/* SPDX-License-Identifier: GPL-2.0-only */
/* The guard for `status`: from the maps alone, so that it is told of without a server-pm, too. */
#include "guard.h"

#include <bpf/bpf.h>
#include "lib/ip.h"

static json_t *prefix(const struct mplb_guard *guard)
{
	struct ip ip = { .family = MPLB_FAMILY_6 };
	char text[IP_STRLEN];

	if (!(guard->flags & MPLB_GUARD_F_PREFIX))
		return json_null();
	ip.addr.word[0] = guard->prefix[0];
	ip.addr.word[1] = guard->prefix[1];
	return json_sprintf("%s/64", ip_format(&ip, text));
}

json_t *guard_json(const struct server_state *state)
{
	struct mplb_guard settings;
	struct guard_maps maps;
	json_t *row = NULL;

	if (guard_maps_open(state, false, &maps))
		return json_null();
	if (!guard_maps_settings(&maps, &settings)) {
		long long silence = guard_maps_silence(&maps);

		row = json_pack("{s:s, s:b, s:I, s:I, s:o, s:o}", "on_stale",
				settings.flags & MPLB_GUARD_F_CLOSED ? "closed" : "open", "stale",
				silence < 0 || silence > (long long)(MPLB_GUARD_STALE_NS / 1000000),
				"silence_ms", (json_int_t)silence, "tokens",
				(json_int_t)guard_maps_tokens_prune(&maps, 0), "addresses",
				server_state_addresses_json(maps.addresses), "per_connection",
				prefix(&settings));
	}
	guard_maps_close(&maps);
	return row ? row : json_null();
}
