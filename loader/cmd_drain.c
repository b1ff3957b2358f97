/* SPDX-License-Identifier: GPL-2.0-only */
/* lbctl drain ... wait */
#include "cmd_drain.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/log.h"
#include "lib/monotonic.h"
#include "lib/out.h"

/* A connection whose handshake was under way when the drain began shows a little later. */
#define EMPTY_LOOKS 3
#define AWAY_LOOKS  10

/* What a look found. */
struct look {
	json_t *answer;
	const char *problem; /* nobody knows, and why */
	json_int_t vip_sockets, off_path;
};

/* away: looks in a row for which no agent ran, as when it is being started again; after AWAY_LOOKS
 * of them that is an error. */
static int look_at(const struct lbctl *ctl, const char *backend, int *away, struct look *out)
{
	json_t *request = json_pack("{s:s, s:s}", "request", "left", "backend", backend);
	int code = LBCTL_OK;

	if (*away == AWAY_LOOKS) {
		code = lbctl_need(ctl, request, &out->answer);
		*away = 0;
	} else if (!lbctl_ask(ctl, request, &code, &out->answer)) {
		out->answer = json_pack("{s:s}", "problem", "lb-agent does not run");
		++*away;
	} else {
		*away = 0;
	}
	if (code != LBCTL_OK)
		return code;
	out->problem = json_string_value(json_object_get(out->answer, "problem"));
	out->vip_sockets = json_integer_value(json_object_get(out->answer, "vip_sockets"));
	out->off_path = json_integer_value(json_object_get(out->answer, "off_path"));
	return LBCTL_OK;
}

static void say(const char *backend, const struct look *look)
{
	if (look->problem)
		log_warn("%s: nobody knows what is left: %s", backend, look->problem);
	else
		printf("%s: left: %" JSON_INTEGER_FORMAT
		       " TCP connections on its VIPs, %" JSON_INTEGER_FORMAT
		       " MPTCP connections off them\n",
		       backend, look->vip_sockets, look->off_path);
	fflush(stdout);
}

static bool is_news(const struct look *look, const struct look *said)
{
	if (!said->answer || !look->problem != !said->problem)
		return true;
	return look->problem
		       ? strcmp(look->problem, said->problem) != 0
		       : look->vip_sockets != said->vip_sockets || look->off_path != said->off_path;
}

static int conclude(const struct lbctl *ctl, const char *backend, const struct look *last,
		    bool empty, const json_t *changes)
{
	if (ctl->json) {
		json_t *result = json_pack("{s:O, s:b}", "changes", changes, "empty", (int)empty);
		static const char *const keys[] = { "pool", "backend", "vip_sockets", "off_path",
						    "problem" };

		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
			if (json_object_get(last->answer, keys[i]))
				json_object_set(result, keys[i],
						json_object_get(last->answer, keys[i]));
		out_json(result);
		json_decref(result);
	} else if (empty) {
		printf("%s: empty\n", backend);
	}
	if (empty)
		return LBCTL_OK;
	if (last->problem)
		log_error("%s: drained, and nobody knows what is left: %s", backend, last->problem);
	else
		log_error("%s: drained, and not empty at the deadline; it takes no new connections",
			  backend);
	return LBCTL_KERNEL;
}

int drain_wait(const struct lbctl *ctl, const char *backend, const struct drain_wait *wait,
	       const json_t *changes)
{
	const struct timespec second = { .tv_sec = 1 };
	uint64_t end = monotonic_ms() + wait->deadline_ms;
	struct look said = { 0 }, look = { 0 };
	int empty = 0, away = AWAY_LOOKS, code; /* the first time there must be one */

	for (;;) {
		code = look_at(ctl, backend, &away, &look);
		if (code != LBCTL_OK)
			break;
		if (!ctl->json && is_news(&look, &said))
			say(backend, &look);
		json_decref(said.answer);
		said = look;
		look.answer = NULL;
		empty = said.problem || said.vip_sockets || said.off_path ? 0 : empty + 1;
		/* Where nobody knows, only a deadline can end the wait. */
		if (empty == EMPTY_LOOKS || (wait->deadline_ms && monotonic_ms() >= end) ||
		    (said.problem && !wait->deadline_ms && !away)) {
			code = conclude(ctl, backend, &said, empty == EMPTY_LOOKS, changes);
			break;
		}
		nanosleep(&second, NULL);
	}
	json_decref(said.answer);
	json_decref(look.answer);
	return code;
}
