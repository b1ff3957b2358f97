// SPDX-License-Identifier: GPL-2.0-only
#include "syn_packet.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <string.h>

#define SYN_OPTIONS 20 /* bytes: what Linux sends in a SYN */
#define SYN_JOIN    12
#define SYN_TCP	    20

/* xorshift64* (Marsaglia; Vigna). */
static uint32_t syn_random(struct syn_plan *plan)
{
	plan->state ^= plan->state >> 12;
	plan->state ^= plan->state << 25;
	plan->state ^= plan->state >> 27;
	return (uint32_t)((plan->state * 2685821657736338717ULL) >> 32);
}

/* An even number of bytes as 16-bit words (RFC 1071). */
static uint32_t syn_sum(const void *data, size_t len)
{
	const uint8_t *at = data;
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)at[i] << 8 | at[i + 1];
	return sum;
}

/* A SYN's header and options at tcp; its length. sum: of the pseudo-header's addresses. */
static size_t syn_tcp(struct syn_plan *plan, uint8_t *tcp, uint32_t sum)
{
	static const uint8_t usual[SYN_OPTIONS] = {
		2, 4,  5, 0xb4, /* MSS 1460 */
		4, 2, /* SACK permitted */
		8, 10, 1, 2,	3, 4, 0, 0, 0, 0, /* timestamps */
		1, 3,  3, 7, /* NOP, window scale */
	};
	size_t len = SYN_TCP + SYN_OPTIONS + (plan->join ? SYN_JOIN : 0);
	uint32_t token = htonl(plan->random_token ? syn_random(plan) : plan->token);
	uint32_t seq = syn_random(plan), nonce = syn_random(plan);
	uint16_t sport = htons((uint16_t)(1024 + syn_random(plan) % 60000));
	uint16_t dport = htons(endpoint_port(&plan->to));
	uint8_t *join = tcp + SYN_TCP + SYN_OPTIONS;

	memset(tcp, 0, len);
	memcpy(tcp, &sport, 2);
	memcpy(tcp + 2, &dport, 2);
	memcpy(tcp + 4, &seq, 4);
	tcp[12] = (uint8_t)(len / 4 << 4);
	tcp[13] = 0x02;
	tcp[14] = 0xff;
	memcpy(tcp + SYN_TCP, usual, sizeof(usual));
	if (plan->join) {
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

static size_t syn_packet6(struct syn_plan *plan, uint8_t *packet)
{
	uint32_t from[4] = { htonl(0x20010002), 0, syn_random(plan), syn_random(plan) };
	struct ip6_hdr *ip = (void *)packet;
	size_t len;

	memset(ip, 0, sizeof(*ip));
	ip->ip6_flow = htonl(6u << 28);
	ip->ip6_nxt = IPPROTO_TCP;
	ip->ip6_hlim = 64;
	if (plan->from.len)
		ip->ip6_src = ((struct sockaddr_in6 *)&plan->from.addr)->sin6_addr;
	else
		memcpy(&ip->ip6_src, from, sizeof(from));
	ip->ip6_dst = ((struct sockaddr_in6 *)&plan->to.addr)->sin6_addr;
	len = syn_tcp(plan, packet + sizeof(*ip), syn_sum(&ip->ip6_src, 32));
	ip->ip6_plen = htons((uint16_t)len);
	return sizeof(*ip) + len;
}

static size_t syn_packet4(struct syn_plan *plan, uint8_t *packet)
{
	struct ip *ip = (void *)packet;
	size_t len;

	memset(ip, 0, sizeof(*ip));
	ip->ip_v = 4;
	ip->ip_hl = 5;
	ip->ip_ttl = 64;
	ip->ip_p = IPPROTO_TCP;
	ip->ip_off = htons(IP_DF);
	if (plan->from.len)
		ip->ip_src = ((struct sockaddr_in *)&plan->from.addr)->sin_addr;
	else
		ip->ip_src.s_addr = htonl(0xc6120000 | (syn_random(plan) & 0x1ffff));
	ip->ip_dst = ((struct sockaddr_in *)&plan->to.addr)->sin_addr;
	len = syn_tcp(plan, packet + sizeof(*ip), syn_sum(&ip->ip_src, 8));
	ip->ip_len = htons((uint16_t)(sizeof(*ip) + len)); /* the kernel makes the checksum */
	return sizeof(*ip) + len;
}

size_t syn_packet(struct syn_plan *plan, uint8_t packet[static SYN_PACKET_MAX])
{
	return plan->to.addr.ss_family == AF_INET6 ? syn_packet6(plan, packet)
						   : syn_packet4(plan, packet);
}
