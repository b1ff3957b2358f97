/* SPDX-License-Identifier: GPL-2.0-only */
/* What is announced, and what BIRD has. */
#include "anycast_priv.h"

#include "lib/monotonic.h"
#include "loader/config.h"

static const char *bird_word(enum bird_state state)
{
	static const char *const words[] = {
		[BIRD_UNKNOWN] = "unknown",
		[BIRD_MISSING] = "missing",
		[BIRD_DISABLED] = "disabled",
		[BIRD_ENABLED] = "enabled",
	};

	return words[state];
}

json_t *anycast_json(const struct anycast *a)
{
	json_t *rows = json_array();
	uint64_t now = monotonic_ms();

	for (size_t i = 0; i < a->n; i++) {
		const struct anycast_entry *e = &a->entries[i];
		const char *problem = bird_problem(e->bird, e->protocol);

		if (!e->conf)
			continue;
		problem = *problem ? problem : e->why;
		json_array_append_new(rows,
				      json_pack("{s:s?, s:s, s:s, s:s, s:f, s:s, s:s?}", "vip",
						e->conf->vip ? e->name : NULL, "protocol",
						e->protocol, "socket", e->socket, "state",
						announce_word(e->announce.state), "for_s",
						(double)(now - e->announce.since_ms) / 1000, "bird",
						bird_word(bird_state(e->bird, e->protocol)),
						"problem", *problem ? problem : NULL));
	}
	return rows;
}

json_t *anycast_bird_json(const struct anycast *a)
{
	json_t *all = json_array();

	for (size_t i = 0; i < a->n_birds; i++) {
		size_t n;
		const struct bird_row *rows = bird_rows(a->birds[i], &n);

		for (size_t r = 0; r < n; r++)
			json_array_append_new(all, json_pack("{s:s, s:s, s:s, s:s}", "socket",
							     bird_path(a->birds[i]), "protocol",
							     rows[r].name, "type", rows[r].type,
							     "state", rows[r].state));
	}
	return all;
}
