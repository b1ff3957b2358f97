/* SPDX-License-Identifier: GPL-2.0-only */
/* What shall be, from what is: plans, orders, places and notes, without a kernel. */
#include <criterion/criterion.h>
#include <errno.h>
#include "lib/log.h"
#include "loader/maglev.h"
#include "loader/notes.h"
#include "loader/places.h"
#include "loader/plan.h"
#include "support.h"

#define SLOTS MPLB_TABLE_SLOTS

static struct capture capture;
static const char *messages; /* of the last step */
static struct mplb_table_slot settled[SLOTS], table[SLOTS];

/* Members of a config, for gue() and its kin. */
#define B1	   "{name: b1, id: 1, address: 10.0.0.11}"
#define B2	   "{name: b2, id: 2, address: 10.0.0.12}"
#define B3	   "{name: b3, id: 3, address: 10.0.0.13}"
#define B1_HEAVY   "{name: b1, id: 1, address: 10.0.0.11, weight: 300}"
#define B1_RENAMED "{name: first, id: 1, address: 10.0.0.11}"
#define B1_MOVED   "{name: b1, id: 1, address: 10.0.0.99}"
#define B1_IDLE	   "{name: b1, id: 1, address: 10.0.0.11, weight: 0}"

static struct lb_config *load(const char *forward, const char *more, const char *members)
{
	struct lb_config *config = NULL;
	char text[2048], path[32];
	int len, err;

	len = snprintf(text, sizeof(text),
		       "hash_seed: 7\n"
		       "vips:\n"
		       "- {name: v, address: 198.51.100.1, port: 80, protocol: tcp, pool: web}\n"
		       "- {name: w, address: 198.51.100.2, port: 80, protocol: tcp, pool: other}\n"
		       "pools:\n"
		       "- {name: web, forward: %s%s, backends: [%s]}\n"
		       "- {name: other, forward: ipip, backends: [{name: b1, id: 9, address: "
		       "10.0.0.9}]}\n",
		       forward, more, members);
	temp_file(path, text, (size_t)len);
	err = lb_config_load(path, &config);
	unlink(path);
	cr_assert_eq(err, 0, "%s", text);
	return config;
}

/* The state after a step becomes the one before the next. */
static void step(struct state **now, struct state *want)
{
	struct places *places = calloc(1, sizeof(*places));

	for (size_t p = 0; p < (*now)->n_pools; p++) {
		places->now.table[(*now)->pools[p].table] = true;
		for (size_t i = 0; i < (*now)->pools[p].n_members; i++)
			places->now.backend[(*now)->pools[p].members[i].index] = true;
	}
	for (size_t v = 0; v < (*now)->n_vips; v++)
		places->now.vip[(*now)->vips[v].index] = true;
	cr_assert_eq(places_give(*now, want, places), 0);
	free(places);
	state_free(*now);
	*now = want;
}

static void apply_with(struct state **now, const char *forward, const char *more,
		       const char *members)
{
	struct lb_config *config = load(forward, more, members);
	struct state *want;
	int err;

	log_init("test", LOG_INFO);
	capture_begin(&capture, stderr);
	err = plan(&(struct demand){ .config = config }, *now, &want);
	messages = capture_end(&capture);
	cr_assert_eq(err, 0);
	want->conf = NULL;
	step(now, want);
	lb_config_free(config);
}

static void gue(struct state **now, const char *members)
{
	apply_with(now, "gue", "", members);
}

/* 0 or what plan() said. */
static int order(struct state **now, enum order_verb verb, const char *name, __u32 weight)
{
	const struct order o = { verb, weight, name };
	struct state *want;
	int err;

	log_init("test", LOG_INFO);
	capture_begin(&capture, stderr);
	err = plan(&(struct demand){ .orders = &o, .n_orders = 1 }, *now, &want);
	messages = capture_end(&capture);
	if (!err)
		step(now, want);
	return err;
}

