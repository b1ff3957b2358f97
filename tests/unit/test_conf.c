/* SPDX-License-Identifier: GPL-2.0-only */
#include <criterion/criterion.h>
#include <errno.h>
#include <sys/stat.h>
#include "lib/conf.h"
#include "lib/log.h"
#include "support.h"

/* A schema with one value of each kind that programs use. */
enum colour { RED, GREEN };

struct entry {
	const char *name;
	int8_t level;
};

struct file {
	bool on;
	int32_t offset;
	uint8_t *small;
	enum colour colour;
	const char *text;
	const char *nothing;
	char fixed[8];
	struct entry inner;
	struct entry *list;
	uint32_t list_count;
	const char **words;
	uint32_t words_count;
};

static const cyaml_strval_t colours[] = { { "red", RED }, { "green", GREEN } };

static const cyaml_schema_field_t entry_fields[] = {
	CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct entry, name, 1, 8),
	CYAML_FIELD_INT("level", CYAML_FLAG_OPTIONAL, struct entry, level),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t entry_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct entry, entry_fields),
};

static const cyaml_schema_value_t word_schema = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 1, CYAML_UNLIMITED),
};

static const cyaml_schema_field_t file_fields[] = {
	CYAML_FIELD_BOOL("on", CYAML_FLAG_OPTIONAL, struct file, on),
	CYAML_FIELD_INT("offset", CYAML_FLAG_OPTIONAL, struct file, offset),
	CYAML_FIELD_UINT_PTR("small", CYAML_FLAG_OPTIONAL, struct file, small),
	CYAML_FIELD_ENUM("colour", CYAML_FLAG_OPTIONAL | CYAML_FLAG_CASE_INSENSITIVE, struct file,
			 colour, colours, 2),
	CYAML_FIELD_STRING_PTR("text", CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER, struct file, text,
			       0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("nothing", CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER_NULL_STR,
			       struct file, nothing, 1, CYAML_UNLIMITED),
	CYAML_FIELD_STRING("fixed", CYAML_FLAG_OPTIONAL, struct file, fixed, 0),
	CYAML_FIELD_MAPPING("inner", CYAML_FLAG_OPTIONAL, struct file, inner, entry_fields),
	CYAML_FIELD_SEQUENCE("list", CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER, struct file, list,
			     &entry_schema, 0, 3),
	CYAML_FIELD_SEQUENCE("words", CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER, struct file, words,
			     &word_schema, 2, CYAML_UNLIMITED),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t file_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct file, file_fields),
};

static struct capture capture;
static char path[32];

static int load(const char *text, size_t len, struct file **file, struct conf **conf)
{
	void *data = NULL;
	int err;

	temp_file(path, text, len);
	log_init("test", LOG_INFO);
	capture_begin(&capture, stderr);
	err = conf_load(path, &file_schema, &data, conf);
	capture_end(&capture);
	unlink(path);
	if (!err)
		*file = data;
	return err;
}

static bool said(const char *fmt, unsigned int line, const char *text)
{
	char want[512];

	snprintf(want, sizeof(want), fmt, path, line, text);
	return strstr(capture.text, want);
}

/* A block text ends in a newline: the one control character that people write unawares. */
Test(conf, block_text)
{
	struct conf *conf;
	struct file *file;

	cr_assert_eq(load("on: on\ntext: |\n  two\n", 21, &file, &conf), -EINVAL);
	cr_expect(said("%s:%u: %s", 2, "text: has a control character; remove it\n"), "%s",
		  capture.text);
	cr_assert_eq(load("on: on\ntext: >-\n  two\n", 22, &file, &conf), 0);
	cr_expect_str_eq(file->text, "two");
	conf_free(conf);
}

Test(conf, values)
{
	static const char text[] = "on: on\n"
				   "offset: -2147483648\n"
				   "small: 0xff\n"
				   "colour: Green\n"
				   "text: ''\n"
				   "nothing: ~\n"
				   "fixed: seven77\n"
				   "inner: {name: i, level: -128}\n"
				   "list: [{name: a}, {name: b, level: 127}]\n"
				   "words: [x, 'null', \"\\u00e9\"]\n";
	struct conf *conf;
	struct file *file;

	cr_assert_eq(load(text, strlen(text), &file, &conf), 0, "%s", capture.text);
	cr_expect(file->on);
	cr_expect_eq(file->offset, INT32_MIN);
	cr_expect_eq(*file->small, 255);
	cr_expect_eq(file->colour, GREEN);
	cr_expect_str_eq(file->text, "");
	cr_expect_null(file->nothing);
	cr_expect_str_eq(file->fixed, "seven77");
	cr_expect_str_eq(file->inner.name, "i");
	cr_expect_eq(file->inner.level, -128);
	cr_assert_eq(file->list_count, 2);
	cr_expect_eq(file->list[0].level, 0);
	cr_expect_eq(file->list[1].level, 127);
	cr_assert_eq(file->words_count, 3);
	cr_expect_str_eq(file->words[1], "null");
	cr_expect_str_eq(file->words[2], "\xc3\xa9");
	conf_free(conf);
	cr_assert(!has_leaks());
}

