/* SPDX-License-Identifier: GPL-2.0-only */
#include "conf_yaml.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "log.h"

#define CONF_FIELDS 64 /* keys of one mapping */

struct check {
	const char *file;
	yaml_document_t *document;
	char path[CONF_PATH]; /* of the value being looked at */
	size_t len;	      /* of path */
	unsigned int errors;
};

static void __attribute__((format(printf, 3, 4)))
complain(struct check *check, size_t line, const char *fmt, ...)
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
path_push(struct check *check, const char *fmt, ...)
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

static void path_pop(struct check *check, size_t was)
{
	check->len = was;
	check->path[was] = '\0';
}

static void append(char *buf, size_t size, const char *sep, const char *word)
{
	size_t len = strlen(buf);

	snprintf(buf + len, size - len, "%s%s", len ? sep : "", word);
}

/* The range of an integer type of this many bytes. */
static uint64_t number_max(const cyaml_schema_value_t *schema)
{
	unsigned int bits = 8 * schema->data_size - (schema->type == CYAML_INT);

	return UINT64_MAX >> (64 - bits);
}

static void known_keys(const cyaml_schema_value_t *schema, char *buf, size_t size)
{
	const cyaml_schema_field_t *field;

	*buf = '\0';
	for (field = schema->mapping.fields; field->key; field++)
		append(buf, size, ", ", field->key);
}

/* Says what the schema wants, to complete "give ...". */
static const char *wanted(const cyaml_schema_value_t *schema, char buf[static CONF_TEXT])
{
	char list[CONF_TEXT / 2] = "";
	uint32_t i;

	switch (schema->type) {
	case CYAML_INT:
		snprintf(buf, CONF_TEXT, "a number from -%" PRIu64 " to %" PRIu64,
			 number_max(schema) + 1, number_max(schema));
		break;
	case CYAML_UINT:
		snprintf(buf, CONF_TEXT, "a number from 0 to %" PRIu64, number_max(schema));
		break;
	case CYAML_BOOL:
		strcpy(buf, "true or false");
		break;
	case CYAML_ENUM:
		for (i = 0; i < schema->enumeration.count; i++)
			append(list, sizeof(list), ", ", schema->enumeration.strings[i].str);
		snprintf(buf, CONF_TEXT, "one of: %s", list);
		break;
	case CYAML_STRING:
		strcpy(buf, "a text");
		break;
	case CYAML_MAPPING:
		known_keys(schema, list, sizeof(list));
		snprintf(buf, CONF_TEXT, "KEY: VALUE pairs with the keys %s", list);
		break;
	case CYAML_SEQUENCE:
	case CYAML_SEQUENCE_FIXED:
		strcpy(buf, "a list");
		break;
	default:
		strcpy(buf, "another value");
	}
	return buf;
}

/* A value or key of the file as it may stand in a message: in quotes, not too long. */
static const char *quoted(const yaml_node_t *node, char buf[static 64])
{
	const char *text = (const char *)node->data.scalar.value;

	snprintf(buf, 64, "'%.48s%s'", text, strlen(text) > 48 ? "..." : "");
	return buf;
}

/* Control characters have no use in a config, and would break messages and terminals. */
static bool is_clean(const yaml_node_t *node)
{
	const unsigned char *text = node->data.scalar.value;
	size_t i;

	for (i = 0; i < node->data.scalar.length; i++)
		if (text[i] < 0x20 || text[i] == 0x7f ||
		    (text[i] == 0xc2 && text[i + 1] >= 0x80 && text[i + 1] < 0xa0))
			return false;
	return true;
}

/*
 * Decimal or 0x hexadecimal. A leading zero is refused: libcyaml reads it as octal, people do not.
 * Returns whether it is a number at all; *fits, whether it is in the type's range.
 */
