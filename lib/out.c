/* SPDX-License-Identifier: GPL-2.0-only */
#include "out.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define OUT_CELL 160

static const char *out_cell(const json_t *row, const char *key, char buf[static OUT_CELL])
{
	const json_t *value = json_object_get(row, key), *item;
	size_t i, len = 0;

	strcpy(buf, "-");
	if (json_is_string(value))
		snprintf(buf, OUT_CELL, "%s", json_string_value(value));
	else if (json_is_integer(value))
		snprintf(buf, OUT_CELL, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_real(value))
		snprintf(buf, OUT_CELL, "%.3f", json_real_value(value));
	else if (json_is_boolean(value))
		strcpy(buf, json_is_true(value) ? "yes" : "no");
	json_array_foreach (value, i, item) {
		int more = snprintf(buf + len, OUT_CELL - len, "%s%s", i ? "," : "",
				    json_is_string(item) ? json_string_value(item) : "?");

		if (more < 0 || (len += (size_t)more) >= OUT_CELL)
			break;
	}
	return buf;
}

void out_table(const json_t *rows, const struct out_column *columns)
{
	size_t width[32], n = 0, i, r;
	char buf[OUT_CELL];
	const json_t *row;

	for (; columns[n].key && n < 32; n++) {
		width[n] = strlen(columns[n].heading);
		json_array_foreach (rows, r, row) {
			size_t len = strlen(out_cell(row, columns[n].key, buf));

			if (len > width[n])
				width[n] = len;
		}
	}
	for (i = 0; i < n; i++)
		printf("%-*s%s", i + 1 < n ? (int)width[i] : 0, columns[i].heading,
		       i + 1 < n ? "  " : "\n");
	json_array_foreach (rows, r, row) {
		for (i = 0; i < n; i++) {
			bool number = json_is_number(json_object_get(row, columns[i].key));
			int w = (int)width[i];

			out_cell(row, columns[i].key, buf);
			if (number)
				printf("%*s", w, buf);
			else
				printf("%-*s", i + 1 < n ? w : 0, buf);
			fputs(i + 1 < n ? "  " : "\n", stdout);
		}
	}
}

void out_json(const json_t *value)
{
	json_dumpf(value, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(10));
	putchar('\n');
}
