/* SPDX-License-Identifier: GPL-2.0-only */
/* The daemon's side of a control socket. */
#include "control.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "control_peer.h"
#include "log.h"

#define BACKLOG 16

struct control_peer {
	struct control *control;
	struct control_peer *next, *prev;
	struct bufferevent *stream; /* NULL: the client hung up while its request was worked on */
	struct event *limit; /* of the time for a request, or for taking an answer */
	size_t searched; /* bytes of the input without an end of line */
	bool busy; /* its request is worked on, or the answer not taken yet */
	bool last; /* close when the answer is taken */
	bool said_all; /* the client sends no more, and may still listen */
	bool answered;
};

struct control {
	struct control_env env;
	char *address;
	int fd;
	struct event *readable, *resume;
	struct control_peer *peers;
	unsigned int n_peers;
	dev_t dev; /* of the file */
	ino_t ino;
};

static const struct timeval seconds = { .tv_sec = CONTROL_SECONDS };

/* Peers */

static void hang_up(struct control_peer *peer)
{
	if (peer->stream)
		bufferevent_free(peer->stream);
	peer->stream = NULL;
	event_del(peer->limit);
}

static void drop(struct control_peer *peer)
{
	hang_up(peer);
	event_free(peer->limit);
	if (peer->next)
		peer->next->prev = peer->prev;
	if (peer->prev)
		peer->prev->next = peer->next;
	else
		peer->control->peers = peer->next;
	peer->control->n_peers--;
	free(peer);
}

/* Drops it; if somebody still works on its request, when that is answered. */
static void leave(struct control_peer *peer)
{
	if (peer->busy && !peer->answered)
		hang_up(peer);
	else
		drop(peer);
}

/* Answers with an error that is the client's. */
static void refuse(struct control_peer *peer, const char *why)
{
	peer->busy = true;
	peer->last = true;
	control_answer(peer, json_pack("{s:i, s:[{s:s, s:s}]}", "exit", 1, "log", "level", "error",
				       "text", why));
}

static void take_request(struct control_peer *peer, const char *line, size_t len)
{
	json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);

	peer->busy = true;
	peer->answered = false;
	event_del(peer->limit);
	if (json_is_object(request))
		peer->control->env.request(peer->control->env.data, peer, request);
	else
		refuse(peer, "control: a request is one JSON object on one line");
	json_decref(request);
}

static void on_read(struct bufferevent *stream, void *data)
{
	struct control_peer *peer = data;
	struct evbuffer *in = bufferevent_get_input(stream);
	struct evbuffer_ptr at, end;
	size_t len = evbuffer_get_length(in);
	char *line;

	if (peer->busy || peer->searched >= len)
		return;
	evbuffer_ptr_set(in, &at, peer->searched, EVBUFFER_PTR_SET);
	end = evbuffer_search(in, "\n", 1, &at);
	if (end.pos < 0) {
		peer->searched = len;
		if (len > CONTROL_REQUEST_MAX)
			refuse(peer, "control: the request is too long");
		return;
	}
	peer->searched = 0;
	len = (size_t)end.pos + 1;
	line = len <= CONTROL_REQUEST_MAX ? malloc(len) : NULL;
	if (line && evbuffer_remove(in, line, len) == (int)len)
		take_request(peer, line, len - 1);
	else
		refuse(peer, "control: the request is too long");
	free(line);
}

/* The answer is taken. */
static void on_written(struct bufferevent *stream, void *data)
{
	struct control_peer *peer = data;

	if (!peer->answered)
		return;
	if (peer->last) {
		drop(peer);
		return;
	}
	peer->busy = false;
	peer->answered = false;
	on_read(stream, peer);
	if (peer->said_all && !peer->busy)
		drop(peer);
}

static void on_end(struct bufferevent *stream, short what, void *data)
{
	struct control_peer *peer = data;

	(void)stream;
	if (what & BEV_EVENT_EOF && peer->busy)
		peer->said_all = true;
	else
		leave(peer);
}

static void on_limit(evutil_socket_t fd, short what, void *data)
{
	(void)fd;
	(void)what;
	leave(data);
}

void control_answer(struct control_peer *peer, json_t *answer)
{
	char *text = json_dumps(answer, JSON_COMPACT);
	struct evbuffer *out;

	json_decref(answer);
	peer->answered = true;
	/* It hung up, or there is no memory. Later: we may be in a call from its stream. */
	if (!peer->stream || !text) {
		free(text);
		event_active(peer->limit, EV_TIMEOUT, 0);
		return;
	}
	out = bufferevent_get_output(peer->stream);
	/* The buffer takes both, or there is no memory and the client is let go by the limit. */
	evbuffer_add(out, text, strlen(text));
	evbuffer_add(out, "\n", 1);
	event_add(peer->limit, &seconds);
	free(text);
}

static void add_peer(struct control *c, int fd)
{
	struct control_peer *peer = calloc(1, sizeof(*peer));

	if (peer) {
		peer->stream = bufferevent_socket_new(c->env.base, fd, BEV_OPT_CLOSE_ON_FREE);
		peer->limit = evtimer_new(c->env.base, on_limit, peer);
	}
	if (!peer || !peer->stream || !peer->limit) {
		if (peer && peer->stream)
			bufferevent_free(peer->stream);
		else
			close(fd);
		if (peer && peer->limit)
			event_free(peer->limit);
		free(peer);
		return;
	}
	peer->control = c;
	peer->next = c->peers;
	if (c->peers)
		c->peers->prev = peer;
	c->peers = peer;
	c->n_peers++;
	bufferevent_setcb(peer->stream, on_read, on_written, on_end, peer);
	bufferevent_setwatermark(peer->stream, EV_READ, 0, CONTROL_REQUEST_MAX + 2);
	bufferevent_enable(peer->stream, EV_READ | EV_WRITE);
	event_add(peer->limit, &seconds);
}

