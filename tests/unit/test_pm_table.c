/* SPDX-License-Identifier: GPL-2.0-only */
/* server-pm/pm_table.c: many connections, and the wheel. */
#include <criterion/criterion.h>

#include <stdlib.h>
#include "server-pm/pm_table.h"
#include "support.h"

#define MANY 50000

/* Tokens all over the place, all different, never 0. */
static __u32 token(__u32 i)
{
	return i * 2654435761u + 1;
}

Test(pm_table, many_come_and_go)
{
	struct pm_table *table = pm_table_new();

	for (__u32 i = 0; i < MANY; i++) {
		struct pm_conn *conn = pm_table_add(table, token(i));

		cr_assert(conn);
		conn->local_port = (__u16)i;
	}
	cr_expect_eq(pm_table_count(table), MANY);
	for (__u32 i = 0; i < MANY; i += 2)
		pm_table_remove(table, pm_table_find(table, token(i)));
	for (__u32 i = 0; i < MANY; i++) {
		const struct pm_conn *conn = pm_table_find(table, token(i));

		cr_assert_eq(conn != NULL, i % 2 == 1, "%u", i);
		cr_assert(!conn || conn->local_port == (__u16)i);
	}
	/* What was given back is used again, and clean. */
	for (__u32 i = 0; i < MANY; i += 2)
		cr_assert_eq(pm_table_add(table, token(i))->local_port, 0);
	cr_expect_eq(pm_table_count(table), MANY);
	pm_table_free(table);
	cr_expect_not(has_leaks());
}

Test(pm_table, has_a_limit)
{
	struct pm_table *table = pm_table_new();
	__u32 i = 0;

	while (pm_table_add(table, token(i)))
		i++;
	cr_expect_eq(i, PM_MAX_CONNS);
	pm_table_remove(table, pm_table_find(table, token(5)));
	cr_expect(pm_table_add(table, token(i)));
	cr_expect_null(pm_table_add(table, token(i + 1)));
	pm_table_free(table);
	cr_expect_not(has_leaks());
}

static void remove_odd(struct pm_conn *conn, void *data)
{
	if (conn->local_port % 2)
		pm_table_remove(data, conn);
}

Test(pm_table, each_may_remove)
{
	struct pm_table *table = pm_table_new();

	for (__u32 i = 0; i < 5000; i++)
		pm_table_add(table, token(i))->local_port = (__u16)i;
	pm_table_each(table, remove_odd, table);
	cr_expect_eq(pm_table_count(table), 2500);
	pm_table_free(table);
}

Test(pm_table, comes_due_when_told)
{
	struct pm_table *table = pm_table_new();
	unsigned int early = 0, late = 0, got = 0;
	struct pm_conn *conn;

	/* Some of them later than the wheel goes round. */
	srand(1);
	for (__u32 i = 0; i < 3000; i++) {
		conn = pm_table_add(table, token(i));
		conn->since = 1 + (__u32)(rand() % 3000);
		pm_table_schedule(table, conn, conn->since);
	}
	for (__u32 tick = 1; tick <= 3000; tick++) {
		while ((conn = pm_table_due(table, tick))) {
			early += conn->since > tick;
			late += conn->since < tick;
			got++;
		}
	}
	cr_expect_eq(got, 3000);
	cr_expect_eq(early, 0);
	cr_expect_eq(late, 0);
	cr_expect_not(pm_table_waiting(table));
	pm_table_free(table);
}

Test(pm_table, scheduled_again_cancelled_and_late)
{
	struct pm_table *table = pm_table_new();
	struct pm_conn *a = pm_table_add(table, 1), *b = pm_table_add(table, 2);
	struct pm_conn *c = pm_table_add(table, 3);

	pm_table_schedule(table, a, 5);
	pm_table_schedule(table, a, 9);
	pm_table_schedule(table, b, 5);
	pm_table_cancel(table, b);
	pm_table_schedule(table, c, 5);
	pm_table_remove(table, c);
	cr_expect_null(pm_table_due(table, 8));
	cr_expect_eq(pm_table_due(table, 9), a);
	cr_expect_not(pm_table_waiting(table));
	cr_expect_null(pm_table_due(table, 100000));
	pm_table_schedule(table, b, 50);
	cr_expect_null(pm_table_due(table, 100000), "what is late comes with the next turn");
	cr_expect_eq(pm_table_due(table, 100001), b);
	/* The clock stood still for a day. */
	pm_table_schedule(table, a, 100010);
	cr_expect_eq(pm_table_due(table, 100001 + 864000), a);
	pm_table_free(table);
}
