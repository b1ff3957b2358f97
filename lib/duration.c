/* SPDX-License-Identifier: GPL-2.0-only */
#include "duration.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The largest first. */
static const struct unit {
	const char *name;
	uint32_t ms;
} units[] = { { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 } };

#define N_UNITS (sizeof(units) / sizeof(*units))

int duration_parse(const char *text, uint32_t *ms)
{
	size_t digits = strspn(text, "0123456789"), u = 0;
	unsigned long long number;

	while (u < N_UNITS && strcmp(text + digits, units[u].name) != 0)
		u++;
	if (!digits || u == N_UNITS)
		return -EINVAL;
	errno = 0;
	number = strtoull(text, NULL, 10);
	if (errno || number > UINT32_MAX / units[u].ms)
		return -ERANGE;
	*ms = (uint32_t)number * units[u].ms;
	return 0;
}

const char *duration_format(uint32_t ms, char buf[static DURATION_STRLEN])
{
	size_t u = 0;

	while (u < N_UNITS - 1 && (!ms || ms % units[u].ms))
		u++;
	snprintf(buf, DURATION_STRLEN, "%u%s", ms / units[u].ms, units[u].name);
	return buf;
}

int duration_read(const struct conf *conf, const char *path, const char *text, uint32_t least,
		  uint32_t most, uint32_t *ms)
{
	char from[DURATION_STRLEN], to[DURATION_STRLEN];
	uint32_t value = 0;
	int err;

	if (!text)
		return 0;
	err = duration_parse(text, &value);
	if (err == -EINVAL)
		return conf_error(conf, path,
				  "'%.32s' is not a duration; give a whole number with its unit, "
				  "ms, s, m or h, like 500ms",
				  text);
	if (err || value < least || value > most)
		return conf_error(conf, path, "'%.32s' is out of range; give %s to %s", text,
				  duration_format(least, from), duration_format(most, to));
	*ms = value;
	return 0;
}
