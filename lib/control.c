/* SPDX-License-Identifier: GPL-2.0-only */
/* The client's side of a control socket. */
#include "control.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "control_peer.h"
#include "monotonic.h"

#define ANSWER_MAX (64u << 20) /* of 4,096 backends with all there is to say */

int control_address(const char *address, struct sockaddr_un *out, socklen_t *len)
{
	size_t n = strlen(address);

	/* A file's name ends with a NUL, one in the abstract namespace begins with it. */
	if (!n || n >= sizeof(out->sun_path))
		return -ENAMETOOLONG;
	*out = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(out->sun_path, address, n);
	if (*address == '@')
		out->sun_path[0] = '\0';
	*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (*address != '@'));
	return 0;
}

bool control_may_talk(const char *address, int fd)
{
	struct ucred who;
	socklen_t len = sizeof(who);

	return *address != '@' || (!getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) &&
				   (who.uid == 0 || who.uid == geteuid()));
}

/* Milliseconds until then, 0 or less if it is over. */
static int left_ms(uint64_t until_ms)
{
	return (int)((int64_t)until_ms - (int64_t)monotonic_ms());
}

/* Waits for the socket. 0 or -errno. */
static int wait_for(int fd, short what, uint64_t until_ms)
{
	struct pollfd poll_fd = { .fd = fd, .events = what };
	int n, left;

	do {
		left = left_ms(until_ms);
		n = left > 0 ? poll(&poll_fd, 1, left) : 0;
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n ? 0 : -ETIMEDOUT;
}

static int send_all(int fd, const char *text, size_t len, uint64_t until_ms)
{
	while (len) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN) {
			int err = wait_for(fd, POLLOUT, until_ms);

			if (err)
				return err;
			continue;
		}
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Reads a line. 0 with *line to be freed, or -errno. */
static int read_line(int fd, uint64_t until_ms, char **line, size_t *len)
{
	size_t size = 64 << 10, have = 0;
	char *buf = malloc(size);
	int err = buf ? 0 : -ENOMEM;

	while (!err) {
		ssize_t n;

		if (have == size) {
			char *more = size < ANSWER_MAX ? realloc(buf, size *= 2) : NULL;

			if (!more) {
				err = -EPROTO;
				break;
			}
			buf = more;
		}
		err = wait_for(fd, POLLIN, until_ms);
		n = err ? 0 : recv(fd, buf + have, size - have, MSG_DONTWAIT);
		if (n < 0)
			err = errno == EAGAIN || errno == EINTR ? 0 : -errno;
		else if (!n && !err)
			err = -EPROTO;
		if (n > 0) {
			have += (size_t)n;
			if (buf[have - 1] == '\n')
				break;
		}
	}
	if (err) {
		free(buf);
		return err;
	}
	*line = buf;
	*len = have;
	return 0;
}

static int connect_to(const char *address, uint64_t until_ms)
{
	struct sockaddr_un name;
	socklen_t len = 0;
	int err = control_address(address, &name, &len), fd;

	if (err)
		return err;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* EAGAIN: as many wait to be accepted as may. */
	while ((err = connect(fd, (void *)&name, len) ? -errno : 0) == -EAGAIN) {
		const struct timespec pause = { .tv_nsec = 10000000 };

		if (left_ms(until_ms) <= 0) {
			err = -ETIMEDOUT;
			break;
		}
		nanosleep(&pause, NULL);
	}
	if (!err && !control_may_talk(address, fd))
		err = -EACCES;
	if (!err)
		return fd;
	close(fd);
	return err;
}

int control_ask(const char *address, const json_t *request, unsigned int timeout_ms,
		json_t **answer)
{
	const uint64_t until_ms = monotonic_ms() + timeout_ms;
	char *text = json_dumps(request, JSON_COMPACT), *line = NULL;
	int fd = text ? connect_to(address, until_ms) : -ENOMEM, err = fd < 0 ? fd : 0;
	size_t len = 0;

	if (!err)
		err = send_all(fd, text, strlen(text), until_ms);
	if (!err)
		err = send_all(fd, "\n", 1, until_ms);
	/* It may have closed on us with an answer that says why. */
	if (!err || err == -EPIPE || err == -ECONNRESET)
		err = read_line(fd, until_ms, &line, &len);
	if (!err) {
		*answer = json_loadb(line, len, 0, NULL);
		err = json_is_object(*answer) ? 0 : -EPROTO;
		if (err)
			json_decref(*answer);
	}
	if (fd >= 0)
		close(fd);
	free(line);
	free(text);
	return err;
}