static const struct state_member *member(const struct state *state, const char *name)
{
	const struct state_pool *pool = state_find_pool(state, "web");

	for (size_t i = 0; pool && i < pool->n_members; i++)
		if (!strcmp(pool->members[i].name, name))
			return &pool->members[i];
	return NULL;
}

/* "b1 active 100/100 b2 ...": name, state, weight for new flows, base, marks. */
static const char *words(const struct state *state)
{
	static char text[1024];
	const struct state_pool *pool = state_find_pool(state, "web");
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < pool->n_members; i++) {
		const struct state_member *m = &pool->members[i];

		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s %s %u/%u%s%s%s%s",
					i ? ", " : "", m->name, state_word(member_state(m)),
					member_owner(m), m->base,
					m->flags & MPLB_MEMBER_F_DRAIN ? " drain" : "",
					m->flags & MPLB_MEMBER_F_WEIGHT ? " weight" : "",
					m->flags & MPLB_MEMBER_F_GONE ? " gone" : "",
					m->flags & MPLB_MEMBER_F_KEPT ? " kept" : "");
	}
	return text;
}

static void build(const struct state *state, struct mplb_table_slot *slots)
{
	const struct state_pool *pool = state_find_pool(state, "web");
	struct maglev_member members[16];

	for (size_t i = 0; i < pool->n_members; i++)
		members[i] = (struct maglev_member){ pool->members[i].id,
						     (uint16_t)pool->members[i].index,
						     member_owner(&pool->members[i]),
						     pool->members[i].base, pool->members[i].prev };
	cr_assert_eq(maglev_build(members, pool->n_members, pool->hash_seed, slots), 0);
}

/* Who had a slot when the pool was settled is its owner, or its fallback, whatever came since. */
static void expect_fallback_stands(const struct state *state, const char *what)
{
	build(state, table);
	for (size_t i = 0; i < SLOTS; i++)
		cr_assert(table[i].owner == settled[i].owner ||
				  table[i].fallback == settled[i].owner,
			  "%s: slot %zu", what, i);
}

static struct state *empty(void)
{
	struct state *state = state_new(0, 0);

	cr_assert_not_null(state);
	return state;
}

Test(plan, new_pool_is_active)
{
	struct state *now = empty();

	gue(&now, B1 "," B2);
	cr_expect_str_eq(words(now), "b1 active 100/100, b2 active 100/100");
	cr_expect(!pool_is_unsettled(&now->pools[0]));
	cr_expect_str_empty(messages);
	gue(&now, B2 "," B1);
	cr_expect_str_eq(words(now), "b2 active 100/100, b1 active 100/100");
	cr_expect_eq(now->n_vips, 2);
	cr_expect_str_eq(now->pools[now->vips[1].pool].name, "other");
	state_free(now);
	cr_assert(!has_leaks());
}

Test(plan, joining_weight_and_gone)
{
	struct state *now = empty();
	__u32 index;

	gue(&now, B1 "," B2);
	gue(&now, B1 "," B2 "," B3);
	cr_expect_str_eq(words(now), "b1 active 100/100, b2 active 100/100, b3 joining 100/0");
	cr_expect(pool_is_unsettled(&now->pools[0]));
	gue(&now, B1_HEAVY "," B2 "," B3);
	cr_expect_str_eq(words(now), "b1 active 300/100, b2 active 100/100, b3 joining 100/0");
	cr_expect(strstr(messages, "pool web: other changes are under way"), "%s", messages);
	index = member(now, "b2")->index;
	gue(&now, B1_HEAVY);
	/* b3 has connections that were made in between; b2 lives on in its place. */
	cr_expect_str_eq(words(now), "b1 active 300/100, b2 down 0/100 gone, b3 down 0/0 gone");
	cr_expect_eq(member(now, "b2")->index, index);
	gue(&now, B1_HEAVY "," B2);
	cr_expect_str_eq(words(now), "b1 active 300/100, b2 active 100/100");
	cr_expect(strstr(messages, "connections made between them break"), "%s", messages);
	cr_expect_eq(member(now, "b2")->index, index);
	gue(&now, B1_IDLE);
	cr_expect_str_eq(words(now), "b1 draining 0/100, b2 down 0/100 gone");
	cr_assert_eq(order(&now, ORDER_SETTLE, NULL, 0), 0);
	cr_expect_str_eq(words(now), "b1 draining 0/0");
	state_free(now);
}

