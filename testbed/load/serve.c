// SPDX-License-Identifier: GPL-2.0-only
/* mplb-load serve: answers GET and PUT over TCP or MPTCP. */
#include "serve.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "endpoint.h"
#include "lib/log.h"
#include "load.h"
#include "pattern.h"

#define SERVE_BUFFER ((size_t)4 * PATTERN_CHUNK) /* kept in user space ahead of the socket */

struct serve {
	struct option_list listen;
	int proto;
	bool udp;
	const char *name;
	struct event_base *base;
};

/* One connection of a client, and the request that it has under way. */
struct serve_client {
	struct bufferevent *bev;
	struct event *pace;
	const char *name;
	enum { SERVE_IDLE, SERVE_GET, SERVE_PUT } doing;
	uint64_t bytes, done, seed, rate;
	double began;
	struct pattern_check check;
};

static const struct option serve_options[] = {
	{ "--listen", OPTION_LIST, offsetof(struct serve, listen), "ADDR:PORT",
	  "where to listen; *:PORT is every address of both families; may be repeated" },
	{ "--proto", OPTION_PROTO, offsetof(struct serve, proto), "tcp|mptcp",
	  "default mptcp, which takes plain TCP as well" },
	{ "--udp", OPTION_FLAG, offsetof(struct serve, udp), NULL, "echo datagrams as well" },
	{ "--name", OPTION_TEXT, offsetof(struct serve, name), "NAME",
	  "this server's name, in front of every answer" },
	{ 0 },
};

static void serve_drop(struct serve_client *client)
{
	event_free(client->pace);
	bufferevent_free(client->bev);
	pattern_check_free(&client->check);
	free(client);
}

/* Tops the output up with what a GET still owes and its rate allows now. */
static void serve_fill(struct serve_client *client)
{
	struct evbuffer *out = bufferevent_get_output(client->bev);
	uint64_t may = load_allowance(client->rate, load_now() - client->began);
	static unsigned char chunk[PATTERN_CHUNK];

	if (may > client->bytes)
		may = client->bytes;
	while (client->done < may && evbuffer_get_length(out) < SERVE_BUFFER) {
		size_t len = sizeof(chunk);

		if (len > may - client->done)
			len = (size_t)(may - client->done);
		pattern_fill(client->seed, client->done, chunk, len);
		evbuffer_add(out, chunk, len);
		client->done += len;
	}
	if (client->done == client->bytes)
		client->doing = SERVE_IDLE;
}

static void serve_pace(evutil_socket_t fd, short what, void *arg)
{
	struct serve_client *client = arg;

	(void)fd;
	(void)what;
	if (client->doing == SERVE_GET)
		serve_fill(client);
	if (client->doing == SERVE_IDLE) {
		event_del(client->pace);
		/* A request that came meanwhile waits in the input. */
		bufferevent_trigger(client->bev, EV_READ, BEV_OPT_DEFER_CALLBACKS);
	}
}

static void serve_take(struct serve_client *client)
{
	struct evbuffer *in = bufferevent_get_input(client->bev);
	static unsigned char chunk[PATTERN_CHUNK];
	char hex[PATTERN_HEX];
	bool ok;

	while (client->done < client->bytes && evbuffer_get_length(in)) {
		size_t len = sizeof(chunk);

		if (len > client->bytes - client->done)
			len = (size_t)(client->bytes - client->done);
		len = (size_t)evbuffer_remove(in, chunk, len);
		pattern_check_add(&client->check, client->seed, client->done, chunk, len);
		client->done += len;
	}
	if (client->done < client->bytes)
		return;
	ok = pattern_check_end(&client->check, hex);
	if (!ok)
		log_warn("an upload of %" PRIu64 " bytes with seed %" PRIu64
			 " is not what it should be from byte %" PRIu64 " on",
			 client->bytes, client->seed, client->check.wrong);
	pattern_check_free(&client->check);
	client->doing = SERVE_IDLE;
	evbuffer_add_printf(bufferevent_get_output(client->bev), "%s %s %s\n", client->name,
			    ok ? "ok" : "bad", hex);
}

/* A GET may be let go; what else comes during one waits for its end. */
static void serve_go(struct serve_client *client)
{
	struct evbuffer *in = bufferevent_get_input(client->bev);
	char go[3];

	if (!client->rate || evbuffer_copyout(in, go, sizeof(go)) < (ev_ssize_t)sizeof(go) ||
	    memcmp(go, "GO\n", sizeof(go)) != 0)
		return;
	evbuffer_drain(in, sizeof(go));
	event_del(client->pace);
	client->rate = 0;
	serve_fill(client);
}

