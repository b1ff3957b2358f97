/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_OUT_H
#define MPLB_OUT_H

#include <stdbool.h>
#include <jansson.h>

/*
 * Output has one source: a command builds JSON, and this prints it, as JSON (-j) or as a table
 * for people, so that both always say the same.
 */

/* A column of a table: JSON key and heading. Numbers are set flush right. */
struct out_column {
	const char *key;
	const char *heading;
};

/* Prints an array of flat objects as a table with the columns given (up to the one whose key is
 * NULL) on stdout. A missing value or null prints as "-". An array of strings prints with commas.*/
void out_table(const json_t *rows, const struct out_column *columns);

/* Prints the value as JSON, keys in the order in which they were set, and a newline, on stdout. */
void out_json(const json_t *value);

#endif
