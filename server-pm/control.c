/* SPDX-License-Identifier: GPL-2.0-only */
#include "control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/control.h"
#include "lib/log.h"

#define ANSWER_MS 2000

struct server_control {
	struct control *socket;
	json_t *(*report)(void *ctx);
	void *ctx;
};

#define NAME_MAX_LEN sizeof(((struct sockaddr_un *)0)->sun_path)

/* A folder's path may be longer than a name, and is cut from the front. */
static void name_of(const char *pin_dir, char out[static NAME_MAX_LEN])
{
	static const char prefix[] = "@mplb-server-pm:";
	size_t room = NAME_MAX_LEN - sizeof(prefix), len = strlen(pin_dir);

	snprintf(out, NAME_MAX_LEN, "%s%s", prefix, pin_dir + (len > room ? len - room : 0));
}

static void on_request(void *data, struct control_peer *peer, const json_t *request)
{
	const struct server_control *c = data;
	const char *name = json_string_value(json_object_get(request, "request"));

	control_answer(peer,
		       name && !strcmp(name, "status")
			       ? c->report(c->ctx)
			       : json_pack("{s:s}", "error", "the one request is \"status\""));
}

int server_control_open(struct event_base *base, const char *pin_dir, json_t *(*report)(void *ctx),
			void *ctx, struct server_control **out)
{
	char name[NAME_MAX_LEN];
	struct server_control *c = calloc(1, sizeof(*c));
	const struct control_env env = {
		.base = base, .address = name, .request = on_request, .data = c
	};
	int err;

	if (!c)
		return log_err_r(-ENOMEM, "out of memory; free some");
	c->report = report;
	c->ctx = ctx;
	name_of(pin_dir, name);
	err = control_open(&env, &c->socket);
	if (err) {
		free(c);
		return err;
	}
	*out = c;
	return 0;
}

void server_control_close(struct server_control *c)
{
	if (!c)
		return;
	control_close(c->socket);
	free(c);
}

json_t *server_control_ask(const char *pin_dir)
{
	char name[NAME_MAX_LEN];
	json_t *request = json_pack("{s:s}", "request", "status"), *answer = NULL;
	int err;

	name_of(pin_dir, name);
	err = control_ask(name, request, ANSWER_MS, &answer);
	json_decref(request);
	return err ? NULL : answer;
}