/* Begins the request in line. False if there is none like it. */
static bool serve_request(struct serve_client *client, const char *line)
{
	static const struct timeval tick = { .tv_usec = 5000 };
	char verb[4];
	int fields;

	if (!strcmp(line, "GO")) /* the GET was over before it came */
		return true;
	client->rate = 0;
	fields = sscanf(line, "%3s %" SCNu64 " %" SCNu64 " %" SCNu64, verb, &client->bytes,
			&client->seed, &client->rate);
	client->done = 0;
	client->began = load_now();
	if (fields >= 3 && !strcmp(verb, "GET")) {
		client->doing = SERVE_GET;
		evbuffer_add_printf(bufferevent_get_output(client->bev), "%s\n", client->name);
		serve_fill(client);
		if (client->doing == SERVE_GET && client->rate)
			event_add(client->pace, &tick);
		return true;
	}
	if (fields == 3 && !strcmp(verb, "PUT") && !pattern_check_begin(&client->check)) {
		client->doing = SERVE_PUT;
		return true;
	}
	return false;
}

static void serve_read(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	struct serve_client *client = arg;

	for (;;) {
		char *line;
		bool known;

		if (client->doing == SERVE_PUT)
			serve_take(client);
		if (client->doing == SERVE_GET)
			serve_go(client);
		if (client->doing != SERVE_IDLE)
			return;
		line = evbuffer_readln(in, NULL, EVBUFFER_EOL_LF);
		if (!line)
			break;
		known = serve_request(client, line);
		if (!known)
			log_warn("a line that is no request; connection closed");
		free(line);
		if (!known) {
			serve_drop(client);
			return;
		}
	}
	if (evbuffer_get_length(in) > LOAD_LINE_MAX)
		serve_drop(client);
}

static void serve_write(struct bufferevent *bev, void *arg)
{
	struct serve_client *client = arg;

	if (client->doing == SERVE_GET && !client->rate)
		serve_fill(client);
	if (client->doing == SERVE_IDLE)
		serve_read(bev, client);
}

static void serve_event(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT))
		serve_drop(arg);
}

static void serve_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from,
			 int len, void *arg)
{
	struct serve_client *client = calloc(1, sizeof(*client));
	struct serve *serve = arg;

	(void)listener;
	(void)from;
	(void)len;
	if (client) {
		client->name = serve->name;
		client->bev = bufferevent_socket_new(serve->base, fd, BEV_OPT_CLOSE_ON_FREE);
		client->pace = event_new(serve->base, -1, EV_PERSIST, serve_pace, client);
	}
	if (!client || !client->bev || !client->pace) {
		log_warn("a connection was turned away: out of memory");
		if (client && client->pace)
			event_free(client->pace);
		if (client && client->bev)
			bufferevent_free(client->bev);
		else
			close(fd);
		free(client);
		return;
	}
	bufferevent_setcb(client->bev, serve_read, serve_write, serve_event, client);
	bufferevent_setwatermark(client->bev, EV_WRITE, SERVE_BUFFER / 2, 0);
	bufferevent_setwatermark(client->bev, EV_READ, 0, SERVE_BUFFER);
	bufferevent_set_max_single_write(client->bev, SERVE_BUFFER);
	bufferevent_set_max_single_read(client->bev, SERVE_BUFFER);
	bufferevent_enable(client->bev, EV_READ | EV_WRITE);
}

static int serve_listen_at(struct serve *serve, const struct endpoint *at)
{
	int fd = endpoint_socket(at->addr.ss_family, serve->proto, at);

	if (fd < 0)
		return fd;
	if (!evconnlistener_new(serve->base, serve_accept, serve, LEV_OPT_CLOSE_ON_FREE, 1024,
				fd)) {
		close(fd);
		return log_err_r(-ENOMEM, "cannot listen: %s", strerror(errno));
	}
	return serve->udp ? serve_udp(serve->base, serve->name, at) : 0;
}

/* "*:PORT" is both wildcards, each its own socket: a join may come over either family. */
static int serve_listen(struct serve *serve, const char *text)
{
	struct endpoint at;
	char both[2][32];

	if (strncmp(text, "*:", 2) != 0)
		return endpoint_parse(text, &at) ?: serve_listen_at(serve, &at);
	snprintf(both[0], sizeof(both[0]), "0.0.0.0:%.8s", text + 2);
	snprintf(both[1], sizeof(both[1]), "[::]:%.8s", text + 2);
	for (size_t i = 0; i < 2; i++) {
		int err = endpoint_parse(both[i], &at) ?: serve_listen_at(serve, &at);

		if (err)
			return err;
	}
	return 0;
}

static int serve_run(int argc, char **argv)
{
	struct serve serve = { .proto = IPPROTO_MPTCP };

	if (options_read(serve_options, &serve, argc, argv))
		return 1;
	if (!serve.name || !serve.listen.n) {
		log_error("serve: --name and --listen are needed");
		return 1;
	}
	load_descriptors(0);
	serve.base = load_loop_new();
	if (!serve.base)
		return 2;
	/* Sockets live as long as the process does, so the kernel closes them. */
	for (size_t i = 0; i < serve.listen.n; i++) {
		if (serve_listen(&serve, serve.listen.text[i]))
			return 2;
	}
	log_info("ready");
	event_base_dispatch(serve.base);
	return 0;
}

const struct load_command load_serve = {
	"serve",
	"a server for get and hold",
	serve_options,
	serve_run,
};