Test(plan, orders)
{
	struct state *now = empty();

	gue(&now, B1 "," B2);
	cr_assert_eq(order(&now, ORDER_DRAIN, "b2", 0), 0);
	cr_expect_str_eq(words(now), "b1 active 100/100, b2 draining 0/100 drain");
	cr_assert_eq(order(&now, ORDER_WEIGHT, "web/b1", 50), 0);
	cr_expect_str_eq(words(now), "b1 active 50/100 weight, b2 draining 0/100 drain");
	/* They outlast an apply, and the config's weight waits. */
	gue(&now, B1_HEAVY "," B2);
	cr_expect_str_eq(words(now), "b1 active 50/100 weight, b2 draining 0/100 drain");
	cr_assert_eq(order(&now, ORDER_SETTLE, "web", 0), 0);
	cr_expect_str_eq(words(now), "b1 active 50/50 weight, b2 draining 0/0 drain");
	cr_assert_eq(order(&now, ORDER_UNWEIGHT, "web/b1", 0), 0);
	cr_expect_str_eq(words(now), "b1 active 300/50, b2 draining 0/0 drain");
	cr_assert_eq(order(&now, ORDER_UNDRAIN, "b2", 0), 0);
	cr_expect_str_eq(words(now), "b1 active 300/50, b2 joining 100/0");
	state_free(now);
}

Test(plan, order_goes_with_its_member)
{
	struct state *now = empty();

	gue(&now, B1 "," B2);
	order(&now, ORDER_DRAIN, "b2", 0);
	gue(&now, B1);
	cr_expect_str_eq(words(now), "b1 active 100/100, b2 down 0/100 drain gone");
	order(&now, ORDER_SETTLE, NULL, 0);
	gue(&now, B1 "," B2);
	cr_expect_str_eq(words(now), "b1 active 100/100, b2 joining 100/0");
	state_free(now);
}

/* Whatever is applied and ordered between two settlings, in whatever order. */
Test(plan, fallback_stands_still)
{
	static const char *const configs[] = {
		B1 "," B2 "," B3,  B1_HEAVY "," B2, B3,	       B1_MOVED "," B2,
		B1_RENAMED "," B3, B1_IDLE,	    B1 "," B2,
	};
	struct state *now = empty();

	gue(&now, B1 "," B2);
	build(now, settled);
	for (size_t i = 0; i < sizeof(configs) / sizeof(*configs); i++) {
		gue(&now, configs[i]);
		expect_fallback_stands(now, configs[i]);
		for (int verb = ORDER_DRAIN; verb < ORDER_SETTLE; verb++) {
			order(&now, (enum order_verb)verb, "b2", 7);
			expect_fallback_stands(now, "order");
		}
	}
	cr_expect_str_eq(words(now), "b1 active 100/100, b2 active 100/100");
	gue(&now, B3);
	order(&now, ORDER_SETTLE, NULL, 0);
	build(now, table);
	for (size_t i = 0; i < SLOTS; i++)
		cr_assert(table[i].owner == table[i].fallback &&
			  table[i].owner == now->pools[0].members[0].index);
	state_free(now);
}

