// SPDX-License-Identifier: GPL-2.0-only
/*
 * mplb-load syn: SYNs from made-up addresses, through a raw socket: plain ones, or with MP_JOIN.
 * Nobody answers what comes back.
 */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "endpoint.h"
#include "lib/log.h"

#define SYN_OPTIONS  20 /* bytes: what Linux sends in a SYN */
#define SYN_JOIN     12
#define SYN_TCP	     20
#define SYN_MAX	     (40 + SYN_TCP + SYN_OPTIONS + SYN_JOIN)
#define SYN_PAUSE_NS 1000000
#define SYN_BURST    256 /* packets between two looks at the clock */

#ifndef IPV6_HDRINCL
#define IPV6_HDRINCL 36
#endif

struct syn {
	const char *to_text, *join;
	unsigned long long rate, count;
	double seconds;
	struct endpoint to;
	bool six;
	bool random_token;
	uint32_t token;
	uint64_t state; /* of the generator */
	int fd;
	uint64_t sent, failed;
};

static const struct option syn_options[] = {
	{ "--to", OPTION_TEXT, offsetof(struct syn, to_text), "ADDR:PORT", "send there" },
	{ "--rate", OPTION_NUMBER, offsetof(struct syn, rate), "N",
	  "packets a second; default: as many as can be" },
	{ "--count", OPTION_NUMBER, offsetof(struct syn, count), "N", "end after so many" },
	{ "--seconds", OPTION_SECONDS, offsetof(struct syn, seconds), "S", "end after so long" },
	{ "--join", OPTION_TEXT, offsetof(struct syn, join), "TOKEN",
	  "with MP_JOIN: a token like 0x1234abcd, or random; default: plain SYNs" },
	{ 0 },
};

/* xorshift64* (Marsaglia; Vigna). */
static uint32_t syn_random(struct syn *f)
{
	f->state ^= f->state >> 12;
	f->state ^= f->state << 25;
	f->state ^= f->state >> 27;
	return (uint32_t)((f->state * 2685821657736338717ULL) >> 32);
}

static uint32_t syn_sum(const uint8_t *at, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)at[i] << 8 | at[i + 1];
	return sum;
}

/* A SYN's header and options at tcp; its length. sum: of the pseudo-header's addresses. */
static size_t syn_tcp(struct syn *f, uint8_t *tcp, uint32_t sum)
{
	static const uint8_t usual[SYN_OPTIONS] = { 2, 4, 5, 180, 4, 2, 8, 10, 1, 2,
						    3, 4, 0, 0,	  0, 0, 1, 3,  3, 7 };
	size_t len = SYN_TCP + SYN_OPTIONS + (f->join ? SYN_JOIN : 0);
	uint32_t token = htonl(f->random_token ? syn_random(f) : f->token);
	uint32_t seq = syn_random(f), nonce = syn_random(f);
	uint16_t sport = htons((uint16_t)(1024 + syn_random(f) % 60000));
	uint16_t dport = htons(endpoint_port(&f->to));
	uint8_t *join = tcp + SYN_TCP + SYN_OPTIONS;

	memset(tcp, 0, len);
	memcpy(tcp, &sport, 2);
	memcpy(tcp + 2, &dport, 2);
	memcpy(tcp + 4, &seq, 4);
	tcp[12] = (uint8_t)(len / 4 << 4);
	tcp[13] = 0x02;
	tcp[14] = 0xff;
	memcpy(tcp + SYN_TCP, usual, sizeof(usual));
	if (f->join) {
		join[0] = 30;
		join[1] = SYN_JOIN;
		join[2] = 0x10;
		join[3] = 1;
		memcpy(join + 4, &token, 4);
		memcpy(join + 8, &nonce, 4);
	}
	sum += IPPROTO_TCP + (uint32_t)len + syn_sum(tcp, len);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	tcp[16] = (uint8_t)(sum >> 8);
	tcp[17] = (uint8_t)sum;
	return len;
}

