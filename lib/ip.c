/* SPDX-License-Identifier: GPL-2.0-only */
#include "ip.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int ip_parse(const char *text, struct ip *out)
{
	struct ip ip = { 0 };

	if (inet_pton(AF_INET, text, &ip.addr) == 1)
		ip.family = MPLB_FAMILY_4;
	else if (inet_pton(AF_INET6, text, &ip.addr) == 1)
		ip.family = MPLB_FAMILY_6;
	else
		return -EINVAL;
	*out = ip;
	return 0;
}

int ip_af(const struct ip *ip)
{
	return ip->family == MPLB_FAMILY_4 ? AF_INET : AF_INET6;
}

const char *ip_format(const struct ip *ip, char buf[static IP_STRLEN])
{
	if (!inet_ntop(ip_af(ip), &ip->addr, buf, IP_STRLEN))
		strcpy(buf, "?");
	return buf;
}

bool ip_equal(const struct ip *a, const struct ip *b)
{
	return a->family == b->family && !memcmp(&a->addr, &b->addr, sizeof(a->addr));
}

int ip_parse_port(const char *text, struct ip *out, unsigned int *port)
{
	char host[IP_STRLEN + 2], *colon = strrchr(text, ':');
	const char *begin = text, *end = text + strlen(text);
	unsigned long number = 0;
	struct ip ip;
	size_t len;

	if (*text == '[') {
		begin = text + 1;
		end = strchr(text, ']');
		if (!end || (end[1] && end[1] != ':'))
			return -EINVAL;
		colon = end[1] ? strchr(end, ':') : NULL;
	} else if (colon && strchr(text, ':') == colon) {
		end = colon;
	} else {
		colon = NULL;
	}
	if (colon) {
		char *rest;

		errno = 0;
		number = strtoul(colon + 1, &rest, 10);
		if (errno || rest == colon + 1 || *rest || colon[1] < '0' || colon[1] > '9' ||
		    number > 65535)
			return -EINVAL;
	}
	len = (size_t)(end - begin);
	if (len >= sizeof(host))
		return -EINVAL;
	memcpy(host, begin, len);
	host[len] = '\0';
	if (ip_parse(host, &ip))
		return -EINVAL;
	*out = ip;
	*port = (unsigned int)number;
	return 0;
}

bool ip_is_unusable(const struct ip *ip)
{
	const struct in6_addr *six = (const struct in6_addr *)&ip->addr;
	__u32 four = ntohl(ip->addr.word[0]);

	if (ip->family == MPLB_FAMILY_4)
		return four >> 24 == 0 || four >> 24 == 127 || four >> 28 >= 14;
	return IN6_IS_ADDR_UNSPECIFIED(six) || IN6_IS_ADDR_LOOPBACK(six) ||
	       IN6_IS_ADDR_MULTICAST(six) || IN6_IS_ADDR_V4MAPPED(six);
}
