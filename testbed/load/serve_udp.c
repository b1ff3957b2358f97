// SPDX-License-Identifier: GPL-2.0-only
#include "serve.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "endpoint.h"
#include "lib/log.h"
#include "load.h"

/*
 * The control message that says where a datagram was sent to (IP_PKTINFO, IPV6_PKTINFO) says, given
 * back, where the answer comes from. The interface in it is cleared: the way back may be another.
 */
static void echo_unpin(struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo *info = (void *)CMSG_DATA(c);

			info->ipi_ifindex = 0;
			info->ipi_spec_dst = info->ipi_addr;
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			((struct in6_pktinfo *)(void *)CMSG_DATA(c))->ipi6_ifindex = 0;
		}
	}
}

static void echo(evutil_socket_t fd, short what, void *arg)
{
	const char *name = arg;
	size_t prefix = strlen(name) + 1;
	char data[65536], control[256];

	(void)what;
	snprintf(data, sizeof(data), "%s ", name);
	for (int i = 0; i < 64; i++) {
		struct sockaddr_storage from;
		struct iovec iov = { data + prefix, sizeof(data) - prefix };
		struct msghdr msg = { .msg_name = &from,
				      .msg_namelen = sizeof(from),
				      .msg_iov = &iov,
				      .msg_iovlen = 1,
				      .msg_control = control,
				      .msg_controllen = sizeof(control) };
		ssize_t got = recvmsg(fd, &msg, 0);

		if (got < 0)
			return;
		echo_unpin(&msg);
		iov = (struct iovec){ data, prefix + (size_t)got };
		if (sendmsg(fd, &msg, 0) < 0)
			log_warn("echo: %s", strerror(errno));
	}
}

int serve_udp(struct event_base *base, const char *name, const struct endpoint *at)
{
	bool six = at->addr.ss_family == AF_INET6;
	int fd = endpoint_socket(at->addr.ss_family, IPPROTO_UDP, at), one = 1;
	struct event *event;

	if (fd < 0)
		return fd;
	setsockopt(fd, six ? IPPROTO_IPV6 : IPPROTO_IP, six ? IPV6_RECVPKTINFO : IP_PKTINFO, &one,
		   sizeof(one));
	event = event_new(base, fd, EV_READ | EV_PERSIST, echo, (void *)name);
	if (!event || event_add(event, NULL)) {
		close(fd);
		return log_err_r(-ENOMEM, "cannot watch a UDP socket: out of memory");
	}
	return 0;
}
