/* SPDX-License-Identifier: GPL-2.0-only */
/* What lbctl has an agent do. */
#include "lbctl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent_socket.h"
#include "lib/control.h"
#include "lib/log.h"

#define ANSWER_MS 30000 /* a change of all there can be takes some seconds */

static void print_log(const json_t *log)
{
	const json_t *line;
	size_t i;

	json_array_foreach (log, i, line) {
		const char *level = json_string_value(json_object_get(line, "level"));
		const char *text = json_string_value(json_object_get(line, "text"));

		if (level && text)
			log_at(strcmp(level, "error") ? LOG_WARN : LOG_ERROR, "%s", text);
	}
}

static int exit_of(const json_t *answer)
{
	const json_t *code = json_object_get(answer, "exit");

	return json_is_integer(code) ? (int)json_integer_value(code) : LBCTL_KERNEL;
}

static void log_failure(const char *path, int err)
{
	const char *mend = "";

	if (err == -EACCES || err == -EPERM)
		mend = "; run as root, or as one of the socket's group";
	else if (err == -ENOENT || err == -ECONNREFUSED)
		mend = "; no lb-agent runs there";
	else if (err == -ETIMEDOUT)
		mend = "; lb-agent does not answer: it may have done it or not; see its log";
	else if (err == -EPROTO || err == -ECONNRESET)
		mend = "; lb-agent went away, or what is there is none";
	log_error("--socket %s: %s%s", path, strerror(-err), mend);
}

bool lbctl_ask(const struct lbctl *ctl, json_t *request, int *code, json_t **answer)
{
	char path[AGENT_SOCKET_MAX];
	int err;

	*answer = NULL;
	if (!ctl->socket)
		agent_socket_find(ctl->pin_dir, path);
	err = control_ask(ctl->socket ? ctl->socket : path, request, ANSWER_MS, answer);
	json_decref(request);
	if (!ctl->socket && (err == -ENOENT || err == -ECONNREFUSED))
		return false;
	if (err) {
		log_failure(ctl->socket ? ctl->socket : path, err);
		*code = LBCTL_KERNEL;
		return true;
	}
	print_log(json_object_get(*answer, "log"));
	*code = exit_of(*answer);
	return true;
}

int lbctl_need(const struct lbctl *ctl, json_t *request, json_t **answer)
{
	char path[AGENT_SOCKET_MAX];
	int code = LBCTL_KERNEL;

	if (lbctl_ask(ctl, request, &code, answer))
		return code;
	agent_socket_find(ctl->pin_dir, path);
	log_error("%s: no lb-agent runs here, and only it can tell; start it: lb-agent run -c FILE",
		  path);
	return LBCTL_KERNEL;
}
