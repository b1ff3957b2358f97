/* SPDX-License-Identifier: GPL-2.0-only */
#include "pm_listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>
#include "guard_maps.h"
#include "lib/log.h"
#include "pm_flow.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

#define MAX_THERE 1024 /* listeners looked at */
#define MAX_OURS  256
#define BACKLOG	  4096 /* joins whose handshake is under way; the kernel caps it at somaxconn */

struct ours {
	struct ip addr;
	__u16 port;
	int fd; /* -1: cannot be opened, which was logged */
	struct event *event;
	bool wanted;
};

struct pm_listen {
	struct event_base *base;
	const struct server_config *config;
	const struct mplb_guard *guard;
	struct nl *nl;
	struct ours ours[MAX_OURS];
	size_t n_ours;
	struct pm_listener there[MAX_THERE];
	size_t n_there;
	bool blind; /* listeners could not be listed, which was logged */
};

int pm_listen_new(struct event_base *base, const struct server_config *config,
		  const struct mplb_guard *guard, struct nl *nl, struct pm_listen **out)
{
	struct pm_listen *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->base = base;
	l->config = config;
	l->guard = guard;
	l->nl = nl;
	*out = l;
	return 0;
}

void pm_listen_change(struct pm_listen *listen, const struct server_config *config)
{
	listen->config = config;
	pm_listen_update(listen);
}

static void ours_close(struct ours *o)
{
	if (o->event)
		event_free(o->event);
	if (o->fd >= 0)
		close(o->fd);
}

void pm_listen_free(struct pm_listen *listen)
{
	if (!listen)
		return;
	for (size_t i = 0; i < listen->n_ours; i++)
		ours_close(&listen->ours[i]);
	free(listen);
}

size_t pm_listen_count(const struct pm_listen *listen)
{
	size_t n = 0;

	for (size_t i = 0; i < listen->n_ours; i++)
		n += listen->ours[i].fd >= 0;
	return n;
}

static bool is_vip(const struct server_addresses *vips, const struct ip *ip)
{
	for (size_t i = 0; i < vips->n; i++)
		if (ip_equal(&vips->ip[i], ip))
			return true;
	return false;
}

bool pm_listen_wanted(const struct pm_listener *there, size_t n,
		      const struct server_addresses *vips, const struct ip *addr, __u16 port)
{
	bool on_vip = !vips;

	for (size_t i = 0; i < n; i++) {
		if (there[i].port != port)
			continue;
		if (pm_listener_takes(&there[i], addr))
			return false;
		on_vip = on_vip || (vips && is_vip(vips, &there[i].addr));
	}
	return on_vip;
}

bool pm_listen_waits(const struct pm_listen *listen)
{
	for (size_t i = 0; i < listen->n_ours; i++)
		if (listen->ours[i].fd < 0)
			return true;
	return listen->blind;
}

static struct ours *find(struct pm_listen *l, const struct ip *addr, __u16 port)
{
	for (size_t i = 0; i < l->n_ours; i++)
		if (l->ours[i].port == port && ip_equal(&l->ours[i].addr, addr))
			return &l->ours[i];
	return NULL;
}

/* A whole connection to a dedicated address is not what the socket is for: it is reset, or it would
 * fill the queue, and the kernel drops joins when that is full. */
static void on_accept(evutil_socket_t fd, short what, void *arg)
{
	const struct linger reset = { .l_onoff = 1 };
	int conn;

	(void)what;
	(void)arg;
	while ((conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
		setsockopt(conn, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(conn);
	}
}

/* A descriptor or -errno. */
static int open_socket(const struct ip *addr, __u16 port)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(port) };
	bool is_six = addr->family == MPLB_FAMILY_6;
	int fd = socket(ip_af(addr), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_MPTCP);
	int one = 1, err = 0;

	if (fd < 0)
		return -errno;
	memcpy(&four.sin_addr, &addr->addr, sizeof(four.sin_addr));
	memcpy(&six.sin6_addr, &addr->addr, sizeof(six.sin6_addr));
	/* Subflows that were joined before live on the same address and port. */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (is_six)
		setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &one, sizeof(one));
	else
		setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &one, sizeof(one));
	if (bind(fd, is_six ? (void *)&six : (void *)&four, is_six ? sizeof(six) : sizeof(four)) ||
	    listen(fd, BACKLOG))
		err = -errno;
	if (!err)
		return fd;
	close(fd);
	return err;
}

