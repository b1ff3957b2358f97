/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_CONF_CHECK_H
#define MPLB_CONF_CHECK_H

#include <stdbool.h>
#include "conf_yaml.h"

/* The check of a document against a schema: conf_schema.c walks, conf_scalar.c looks at values. */
struct conf_check {
	const char *file;
	yaml_document_t *document;
	char path[CONF_PATH]; /* of the value being looked at */
	size_t len; /* of path */
	unsigned int errors;
};

/* Logs a complaint about the value at check->path. */
void conf_check_error(struct conf_check *check, size_t line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Says what the schema wants, to complete "give ...". Returns buf. */
const char *conf_wanted(const cyaml_schema_value_t *schema, char buf[static CONF_TEXT]);

/* Lists the keys of a mapping. */
void conf_known_keys(const cyaml_schema_value_t *schema, char *buf, size_t size);

/* Whether a scalar is free of control characters, which have no use in a config, and would break
 * messages and terminals. */
bool conf_is_clean(const yaml_node_t *node);

/* Whether the schema takes this scalar for "no value". */
bool conf_is_null(const cyaml_schema_value_t *schema, const yaml_node_t *node);

/* Checks a scalar against a schema that wants one. */
void conf_check_scalar(struct conf_check *check, const cyaml_schema_value_t *schema,
		       const yaml_node_t *node, size_t line);

#endif
