/* SPDX-License-Identifier: GPL-2.0-only */
#include "control.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/event.h>

#define ANSWER_TIME 2 /* s */

struct control {
	int fd;
	struct event *event;
	json_t *(*report)(void *ctx);
	void *ctx;
};

/* Abstract names hold 107 bytes; a folder's may be longer, and is cut from the front. */
static socklen_t name_of(const char *pin_dir, struct sockaddr_un *out)
{
	static const char prefix[] = "mplb-server-pm:";
	size_t room = sizeof(out->sun_path) - 1 - sizeof(prefix), len = strlen(pin_dir);
	int n;

	*out = (struct sockaddr_un){ .sun_family = AF_UNIX };
	n = snprintf(out->sun_path + 1, sizeof(out->sun_path) - 1, "%s%s", prefix,
		     pin_dir + (len > room ? len - room : 0));
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

static bool may_ask(int fd)
{
	struct ucred who;
	socklen_t len = sizeof(who);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) &&
	       (who.uid == 0 || who.uid == geteuid());
}

/* An answer fits the socket's buffer, so that nobody can make the daemon wait. */
static void on_ask(evutil_socket_t fd, short what, void *arg)
{
	struct control *c = arg;
	int one = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	json_t *report;
	char *text;

	(void)what;
	if (one < 0)
		return;
	if (may_ask(one)) {
		report = c->report(c->ctx);
		text = json_dumps(report, JSON_COMPACT);
		if (text && send(one, text, strlen(text), MSG_NOSIGNAL) < 0)
			shutdown(one, SHUT_RDWR);
		free(text);
		json_decref(report);
	}
	close(one);
}

int control_new(struct event_base *base, const char *pin_dir, json_t *(*report)(void *ctx),
		void *ctx, struct control **out)
{
	struct control *c = calloc(1, sizeof(*c));
	struct sockaddr_un name;
	socklen_t len = name_of(pin_dir, &name);
	int err;

	if (!c)
		return -ENOMEM;
	c->report = report;
	c->ctx = ctx;
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd < 0 || bind(c->fd, (void *)&name, len) || listen(c->fd, 8)) {
		err = -errno;
		control_free(c);
		return err;
	}
	c->event = event_new(base, c->fd, EV_READ | EV_PERSIST, on_ask, c);
	if (!c->event || event_add(c->event, NULL)) {
		control_free(c);
		return -ENOMEM;
	}
	*out = c;
	return 0;
}

void control_free(struct control *control)
{
	if (!control)
		return;
	if (control->event)
		event_free(control->event);
	if (control->fd >= 0)
		close(control->fd);
	free(control);
}

/* Reads up to the end. malloc'ed, or NULL. */
static char *read_all(int fd)
{
	size_t size = 1 << 16, len = 0;
	char *text = malloc(size);
	ssize_t got;

	while (text && len + 1 < size && (got = recv(fd, text + len, size - len - 1, 0)) > 0)
		len += (size_t)got;
	if (text)
		text[len] = '\0';
	return text;
}

json_t *control_ask(const char *pin_dir)
{
	const struct timeval wait = { .tv_sec = ANSWER_TIME };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un name;
	socklen_t len = name_of(pin_dir, &name);
	json_t *answer = NULL;
	char *text;

	if (fd < 0)
		return NULL;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	/* Anybody may take an abstract name: only what root or we ourselves say counts. */
	if (!connect(fd, (void *)&name, len) && may_ask(fd)) {
		text = read_all(fd);
		answer = text ? json_loads(text, 0, NULL) : NULL;
		free(text);
	}
	close(fd);
	return answer;
}
