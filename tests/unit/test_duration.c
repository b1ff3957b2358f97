/* SPDX-License-Identifier: GPL-2.0-only */
#include <criterion/criterion.h>
#include <errno.h>
#include "lib/duration.h"

Test(duration, reads)
{
	static const struct {
		const char *text;
		int err;
		uint32_t ms;
	} cases[] = {
		{ "0ms", 0, 0 },
		{ "500ms", 0, 500 },
		{ "1s", 0, 1000 },
		{ "007s", 0, 7000 },
		{ "2m", 0, 120000 },
		{ "1h", 0, 3600000 },
		{ "1193h", 0, 4294800000u },
		{ "1194h", -ERANGE, 0 },
		{ "4294967295ms", 0, 4294967295u },
		{ "4294967296ms", -ERANGE, 0 },
		{ "99999999999999999999999s", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "1", -EINVAL, 0 },
		{ "s", -EINVAL, 0 },
		{ "1 s", -EINVAL, 0 },
		{ " 1s", -EINVAL, 0 },
		{ "1s ", -EINVAL, 0 },
		{ "-1s", -EINVAL, 0 },
		{ "1.5s", -EINVAL, 0 },
		{ "1S", -EINVAL, 0 },
		{ "1d", -EINVAL, 0 },
		{ "1m30s", -EINVAL, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint32_t ms = 42;

		cr_expect_eq(duration_parse(cases[i].text, &ms), cases[i].err, "%s", cases[i].text);
		cr_expect_eq(ms, cases[i].err ? 42 : cases[i].ms, "%s: %u", cases[i].text, ms);
	}
}

Test(duration, writes)
{
	static const struct {
		uint32_t ms;
		const char *text;
	} cases[] = {
		{ 0, "0ms" },	    { 1, "1ms" },
		{ 999, "999ms" },   { 1000, "1s" },
		{ 1500, "1500ms" }, { 60000, "1m" },
		{ 61000, "61s" },   { 3600000, "1h" },
		{ 7200000, "2h" },  { 4294967295u, "4294967295ms" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char buf[DURATION_STRLEN];
		uint32_t back = 0;

		cr_expect_str_eq(duration_format(cases[i].ms, buf), cases[i].text);
		cr_expect(!duration_parse(buf, &back) && back == cases[i].ms, "%s", buf);
	}
}
