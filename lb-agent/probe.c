/* SPDX-License-Identifier: GPL-2.0-only */
#include "probe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/mptcp.h>

#include "lib/monotonic.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#ifndef SOL_MPTCP
#define SOL_MPTCP 284
#endif
#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

static struct timeval timeval_of(uint64_t ms)
{
	return (struct timeval){ (time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000) };
}

static socklen_t addr_len(const union probe_addr *addr)
{
	return addr->any.sa_family == AF_INET ? sizeof(addr->v4) : sizeof(addr->v6);
}

static void end(struct probe *probe)
{
	event_del(&probe->event);
	close(event_get_fd(&probe->event));
	free(probe->answer);
	probe->answer = NULL;
	probe->active = false;
}

void probe_cancel(struct probe *probe)
{
	if (probe->active)
		end(probe);
}

static void finish(struct probe *probe, bool passed, const char *why)
{
	end(probe);
	probe->done(probe->data, passed, why);
}

static void finish_errno(struct probe *probe, int err)
{
	char why[HTTP_WHY];

	if (err == ECONNREFUSED)
		finish(probe, false, "connection refused");
	else if (err == ECONNRESET || err == EPIPE)
		finish(probe, false, "connection reset");
	else {
		snprintf(why, sizeof(why), "%s", strerror(err));
		finish(probe, false, why);
	}
}

/* A server without MPTCP answers without MP_CAPABLE, and the connection falls back to TCP. The
 * kernel then has no MPTCP_INFO for it, or says so in the flags. */
static bool speaks_mptcp(int fd)
{
	struct mptcp_info info = { 0 };
	socklen_t len = sizeof(info);

	return !getsockopt(fd, SOL_MPTCP, MPTCP_INFO, &info, &len) &&
	       !(info.mptcpi_flags & MPTCP_INFO_FLAG_FALLBACK);
}

static void on_answer(struct probe *probe)
{
	char why[HTTP_WHY] = "";
	enum http_answer verdict;
	bool ended;
	ssize_t n;

	n = recv(event_get_fd(&probe->event), probe->answer + probe->answer_len,
		 HTTP_ANSWER_MAX - probe->answer_len, 0);
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			finish_errno(probe, errno);
		return;
	}
	probe->answer_len += (size_t)n;
	ended = !n || probe->answer_len == HTTP_ANSWER_MAX;
	verdict = http_answer(probe->target->health, probe->answer, probe->answer_len, ended, why);
	if (verdict != HTTP_ANSWER_MORE)
		finish(probe, verdict == HTTP_ANSWER_PASS, why);
}

static void on_event(evutil_socket_t fd, short what, void *data);

/* Sends the request, which fits any socket's buffer, and waits for the answer in what is left of
 * the time. */
static void ask(struct probe *probe, evutil_socket_t fd)
{
	const char *request = probe->target->request;
	uint64_t now = monotonic_ms(), left = probe->until_ms > now ? probe->until_ms - now : 0;
	const struct timeval timeout = timeval_of(left);

	if (send(fd, request, strlen(request), MSG_NOSIGNAL) != (ssize_t)strlen(request)) {
		finish_errno(probe, errno);
		return;
	}
	probe->answer = malloc(HTTP_ANSWER_MAX);
	if (!probe->answer) {
		finish(probe, false, "out of memory");
		return;
	}
	event_del(&probe->event);
	event_assign(&probe->event, event_get_base(&probe->event), fd, EV_READ | EV_PERSIST,
		     on_event, probe);
	event_add(&probe->event, &timeout);
}

static void on_connected(struct probe *probe, evutil_socket_t fd)
{
	int err = probe->early;
	socklen_t len = sizeof(err);

	if (!err && getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len))
		err = errno;
	if (err) {
		finish_errno(probe, err);
		return;
	}
	probe->connected = true;
	switch (probe->target->health->type) {
	case LB_HEALTH_MPTCP:
		if (speaks_mptcp(fd))
			finish(probe, true, "");
		else
			finish(probe, false, "it answers as plain TCP, without MP_CAPABLE");
		break;
	case LB_HEALTH_HTTP:
		ask(probe, fd);
		break;
	default:
		finish(probe, true, "");
	}
}

static void on_event(evutil_socket_t fd, short what, void *data)
{
	struct probe *probe = data;

	if (what & EV_TIMEOUT)
		finish(probe, false,
		       !probe->connected	? "no answer to the SYN in time"
		       : probe->answer_len == 0 ? "connected, but no answer in time"
						: "the answer does not end in time");
	else if (probe->connected)
		on_answer(probe);
	else
		on_connected(probe, fd);
}

static int prepare(int fd, const struct probe_target *target)
{
	static const struct linger reset = { .l_onoff = 1 };
	static const int one = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) ||
	    (target->mark &&
	     setsockopt(fd, SOL_SOCKET, SO_MARK, &target->mark, sizeof(target->mark))))
		return -errno;
	if (target->from.any.sa_family == AF_UNSPEC)
		return 0;
	/* The port is chosen when the peer is known. A kernel that has this for TCP only does
	 * without. */
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	return bind(fd, &target->from.any, addr_len(&target->from)) ? -errno : 0;
}

int probe_start(struct probe *probe, struct event_base *base, const struct probe_target *target,
		uint32_t timeout_ms, probe_done done, void *data)
{
	const struct timeval timeout = timeval_of(timeout_ms);
	bool mptcp = target->health->type == LB_HEALTH_MPTCP;
	int fd = socket(target->to.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
			mptcp ? IPPROTO_MPTCP : IPPROTO_TCP);
	int err;

	if (fd < 0)
		return mptcp && (errno == EPROTONOSUPPORT || errno == ENOPROTOOPT) ? -ENOTSUP
										   : -errno;
	err = prepare(fd, target);
	if (!err && connect(fd, &target->to.any, addr_len(&target->to)) && errno != EINPROGRESS)
		err = -errno;
	if (err && err != -ECONNREFUSED && err != -ECONNRESET) {
		close(fd);
		return err;
	}
	*probe = (struct probe){ .target = target, .done = done, .data = data, .active = true };
	/* Over lo the answer can be there before connect() returns, which then tells it, once. */
	probe->early = -err;
	probe->until_ms = monotonic_ms() + timeout_ms;
	event_assign(&probe->event, base, fd, EV_WRITE, on_event, probe);
	if (event_add(&probe->event, &timeout)) {
		end(probe);
		return -ENOMEM;
	}
	if (probe->early)
		event_active(&probe->event, EV_WRITE, 0);
	return 0;
}
