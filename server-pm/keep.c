/* SPDX-License-Identifier: GPL-2.0-only */
#include "keep.h"

#include <errno.h>
#include <string.h>
#include "lib/log.h"

#define MAX_WAIT 60 /* passes: about a minute */

/* What the state is to say about a wanted item that is in place, or about to be. */
static struct mplb_server_item record_of(const struct keeper *k,
					 const struct mplb_server_item *want, bool in_place)
{
	const struct mplb_server_item *known = server_state_find(k->place.state, want);
	struct mplb_server_item record = *want;

	if (known && (known->flags & MPLB_SERVER_F_OURS)) {
		record.flags |= MPLB_SERVER_F_OURS;
		memcpy(record.before, known->before, sizeof(record.before));
	} else if (!in_place) {
		record.flags |= MPLB_SERVER_F_OURS;
		item_remember(&k->place, &record);
	}
	return record;
}

static int record(const struct keeper *k, const struct mplb_server_item *r)
{
	const struct mplb_server_item *known = server_state_find(k->place.state, r);

	if (known && !memcmp(known, r, sizeof(*r)))
		return 0;
	return server_state_save(k->place.state, r);
}

static int keep_missing(const struct keeper *k, const struct mplb_server_item *want)
{
	struct mplb_server_item r = record_of(k, want, false);
	char text[ITEM_TEXT];
	int err = record(k, &r);

	err = err ? err : item_put(&k->place, &r);
	if (!err)
		log_info("%s: %s", item_text(&r, text), k->settled ? "was gone, put back" : "set");
	return err;
}

static int keep_item(const struct keeper *k, const struct mplb_server_item *want)
{
	int is = item_look(&k->place, want);
	struct mplb_server_item r;
	char text[ITEM_TEXT];

	if (is == -EEXIST)
		return log_err_r(is,
				 "%s: there is an endpoint of this address with other flags, not "
				 "set by server-pm; `ip mptcp endpoint` shows its id: ip mptcp "
				 "endpoint delete id ID",
				 item_text(want, text));
	if (is < 0)
		return log_err_r(is, "%s: cannot be looked at: %s", item_text(want, text),
				 strerror(-is));
	if (!is)
		return keep_missing(k, want);
	r = record_of(k, want, true);
	return record(k, &r);
}

int keeper_pass(struct keeper *k)
{
	int first = machine_look(k->place.machine);

	if (first)
		return first;
	for (size_t i = 0; i < k->n; i++) {
		struct keeper_retry *retry = &k->retry[i];
		int err;

		if (retry->left) {
			retry->left--;
			continue;
		}
		err = keep_item(k, &k->item[i]);
		retry->wait = !err ? 0 : retry->wait ? retry->wait * 2 : 1;
		if (retry->wait > MAX_WAIT)
			retry->wait = MAX_WAIT;
		retry->left = retry->wait;
		first = first ? first : err;
	}
	return first;
}

/* True where the value is one that a program reads, and not how it is attached. */
static bool is_setting(const struct mplb_server_item *item)
{
	return item->kind == MPLB_SERVER_MSS || item->kind == MPLB_SERVER_FIRST_FLIGHT;
}

/* An item whose value changes is taken back and set anew, so that `before` stays right, unless the
 * value is a setting. (The decapsulation's is its mode; the kernel has no change of mode without a
 * gap either.) */
static bool is_planned(const struct mplb_server_item *item, const struct mplb_server_item *plan,
		       size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (server_item_same(item, &plan[i]) &&
		    item->endpoint_flags == plan[i].endpoint_flags &&
		    (is_setting(item) || !strcmp(item->value, plan[i].value)))
			return true;
	return false;
}

static int take_back(const struct item_place *place, const struct mplb_server_item *item)
{
	struct mplb_server_item copy = *item;
	char text[ITEM_TEXT];
	int err = 0;

	if (copy.flags & MPLB_SERVER_F_OURS) {
		err = item_take(place, &copy);
		if (!err)
			log_info("%s: taken back", item_text(&copy, text));
	}
	return err ? err : server_state_forget(place->state, &copy);
}

/* True for the endpoint of a subflow through an address that stays a VIP. */
static bool is_staying_vip(const struct mplb_server_item *item, const struct mplb_server_item *plan,
			   size_t n)
{
	if (item->kind != MPLB_SERVER_ENDPOINT || item->port)
		return false;
	for (size_t i = 0; i < n; i++)
		if (plan[i].kind == MPLB_SERVER_ADDRESS && plan[i].family == item->family &&
		    !memcmp(&plan[i].addr, &item->addr, sizeof(item->addr)))
			return true;
	return false;
}

static int rest(const struct item_place *place, const struct mplb_server_item *item)
{
	struct mplb_server_item copy = *item;
	char text[ITEM_TEXT];
	int err;

	if (!(copy.flags & MPLB_SERVER_F_OURS))
		return server_state_forget(place->state, &copy);
	if (!copy.endpoint_flags)
		return 0;
	err = item_rest(place, &copy);
	if (!err)
		log_info("%s: has no effect any more; deleting it would cut live connections",
			 item_text(item, text));
	return err ? err : server_state_save(place->state, &copy);
}

int keeper_take_back(const struct item_place *place, const struct mplb_server_item *plan, size_t n,
		     bool leave_endpoints)
{
	const struct mplb_server_item *items;
	size_t count = server_state_items(place->state, &items);
	int first = machine_look(place->machine);

	for (int kind = MPLB_SERVER_KIND_MAX - 1; !first && kind > MPLB_SERVER_NETNS; kind--)
		for (size_t i = 0; i < count; i++) {
			int err = 0;

			if (items[i].kind != kind || is_planned(&items[i], plan, n) ||
			    (leave_endpoints && kind == MPLB_SERVER_ENDPOINT))
				continue;
			if (is_staying_vip(&items[i], plan, n))
				err = rest(place, &items[i]);
			else
				err = take_back(place, &items[i]);
			first = first ? first : err;
		}
	return first;
}