Test(conf, absent_is_null)
{
	struct conf *conf;
	struct file *file;

	cr_assert_eq(load("{}", 2, &file, &conf), 0);
	cr_expect_not(file->on);
	cr_expect_null(file->small);
	cr_expect_null(file->text);
	cr_expect_eq(file->list_count, 0);
	conf_free(conf);
}

static const struct bad {
	const char *text;
	unsigned int line;
	const char *message;
} bad[] = {
	{ "on: maybe", 1, "on: 'maybe' is not allowed here; give true or false" },
	{ "\n\noffset: 2147483648", 3,
	  "offset: '2147483648' is out of range; give a number from -2147483648 to 2147483647" },
	{ "offset: -2147483649", 1, "offset: '-2147483649' is out of range" },
	{ "offset: '-'", 1, "offset: '-' is not a decimal or 0x number" },
	{ "offset: +1", 1, "offset: '+1' is not" },
	{ "offset: 1 2", 1, "offset: '1 2' is not" },
	{ "small: 256", 1, "small: '256' is out of range; give a number from 0 to 255" },
	{ "small: 99999999999999999999999", 1, "small: '99999999999999999999999' is out of range" },
	{ "small: ~", 1, "small: '~' is not" },
	{ "colour: blue", 1, "colour: 'blue' is not allowed here; give one of: red, green" },
	{ "colour: {a: 1}", 1,
	  "colour: KEY: VALUE pairs cannot stand here; give one of: red, green" },
	{ "fixed: eight888", 1, "fixed: has 8 characters; give at most 7" },
	{ "inner: {level: 1}", 1, "inner.name: missing; give a text" },
	{ "inner:\n  name: a\n  levle: 1", 3,
	  "inner.levle: unknown key; known keys here: name, level" },
	{ "list:\n- name: a\n- level: 1\n", 3, "list[1].name: missing; give a text" },
	{ "list:\n- name: a\n  level: 128\n", 3, "list[0].level: '128' is out of range" },
	{ "list: [{name: a}, {name: a}, {name: a}, {name: a}]", 1,
	  "list: has 4 entries; give at most 3" },
	{ "list: [{name: nine99999}]", 1, "list[0].name: has 9 characters; give at most 8" },
	{ "words: [a]", 1, "words: has too few entries; give at least 2" },
	{ "words: [a, [b]]", 1, "words[1]: a list cannot stand here; give a text" },
	{ "words: [a, '']", 1, "words[1]: too short; give at least 1 character" },
	{ "words: a", 1, "words: a single value cannot stand here; give a list" },
	{ "text: \"\\x7f\"", 1, "text: has a control character" },
	{ "text: \"\\e[2J\"", 1, "text: has a control character" },
	{ "text: \"\\x9b2J\"", 1, "text: has a control character" },
	{ "text: a\nTEXT: b", 2, "TEXT: unknown key" },
};

Test(conf, bad)
{
	struct conf *conf;
	struct file *file;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		int err = load(bad[i].text, strlen(bad[i].text), &file, &conf);

		cr_expect_eq(err, -EINVAL, "%s: %d", bad[i].text, err);
		cr_expect(said("test: error: %s:%u: %s", bad[i].line, bad[i].message), "%s: %s",
			  bad[i].text, capture.text);
	}
	cr_assert(!has_leaks());
}

/* A message does not grow with the text that it quotes, and stays one line. */
Test(conf, long_values)
{
	char *text = malloc(200000);
	struct conf *conf;
	struct file *file;

	memset(text, 'a', 200000);
	memcpy(text, "on: ", 4);
	cr_assert_eq(load(text, 200000, &file, &conf), -EINVAL);
	cr_expect_lt(strlen(capture.text), 300);
	cr_expect(strstr(capture.text, "...' is not allowed here"), "%s", capture.text);
	free(text);
}

static void expect_unreadable(const char *name, int want, const char *text)
{
	struct conf *conf = (void *)1;
	void *data = (void *)1;
	int err;

	log_init("test", LOG_INFO);
	capture_begin(&capture, stderr);
	err = conf_load(name, &file_schema, &data, &conf);
	capture_end(&capture);
	cr_expect_eq(err, want, "%s: %d", name, err);
	cr_expect(conf == (void *)1 && data == (void *)1);
	cr_expect(strstr(capture.text, text), "%s", capture.text);
}

