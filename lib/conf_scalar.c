/* SPDX-License-Identifier: GPL-2.0-only */
#include "conf_check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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

void conf_known_keys(const cyaml_schema_value_t *schema, char *buf, size_t size)
{
	const cyaml_schema_field_t *field;

	*buf = '\0';
	for (field = schema->mapping.fields; field->key; field++)
		append(buf, size, ", ", field->key);
}

const char *conf_wanted(const cyaml_schema_value_t *schema, char buf[static CONF_TEXT])
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
		conf_known_keys(schema, list, sizeof(list));
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

bool conf_is_clean(const yaml_node_t *node)
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

static void check_number(struct conf_check *check, const cyaml_schema_value_t *schema,
			 const yaml_node_t *node, size_t line)
{
	char buf[CONF_TEXT], value[64];
	bool fits = true;

	if (!read_number(schema, (const char *)node->data.scalar.value, &fits))
		conf_check_error(check, line, "%s is not a decimal or 0x number; give %s",
				 quoted(node, value), conf_wanted(schema, buf));
	else if (!fits)
		conf_check_error(check, line, "%s is out of range; give %s", quoted(node, value),
				 conf_wanted(schema, buf));
}

static void check_enum(struct conf_check *check, const cyaml_schema_value_t *schema,
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
	conf_check_error(check, line, "%s is not allowed here; give %s", quoted(node, value),
			 conf_wanted(schema, buf));
}

static void check_bool(struct conf_check *check, const cyaml_schema_value_t *schema,
		       const yaml_node_t *node, size_t line)
{
	/* libcyaml takes any word that it does not know for true. */
	static const char *const words[] = { "true", "false", "yes", "no", "on", "off" };
	char buf[CONF_TEXT], value[64];
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (!strcmp((const char *)node->data.scalar.value, words[i]))
			return;
	conf_check_error(check, line, "%s is not allowed here; give %s", quoted(node, value),
			 conf_wanted(schema, buf));
}

static void check_string(struct conf_check *check, const cyaml_schema_value_t *schema,
			 const yaml_node_t *node, size_t line)
{
	size_t len = node->data.scalar.length;

	if (len < schema->string.min)
		conf_check_error(check, line, "too short; give at least %u character%s",
				 schema->string.min, schema->string.min == 1 ? "" : "s");
	else if (schema->string.max != CYAML_UNLIMITED && len > schema->string.max)
		conf_check_error(check, line, "has %zu characters; give at most %u", len,
				 schema->string.max);
}

bool conf_is_null(const cyaml_schema_value_t *schema, const yaml_node_t *node)
{
	const char *text = (const char *)node->data.scalar.value;
	bool strings = (schema->flags & CYAML_FLAG_POINTER_NULL_STR) == CYAML_FLAG_POINTER_NULL_STR;

	if ((schema->flags & CYAML_FLAG_POINTER_NULL) != CYAML_FLAG_POINTER_NULL)
		return false;
	return !*text || (strings && (!strcasecmp(text, "null") || !strcmp(text, "~")));
}

void conf_check_scalar(struct conf_check *check, const cyaml_schema_value_t *schema,
		       const yaml_node_t *node, size_t line)
{
	char buf[CONF_TEXT];

	if (!conf_is_clean(node))
		conf_check_error(check, line, "has a control character; remove it");
	else if (conf_is_null(schema, node))
		return;
	else if (!node->data.scalar.length && schema->type != CYAML_STRING)
		conf_check_error(check, line, "has no value; give %s", conf_wanted(schema, buf));
	else if (schema->type == CYAML_INT || schema->type == CYAML_UINT)
		check_number(check, schema, node, line);
	else if (schema->type == CYAML_ENUM)
		check_enum(check, schema, node, line);
	else if (schema->type == CYAML_BOOL)
		check_bool(check, schema, node, line);
	else if (schema->type == CYAML_STRING)
		check_string(check, schema, node, line);
}