/* Two changes, the second of which takes the first back: each connection finds who has it. */
static void expect_both_known(const struct mplb_table_slot *before,
			      const struct mplb_table_slot *between)
{
	for (size_t i = 0; i < SLOTS; i++) {
		cr_assert(table[i].owner == before[i].owner || table[i].fallback == before[i].owner,
			  "before: slot %zu", i);
		cr_assert(table[i].owner == between[i].owner ||
				  table[i].fallback == between[i].owner,
			  "between: slot %zu", i);
	}
}

Test(plan, there_and_back)
{
	static const struct {
		enum order_verb there, back;
	} pairs[] = { { ORDER_DRAIN, ORDER_UNDRAIN }, { ORDER_WEIGHT, ORDER_UNWEIGHT } };
	static struct mplb_table_slot before[SLOTS], between[SLOTS];
	struct state *now = empty();

	gue(&now, B1 "," B2 "," B3);
	build(now, before);
	for (size_t i = 0; i < 2; i++) {
		order(&now, pairs[i].there, "b2", 10);
		build(now, between);
		order(&now, pairs[i].back, "b2", 0);
		cr_expect_str_empty(messages);
		build(now, table);
		expect_both_known(before, between);
		cr_expect(pool_is_unsettled(&now->pools[0]));
		order(&now, ORDER_SETTLE, NULL, 0);
		cr_expect(!pool_is_unsettled(&now->pools[0]));
		build(now, table);
		cr_expect_arr_eq(table, before, sizeof(table));
	}
	/* A member leaves and comes back. */
	gue(&now, B1 "," B3);
	build(now, between);
	gue(&now, B1 "," B2 "," B3);
	build(now, table);
	expect_both_known(before, between);
	cr_expect_str_eq(words(now), "b1 active 100/100, b2 active 100/100, b3 active 100/100");
	/* And again: still the two that count. */
	gue(&now, B1 "," B3);
	build(now, table);
	expect_both_known(before, between);
	cr_expect_str_empty(messages);
	state_free(now);
}

/* Of two changes in different directions, what moves twice is lost, and no more. */
Test(plan, there_and_on)
{
	static struct mplb_table_slot before[SLOTS], between[SLOTS];
	struct state *now = empty();
	size_t lost = 0;

	gue(&now, B1 "," B2 "," B3);
	build(now, before);
	order(&now, ORDER_DRAIN, "b2", 0);
	build(now, between);
	order(&now, ORDER_WEIGHT, "web/b1", 300);
	cr_expect(strstr(messages, "on the few slots that move each time"), "%s", messages);
	build(now, table);
	for (size_t i = 0; i < SLOTS; i++) {
		cr_assert(table[i].owner == before[i].owner ||
			  table[i].fallback == before[i].owner);
		lost += table[i].owner != between[i].owner && table[i].fallback != between[i].owner;
		cr_assert(
			table[i].owner == between[i].owner ||
			table[i].fallback == between[i].owner ||
			(between[i].owner != before[i].owner && table[i].owner != before[i].owner));
	}
	cr_expect(lost && lost < SLOTS / 5, "%zu", lost);
	state_free(now);
}

static void judge(struct state **now, __u16 id, bool down)
{
	const struct verdict verdict = {
		.pool = "web",
		.id = id,
		.addr = member(*now, id == 1 ? "b1" : "b2")->addr,
		.down = down,
	};
	struct state *want;

	log_init("test", LOG_INFO);
	capture_begin(&capture, stderr);
	cr_assert_eq(plan(&(struct demand){ .verdicts = &verdict, .n_verdicts = 1 }, *now, &want),
		     0);
	messages = capture_end(&capture);
	step(now, want);
}

static void checked(struct state **now, const char *all_down, const char *members)
{
	char more[64];

	snprintf(more, sizeof(more), ", health: {type: tcp, all_down: %s}", all_down);
	apply_with(now, "gue", more, members);
}