Test(conf, unreadable)
{
	expect_unreadable("/nonexistent/mplb.yaml", -ENOENT,
			  "test: error: /nonexistent/mplb.yaml: cannot be read: No such file");
	expect_unreadable("/tmp", -EISDIR, "/tmp: cannot be read: Is a directory; name a file");
	expect_unreadable("/dev/zero", -EFBIG, "/dev/zero: cannot be read: File too large");
	expect_unreadable("/dev/null", -EINVAL, "/dev/null:1: the file is empty");
	if (geteuid()) {
		temp_file(path, "on: true\n", 9);
		chmod(path, 0);
		expect_unreadable(path, -EACCES, "cannot be read: Permission denied; run as root");
		unlink(path);
	}
	cr_assert(!has_leaks());
}

/* YAML that nests deeply or is large must not take the stack or minutes. */
Test(conf, deep_and_large, .timeout = 30)
{
	size_t len = 4 << 20, i;
	char *text = malloc(len);
	struct conf *conf;
	struct file *file;

	memset(text, '[', len);
	cr_expect_eq(load(text, len, &file, &conf), -EINVAL);
	cr_expect(said("test: error: %s:%u: %s", 1, "nested deeper"), "%s", capture.text);
	for (i = 0; i < len; i++)
		text[i] = "- "[i % 2];
	cr_expect_eq(load(text, len, &file, &conf), -EINVAL);
	cr_expect(said("test: error: %s:%u: %s", 1, "nested deeper"), "%s", capture.text);
	for (i = 0; i < len; i++)
		text[i] = "- a\n"[i % 4];
	cr_expect_eq(load(text, len, &file, &conf), -EINVAL);
	cr_expect(said("test: error: %s:%u: %s", 1, "a list cannot stand here"));
	for (i = 0; i < len / 4; i++)
		text[i] = "a: 1\n"[i % 5];
	cr_expect_eq(load(text, len / 4 / 5 * 5, &file, &conf), -EINVAL);
	cr_expect(said("test: error: %s:%u: %s", 1, "a: unknown key"));
	free(text);
	cr_assert(!has_leaks());
}

static const struct line {
	const char *path;
	unsigned int line;
} line_cases[] = {
	{ "", 2 },
	{ "inner", 2 },
	{ "inner.name", 3 },
	{ "inner.level", 2 },
	{ "list", 4 },
	{ "list[0]", 5 },
	{ "list[0].level", 6 },
	{ "list[1]", 8 },
	{ "list[1].name", 8 },
	{ "list[2]", 4 },
	{ "list[1].level", 8 },
	{ "list[9].name", 4 },
	{ "text", 9 },
	{ "text.a[1].b", 9 },
	{ "none", 2 },
	{ "none[1].x", 2 },
	{ "inner[0]", 2 },
	{ "list.name", 4 },
	{ "list[0].level.x", 6 },
	{ "inne", 2 },
};

Test(conf, lines_of_paths)
{
	static const char text[] = "# comment\n"
				   "inner:\n"
				   "  name: i\n"
				   "list:\n"
				   "  - name: a\n"
				   "    level: 1\n"
				   "\n"
				   "  - {name: b}\n"
				   "text:\n"
				   "  folded\n";
	struct conf *conf;
	struct file *file;
	size_t i;

	cr_assert_eq(load(text, strlen(text), &file, &conf), 0, "%s", capture.text);
	for (i = 0; i < sizeof(line_cases) / sizeof(*line_cases); i++) {
		const struct line *c = &line_cases[i];
		char want[128];

		capture_begin(&capture, stderr);
		cr_expect_eq(conf_error(conf, c->path, "bad %d", 7), -EINVAL);
		conf_warn(conf, c->path, "odd");
		capture_end(&capture);
		snprintf(want, sizeof(want), "%s%sbad 7\n", c->path, *c->path ? ": " : "");
		cr_expect(said("test: error: %s:%u: %s", c->line, want), "%s", capture.text);
		cr_expect(strstr(capture.text, "test: warning: "), "%s", capture.text);
	}
	conf_free(conf);
	cr_assert(!has_leaks());
}

Test(conf, paths)
{
	const char *a = conf_path("vips[%u].pool", 7u), *b = conf_path("%s.x", "y");

	cr_expect_str_eq(a, "vips[7].pool");
	cr_expect_str_eq(b, "y.x");
	conf_free(NULL);
}