/* From 198.18.0.0/15 and 2001:2::/48, which are for this (RFC 2544, RFC 5180). */
static size_t syn_make(struct syn *f, uint8_t *packet)
{
	struct ip6_hdr *ip6 = (void *)packet;
	struct ip *ip = (void *)packet;
	size_t len;

	memset(packet, 0, sizeof(*ip6));
	if (f->six) {
		uint32_t from[4] = { htonl(0x20010002), 0, syn_random(f), syn_random(f) };

		ip6->ip6_flow = htonl(6u << 28);
		ip6->ip6_nxt = IPPROTO_TCP;
		ip6->ip6_hlim = 64;
		memcpy(&ip6->ip6_src, from, sizeof(from));
		ip6->ip6_dst = ((struct sockaddr_in6 *)&f->to.addr)->sin6_addr;
		len = syn_tcp(f, packet + sizeof(*ip6), syn_sum((void *)&ip6->ip6_src, 32));
		ip6->ip6_plen = htons((uint16_t)len);
		return sizeof(*ip6) + len;
	}
	ip->ip_v = 4;
	ip->ip_hl = 5;
	ip->ip_ttl = 64;
	ip->ip_p = IPPROTO_TCP;
	ip->ip_off = htons(IP_DF);
	ip->ip_src.s_addr = htonl(0xc6120000 | (syn_random(f) & 0x1ffff));
	ip->ip_dst = ((struct sockaddr_in *)&f->to.addr)->sin_addr;
	len = syn_tcp(f, packet + sizeof(*ip), syn_sum((void *)&ip->ip_src, 8));
	ip->ip_len = htons((uint16_t)(sizeof(*ip) + len)); /* the kernel makes the checksum */
	return sizeof(*ip) + len;
}

static void syn_send(struct syn *f)
{
	uint8_t packet[SYN_MAX];
	size_t len = syn_make(f, packet);
	struct endpoint to = f->to;

	endpoint_set_port(&to, 0);
	if (sendto(f->fd, packet, len, 0, (void *)&to.addr, to.len) == (ssize_t)len)
		f->sent++;
	else
		f->failed++;
}

static bool syn_is_over(const struct syn *f, double begin)
{
	return (f->count && f->sent + f->failed >= f->count) ||
	       (f->seconds > 0 && load_now() - begin >= f->seconds);
}

static double syn_run_all(struct syn *f)
{
	const struct timespec pause = { .tv_nsec = SYN_PAUSE_NS };
	double begin = load_now();

	while (!syn_is_over(f, begin)) {
		uint64_t due = f->rate ? (uint64_t)((double)f->rate * (load_now() - begin)) + 1
				       : UINT64_MAX;

		for (int i = 0; i < SYN_BURST && f->sent + f->failed < due; i++) {
			if (f->count && f->sent + f->failed >= f->count)
				break;
			syn_send(f);
		}
		if (f->sent + f->failed >= due)
			nanosleep(&pause, NULL);
	}
	return load_now() - begin;
}

static int syn_open(struct syn *f)
{
	int one = 1, buffer = 1 << 22;

	f->fd = socket(f->six ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	if (f->fd < 0 ||
	    (f->six && setsockopt(f->fd, IPPROTO_IPV6, IPV6_HDRINCL, &one, sizeof(one))))
		return log_err_r(-errno, "syn: no raw socket: %s; run as root", strerror(errno));
	setsockopt(f->fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof(buffer));
	return 0;
}

static int syn_read(struct syn *f, int argc, char **argv)
{
	char *rest;

	if (options_read(syn_options, f, argc, argv))
		return -EINVAL;
	if (!f->to_text || endpoint_parse(f->to_text, &f->to) || !endpoint_port(&f->to))
		return log_err_r(-EINVAL, "syn: --to ADDR:PORT is needed");
	if (!f->count && f->seconds <= 0)
		return log_err_r(-EINVAL, "syn: --count or --seconds is needed");
	f->six = f->to.addr.ss_family == AF_INET6;
	if (!f->join)
		return 0;
	f->random_token = !strcmp(f->join, "random");
	f->token = (uint32_t)strtoul(f->join, &rest, 0);
	if (!f->random_token && (rest == f->join || *rest))
		return log_err_r(-EINVAL, "syn: --join %s: neither a token nor random", f->join);
	return 0;
}

static int syn_run(int argc, char **argv)
{
	struct syn f = { .state = (uint64_t)getpid() * 2654435761u + 1, .fd = -1 };
	double took;

	if (syn_read(&f, argc, argv))
		return 1;
	if (syn_open(&f))
		return 2;
	took = syn_run_all(&f);
	close(f.fd);
	printf("{\"sent\": %" PRIu64 ", \"failed\": %" PRIu64 ", \"seconds\": %.3f}\n", f.sent,
	       f.failed, took);
	return 0;
}

const struct load_command load_syn = {
	"syn",
	"SYNs from made-up addresses (198.18.0.0/15, 2001:2::/48), with MP_JOIN or plain; prints "
	"JSON",
	syn_options,
	syn_run,
};
