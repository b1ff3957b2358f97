/* SPDX-License-Identifier: GPL-2.0-only */
#include "reconcile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "lib/log.h"
#include "lib/monotonic.h"
#include "loader/apply.h"
#include "orders_file.h"
#include "settler.h"

#define GATHER_US 10000 /* verdicts of one cause come in bursts */
#define RETRY_S	  1 /* after a change that failed */

struct reconciler {
	struct reconcile_env env;
	struct lb_config *config;
	struct settler *settler;
	char *saved; /* the text of the orders on disk; NULL: not known */
	struct verdict verdicts[MPLB_MAX_BACKENDS]; /* for the change at work */
	struct event *soon, *settle;
};

static const char *text_at(const json_t *change, const char *key)
{
	return json_string_value(json_object_get(change, key));
}

void reconcile_log(const json_t *changes)
{
	const json_t *change;
	size_t i;

	json_array_foreach (changes, i, change)
		log_info("%s %s %s: %s", text_at(change, "action"), text_at(change, "object"),
			 text_at(change, "name"), text_at(change, "detail"));
}

/* What comes after a change */

static void set_settle_timer(struct reconciler *r)
{
	uint64_t next = settler_next(r->settler, r->config ? r->config->settle_after_ms : 0);
	uint64_t now = monotonic_ms(), in = next > now ? next - now : 0;
	const struct timeval delay = { (time_t)(in / 1000), (suseconds_t)(in % 1000) * 1000 };

	if (next == UINT64_MAX)
		event_del(r->settle);
	else
		event_add(r->settle, &delay);
}

/* Reads what is in force. NULL: logged. */
static struct state *read_state(const struct datapath *dp)
{
	struct in_force *now = malloc(sizeof(*now));
	struct state *state = NULL;
	int err = now ? in_force_read(dp, now) : -ENOMEM;

	err = err ? err : state_read(dp, now, &state);
	free(now);
	if (!err)
		return state;
	log_error("%s: cannot read what is in force: %s", dp->folder, strerror(-err));
	return NULL;
}

static void save_orders(struct reconciler *r)
{
	struct state *state = r->env.state_file ? read_state(r->env.datapath) : NULL;

	/* Logged: the orders are in force all the same. */
	if (state)
		orders_file_save(r->env.state_file, state, &r->saved);
	state_free(state);
}

/* Puts in force what is demanded, and what health says. */
static int carry_out(struct reconciler *r, const struct demand *demand, json_t *changes)
{
	struct demand all = *demand;
	int err;

	if (!r->env.datapath)
		return 0;
	all.verdicts = r->verdicts;
	all.n_verdicts = r->env.verdicts(r->env.data, r->verdicts, MPLB_MAX_BACKENDS);
	err = apply(r->env.datapath, &all, changes);
	if (err)
		return err;
	settler_see(r->settler, changes, monotonic_ms());
	save_orders(r);
	return 0;
}

/* Config */

/* Orders from before the machine was started anew: there is nothing in force yet. */
static void read_orders(const struct reconciler *r, const struct lb_config *config,
			struct orders *out)
{
	struct state *state = NULL;

	*out = (struct orders){ 0 };
	if (r->config || !r->env.datapath || !r->env.state_file)
		return;
	state = read_state(r->env.datapath);
	/* An error is logged, and no reason not to run. */
	if (state && !state->n_vips && !orders_file_load(r->env.state_file, config, out) && out->n)
		log_info("%s: orders from before are carried out", r->env.state_file);
	state_free(state);
}

/* A part did not take the new config: all go back to the one of before. */
static void put_back(struct reconciler *r)
{
	const struct demand demand = { .config = r->config };
	json_t *changes = json_array();

	if (r->config && !carry_out(r, &demand, changes))
		r->env.configure(r->env.data, r->config);
	set_settle_timer(r);
	json_decref(changes);
}

int reconcile_config(struct reconciler *r, struct lb_config *config, json_t *changes)
{
	struct orders orders;
	struct demand demand = { .config = config };
	int err;

	read_orders(r, config, &orders);
	demand.orders = orders.order;
	demand.n_orders = orders.n;
	err = carry_out(r, &demand, changes);
	orders_drop(&orders);
	if (err)
		return err;
	err = r->env.configure(r->env.data, config);
	if (err) {
		put_back(r);
		return err;
	}
	lb_config_free(r->config);
	r->config = config;
	set_settle_timer(r);
	r->env.changed(r->env.data);
	return 0;
}

const struct lb_config *reconcile_config_now(const struct reconciler *r)
{
	return r->config;
}

/* Orders */

int reconcile_order(struct reconciler *r, const struct order *order, json_t *changes)
{
	const struct demand demand = { .orders = order, .n_orders = 1 };
	int err;

	if (!r->env.datapath)
		return log_err_r(-EINVAL, "this lb-agent has no data plane, and takes no orders");
	err = carry_out(r, &demand, changes);
	if (err)
		return err;
	set_settle_timer(r);
	r->env.changed(r->env.data);
	return 0;
}

/* Health */

static void soon(struct reconciler *r, long us)
{
	const struct timeval delay = { us / 1000000, us % 1000000 };

	if (!event_pending(r->soon, EV_TIMEOUT, NULL))
		event_add(r->soon, &delay);
}

void reconcile_health(struct reconciler *r)
{
	soon(r, GATHER_US);
}

static void on_soon(evutil_socket_t fd, short what, void *data)
{
	struct reconciler *r = data;
	json_t *changes = json_array();

	(void)fd;
	(void)what;
	if (carry_out(r, &(struct demand){ 0 }, changes)) {
		soon(r, RETRY_S * 1000000L);
	} else {
		reconcile_log(changes);
		set_settle_timer(r);
		r->env.changed(r->env.data);
	}
	json_decref(changes);
}

/* Settling */

static void on_settle(evutil_socket_t fd, short what, void *data)
{
	struct reconciler *r = data;
	struct order orders[64];
	struct demand demand = { .orders = orders };
	json_t *changes = json_array();
	const char *pool;

	(void)fd;
	(void)what;
	while (demand.n_orders < sizeof(orders) / sizeof(orders[0]) &&
	       (pool = settler_due(r->settler, r->config->settle_after_ms, monotonic_ms()))) {
		log_info("pool %s: settled: its last change was settle_after ago", pool);
		orders[demand.n_orders++] = (struct order){ .verb = ORDER_SETTLE, .name = pool };
	}
	if (demand.n_orders && !carry_out(r, &demand, changes)) {
		reconcile_log(changes);
		r->env.changed(r->env.data);
	}
	json_decref(changes);
	set_settle_timer(r);
}

json_t *reconcile_json(const struct reconciler *r)
{
	return settler_json(r->settler, r->config ? r->config->settle_after_ms : 0, monotonic_ms());
}

/* Life */

int reconcile_open(const struct reconcile_env *env, struct reconciler **out)
{
	struct reconciler *r = calloc(1, sizeof(*r));

	if (r) {
		r->env = *env;
		r->settler = settler_new();
		r->soon = evtimer_new(env->base, on_soon, r);
		r->settle = evtimer_new(env->base, on_settle, r);
	}
	if (!r || !r->settler || !r->soon || !r->settle) {
		reconcile_close(r);
		return log_err_r(-ENOMEM, "out of memory");
	}
	*out = r;
	return 0;
}

void reconcile_close(struct reconciler *r)
{
	if (!r)
		return;
	if (r->soon)
		event_free(r->soon);
	if (r->settle)
		event_free(r->settle);
	settler_free(r->settler);
	lb_config_free(r->config);
	free(r->saved);
	free(r);
}