static bool read_number(const cyaml_schema_value_t *schema, const char *text, bool *fits)
{
	bool minus = *text == '-', hex;
	const char *digits = text + minus;
	unsigned long long number;
	char *end;

	hex = digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X');
	digits += hex ? 2 : 0;
	if (!*digits ||
	    strspn(digits, hex ? "0123456789abcdefABCDEF" : "0123456789") != strlen(digits))
		return false;
	if (!hex && *digits == '0' && digits[1])
		return false;
	errno = 0;
	number = strtoull(digits, &end, hex ? 16 : 10);
	*fits = !errno;
	if (minus)
		*fits &= schema->type == CYAML_INT && number <= number_max(schema) + 1;
	else
		*fits &= number <= number_max(schema);
	return true;
}

static void check_number(struct check *check, const cyaml_schema_value_t *schema,
			 const yaml_node_t *node, size_t line)
{
	char buf[CONF_TEXT], value[64];
	bool fits = true;

	if (!read_number(schema, (const char *)node->data.scalar.value, &fits))
		complain(check, line, "%s is not a decimal or 0x number; give %s",
			 quoted(node, value), wanted(schema, buf));
	else if (!fits)
		complain(check, line, "%s is out of range; give %s", quoted(node, value),
			 wanted(schema, buf));
}

static void check_enum(struct check *check, const cyaml_schema_value_t *schema,
		       const yaml_node_t *node, size_t line)
{
	const char *text = (const char *)node->data.scalar.value;
	bool any_case = schema->flags & CYAML_FLAG_CASE_INSENSITIVE;
	char buf[CONF_TEXT], value[64];
	uint32_t i;

	for (i = 0; i < schema->enumeration.count; i++) {
		const char *str = schema->enumeration.strings[i].str;

		if (any_case ? !strcasecmp(text, str) : !strcmp(text, str))
			return;
	}
	complain(check, line, "%s is not allowed here; give %s", quoted(node, value),
		 wanted(schema, buf));
}

static void check_bool(struct check *check, const cyaml_schema_value_t *schema,
		       const yaml_node_t *node, size_t line)
{
	/* libcyaml takes any word that it does not know for true. */
	static const char *const words[] = { "true", "false", "yes", "no", "on", "off" };
	char buf[CONF_TEXT], value[64];
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (!strcmp((const char *)node->data.scalar.value, words[i]))
			return;
	complain(check, line, "%s is not allowed here; give %s", quoted(node, value),
		 wanted(schema, buf));
}

static void check_string(struct check *check, const cyaml_schema_value_t *schema,
			 const yaml_node_t *node, size_t line)
{
	size_t len = node->data.scalar.length;

	if (len < schema->string.min)
		complain(check, line, "too short; give at least %u character%s", schema->string.min,
			 schema->string.min == 1 ? "" : "s");
	else if (schema->string.max != CYAML_UNLIMITED && len > schema->string.max)
		complain(check, line, "has %zu characters; give at most %u", len,
			 schema->string.max);
}

static bool is_null(const cyaml_schema_value_t *schema, const yaml_node_t *node)
{
	const char *text = (const char *)node->data.scalar.value;
	bool strings = (schema->flags & CYAML_FLAG_POINTER_NULL_STR) == CYAML_FLAG_POINTER_NULL_STR;

	if ((schema->flags & CYAML_FLAG_POINTER_NULL) != CYAML_FLAG_POINTER_NULL)
		return false;
	return !*text || (strings && (!strcasecmp(text, "null") || !strcmp(text, "~")));
}

static void check_scalar(struct check *check, const cyaml_schema_value_t *schema,
			 const yaml_node_t *node, size_t line)
{
	char buf[CONF_TEXT];

	if (!is_clean(node))
		complain(check, line, "has a control character; remove it");
	else if (is_null(schema, node))
		return;
	else if (!node->data.scalar.length && schema->type != CYAML_STRING)
		complain(check, line, "has no value; give %s", wanted(schema, buf));
	else if (schema->type == CYAML_INT || schema->type == CYAML_UINT)
		check_number(check, schema, node, line);
	else if (schema->type == CYAML_ENUM)
		check_enum(check, schema, node, line);
	else if (schema->type == CYAML_BOOL)
		check_bool(check, schema, node, line);
	else if (schema->type == CYAML_STRING)
		check_string(check, schema, node, line);
}

