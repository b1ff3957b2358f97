// SPDX-License-Identifier: GPL-2.0-only
#include "endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/ip.h"
#include "lib/log.h"

int endpoint_parse(const char *text, struct endpoint *out)
{
	struct sockaddr_in *four;
	struct sockaddr_in6 *six;
	unsigned int port;
	struct ip ip;

	if (ip_parse_port(text, &ip, &port))
		return log_err_r(-EINVAL, "%s: not ADDRESS:PORT ([ADDRESS]:PORT for IPv6)", text);
	*out = (struct endpoint){ 0 };
	if (ip.family == MPLB_FAMILY_4) {
		four = (void *)&out->addr;
		four->sin_family = AF_INET;
		four->sin_port = htons((uint16_t)port);
		memcpy(&four->sin_addr, &ip.addr, sizeof(four->sin_addr));
		out->len = sizeof(*four);
	} else {
		six = (void *)&out->addr;
		six->sin6_family = AF_INET6;
		six->sin6_port = htons((uint16_t)port);
		memcpy(&six->sin6_addr, &ip.addr, sizeof(six->sin6_addr));
		out->len = sizeof(*six);
	}
	return 0;
}

const char *endpoint_format(const void *sockaddr, char buf[static ENDPOINT_STRLEN])
{
	const struct sockaddr_in *four = sockaddr;
	const struct sockaddr_in6 *six = sockaddr;
	char text[INET6_ADDRSTRLEN];

	if (four->sin_family == AF_INET && inet_ntop(AF_INET, &four->sin_addr, text, sizeof(text)))
		snprintf(buf, ENDPOINT_STRLEN, "%s:%u", text, ntohs(four->sin_port));
	else if (four->sin_family == AF_INET6 &&
		 inet_ntop(AF_INET6, &six->sin6_addr, text, sizeof(text)))
		snprintf(buf, ENDPOINT_STRLEN, "[%s]:%u", text, ntohs(six->sin6_port));
	else
		strcpy(buf, "?");
	return buf;
}

/* Ports stand at the same place in both kinds of address. */
uint16_t endpoint_port(const struct endpoint *at)
{
	return ntohs(((const struct sockaddr_in *)(const void *)&at->addr)->sin_port);
}

void endpoint_set_port(struct endpoint *at, uint16_t port)
{
	((struct sockaddr_in *)(void *)&at->addr)->sin_port = htons(port);
}

bool endpoint_equal(const void *sockaddr_a, const void *sockaddr_b)
{
	char a[ENDPOINT_STRLEN], b[ENDPOINT_STRLEN];

	return !strcmp(endpoint_format(sockaddr_a, a), endpoint_format(sockaddr_b, b));
}

int endpoint_socket(int family, int proto, const struct endpoint *bind_to)
{
	int type = proto == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM;
	int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, proto), one = 1, err;
	char text[ENDPOINT_STRLEN];

	if (fd < 0) {
		err = -errno;
		return log_err_r(err, "socket: %s%s", strerror(-err),
				 proto == IPPROTO_MPTCP ? "; is net.mptcp.enabled 1?" : "");
	}
	if (!bind_to)
		return fd;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	/* Port 0: the kernel finds one that is free towards the peer, not one that nobody uses. */
	if (proto != IPPROTO_UDP && !endpoint_port(bind_to))
		setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, (const void *)&bind_to->addr, bind_to->len)) {
		err = -errno;
		close(fd);
		return log_err_r(err, "%s: cannot bind: %s", endpoint_format(&bind_to->addr, text),
				 strerror(-err));
	}
	return fd;
}
