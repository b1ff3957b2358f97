/* SPDX-License-Identifier: GPL-2.0-only */
#include "settler.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mplb/abi.h"
#include "mplb/maps.h"

/* A pool with changes under way. */
struct clock {
	char pool[MPLB_NAME_LEN];
	uint64_t since_ms; /* of the latest of them */
	bool seen; /* still under way */
};

struct settler {
	struct clock clocks[MPLB_MAX_POOLS];
	size_t n;
};

struct settler *settler_new(void)
{
	return calloc(1, sizeof(struct settler));
}

void settler_free(struct settler *s)
{
	free(s);
}

static const char *text_at(const json_t *change, const char *key)
{
	const char *text = json_string_value(json_object_get(change, key));

	return text ? text : "";
}

static bool is_unsettled(const json_t *change)
{
	return !strcmp(text_at(change, "action"), "unsettled");
}

/* Is the change one of the pool itself or of a backend of it? */
static bool is_about(const json_t *change, const char *pool)
{
	const char *name = text_at(change, "name");
	size_t len = strlen(pool);

	if (is_unsettled(change) || strncmp(name, pool, len) != 0)
		return false;
	return !strcmp(text_at(change, "object"), "pool") ? !name[len] : name[len] == '/';
}

static bool has_changed(const json_t *changes, const char *pool)
{
	const json_t *change;
	size_t i;

	json_array_foreach (changes, i, change)
		if (is_about(change, pool))
			return true;
	return false;
}

static struct clock *find(struct settler *s, const char *pool)
{
	for (size_t i = 0; i < s->n; i++)
		if (!strcmp(s->clocks[i].pool, pool))
			return &s->clocks[i];
	return NULL;
}

void settler_see(struct settler *s, const json_t *changes, uint64_t now_ms)
{
	const json_t *change;
	size_t i, n = 0;

	for (i = 0; i < s->n; i++)
		s->clocks[i].seen = false;
	json_array_foreach (changes, i, change) {
		const char *pool = text_at(change, "name");
		struct clock *clock = is_unsettled(change) ? find(s, pool) : NULL;

		if (!is_unsettled(change) || (!clock && s->n == MPLB_MAX_POOLS))
			continue;
		if (!clock) {
			clock = &s->clocks[s->n++];
			snprintf(clock->pool, sizeof(clock->pool), "%s", pool);
			clock->since_ms = now_ms;
		} else if (has_changed(changes, pool)) {
			clock->since_ms = now_ms;
		}
		clock->seen = true;
	}
	for (i = 0; i < s->n; i++)
		if (s->clocks[i].seen)
			s->clocks[n++] = s->clocks[i];
	s->n = n;
}

uint64_t settler_next(const struct settler *s, uint32_t settle_after_ms)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; settle_after_ms && i < s->n; i++)
		if (s->clocks[i].since_ms + settle_after_ms < next)
			next = s->clocks[i].since_ms + settle_after_ms;
	return next;
}

const char *settler_due(struct settler *s, uint32_t settle_after_ms, uint64_t now_ms)
{
	for (size_t i = 0; settle_after_ms && i < s->n; i++) {
		if (s->clocks[i].since_ms + settle_after_ms > now_ms)
			continue;
		s->clocks[i].since_ms = now_ms;
		return s->clocks[i].pool;
	}
	return NULL;
}

json_t *settler_json(const struct settler *s, uint32_t settle_after_ms, uint64_t now_ms)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < s->n; i++) {
		uint64_t at = s->clocks[i].since_ms + settle_after_ms;
		json_t *left =
			settle_after_ms
				? json_integer((json_int_t)(at > now_ms ? at - now_ms : 0) / 1000)
				: json_null();

		json_array_append_new(
			rows, json_pack("{s:s, s:o}", "pool", s->clocks[i].pool, "seconds", left));
	}
	return rows;
}