Test(plan, health)
{
	struct state *now = empty();

	checked(&now, "keep", B1 "," B2);
	judge(&now, 2, true);
	cr_expect_str_eq(words(now), "b1 active 100/100, b2 down 0/100");
	checked(&now, "keep", B1 "," B2);
	cr_expect_str_eq(words(now), "b1 active 100/100, b2 down 0/100");
	/* All down: health is ignored. */
	judge(&now, 1, true);
	cr_expect_str_eq(words(now), "b1 active 100/100 kept, b2 active 100/100 kept");
	/* A drained one is not in for it. */
	order(&now, ORDER_DRAIN, "b2", 0);
	cr_expect_str_eq(words(now), "b1 active 100/100 kept, b2 down 0/100 drain kept");
	order(&now, ORDER_UNDRAIN, "b2", 0);
	checked(&now, "stop", B1 "," B2);
	cr_expect_str_eq(words(now), "b1 down 0/100, b2 down 0/100");
	cr_expect(strstr(messages, "no backend takes new connections"), "%s", messages);
	judge(&now, 1, false);
	cr_expect_str_eq(words(now), "b1 active 100/100, b2 down 0/100");
	judge(&now, 2, false);
	cr_expect_str_eq(words(now), "b1 active 100/100, b2 active 100/100");
	/* Where nobody but the drained is healthy, the others are wanted. */
	checked(&now, "keep", B1 "," B2);
	order(&now, ORDER_DRAIN, "web/b1", 0);
	judge(&now, 2, true);
	cr_expect_str_eq(words(now), "b1 draining 0/100 drain, b2 active 100/100 kept");
	/* Without health checks nobody is down. */
	gue(&now, B1 "," B2);
	cr_expect_str_eq(words(now), "b1 draining 0/100 drain, b2 active 100/100");
	state_free(now);
}

/* All of it at once is one state. */
Test(plan, demand_of_all)
{
	struct state *now = empty(), *want;
	struct lb_config *config;
	const struct order orders[] = { { ORDER_SETTLE, 0, NULL }, { ORDER_DRAIN, 0, "web/b1" } };
	struct verdict verdict = { .pool = "web", .id = 2, .down = true };
	struct demand demand = {
		.orders = orders, .n_orders = 2, .verdicts = &verdict, .n_verdicts = 1
	};

	gue(&now, B1 "," B2);
	verdict.addr = member(now, "b2")->addr;
	config = load("gue", ", health: {type: tcp}", B1 "," B2 "," B3);
	demand.config = config;
	cr_assert_eq(plan(&demand, now, &want), 0);
	step(&now, want);
	cr_expect_str_eq(words(now), "b1 draining 0/0 drain, b2 down 0/0, b3 active 100/100");
	cr_assert_eq(plan(&demand, now, &want), 0);
	cr_expect_str_eq(words(want), "b1 draining 0/0 drain, b2 down 0/0, b3 active 100/100");
	state_free(want);
	lb_config_free(config);
	/* A verdict from before the health checks were taken out of the config is none any more. */
	config = load("gue", "", B1 "," B2 "," B3);
	demand.config = config;
	cr_assert_eq(plan(&demand, now, &want), 0);
	step(&now, want);
	cr_expect_str_eq(words(now), "b1 draining 0/0 drain, b2 active 100/100, b3 active 100/100");
	verdict.id = 77;
	verdict.pool = "nobody";
	cr_assert_eq(plan(&(struct demand){ .verdicts = &verdict, .n_verdicts = 1 }, now, &want),
		     0);
	state_free(want);
	lb_config_free(config);
	now->conf = NULL;
	state_free(now);
	cr_assert(!has_leaks());
}

/* Another machine under the same name and id takes the place for new flows alone. */
Test(plan, another_address)
{
	struct state *now = empty();

	gue(&now, B1 "," B2);
	gue(&now, B1_MOVED "," B2);
	cr_expect_str_eq(words(now), "b1 joining 100/0, b2 active 100/100, b1 down 0/100 gone");
	cr_assert_eq(order(&now, ORDER_DRAIN, "web/b1", 0), 0);
	cr_expect_str_eq(words(now),
			 "b1 draining 0/0 drain, b2 active 100/100, b1 down 0/100 gone");
	cr_assert_eq(order(&now, ORDER_SETTLE, NULL, 0), 0);
	cr_expect_str_eq(words(now), "b1 draining 0/0 drain, b2 active 100/100");
	state_free(now);
}

