/* SPDX-License-Identifier: GPL-2.0-only */
/* loader/top.c, top_print.c: rates from counters, and the page. */
#include <criterion/criterion.h>

#include "loader/top.h"
#include "support.h"

static json_t *vip(const char *name, int packets, int capable, int plain, int joins)
{
	return json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:i}", "name", name, "packets", packets,
			 "bytes", packets * 100, "syn_mp_capable", capable, "syn_plain", plain,
			 "mp_join_rejected", joins, "mp_join_hashed", joins);
}

static json_t *backend(const char *pool, const char *name, int packets)
{
	return json_pack("{s:s, s:s, s:i, s:i}", "name", name, "pool", pool, "packets", packets,
			 "bytes", packets * 100);
}

static json_t *state(const char *pool, const char *name, const char *word)
{
	return json_pack("{s:s, s:s, s:s, s:[s], s:n, s:f}", "name", name, "pool", pool, "state",
			 word, "marks", "drain", "problem", "share", 0.25);
}

static json_t *drop(const char *reason, const char *action, int packets)
{
	return json_pack("{s:s, s:s, s:i}", "reason", reason, "action", action, "packets", packets);
}

static struct top_sample sample(double at, json_t *vips, json_t *backends, json_t *states,
				json_t *reasons)
{
	return (struct top_sample){
		.at = at,
		.vips = vips,
		.backends = backends,
		.states = states,
		.reasons = reasons,
		.nics = json_pack("[{s:s, s:s}]", "device", "eth0", "mode", "native"),
	};
}

/* Two seconds of which everything is known. */
static json_t *known(void)
{
	struct top_sample before = sample(
		10, json_pack("[o, o]", vip("web", 1000, 10, 10, 1), vip("quiet", 5, 1, 1, 0)),
		json_pack("[o, o]", backend("p", "b1", 600), backend("q", "b1", 400)), json_array(),
		json_pack("[o, o, o]", drop("too_big", "DROP", 1), drop("not_vip", "pass", 1),
			  drop("fragment", "drop", 2)));
	struct top_sample now = sample(
		12,
		json_pack("[o, o, o]", vip("new", 40, 0, 4, 0), vip("quiet", 5, 1, 1, 0),
			  vip("web", 3000, 40, 20, 5)),
		json_pack("[o, o, o]", backend("p", "b1", 700), backend("q", "b1", 2400),
			  backend("p", "b2", 8)),
		json_pack("[o, o]", state("p", "b1", "draining"), state("q", "b1", "active")),
		json_pack("[o, o, o, o]", drop("too_big", "drop", 0), drop("not_vip", "pass", 9),
			  drop("fragment", "drop", 12), drop("no_route", "drop", 20)));
	json_t *rates = top_rates(&before, &now);

	top_drop(&before);
	top_drop(&now);
	return rates;
}

static double number_at(const json_t *rates, const char *list, size_t i, const char *key)
{
	return json_number_value(
		json_object_get(json_array_get(json_object_get(rates, list), i), key));
}

static const char *text_at(const json_t *rates, const char *list, size_t i, const char *key)
{
	return json_string_value(
		json_object_get(json_array_get(json_object_get(rates, list), i), key));
}

Test(top, rates)
{
	json_t *rates = known();

	cr_assert_eq(json_number_value(json_object_get(rates, "seconds")), 2);
	cr_assert_str_eq(text_at(rates, "vips", 0, "name"), "web");
	cr_assert_eq(number_at(rates, "vips", 0, "packets_s"), 1000);
	cr_assert_eq(number_at(rates, "vips", 0, "bytes_s"), 100000);
	cr_assert_eq(number_at(rates, "vips", 0, "connections_s"), 20);
	cr_assert_eq(number_at(rates, "vips", 0, "mptcp_share"), 0.75);
	cr_assert_eq(number_at(rates, "vips", 0, "packets_per_connection"), 50);
	cr_assert_eq(number_at(rates, "vips", 0, "joins_s"), 4);
	/* What was not there before began at 0. */
	cr_assert_str_eq(text_at(rates, "vips", 1, "name"), "new");
	cr_assert_eq(number_at(rates, "vips", 1, "packets_s"), 20);
	/* Of nothing there is no share. */
	cr_assert_str_eq(text_at(rates, "vips", 2, "name"), "quiet");
	cr_assert(json_is_null(
		json_object_get(json_array_get(json_object_get(rates, "vips"), 2), "mptcp_share")));
	/* Backends of one name in two pools. */
	cr_assert_str_eq(text_at(rates, "backends", 0, "pool"), "q");
	cr_assert_eq(number_at(rates, "backends", 0, "packets_s"), 1000);
	cr_assert_str_eq(text_at(rates, "backends", 1, "state"), "draining");
	cr_assert_eq(number_at(rates, "backends", 1, "packets_s"), 50);
	cr_assert_null(text_at(rates, "backends", 2, "state"));
	/* Drops alone, and of those what ever counted. */
	cr_assert_eq(json_array_size(json_object_get(rates, "drops")), 2);
	cr_assert_str_eq(text_at(rates, "drops", 0, "reason"), "no_route");
	cr_assert_eq(number_at(rates, "drops", 1, "packets_s"), 5);
	cr_assert_eq(number_at(rates, "drops", 1, "packets"), 12);
	json_decref(rates);
	cr_assert(!has_leaks());
}

