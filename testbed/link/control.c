// SPDX-License-Identifier: GPL-2.0-only
#include "control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/log.h"

static const char *const link_way_names[] = { "forth", "back" };

/* Reads a request into copies of the settings; they are taken over only if all of it is good. */
static int link_control_read(const json_t *request, struct link_settings settings[static 2],
			     char error[static LINK_SETTINGS_ERROR])
{
	const char *name;
	json_t *value;

	if (!json_is_object(request)) {
		snprintf(error, LINK_SETTINGS_ERROR, "want an object with \"forth\" and \"back\"");
		return -EINVAL;
	}
	json_object_foreach ((json_t *)request, name, value) {
		size_t i = strcmp(name, link_way_names[0]) != 0;

		if (strcmp(name, link_way_names[i]) != 0) {
			snprintf(error, LINK_SETTINGS_ERROR, "%s: want \"forth\" or \"back\"",
				 name);
			return -EINVAL;
		}
		if (link_settings_read(value, &settings[i], error))
			return -EINVAL;
	}
	return 0;
}

char *link_control_answer(const char *request, size_t len, struct link_way ways[static 2])
{
	struct link_settings settings[2] = { ways[0].model.settings, ways[1].model.settings };
	char error[LINK_SETTINGS_ERROR], *text;
	json_t *answer, *parsed;
	json_error_t where;

	parsed = json_loadb(request, len, JSON_REJECT_DUPLICATES, &where);
	if (!parsed)
		snprintf(error, sizeof(error), "not JSON: %.120s", where.text);
	if (!parsed || link_control_read(parsed, settings, error)) {
		answer = json_pack("{s:s}", "error", error);
	} else {
		answer = json_object();
		for (size_t i = 0; i < 2; i++) {
			ways[i].model.settings = settings[i];
			json_object_set_new(answer, link_way_names[i], link_way_show(&ways[i]));
		}
	}
	text = json_dumps(answer, JSON_COMPACT);
	json_decref(answer);
	json_decref(parsed);
	return text;
}

static int link_control_address(const char *path, struct sockaddr_un *out)
{
	*out = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(out->sun_path))
		return log_err_r(-ENAMETOOLONG, "%s: too long for a socket; at most %zu bytes",
				 path, sizeof(out->sun_path) - 1);
	strcpy(out->sun_path, path);
	return 0;
}

int link_control_listen(const char *path)
{
	struct sockaddr_un at;
	int fd, err;

	err = link_control_address(path, &at);
	if (err)
		return err;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return log_err_r(-errno, "%s: no socket: %s", path, strerror(errno));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, LINK_CONTROL_CLIENTS)) {
		err = log_err_r(-errno, "%s: cannot listen: %s", path, strerror(errno));
		close(fd);
		return err;
	}
	return fd;
}

int link_control_serve(int fd, struct link_way ways[static 2])
{
	char request[LINK_CONTROL_MAX], *answer;
	ssize_t got, sent;

	got = recv(fd, request, sizeof(request), MSG_DONTWAIT);
	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (got == 0)
		return -ECONNRESET;
	answer = link_control_answer(request, (size_t)got, ways);
	if (!answer)
		return -ENOMEM;
	/* A client that does not fetch its answers gets none. */
	sent = send(fd, answer, strlen(answer), MSG_DONTWAIT | MSG_NOSIGNAL);
	free(answer);
	return sent < 0 ? -errno : 0;
}

int link_control_tell(const char *path, const char *request)
{
	char answer[LINK_CONTROL_MAX] = { 0 };
	struct sockaddr_un at;
	ssize_t got;
	int fd;

	if (link_control_address(path, &at))
		return 1;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof(at)) ||
	    send(fd, request, strlen(request), MSG_NOSIGNAL) < 0 ||
	    (got = recv(fd, answer, sizeof(answer), 0)) <= 0) {
		log_error("%s: no answer (%s); is `mplb-link run` up?", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return 2;
	}
	close(fd);
	printf("%.*s\n", (int)got, answer);
	return strncmp(answer, "{\"error\"", 8) == 0 ? 1 : 0;
}
