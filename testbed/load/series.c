// SPDX-License-Identifier: GPL-2.0-only
#include "series.h"

#include <stdlib.h>
#include <string.h>

#include "lib/log.h"

static size_t series_at(double seconds)
{
	return seconds > 0 ? (size_t)(seconds / SERIES_STEP) : 0;
}

static int series_grow(struct series *series, size_t n)
{
	size_t room = n + n / 2 + 64;
	uint64_t *step = realloc(series->step, room * sizeof(*step));

	if (!step)
		return -1;
	memset(step + series->n, 0, (room - series->n) * sizeof(*step));
	series->step = step;
	series->n = room;
	return 0;
}

void series_add(struct series *series, double seconds, uint64_t amount)
{
	size_t at = series_at(seconds);

	if (at >= series->n && series_grow(series, at + 1)) {
		log_warn("out of memory: the series lack something at %.1f s", seconds);
		return;
	}
	series->step[at] += amount;
}

json_t *series_json(const struct series *series, double seconds)
{
	size_t n = series_at(seconds) + 1;
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(
			array, json_integer(i < series->n ? (json_int_t)series->step[i] : 0));
	return array;
}

void series_free(struct series *series)
{
	free(series->step);
	*series = (struct series){ 0 };
}

struct series_named {
	struct series series;
	struct series_named *next;
	char name[];
};

struct series *series_of(struct series_named **list, const char *name)
{
	struct series_named *new;

	for (; *list; list = &(*list)->next)
		if (!strcmp((*list)->name, name))
			return &(*list)->series;
	new = calloc(1, sizeof(*new) + strlen(name) + 1);
	if (!new)
		return NULL;
	strcpy(new->name, name);
	*list = new;
	return &new->series;
}

json_t *series_named_json(const struct series_named *list, double seconds)
{
	json_t *object = json_object();

	for (; list; list = list->next)
		json_object_set_new(object, list->name, series_json(&list->series, seconds));
	return object;
}

void series_named_free(struct series_named **list)
{
	while (*list) {
		struct series_named *old = *list;

		*list = old->next;
		series_free(&old->series);
		free(old);
	}
}
