/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_CONF_YAML_H
#define MPLB_CONF_YAML_H

#include <stddef.h>
#include <yaml.h>
#include <cyaml/cyaml.h>

/* The inner parts of lib/conf.c. Lines count from 1; file is for the messages only. */

#define CONF_TEXT 768 /* one complaint, without file and line */
#define CONF_PATH 256 /* "pools[0].backends[11].address" */

/*
 * Parses one YAML document. What is no YAML, has aliases (which would let a small file stand for
 * a huge or an endless one) or a second document, or is empty, is logged with its line; then
 * -EINVAL or -ENOMEM, *document untouched. On success it is for yaml_document_delete().
 */
int conf_yaml_parse(const char *file, const char *text, size_t len, yaml_document_t *document);

/* The line of the value at path ("vips[1].pool"): that of its key where it has one, that of the
 * nearest ancestor where it is absent. */
size_t conf_yaml_line(yaml_document_t *document, const char *path);

/*
 * Holds the document against a schema whose root is a mapping: unknown, missing and repeated keys,
 * wrong types, numbers out of range, values that an enum lacks, lists and texts too short or long.
 * All are logged. 0 or -EINVAL. Bit fields, flags and floats are left to libcyaml.
 */
int conf_schema_check(const char *file, yaml_document_t *document,
		      const cyaml_schema_value_t *schema);

#endif
