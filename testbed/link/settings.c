// SPDX-License-Identifier: GPL-2.0-only
#include "settings.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const struct link_key {
	const char *name;
	size_t field;
	double max; /* the least is 0 */
	bool boolean;
} link_keys[] = {
	{ "rate_mbit", offsetof(struct link_settings, rate_mbit), 1e5 },
	{ "queue_kb", offsetof(struct link_settings, queue_kb), 1e6 },
	{ "delay_ms", offsetof(struct link_settings, delay_ms), 1e4 },
	{ "jitter_ms", offsetof(struct link_settings, jitter_ms), 1e4 },
	{ "loss", offsetof(struct link_settings, loss), 1 },
	{ "burst", offsetof(struct link_settings, burst), 1e4 },
	{ "duplicate", offsetof(struct link_settings, duplicate), 1 },
	{ "reorder", offsetof(struct link_settings, reorder), 1 },
	{ "reorder_ms", offsetof(struct link_settings, reorder_ms), 1e4 },
	{ "blackhole", offsetof(struct link_settings, blackhole), 1, true },
	{ 0 },
};

static double *link_field(struct link_settings *settings, const struct link_key *key)
{
	return (double *)((char *)settings + key->field);
}

static int link_key_read(const char *name, const json_t *value, struct link_settings *settings,
			 char error[static LINK_SETTINGS_ERROR])
{
	const struct link_key *key = link_keys;
	double number;

	while (key->name && strcmp(key->name, name) != 0)
		key++;
	if (!key->name) {
		snprintf(error, LINK_SETTINGS_ERROR, "%s: no such setting", name);
		return -EINVAL;
	}
	if (key->boolean) {
		if (!json_is_boolean(value)) {
			snprintf(error, LINK_SETTINGS_ERROR, "%s: want true or false", name);
			return -EINVAL;
		}
		*link_field(settings, key) = json_is_true(value);
		return 0;
	}
	number = json_number_value(value);
	if (!json_is_number(value) || !(number >= 0 && number <= key->max)) {
		snprintf(error, LINK_SETTINGS_ERROR, "%s: want a number from 0 to %g", name,
			 key->max);
		return -EINVAL;
	}
	*link_field(settings, key) = number;
	return 0;
}

int link_settings_read(const json_t *object, struct link_settings *settings,
		       char error[static LINK_SETTINGS_ERROR])
{
	struct link_settings changed = *settings;
	const char *name;
	json_t *value;

	if (json_is_null(object)) {
		*settings = (struct link_settings){ 0 };
		return 0;
	}
	if (!json_is_object(object)) {
		snprintf(error, LINK_SETTINGS_ERROR, "want an object of settings, or null");
		return -EINVAL;
	}
	json_object_foreach ((json_t *)object, name, value) {
		if (link_key_read(name, value, &changed, error))
			return -EINVAL;
	}
	*settings = changed;
	return 0;
}

json_t *link_settings_write(const struct link_settings *settings)
{
	struct link_settings copy = *settings;
	json_t *object = json_object();

	for (const struct link_key *key = link_keys; key->name; key++) {
		double value = *link_field(&copy, key);

		json_object_set_new(object, key->name,
				    key->boolean ? json_boolean(value != 0) : json_real(value));
	}
	return object;
}
