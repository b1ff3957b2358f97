/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_LOAD_ENDPOINT_H
#define MPLB_LOAD_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* A socket address with its length. */
struct endpoint {
	struct sockaddr_storage addr;
	socklen_t len;
};

#define ENDPOINT_STRLEN 64

/* Reads "192.0.2.1:443", "[2001:db8::1]:443", or a bare address (port 0). 0, or -EINVAL, logged. */
int endpoint_parse(const char *text, struct endpoint *out);
const char *endpoint_format(const void *sockaddr, char buf[static ENDPOINT_STRLEN]);
/* The port, in host byte order. */
uint16_t endpoint_port(const struct endpoint *at);
void endpoint_set_port(struct endpoint *at, uint16_t port);
/* Same address and same port. */
bool endpoint_equal(const void *sockaddr_a, const void *sockaddr_b);

/* A non-blocking socket of that protocol (IPPROTO_TCP, IPPROTO_MPTCP, IPPROTO_UDP), bound to the
 * address (NULL: not bound). The descriptor, or -errno, logged. */
int endpoint_socket(int family, int proto, const struct endpoint *bind_to);

#endif