/* Listening */

static void on_resume(evutil_socket_t fd, short what, void *data)
{
	struct control *c = data;

	(void)fd;
	(void)what;
	event_add(c->readable, NULL);
}

static void on_connect(evutil_socket_t fd, short what, void *data)
{
	static const char full[] =
		"{\"exit\":2,\"log\":[{\"level\":\"error\",\"text\":\"control: too "
		"many clients at once; try again\"}]}\n";
	static const struct timeval pause = { .tv_sec = 1 };
	struct control *c = data;
	int one = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)what;
	if (one < 0) {
		/* Out of descriptors or memory: it would be called again at once. */
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
			event_del(c->readable);
			event_add(c->resume, &pause);
		}
		return;
	}
	if (!control_may_talk(c->address, one)) {
		close(one);
	} else if (c->n_peers >= CONTROL_PEERS) {
		if (send(one, full, sizeof(full) - 1, MSG_NOSIGNAL) < 0)
			shutdown(one, SHUT_RDWR);
		close(one);
	} else {
		add_peer(c, one);
	}
}

/* Is there a socket file that nobody listens on? Then it is removed. */
static int remove_stale(const char *path, const struct sockaddr_un *name, socklen_t len)
{
	struct stat st;
	int fd, err = 0;

	if (lstat(path, &st))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return log_err_r(-EEXIST,
				 "control socket %s: this is no socket; remove it, or give "
				 "another path",
				 path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* Whoever has a full queue lives as well. */
	if (!connect(fd, (const void *)name, len) || errno != ECONNREFUSED)
		err = -EADDRINUSE;
	close(fd);
	if (!err && unlink(path))
		err = -errno;
	return err;
}

/* Makes the folder that the socket is to be in, if only that one is missing. */
static void make_folder(const char *path)
{
	char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];
	char *slash;

	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (slash && slash != folder) {
		*slash = '\0';
		mkdir(folder, 0755);
	}
}

static int bind_file(struct control *c, const struct sockaddr_un *name, socklen_t len)
{
	struct stat st;
	mode_t mask;
	int err;

	make_folder(c->address);
	err = remove_stale(c->address, name, len);
	if (err)
		return err;
	mask = umask(0117);
	err = bind(c->fd, (const void *)name, len) ? -errno : 0;
	umask(mask);
	if (!err && !lstat(c->address, &st)) {
		c->dev = st.st_dev;
		c->ino = st.st_ino;
	}
	return err;
}

static int bind_to(struct control *c)
{
	struct sockaddr_un name;
	socklen_t len = 0;
	int err = control_address(c->address, &name, &len);

	if (err)
		return err;
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd < 0)
		return -errno;
	if (*c->address != '@')
		err = bind_file(c, &name, len);
	else if (bind(c->fd, (void *)&name, len))
		err = -errno;
	if (!err && listen(c->fd, BACKLOG))
		err = -errno;
	return err;
}

static void log_failure(const char *address, int err)
{
	const char *mend = "";

	if (err == -EEXIST)
		return;
	if (err == -EADDRINUSE)
		mend = "; another daemon answers there: stop it, or give another path";
	else if (err == -ENOENT)
		mend = "; make its folder first";
	else if (err == -EACCES || err == -EPERM || err == -EROFS)
		mend = "; run as root, or give a path that may be written to";
	else if (err == -ENAMETOOLONG)
		mend = "; a socket's path has at most 107 characters";
	log_error("control socket %s: %s%s", address, strerror(-err), mend);
}

int control_open(const struct control_env *env, struct control **out)
{
	struct control *c = calloc(1, sizeof(*c));
	int err = -ENOMEM;

	if (c) {
		c->env = *env;
		c->fd = -1;
		c->address = strdup(env->address);
	}
	if (c && c->address)
		err = bind_to(c);
	if (c && !err) {
		c->readable = event_new(env->base, c->fd, EV_READ | EV_PERSIST, on_connect, c);
		c->resume = evtimer_new(env->base, on_resume, c);
		if (!c->readable || !c->resume || event_add(c->readable, NULL))
			err = -ENOMEM;
	}
	if (err) {
		log_failure(env->address, err);
		control_close(c);
		return err;
	}
	*out = c;
	return 0;
}

void control_close(struct control *c)
{
	struct control_peer *peer, *next;
	struct stat st;

	if (!c)
		return;
	for (peer = c->peers; peer; peer = next) {
		next = peer->next;
		drop(peer);
	}
	if (c->readable)
		event_free(c->readable);
	if (c->resume)
		event_free(c->resume);
	/* Only our own: another may have come since. */
	if (c->ino && c->address && !lstat(c->address, &st) && st.st_dev == c->dev &&
	    st.st_ino == c->ino)
		unlink(c->address);
	if (c->fd >= 0)
		close(c->fd);
	free(c->address);
	free(c);
}
