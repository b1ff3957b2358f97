/* SPDX-License-Identifier: GPL-2.0-only */
#include <criterion/criterion.h>
#include <stdint.h>
#include "lib/out.h"
#include "support.h"

static struct capture capture;

static const struct out_column columns[] = {
	{ "name", "NAME" },
	{ "weight", "WEIGHT" },
	{ "addresses", "ADDRESSES" },
	{ NULL },
};

static const char *print_table(const char *json)
{
	json_t *rows = json_loads(json, 0, NULL);

	cr_assert_not_null(rows);
	capture_begin(&capture, stdout);
	out_table(rows, columns);
	capture_end(&capture);
	json_decref(rows);
	return capture.text;
}

Test(out, table)
{
	const char *text = print_table("[{\"name\": \"b1\", \"weight\": 5, \"addresses\": [\"a\"]},"
				       " {\"name\": \"backend2\", \"weight\": 12345678,"
				       "  \"addresses\": [\"a\", \"b\"], \"more\": 1}]");

	cr_expect_str_eq(text, "NAME      WEIGHT    ADDRESSES\n"
			       "b1               5  a\n"
			       "backend2  12345678  a,b\n");
}

Test(out, table_values)
{
	const char *text = print_table("[{\"name\": null, \"weight\": 1.5},"
				       " {\"name\": true, \"weight\": \"x\", \"addresses\": []},"
				       " {\"name\": false, \"addresses\": [1]}]");

	cr_expect_str_eq(text, "NAME  WEIGHT  ADDRESSES\n"
			       "-      1.500  -\n"
			       "yes   x       -\n"
			       "no    -       ?\n");
}

Test(out, table_empty)
{
	cr_expect_str_eq(print_table("[]"), "NAME  WEIGHT  ADDRESSES\n");
}

/* A cell is cut, not overrun. */
Test(out, table_long)
{
	json_t *list = json_array(), *rows = json_array();
	char word[1000];
	int i;

	memset(word, 'x', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	for (i = 0; i < 10; i++)
		json_array_append_new(list, json_string("0123456789012345678901234567890"));
	json_array_append_new(rows, json_pack("{s:s, s:o}", "name", word, "addresses", list));
	capture_begin(&capture, stdout);
	out_table(rows, columns);
	capture_end(&capture);
	json_decref(rows);
	cr_expect(strstr(capture.text, "xxxxxxxxxx"));
	cr_expect(strstr(capture.text, "0123456789012345678901234567890,0123"));
	cr_expect_lt(strlen(capture.text), 1000);
}

Test(out, json)
{
	json_t *value = json_pack("{s:s, s:I, s:f, s:[s,n]}", "z", "\xc3\xa9\n", "a",
				  (json_int_t)INT64_MAX, "half", 0.5, "list", "x");

	capture_begin(&capture, stdout);
	out_json(value);
	capture_end(&capture);
	json_decref(value);
	cr_expect_str_eq(capture.text, "{\n"
				       "  \"z\": \"\xc3\xa9\\n\",\n"
				       "  \"a\": 9223372036854775807,\n"
				       "  \"half\": 0.5,\n"
				       "  \"list\": [\n"
				       "    \"x\",\n"
				       "    null\n"
				       "  ]\n"
				       "}\n");
	cr_assert(!has_leaks());
}