Test(top, counters_that_were_set_back)
{
	struct top_sample before = sample(1, json_pack("[o]", vip("web", 1000, 0, 9, 0)),
					  json_array(), json_array(), json_array());
	struct top_sample now = sample(2, json_pack("[o]", vip("web", 10, 0, 2, 0)), json_array(),
				       json_array(), json_array());
	json_t *rates = top_rates(&before, &now);

	cr_assert_eq(number_at(rates, "vips", 0, "packets_s"), 10);
	json_decref(rates);
	top_drop(&before);
	top_drop(&now);
}

/* A page of that size; *longest: characters of its longest line. */
static char *page(const json_t *rates, int columns, int lines, int *n, size_t *longest)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	*n = top_print(rates, out, columns, lines);
	fclose(out);
	*longest = 0;
	for (const char *at = text; at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
		*longest = strcspn(at, "\n") > *longest ? strcspn(at, "\n") : *longest;
	return text;
}

Test(top, page)
{
	json_t *rates = known();
	size_t longest;
	int n;
	char *text = page(rates, 0, 0, &n, &longest);

	cr_assert_str_eq(
		text,
		"mplb on eth0 (native); rates of the last 2.0 s\n"
		"\n"
		"VIP                      PKT/S      BIT/S   CONN/S   MPTCP  PKT/CONN   JOIN/S\n"
		"web                      1.00k       800k       20   75.0%        50      4.0\n"
		"new                         20      16.0k      2.0    0.0%        10        0\n"
		"quiet                        0          0        0       -         -        0\n"
		"\n"
		"BACKEND                  PKT/S      BIT/S    SHARE  POOL         STATE\n"
		"b1                       1.00k       800k    25.0%  q            active drain\n"
		"b1                          50      40.0k    25.0%  p            draining drain\n"
		"b2                         4.0      3.20k        -  p\n"
		"\n"
		"DROPPED                  PKT/S    PACKETS\n"
		"no_route                    10         20\n"
		"fragment                   5.0         12");
	cr_assert_eq(n, 15);
	free(text);
	json_decref(rates);
}

/* Many VIPs and backends on any window: nothing is wider or higher than it. */
Test(top, windows)
{
	struct top_sample before =
		sample(0, json_array(), json_array(), json_array(), json_array());
	struct top_sample now = sample(1, json_array(), json_array(), json_array(), json_array());
	char name[MPLB_NAME_LEN];
	json_t *rates;

	for (int i = 0; i < 60; i++) {
		snprintf(name, sizeof(name), "a-name-that-is-as-long-as-names-of-this-may-be-%d",
			 1000000 + i);
		json_array_append_new(now.vips, vip(name, i * 100000, i, i, i));
		json_array_append_new(now.backends, backend(name, name, i));
		json_array_append_new(now.states, state(name, name, "active"));
		json_array_append_new(now.reasons, drop(name, "drop", i));
	}
	rates = top_rates(&before, &now);
	for (int columns = 1; columns < 120; columns += 7) {
		for (int lines = 1; lines < 70; lines++) {
			size_t longest;
			int n;
			char *text = page(rates, columns, lines, &n, &longest);

			cr_assert_leq(n, lines);
			cr_assert_leq(longest, (size_t)columns);
			if (lines >= 24 && columns >= 20)
				cr_assert(strstr(text, "DROPPED") && strstr(text, "... and "));
			free(text);
		}
	}
	json_decref(rates);
	top_drop(&before);
	top_drop(&now);
	cr_assert(!has_leaks());
}
