// SPDX-License-Identifier: GPL-2.0-only
#include "options.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"

static int option_number(const char *text, unsigned long long *out)
{
	static const char suffixes[] = "kMG";
	unsigned long long value, scale = 1;
	const char *suffix;
	char *rest;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &rest, 0);
	if (*rest) {
		suffix = strchr(suffixes, *rest);
		if (!suffix || rest[1])
			return -EINVAL;
		for (long i = suffix - suffixes; i >= 0; i--)
			scale *= 1000;
	}
	if (errno || __builtin_mul_overflow(value, scale, out))
		return -EINVAL;
	return 0;
}

static int option_seconds(const char *text, double *out)
{
	char *rest;
	double value = strtod(text, &rest);

	if (rest == text || *rest || !(value >= 0.001 && value <= 3600.0))
		return -EINVAL;
	*out = value;
	return 0;
}

static int option_proto(const char *text, int *out)
{
	if (!strcmp(text, "tcp"))
		*out = IPPROTO_TCP;
	else if (!strcmp(text, "mptcp"))
		*out = IPPROTO_MPTCP;
	else
		return -EINVAL;
	return 0;
}

static int option_set(const struct option *option, void *field, const char *text)
{
	struct option_list *list = field;

	switch (option->kind) {
	case OPTION_FLAG:
		*(bool *)field = true;
		return 0;
	case OPTION_TEXT:
		*(const char **)field = text;
		return 0;
	case OPTION_LIST:
		if (list->n == OPTION_LIST_MAX)
			return -EINVAL;
		list->text[list->n++] = text;
		return 0;
	case OPTION_NUMBER:
		return option_number(text, field);
	case OPTION_SECONDS:
		return option_seconds(text, field);
	case OPTION_PROTO:
		return option_proto(text, field);
	}
	return -EINVAL;
}

int options_read(const struct option *table, void *into, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const struct option *option = table;
		const char *text = "";

		while (option->name && strcmp(option->name, argv[i]) != 0)
			option++;
		if (!option->name)
			return log_err_r(-EINVAL, "%s: unknown option; see `mplb-load help`",
					 argv[i]);
		if (option->argument) {
			if (i + 1 == argc)
				return log_err_r(-EINVAL, "%s: %s is missing", option->name,
						 option->argument);
			text = argv[++i];
		}
		if (option_set(option, (char *)into + option->field, text))
			return log_err_r(-EINVAL, "%s %s: want %s: %s", option->name, text,
					 option->argument, option->help);
	}
	return 0;
}

void options_help(const struct option *table)
{
	for (; table->name; table++)
		printf("      %-20s %-10s %s\n", table->name,
		       table->argument ? table->argument : "", table->help);
}