Test(plan, no_second_chance)
{
	struct state *now = empty();

	apply_with(&now, "ipip", "", B1 "," B2);
	apply_with(&now, "ipip", "", B1_HEAVY "," B3);
	cr_expect_str_eq(words(now), "b1 active 300/300, b3 active 100/100");
	cr_assert_eq(order(&now, ORDER_DRAIN, "b3", 0), 0);
	cr_expect_str_eq(words(now), "b1 active 300/300, b3 draining 0/0 drain");
	cr_expect(strstr(messages, "established connections whose backend changes break"), "%s",
		  messages);
	cr_expect(!pool_is_unsettled(&now->pools[0]));
	/* To gue: connections of before are where the ipip table had them. */
	gue(&now, B1_HEAVY "," B2);
	cr_expect_str_eq(words(now), "b1 active 300/300, b2 joining 100/0");
	apply_with(&now, "ipip", "", B1_HEAVY "," B2);
	cr_expect_str_eq(words(now), "b1 active 300/300, b2 active 100/100");
	state_free(now);
}

/* Where the slots of all flows change, there is nothing to keep. */
Test(plan, not_continued)
{
	struct state *now = empty();

	gue(&now, B1 "," B2);
	apply_with(&now, "gue", ", hash: addresses", B1 "," B3);
	cr_expect(strstr(messages, "pool web: hash changes: established connections"), "%s",
		  messages);
	cr_expect_str_eq(words(now), "b1 active 100/100, b3 active 100/100");
	cr_expect(now->pools[0].hash_addresses);
	now->pools[0].hash_seed = 8;
	apply_with(&now, "gue", ", hash: addresses", B2 "," B3);
	cr_expect(strstr(messages, "pool web: hash_seed changes"), "%s", messages);
	cr_expect_str_eq(words(now), "b2 active 100/100, b3 active 100/100");
	apply_with(&now, "gue", ", hash: addresses",
		   "{name: b2, id: 2, address: \"2001:db8::12\"}");
	cr_expect(strstr(messages, "the address family of its backends changes"), "%s", messages);
	cr_expect_str_eq(words(now), "b2 active 100/100");
	state_free(now);
}

Test(plan, names)
{
	struct state *now = empty();

	gue(&now, B1 "," B2);
	cr_expect_eq(order(&now, ORDER_DRAIN, "b1", 0), -EINVAL);
	cr_expect(strstr(messages, "b1: several backends are called this; say which: web/b1, "
				   "other/b1"),
		  "%s", messages);
	cr_expect_eq(order(&now, ORDER_DRAIN, "b4", 0), -EINVAL);
	cr_expect(strstr(messages, "b4: no backend is called this"), "%s", messages);
	cr_expect_eq(order(&now, ORDER_DRAIN, "web/", 0), -EINVAL);
	cr_expect_eq(order(&now, ORDER_DRAIN, "other/b2", 0), -EINVAL);
	cr_expect_eq(order(&now, ORDER_DRAIN, "", 0), -EINVAL);
	cr_expect_eq(order(&now, ORDER_SETTLE, "b1", 0), -EINVAL);
	cr_expect(strstr(messages, "b1: no pool is called this"), "%s", messages);
	gue(&now, B1);
	cr_expect_eq(order(&now, ORDER_UNDRAIN, "web/b2", 0), -EINVAL);
	cr_expect(strstr(messages, "web/b2: this backend is no longer in the config"), "%s",
		  messages);
	cr_expect_str_eq(words(now), "b1 active 100/100, b2 down 0/100 gone");
	state_free(now);
}

