/* SPDX-License-Identifier: GPL-2.0-only */
/* The descriptions of what is in force, for a process that dies at any point of a change. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/describe.h"

enum { OLD_TABLE, NEW_TABLE };

static struct datapath dp;

static void set_up(void)
{
	dp.vip_info = calloc(MPLB_MAX_VIPS, sizeof(*dp.vip_info));
	dp.pool_info = calloc(MPLB_MAX_POOLS, sizeof(*dp.pool_info));
	dp.backend_info = calloc(MPLB_MAX_BACKENDS, sizeof(*dp.backend_info));
	dp.backend_next = calloc(MPLB_MAX_BACKENDS, sizeof(*dp.backend_next));
}

static void tear_down(void)
{
	free(dp.vip_info);
	free(dp.pool_info);
	free(dp.backend_info);
	free(dp.backend_next);
}

TestSuite(describe, .init = set_up, .fini = tear_down);

/* A pool of one member, at place 5, and what is in force before and after it is described. */
struct one {
	struct state_member member;
	struct state_pool pool;
	struct state state;
	struct places places;
};

static struct one *one(bool is_there, __u32 table, bool keeps, __u32 weight, __u32 prev)
{
	struct one *o = calloc(1, sizeof(*o));

	o->member = (struct state_member){
		.name = "b1", .id = 1, .weight = weight, .base = 100, .prev = prev, .index = 5
	};
	o->pool = (struct state_pool){
		.name = "web", .table = table, .members = &o->member, .n_members = 1
	};
	o->state = (struct state){ .pools = &o->pool, .n_pools = 1 };
	o->places.now.table[OLD_TABLE] = is_there;
	o->places.now.backend[5] = is_there;
	o->places.next.table[table] = true;
	o->places.next.backend[5] = true;
	o->places.keeps_table[0] = keeps;
	return o;
}

/* What the place is described as: "table weight/base/prev". */
static const char *words(void)
{
	const struct mplb_backend_info *info = &dp.backend_info[5];
	static char text[128];

	snprintf(text, sizeof(text), "%s %u %u/%u/%u", info->name, info->table, info->weight,
		 info->base_weight, info->prev_weight);
	return text;
}

static void described_before(void)
{
	struct one *o = one(false, OLD_TABLE, false, 100, 0);

	describe_new(&dp, &o->state, &o->places);
	cr_expect_str_eq(words(), "b1 0 100/100/0");
	describe_kept(&dp, &o->state, &o->places);
	cr_expect_str_eq(words(), "b1 0 100/100/0");
	free(o);
}

Test(describe, a_change_comes_to_its_end)
{
	struct one *o;

	described_before();
	o = one(true, NEW_TABLE, false, 0, 300);
	describe_new(&dp, &o->state, &o->places);
	cr_expect_str_eq(words(), "b1 0 100/100/0", "not before it is in force");
	describe_kept(&dp, &o->state, &o->places);
	cr_expect_str_eq(words(), "b1 1 0/100/300");
	cr_expect(!describe_finish(&dp, &o->places.next), "nothing is left to do");
	cr_expect_str_eq(words(), "b1 1 0/100/300");
	free(o);
}

Test(describe, a_table_that_stays)
{
	struct one *o;

	described_before();
	o = one(true, OLD_TABLE, true, 100, 0);
	o->member.flags = MPLB_MEMBER_F_WEIGHT;
	describe_new(&dp, &o->state, &o->places);
	cr_expect_eq(dp.backend_info[5].flags, 0);
	describe_kept(&dp, &o->state, &o->places);
	cr_expect_str_eq(words(), "b1 0 100/100/0");
	cr_expect_eq(dp.backend_info[5].flags, MPLB_MEMBER_F_WEIGHT);
	free(o);
}

Test(describe, it_dies_after_the_table_is_in_force)
{
	struct one *o;

	described_before();
	o = one(true, NEW_TABLE, false, 0, 300);
	describe_new(&dp, &o->state, &o->places);
	cr_expect(describe_finish(&dp, &o->places.next), "what comes next takes it over");
	cr_expect_str_eq(words(), "b1 1 0/100/300");
	cr_expect(!describe_finish(&dp, &o->places.next));
	free(o);
}

Test(describe, it_dies_before)
{
	struct one *o;

	described_before();
	o = one(true, NEW_TABLE, false, 0, 300);
	describe_new(&dp, &o->state, &o->places);
	cr_expect(!describe_finish(&dp, &o->places.now));
	cr_expect_str_eq(words(), "b1 0 100/100/0");
	/* The place of the table is another's now: what was forgotten does not come back. */
	cr_expect(!describe_finish(&dp, &o->places.next));
	cr_expect_str_eq(words(), "b1 0 100/100/0");
	free(o);
}

/* A description is whole, or counts for nothing: the table is the last that is written. */
Test(describe, one_that_was_not_finished)
{
	struct one *o;

	described_before();
	strcpy(dp.backend_next[5].name, "b1");
	dp.backend_next[5].table = MPLB_MAX_POOLS;
	o = one(true, OLD_TABLE, true, 100, 0);
	cr_expect(!describe_finish(&dp, &o->places.now));
	cr_expect_str_eq(words(), "b1 0 100/100/0");
	cr_expect_eq(dp.backend_next[5].name[0], 0);
	free(o);
}