static void check_value(struct check *check, const cyaml_schema_value_t *schema, yaml_node_t *node,
			size_t line);

static void check_sequence(struct check *check, const cyaml_schema_value_t *schema,
			   const yaml_node_t *node, size_t line)
{
	const yaml_node_item_t *item = node->data.sequence.items.start;
	size_t n = (size_t)(node->data.sequence.items.top - item), i, was;

	if (n < schema->sequence.min)
		complain(check, line, "%s; give at least %u",
			 n ? "has too few entries" : "the list is empty", schema->sequence.min);
	if (schema->sequence.max != CYAML_UNLIMITED && n > schema->sequence.max) {
		complain(check, line, "has %zu entries; give at most %u", n, schema->sequence.max);
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

static void unknown_key(struct check *check, const cyaml_schema_value_t *schema,
			const yaml_node_t *key, size_t line)
{
	char known[CONF_TEXT / 2], name[64];
	size_t was;

	known_keys(schema, known, sizeof(known));
	if (key->type != YAML_SCALAR_NODE || !key->data.scalar.length || !is_clean(key)) {
		complain(check, line, "a key that is not a word; known keys here: %s", known);
		return;
	}
	snprintf(name, sizeof(name), "%.48s", (const char *)key->data.scalar.value);
	was = path_push(check, "%s%s", check->len ? "." : "", name);
	complain(check, line, "unknown key; known keys here: %s", known);
	path_pop(check, was);
}

static void missing_keys(struct check *check, const cyaml_schema_value_t *schema,
			 const size_t *seen, size_t line)
{
	const cyaml_schema_field_t *field = schema->mapping.fields;
	char buf[CONF_TEXT];
	size_t i, was;

	for (i = 0; i < CONF_FIELDS && field[i].key; i++) {
		if (seen[i] || field[i].value.flags & CYAML_FLAG_OPTIONAL)
			continue;
		was = path_push(check, "%s%s", check->len ? "." : "", field[i].key);
		complain(check, line, "missing; give %s", wanted(&field[i].value, buf));
		path_pop(check, was);
	}
}

static void check_mapping(struct check *check, const cyaml_schema_value_t *schema,
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
			complain(check, at, "given twice (before on line %zu); remove one",
				 seen[i]);
		else
			check_value(check, &field[i].value,
				    yaml_document_get_node(check->document, pair->value), at);
		seen[i] = seen[i] ? seen[i] : at;
		path_pop(check, was);
	}
	missing_keys(check, schema, seen, line);
}

static void check_value(struct check *check, const cyaml_schema_value_t *schema, yaml_node_t *node,
			size_t line)
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
	if (node->type == YAML_SCALAR_NODE && want != YAML_SCALAR_NODE && is_null(schema, node))
		return;
	if (node->type == YAML_SCALAR_NODE && want != YAML_SCALAR_NODE && !node->data.scalar.length)
		complain(check, line, "has no value; give %s", wanted(schema, buf));
	else if (node->type != want)
		complain(check, line, "%s cannot stand here; give %s", names[node->type],
			 wanted(schema, buf));
	else if (want == YAML_SCALAR_NODE)
		check_scalar(check, schema, node, line);
	else if (want == YAML_SEQUENCE_NODE)
		check_sequence(check, schema, node, line);
	else
		check_mapping(check, schema, node, line);
}

int conf_schema_check(const char *file, yaml_document_t *document,
		      const cyaml_schema_value_t *schema)
{
	struct check check = { .file = file, .document = document };
	yaml_node_t *root = yaml_document_get_root_node(document);

	check_value(&check, schema, root, root->start_mark.line + 1);
	return check.errors ? -EINVAL : 0;
}
