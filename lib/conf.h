/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_CONF_H
#define MPLB_CONF_H

#include <cyaml/cyaml.h>

/*
 * A YAML config file held against a libcyaml schema. Every complaint is one log line
 * "FILE:LINE: KEY: what is wrong; how to mend it", whether the schema or the program found it.
 */
struct conf;

/*
 * Loads file. Unknown keys, missing keys, wrong types and YAML syntax errors are logged with file,
 * line and key; then -EINVAL (-ENOENT, -EACCES, ... where the file cannot be read), outputs
 * untouched. On success *data is what the schema describes and *conf is for conf_error(); both
 * are freed by conf_free().
 */
int conf_load(const char *file, const cyaml_schema_value_t *schema, void **data,
	      struct conf **conf);
/* The same with the file's text, as conf_read() reads it; file is for the messages. */
int conf_load_text(const char *file, const char *text, size_t len,
		   const cyaml_schema_value_t *schema, void **data, struct conf **conf);
/* Reads all of the file; pipes will do. 0 with *text to be freed, or -errno, logged. */
int conf_read(const char *file, char **text, size_t *len);
void conf_free(struct conf *conf);

/*
 * Logs a complaint about the value at path, such as "vips[1].pool" or "pools[0].backends", with
 * its line (that of the nearest ancestor, where the key itself is absent), and returns -EINVAL.
 */
int conf_error(const struct conf *conf, const char *path, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The same as a warning. */
void conf_warn(const struct conf *conf, const char *path, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Formats a path into a small static ring of buffers: conf_path("vips[%u].pool", i). */
const char *conf_path(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