static void ours_watch(struct pm_listen *l, struct ours *o)
{
	char text[PM_END_STRLEN];

	o->event = event_new(l->base, o->fd, EV_READ | EV_PERSIST, on_accept, NULL);
	if (o->event)
		event_add(o->event, NULL);
	log_info("%s: listening for joins%s", pm_end_format(&o->addr, o->port, text),
		 o->port == l->config->join_port ? ""
						 : ": the application listens on the VIP only");
}

static void ours_open(struct pm_listen *l, const struct ip *addr, __u16 port)
{
	struct ours *o = &l->ours[l->n_ours];
	char text[PM_END_STRLEN];
	int fd;

	if (l->n_ours == MAX_OURS)
		return;
	fd = open_socket(addr, port);
	*o = (struct ours){ .addr = *addr, .port = port, .fd = fd < 0 ? -1 : fd, .wanted = true };
	l->n_ours++;
	if (fd >= 0)
		ours_watch(l, o);
	else
		log_warn("%s: joins need a listener there, and none can be opened: %s; %s",
			 pm_end_format(addr, port, text), strerror(-fd),
			 fd == -EADDRINUSE ? "a plain TCP socket has the port: have the "
					     "application listen on every address with MPTCP, or, "
					     "for join_port, elsewhere"
			 : fd == -EACCES   ? "run as root (CAP_NET_BIND_SERVICE)"
					   : "have the application listen on every address");
}

/* Still wanted. What could not be opened, and was said to be so, may be possible now. */
static void ours_again(struct pm_listen *l, struct ours *o)
{
	int fd = o->fd < 0 ? open_socket(&o->addr, o->port) : -1;

	o->wanted = true;
	if (fd < 0)
		return;
	o->fd = fd;
	ours_watch(l, o);
}

static int on_there(const struct pm_listener *listener, void *data)
{
	struct pm_listen *l = data;
	const struct ours *o = find(l, &listener->addr, listener->port);

	if ((!o || o->fd < 0) && l->n_there < MAX_THERE)
		l->there[l->n_there++] = *listener;
	return 0;
}

/* Marks or opens it. */
static void want(struct pm_listen *l, const struct ip *addr, __u16 port)
{
	struct ours *o = find(l, addr, port);

	if (o)
		ours_again(l, o);
	else
		ours_open(l, addr, port);
}

static void want_at(struct pm_listen *l, const struct ip *addr, __u16 port)
{
	if (pm_listen_wanted(l->there, l->n_there, &l->config->vips, addr, port))
		want(l, addr, port);
}

/* What is wanted for the port of a listener on a VIP. One socket takes joins to all addresses of
 * connections (bpf/guard.h): at the address of none. */
static void want_dedicated(struct pm_listen *l, __u16 port)
{
	const struct server_addresses *dedicated = &l->config->dedicated;
	const struct ip *prefix = &l->config->guard.prefix;
	struct ip common;

	for (size_t i = 0; i < dedicated->n; i++)
		want_at(l, &dedicated->ip[i], port);
	if (!prefix->family)
		return;
	guard_address(l->guard, prefix, 0, &common);
	want_at(l, &common, port);
}

static void want_join_port(struct pm_listen *l)
{
	const struct server_addresses *vips = &l->config->vips;
	__u16 port = l->config->join_port;

	for (size_t i = 0; port && i < vips->n; i++)
		if (pm_listen_wanted(l->there, l->n_there, NULL, &vips->ip[i], port))
			want(l, &vips->ip[i], port);
}

static void close_unwanted(struct pm_listen *l)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->n_ours; i++) {
		struct ours *o = &l->ours[i];
		char text[PM_END_STRLEN];

		if (o->wanted) {
			l->ours[kept++] = *o;
			continue;
		}
		if (o->fd >= 0)
			log_info("%s: no longer listening for joins",
				 pm_end_format(&o->addr, o->port, text));
		ours_close(o);
	}
	l->n_ours = kept;
}

void pm_listen_update(struct pm_listen *listen)
{
	listen->n_there = 0;
	if (pm_diag_listeners(listen->nl, on_there, listen)) {
		if (!listen->blind)
			log_warn("MPTCP listeners cannot be listed: %s; modprobe mptcp_diag, or "
				 "have "
				 "applications listen on every address",
				 nl_error(listen->nl));
		listen->blind = true;
		return;
	}
	listen->blind = false;
	for (size_t i = 0; i < listen->n_ours; i++)
		listen->ours[i].wanted = false;
	for (size_t i = 0; i < listen->n_there; i++)
		if (is_vip(&listen->config->vips, &listen->there[i].addr))
			want_dedicated(listen, listen->there[i].port);
	want_join_port(listen);
	close_unwanted(listen);
}