Test(plan, warns_of_an_empty_pool)
{
	struct state *now = empty();

	gue(&now, B1 "," B2);
	order(&now, ORDER_DRAIN, "b2", 0);
	cr_expect_str_empty(messages);
	order(&now, ORDER_WEIGHT, "web/b1", 0);
	cr_expect(strstr(messages, "pool web: no backend takes new connections"), "%s", messages);
	state_free(now);
}

/* What is the same keeps its place; what goes gives it back only when it is out of force. */
Test(places, kept)
{
	struct state *now = empty();
	__u32 b1, b2, web;

	gue(&now, B1 "," B2);
	b1 = member(now, "b1")->index;
	b2 = member(now, "b2")->index;
	web = now->pools[0].table;
	gue(&now, B1_RENAMED "," B2);
	cr_expect_eq(member(now, "first")->index, b1);
	cr_expect_eq(now->pools[0].table, web);
	apply_with(&now, "ipip", "", B1 "," B2);
	cr_expect_neq(member(now, "b1")->index, b1);
	cr_expect_neq(member(now, "b2")->index, b2);
	cr_expect_neq(now->pools[0].table, web);
	apply_with(&now, "l2", "", B1_MOVED);
	cr_expect_eq(member(now, "b1")->index, b1 < b2 ? b1 : b2);
	/* A table whose description is of before is not trusted. */
	web = now->pools[0].table;
	now->pools[0].torn = true;
	apply_with(&now, "l2", "", B1_MOVED);
	cr_expect_neq(now->pools[0].table, web);
	state_free(now);
}

/* The changes from one state to the next, as "ACTION OBJECT NAME: DETAIL" lines. */
static const char *notes(const struct state *was, const struct state *want)
{
	static char text[4096];
	json_t *changes = json_array();
	const json_t *change;
	size_t i, len = 0;

	notes_write(was, want, changes);
	text[0] = '\0';
	json_array_foreach (changes, i, change)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s %s %s: %s\n",
					json_string_value(json_object_get(change, "action")),
					json_string_value(json_object_get(change, "object")),
					json_string_value(json_object_get(change, "name")),
					json_string_value(json_object_get(change, "detail")));
	json_decref(changes);
	return text;
}

Test(notes, what_changed)
{
	struct state *none = empty(), *now = empty(), *was;

	gue(&now, B1 "," B2);
	cr_expect_str_eq(notes(none, now),
			 "add backend web/b1: 10.0.0.11 id 1 weight 100\n"
			 "add backend web/b2: 10.0.0.12 id 2 weight 100\n"
			 "add backend other/b1: 10.0.0.9 id 9 weight 100\n"
			 "add vip v: 198.51.100.1:80/tcp -> pool web, mp_join reject\n"
			 "add vip w: 198.51.100.2:80/tcp -> pool other, mp_join reject\n");
	cr_expect_str_empty(notes(now, now));
	was = state_copy(now);
	gue(&now, B1_HEAVY "," B3);
	order(&now, ORDER_DRAIN, "b3", 0);
	cr_expect_str_eq(notes(was, now),
			 "change backend web/b1: weight 100 -> 300\n"
			 "add backend web/b3: 10.0.0.13 id 3 weight 100, draining\n"
			 "remove backend web/b2: 10.0.0.12, kept for its connections until the "
			 "pool is settled\n"
			 "unsettled pool web: " NOTES_UNSETTLED "\n");
	state_free(was);
	was = state_copy(now);
	order(&now, ORDER_SETTLE, NULL, 0);
	cr_expect_str_eq(notes(was, now), "change backend web/b1: base weight 100 -> 300\n"
					  "remove backend web/b2: 10.0.0.12\n");
	cr_expect(!strncmp(notes(now, none), "remove vip v: 198.51.100.1:80/tcp\n", 34));
	state_free(was);
	state_free(now);
	state_free(none);
	cr_assert(!has_leaks());
}
