/* SPDX-License-Identifier: GPL-2.0-only */
#include "conf_yaml.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "log.h"

#define YAML_MAX_DEPTH 32 /* libyaml's time grows with the square of the depth of [ and { */

/* libyaml's words for frequent mistakes, and what people would call them. */
static const struct {
	const char *problem;
	const char *text;
} yaml_texts[] = {
	{ "found character that cannot start any token",
	  "a character that cannot stand here; indent with spaces, not tabs, and put text that "
	  "begins with @, `, % or a tab in quotes" },
	{ "mapping values are not allowed in this context",
	  "a ':' that cannot stand here; check the indentation of this line and the one before, or "
	  "put the text in quotes" },
	{ "could not find expected ':'", "a key without ':'; write KEY: VALUE" },
	{ "found unexpected end of stream", "the file ends inside a quoted text; close the quote" },
	{ "did not find expected ',' or ']'", "a list in [ ] is not closed; add ',' or ']'" },
	{ "did not find expected ',' or '}'", "a mapping in { } is not closed; add ',' or '}'" },
	{ "did not find expected '-' indicator",
	  "a list entry without '-'; begin it with '- ' or mend the indentation" },
	{ "did not find expected key",
	  "no key where one is expected; mend the indentation of this line" },
	{ "control characters are not allowed",
	  "a control character: is this a text file? remove the character" },
	{ "invalid leading UTF-8 octet", "not UTF-8: is this a text file? save it as UTF-8" },
	{ "invalid trailing UTF-8 octet", "not UTF-8: is this a text file? save it as UTF-8" },
};

static size_t count_lines(const char *text, size_t len, size_t offset)
{
	size_t line = 1, i;

	for (i = 0; i < len && i < offset; i++)
		line += text[i] == '\n';
	return line;
}

/* A mark behind the final newline means the last line for a person. */
static size_t mark_line(const yaml_mark_t *mark, const char *text, size_t len)
{
	size_t last = count_lines(text, len, len ? len - 1 : 0);

	return mark->line + 1 > last ? last : mark->line + 1;
}

static int syntax_error(const char *file, const yaml_parser_t *parser, const char *text, size_t len)
{
	const char *problem = parser->problem ? parser->problem : "not YAML", *words = NULL;
	bool reader = parser->error == YAML_READER_ERROR;
	size_t line, from, i;

	if (parser->error == YAML_MEMORY_ERROR)
		return log_err_r(-ENOMEM, "%s: out of memory", file);
	line = reader ? count_lines(text, len, parser->problem_offset)
		      : mark_line(&parser->problem_mark, text, len);
	from = reader || !parser->context ? line : mark_line(&parser->context_mark, text, len);
	for (i = 0; i < sizeof(yaml_texts) / sizeof(*yaml_texts) && !words; i++)
		if (!strcmp(problem, yaml_texts[i].problem))
			words = yaml_texts[i].text;
	if (!words && from != line)
		return log_err_r(-EINVAL,
				 "%s:%zu: YAML syntax: %s, in what begins on line %zu; check "
				 "indentation, quotes and brackets from there on",
				 file, line, problem, from);
	if (!words)
		return log_err_r(-EINVAL,
				 "%s:%zu: YAML syntax: %s; check indentation, quotes and brackets "
				 "here and on the line before",
				 file, line, problem);
	if (from != line)
		return log_err_r(-EINVAL, "%s:%zu: YAML syntax (in what begins on line %zu): %s",
				 file, line, from, words);
	return log_err_r(-EINVAL, "%s:%zu: YAML syntax: %s", file, line, words);
}

/* What is open while the events go by. */
struct scan {
	unsigned int documents;
	unsigned int depth;
};

static int check_event(const char *file, const yaml_event_t *event, struct scan *scan)
{
	size_t line = event->start_mark.line + 1;

	if (event->type == YAML_SEQUENCE_START_EVENT || event->type == YAML_MAPPING_START_EVENT)
		scan->depth++;
	if (event->type == YAML_SEQUENCE_END_EVENT || event->type == YAML_MAPPING_END_EVENT)
		scan->depth--;
	if (scan->depth > YAML_MAX_DEPTH)
		return log_err_r(-EINVAL,
				 "%s:%zu: nested deeper than any config is; remove the extra "
				 "brackets, braces or dashes",
				 file, line);
	if (event->type == YAML_ALIAS_EVENT)
		return log_err_r(-EINVAL,
				 "%s:%zu: *%.40s: aliases are not supported; write the value out",
				 file, line, (const char *)event->data.alias.anchor);
	if (event->type == YAML_DOCUMENT_START_EVENT && scan->documents++)
		return log_err_r(-EINVAL,
				 "%s:%zu: a second YAML document begins here; keep one per file",
				 file, line);
	return 0;
}

/* Looks at all events once: what is no YAML or not allowed is found before anything is built. */
static int scan_events(const char *file, const char *text, size_t len)
{
	struct scan scan = { 0 };
	yaml_parser_t parser;
	bool end = false;
	int err = 0;

	if (!yaml_parser_initialize(&parser))
		return log_err_r(-ENOMEM, "%s: out of memory", file);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	while (!err && !end) {
		yaml_event_t event;

		if (!yaml_parser_parse(&parser, &event)) {
			err = syntax_error(file, &parser, text, len);
			break;
		}
		err = check_event(file, &event, &scan);
		end = event.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	if (!err && !scan.documents)
		err = log_err_r(-EINVAL, "%s:1: the file is empty; begin with the example config",
				file);
	return err;
}

int conf_yaml_parse(const char *file, const char *text, size_t len, yaml_document_t *document)
{
	yaml_parser_t parser;
	int err;

	err = scan_events(file, text, len);
	if (err)
		return err;
	if (!yaml_parser_initialize(&parser))
		return log_err_r(-ENOMEM, "%s: out of memory", file);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	if (!yaml_parser_load(&parser, document))
		err = syntax_error(file, &parser, text, len);
	yaml_parser_delete(&parser);
	return err;
}

/* One step of a path: "[1]" into a sequence, "key" into a mapping. NULL where there is no such
 * value. *line becomes the line of the key or the entry. */
static yaml_node_t *step(yaml_document_t *document, yaml_node_t *node, const char *part, size_t len,
			 size_t *line)
{
	yaml_node_pair_t *pair;
	yaml_node_t *found;

	if (*part == '[') {
		size_t i = strtoul(part + 1, NULL, 10);

		if (node->type != YAML_SEQUENCE_NODE ||
		    i >= (size_t)(node->data.sequence.items.top - node->data.sequence.items.start))
			return NULL;
		found = yaml_document_get_node(document, node->data.sequence.items.start[i]);
		*line = found->start_mark.line + 1;
		return found;
	}
	if (node->type != YAML_MAPPING_NODE)
		return NULL;
	for (pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; pair++) {
		found = yaml_document_get_node(document, pair->key);
		if (found->type != YAML_SCALAR_NODE || found->data.scalar.length != len ||
		    memcmp(found->data.scalar.value, part, len) != 0)
			continue;
		*line = found->start_mark.line + 1;
		return yaml_document_get_node(document, pair->value);
	}
	return NULL;
}

size_t conf_yaml_line(yaml_document_t *document, const char *path)
{
	yaml_node_t *node = yaml_document_get_root_node(document);
	size_t line = node ? node->start_mark.line + 1 : 1;

	while (node && *path) {
		size_t len = *path == '[' ? strcspn(path, "]") + 1 : strcspn(path, ".[");

		node = step(document, node, path, len, &line);
		if (strlen(path) <= len)
			break;
		path += len;
		path += *path == '.';
	}
	return line;
}
