/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_IP_H
#define MPLB_IP_H

#include <stdbool.h>
#include <stddef.h>
#include "mplb/abi.h"

/* An address with its family: MPLB_FAMILY_4 or MPLB_FAMILY_6; address in network byte order. */
struct ip {
	struct mplb_ip addr;
	__u8 family;
};

#define IP_STRLEN    46 /* INET6_ADDRSTRLEN */
#define IP_KEYLEN(f) ((f) == MPLB_FAMILY_4 ? 4u : 16u)

/* Reads dotted quad or IPv6 text. 0, or -EINVAL with *out untouched. */
int ip_parse(const char *text, struct ip *out);
/* Writes the address into buf and returns buf. */
const char *ip_format(const struct ip *ip, char buf[static IP_STRLEN]);
bool ip_equal(const struct ip *a, const struct ip *b);
/* AF_INET or AF_INET6. */
int ip_af(const struct ip *ip);
/* Reads "192.0.2.1:443", "[2001:db8::1]:443" or, with port 0 as result, a bare address.
 * *port in host byte order. 0 or -EINVAL. */
int ip_parse_port(const char *text, struct ip *out, unsigned int *port);
/* True for addresses no host can have as its own: any, multicast, broadcast, loopback, v4-mapped.
 */
bool ip_is_unusable(const struct ip *ip);

#endif
