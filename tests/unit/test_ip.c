/* SPDX-License-Identifier: GPL-2.0-only */
#include <criterion/criterion.h>
#include <arpa/inet.h>
#include <errno.h>
#include "lib/ip.h"

Test(ip, parse_and_format)
{
	static const struct {
		const char *text;
		const char *out; /* NULL: not an address */
		int af;
	} cases[] = {
		{ "192.0.2.1", "192.0.2.1", AF_INET },
		{ "255.255.255.255", "255.255.255.255", AF_INET },
		{ "2001:db8::1", "2001:db8::1", AF_INET6 },
		{ "2001:0DB8:0:0:0:0:0:1", "2001:db8::1", AF_INET6 },
		{ "::", "::", AF_INET6 },
		{ "::ffff:192.0.2.1", "::ffff:192.0.2.1", AF_INET6 },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
		  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", AF_INET6 },
		{ "", NULL, 0 },
		{ "192.0.2", NULL, 0 },
		{ "192.0.2.256", NULL, 0 },
		{ "192.0.2.1 ", NULL, 0 },
		{ " 192.0.2.1", NULL, 0 },
		{ "192.0.2.1/32", NULL, 0 },
		{ "192.0.2.1:80", NULL, 0 },
		{ "0x7f.0.0.1", NULL, 0 },
		{ "2001:db8::1::2", NULL, 0 },
		{ "2001:db8::1%eth0", NULL, 0 },
		{ "[2001:db8::1]", NULL, 0 },
		{ "localhost", NULL, 0 },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct ip ip = { .family = 99 };
		char buf[IP_STRLEN];
		int err = ip_parse(cases[i].text, &ip);

		if (!cases[i].out) {
			cr_expect_eq(err, -EINVAL, "%s", cases[i].text);
			cr_expect_eq(ip.family, 99, "%s: touched", cases[i].text);
			continue;
		}
		cr_expect_eq(err, 0, "%s", cases[i].text);
		cr_expect_eq(ip_af(&ip), cases[i].af, "%s", cases[i].text);
		cr_expect_str_eq(ip_format(&ip, buf), cases[i].out);
	}
}

/* An IPv4 address is in word 0, the rest is 0: it is a map's key. */
Test(ip, words)
{
	struct ip ip;

	memset(&ip, 0xff, sizeof(ip));
	cr_assert_eq(ip_parse("192.0.2.1", &ip), 0);
	cr_expect_eq(ip.addr.word[0], htonl(0xc0000201));
	cr_expect(!ip.addr.word[1] && !ip.addr.word[2] && !ip.addr.word[3]);
	cr_expect_eq(ip.family, MPLB_FAMILY_4);
}

Test(ip, equal)
{
	struct ip four, zero, six, same;

	ip_parse("0.0.0.0", &four);
	ip_parse("::", &zero);
	ip_parse("2001:db8::1", &six);
	ip_parse("2001:db8:0::1", &same);
	cr_expect(ip_equal(&six, &same));
	cr_expect_not(ip_equal(&six, &zero));
	cr_expect_not(ip_equal(&four, &zero), "the same bytes in two families");
}

Test(ip, parse_port)
{
	static const struct {
		const char *text;
		const char *ip; /* NULL: refused */
		unsigned int port;
	} cases[] = {
		{ "192.0.2.1:443", "192.0.2.1", 443 },
		{ "192.0.2.1", "192.0.2.1", 0 },
		{ "192.0.2.1:65535", "192.0.2.1", 65535 },
		{ "[2001:db8::1]:443", "2001:db8::1", 443 },
		{ "[2001:db8::1]", "2001:db8::1", 0 },
		{ "2001:db8::1", "2001:db8::1", 0 },
		{ "[192.0.2.1]:1", "192.0.2.1", 1 },
		{ "", NULL, 0 },
		{ ":443", NULL, 0 },
		{ "192.0.2.1:", NULL, 0 },
		{ "192.0.2.1:65536", NULL, 0 },
		{ "192.0.2.1:-1", NULL, 0 },
		{ "192.0.2.1: 1", NULL, 0 },
		{ "192.0.2.1:1x", NULL, 0 },
		{ "192.0.2.1:99999999999999999999", NULL, 0 },
		{ "[2001:db8::1", NULL, 0 },
		{ "[2001:db8::1]443", NULL, 0 },
		{ "[2001:db8::1]:", NULL, 0 },
		{ "[]:443", NULL, 0 },
		{ "localhost:443", NULL, 0 },
		{ "0000000000000000000000000000000000000000000000000000000000:1", NULL, 0 },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct ip ip = { .family = 99 };
		unsigned int port = 77;
		char buf[IP_STRLEN];
		int err = ip_parse_port(cases[i].text, &ip, &port);

		if (!cases[i].ip) {
			cr_expect_eq(err, -EINVAL, "%s", cases[i].text);
			cr_expect(ip.family == 99 && port == 77, "%s: touched", cases[i].text);
			continue;
		}
		cr_expect_eq(err, 0, "%s", cases[i].text);
		cr_expect_str_eq(ip_format(&ip, buf), cases[i].ip);
		cr_expect_eq(port, cases[i].port, "%s: %u", cases[i].text, port);
	}
}

Test(ip, unusable)
{
	static const char *const unusable[] = {
		"0.0.0.0",   "0.1.2.3",	  "127.0.0.1",	     "224.0.0.1",
		"239.1.2.3", "240.0.0.1", "255.255.255.255", "::",
		"::1",	     "ff02::1",	  "::ffff:192.0.2.1"
	};
	static const char *const usable[] = { "1.0.0.1",     "10.0.0.1",	"126.255.255.255",
					      "128.0.0.1",   "223.255.255.255", "192.0.2.1",
					      "2001:db8::1", "fd00::1",		"::2" };
	struct ip ip;
	size_t i;

	for (i = 0; i < sizeof(unusable) / sizeof(*unusable); i++) {
		cr_assert_eq(ip_parse(unusable[i], &ip), 0);
		cr_expect(ip_is_unusable(&ip), "%s", unusable[i]);
	}
	for (i = 0; i < sizeof(usable) / sizeof(*usable); i++) {
		cr_assert_eq(ip_parse(usable[i], &ip), 0);
		cr_expect_not(ip_is_unusable(&ip), "%s", usable[i]);
	}
}
