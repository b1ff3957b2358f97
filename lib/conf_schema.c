/* SPDX-License-Identifier: GPL-2.0-only */
#include "conf_check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "log.h"

#define CONF_FIELDS 64 /* keys of one mapping */

void conf_check_error(struct conf_check *check, size_t line, const char *fmt, ...)
{
	char text[CONF_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_error("%s:%zu: %s%s%s", check->file, line, check->path, check->len ? ": " : "", text);
	check->errors++;
}

/* Makes the path longer by a key or an entry; returns the length to go back to. */
static size_t __attribute__((format(printf, 2, 3)))
path_push(struct conf_check *check, const char *fmt, ...)
{
	size_t was = check->len, room = sizeof(check->path) - was;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(check->path + was, room, fmt, ap);
	va_end(ap);
	check->len += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
	return was;
}

static void path_pop(struct conf_check *check, size_t was)
{
	check->len = was;
	check->path[was] = '\0';
}

static void check_value(struct conf_check *check, const cyaml_schema_value_t *schema,
			yaml_node_t *node, size_t line);

static void check_sequence(struct conf_check *check, const cyaml_schema_value_t *schema,
			   const yaml_node_t *node, size_t line)
{
	const yaml_node_item_t *item = node->data.sequence.items.start;
	size_t n = (size_t)(node->data.sequence.items.top - item), i, was;

	if (n < schema->sequence.min)
		conf_check_error(check, line, "%s; give at least %u",
				 n ? "has too few entries" : "the list is empty",
				 schema->sequence.min);
	if (schema->sequence.max != CYAML_UNLIMITED && n > schema->sequence.max) {
		conf_check_error(check, line, "has %zu entries; give at most %u", n,
				 schema->sequence.max);
		return;
	}
	for (i = 0; i < n; i++) {
		yaml_node_t *entry = yaml_document_get_node(check->document, item[i]);

		was = path_push(check, "[%zu]", i);
		check_value(check, schema->sequence.entry, entry, entry->start_mark.line + 1);
		path_pop(check, was);
	}
}

/* The field's index, or -1. */
static int find_field(const cyaml_schema_value_t *schema, const yaml_node_t *key)
{
	const cyaml_schema_field_t *field = schema->mapping.fields;
	int i;

	for (i = 0; i < CONF_FIELDS && field[i].key; i++)
		if (strlen(field[i].key) == key->data.scalar.length &&
		    !memcmp(field[i].key, key->data.scalar.value, key->data.scalar.length))
			return i;
	return -1;
}

static void unknown_key(struct conf_check *check, const cyaml_schema_value_t *schema,
			const yaml_node_t *key, size_t line)
{
	char known[CONF_TEXT / 2], name[64];
	size_t was;

	conf_known_keys(schema, known, sizeof(known));
	if (key->type != YAML_SCALAR_NODE || !key->data.scalar.length || !conf_is_clean(key)) {
		conf_check_error(check, line, "a key that is not a word; known keys here: %s",
				 known);
		return;
	}
	snprintf(name, sizeof(name), "%.48s", (const char *)key->data.scalar.value);
	was = path_push(check, "%s%s", check->len ? "." : "", name);
	conf_check_error(check, line, "unknown key; known keys here: %s", known);
	path_pop(check, was);
}

static void missing_keys(struct conf_check *check, const cyaml_schema_value_t *schema,
			 const size_t *seen, size_t line)
{
	const cyaml_schema_field_t *field = schema->mapping.fields;
	char buf[CONF_TEXT];
	size_t i, was;

	for (i = 0; i < CONF_FIELDS && field[i].key; i++) {
		if (seen[i] || field[i].value.flags & CYAML_FLAG_OPTIONAL)
			continue;
		was = path_push(check, "%s%s", check->len ? "." : "", field[i].key);
		conf_check_error(check, line, "missing; give %s",
				 conf_wanted(&field[i].value, buf));
		path_pop(check, was);
	}
}

static void check_mapping(struct conf_check *check, const cyaml_schema_value_t *schema,
			  const yaml_node_t *node, size_t line)
{
	const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
	const cyaml_schema_field_t *field = schema->mapping.fields;
	size_t seen[CONF_FIELDS] = { 0 }, was; /* line of each field's key, 0: not there */

	for (; pair < node->data.mapping.pairs.top; pair++) {
		yaml_node_t *key = yaml_document_get_node(check->document, pair->key);
		size_t at = key->start_mark.line + 1;
		int i = key->type == YAML_SCALAR_NODE ? find_field(schema, key) : -1;

		if (i < 0) {
			unknown_key(check, schema, key, at);
			continue;
		}
		was = path_push(check, "%s%s", check->len ? "." : "", field[i].key);
		if (seen[i])
			conf_check_error(check, at, "given twice (before on line %zu); remove one",
					 seen[i]);
		else
			check_value(check, &field[i].value,
				    yaml_document_get_node(check->document, pair->value), at);
		seen[i] = seen[i] ? seen[i] : at;
		path_pop(check, was);
	}
	missing_keys(check, schema, seen, line);
}

static void check_value(struct conf_check *check, const cyaml_schema_value_t *schema,
			yaml_node_t *node, size_t line)
{
	static const char *const names[] = {
		[YAML_SCALAR_NODE] = "a single value",
		[YAML_SEQUENCE_NODE] = "a list",
		[YAML_MAPPING_NODE] = "KEY: VALUE pairs",
	};
	yaml_node_type_t want = YAML_SCALAR_NODE;
	char buf[CONF_TEXT];

	if (schema->type == CYAML_IGNORE || schema->type == CYAML_FLAGS ||
	    schema->type == CYAML_BITFIELD || schema->type == CYAML_FLOAT)
		return;
	if (schema->type == CYAML_SEQUENCE || schema->type == CYAML_SEQUENCE_FIXED)
		want = YAML_SEQUENCE_NODE;
	else if (schema->type == CYAML_MAPPING)
		want = YAML_MAPPING_NODE;
	if (node->type == YAML_SCALAR_NODE && want != YAML_SCALAR_NODE &&
	    conf_is_null(schema, node))
		return;
	if (node->type == YAML_SCALAR_NODE && want != YAML_SCALAR_NODE && !node->data.scalar.length)
		conf_check_error(check, line, "has no value; give %s", conf_wanted(schema, buf));
	else if (node->type != want)
		conf_check_error(check, line, "%s cannot stand here; give %s", names[node->type],
				 conf_wanted(schema, buf));
	else if (want == YAML_SCALAR_NODE)
		conf_check_scalar(check, schema, node, line);
	else if (want == YAML_SEQUENCE_NODE)
		check_sequence(check, schema, node, line);
	else
		check_mapping(check, schema, node, line);
}

int conf_schema_check(const char *file, yaml_document_t *document,
		      const cyaml_schema_value_t *schema)
{
	struct conf_check check = { .file = file, .document = document };
	yaml_node_t *root = yaml_document_get_root_node(document);

	check_value(&check, schema, root, root->start_mark.line + 1);
	return check.errors ? -EINVAL : 0;
}
