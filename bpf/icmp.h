/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_BPF_ICMP_H
#define MPLB_BPF_ICMP_H

/*
 * ICMP to a VIP (docs/packet-walk.md, 6): echo is answered, errors go where the
 * flow goes that they quote. And the error that the balancer itself sends, for
 * a packet too big for the path to a backend. All of it out of line, in global
 * functions: rare, and verified by itself.
 */
#include "bpf/budget.h"
#include "bpf/count.h"
#include "bpf/packet.h"
#include "mplb/hash.h"

#define ICMP_ECHO_REPLY	   0
#define ICMP_UNREACHABLE   3
#define ICMP_ECHO	   8
#define ICMP_TIME_EXCEEDED 11
#define ICMP_PARAMETER	   12
#define ICMP_FRAG_NEEDED   4 /* code */
#define ICMP6_ERROR_LAST   4 /* 1 .. 4: unreachable, too big, time exceeded, parameter problem */
#define ICMP6_TOO_BIG	   2
#define ICMP6_ECHO	   128
#define ICMP6_ECHO_REPLY   129

#define QUOTE_4                                                                                    \
	(IPV4_LEN + 8) /* bytes of a packet that an error of ours quotes (RFC 792)                 \
			*/
#define QUOTE_6 128

struct icmp_head {
	__u8 type, code;
	__be16 check;
	__be32 rest;
};

/* Answers an echo request to a VIP, in place. Returns an XDP action. */
__noinline int answer_echo(struct xdp_md *ctx, __u32 family, __u32 l3_off)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 header = family == MPLB_FAMILY_4 ? IPV4_LEN : IPV6_LEN;
	struct icmp_head *icmp;
	__u64 sum;

	if (l3_off > L3_MAX || data + L3_MAX > end)
		return finish(ctx, MPLB_R_L4_TRUNCATED);
	icmp = data + l3_off + header;
	if ((void *)(icmp + 1) > end)
		return finish(ctx, MPLB_R_L4_TRUNCATED);
	/* RFC 1624: the new sum from the old one and the word that changes. */
	sum = (__u16)~icmp->check + (__u32)(__u16) ~*(__be16 *)icmp;
	icmp->type = family == MPLB_FAMILY_4 ? ICMP_ECHO_REPLY : ICMP6_ECHO_REPLY;
	icmp->check = (__be16)~fold(sum + *(__be16 *)icmp);
	if (family == MPLB_FAMILY_4) {
		struct iphdr *ip = data + l3_off;
		__be32 src = ip->saddr;

		ip->saddr = ip->daddr;
		ip->daddr = src;
		ip->ttl = FRESH_TTL;
		ip->check = 0;
		ip->check = (__sum16)~fold(sum_words(ip, IPV4_LEN));
	} else {
		struct ipv6hdr *ip6 = data + l3_off;
		struct in6_addr src = ip6->saddr;

		ip6->saddr = ip6->daddr;
		ip6->daddr = src;
		ip6->hop_limit = FRESH_TTL;
	}
	swap_ethernet(data);
	return finish(ctx, MPLB_R_ECHO_REPLY);
}

/* Reads the IPv4 packet that an error quotes at off. Returns the offset of its
 * ports, or 0. */
static __always_inline __u32 quoted_ipv4(const void *data, const void *end, __u32 off,
					 struct packet *p)
{
	const struct iphdr *ip = data + off;

	if ((const void *)(ip + 1) > end || ip->version != 4 || ip->ihl < 5)
		return 0;
	if (ip->frag_off & bpf_htons(0x1fff) || mplb_ipv4_word(ip->saddr) != p->dst.first)
		return 0;
	p->src.first = mplb_ipv4_word(ip->daddr);
	p->proto = ip->protocol;
	return off + ip->ihl * 4;
}

static __always_inline __u32 quoted_ipv6(const void *data, const void *end, __u32 off,
					 struct packet *p)
{
	const struct ipv6hdr *ip6 = data + off;
	__u64 word[2];

	if ((const void *)(ip6 + 1) > end || ip6->version != 6)
		return 0;
	__builtin_memcpy(word, &ip6->saddr, 16);
	if (word[0] != p->dst.first || word[1] != p->dst.second)
		return 0;
	__builtin_memcpy(&p->src, &ip6->daddr, 16);
	p->proto = ip6->nexthdr;
	return off + IPV6_LEN;
}

/*
 * Turns *p, an ICMP error to a VIP, into the flow that it quotes: src, ports
 * (the client's first) and proto become those of the client's packets. Returns
 * 0, or the reason why the packet ends.
 */
__noinline int read_quoted(struct xdp_md *ctx, struct packet *p)
{
	const void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 least, at;
	const __be16 *port;

	if (!p)
		return MPLB_R_L4_TRUNCATED;
	at = p->l4_off;
	if (at > L4_MAX)
		return MPLB_R_L4_TRUNCATED;
	at += ICMP_LEN;
	barrier_var(at);
	least = p->family == MPLB_FAMILY_4 ? IPV4_LEN : IPV6_LEN;
	if (data + at + least > end || at + least - p->l3_off > p->ip_len)
		return MPLB_R_L4_TRUNCATED;
	at = p->family == MPLB_FAMILY_4 ? quoted_ipv4(data, end, at, p)
					: quoted_ipv6(data, end, at, p);
	if (!at || (p->proto != IPPROTO_TCP && p->proto != IPPROTO_UDP))
		return MPLB_R_ICMP_UNRELATED;
	if (at > L4_MAX + 128)
		return MPLB_R_L4_TRUNCATED;
	barrier_var(at);
	port = data + at;
	if ((const void *)(port + 2) > end || at + 4 - p->l3_off > p->ip_len)
		return MPLB_R_L4_TRUNCATED;
	/* The quoted packet went from the VIP to the client. */
	((__be16 *)&p->ports)[0] = port[1];
	((__be16 *)&p->ports)[1] = port[0];
	p->error = 1;
	return 0;
}

/* Takes one from this CPU's budget of errors. The clock is read for packets
 * that are too big only. */
static __always_inline int may_send_error(void)
{
	__u32 zero = 0;
	struct mplb_budget *budget = bpf_map_lookup_elem(&mplb_icmp_budget, &zero);

	return budget && budget_take(budget, bpf_ktime_get_ns(), MPLB_ICMP_RATE, MPLB_ICMP_BURST);
}

/* Makes room for len bytes in front of the IP header and moves the Ethernet
 * header and tags up. Returns the new start of the frame, checked for need
 * bytes, or NULL. */
static __always_inline void *open_frame(struct xdp_md *ctx, __u32 len)
{
	__u8 link[L3_MAX + 2] = { 0 };
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	if (data + L3_MAX > end)
		return NULL;
	__builtin_memcpy(link, data, L3_MAX);
	if (bpf_xdp_adjust_head(ctx, -(int)len))
		return NULL;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if (data + L3_MAX + len > end)
		return NULL;
	/* What is copied too much is behind the tags, and written by the caller. */
	__builtin_memcpy(data, link, L3_MAX);
	swap_ethernet(data);
	return data;
}

/*
 * Tells the sender of the packet in ctx that at most mtu bytes of IP packet go
 * this way. Returns an XDP action. The frame is longer than 1,000 bytes, or
 * nothing is sent.
 */
__noinline int answer_too_big(struct xdp_md *ctx, __u32 family, __u32 l3_off, __u32 mtu)
{
	const __u32 len = family == MPLB_FAMILY_4 ? IPV4_LEN + ICMP_LEN : IPV6_LEN + ICMP_LEN;
	const __u32 quote = family == MPLB_FAMILY_4 ? QUOTE_4 : QUOTE_6;
	struct icmp_head *icmp;
	void *data, *l3;

	/* The answer to a made-up packet reaches nobody. */
	if (l3_off > L3_MAX || (!trace_of(ctx) && !may_send_error()))
		return finish(ctx, MPLB_R_TOO_BIG);
	if (family == MPLB_FAMILY_4)
		data = open_frame(ctx, IPV4_LEN + ICMP_LEN);
	else
		data = open_frame(ctx, IPV6_LEN + ICMP_LEN);
	if (!data)
		return finish(ctx, MPLB_R_NO_HEADROOM);
	l3 = data + l3_off;
	if (family == MPLB_FAMILY_4) {
		struct iphdr *ip = l3, *quoted = l3 + IPV4_LEN + ICMP_LEN;

		if ((void *)quoted + QUOTE_4 > (void *)(long)ctx->data_end)
			return finish(ctx, MPLB_R_TOO_BIG);
		make_ipv4(ip, quoted->daddr, quoted->saddr, IPPROTO_ICMP, len + quote);
		icmp = (void *)(ip + 1);
		*icmp = (struct icmp_head){ ICMP_UNREACHABLE, ICMP_FRAG_NEEDED, 0, bpf_htonl(mtu) };
		icmp->check = (__be16)~fold(sum_words(icmp, ICMP_LEN + QUOTE_4));
	} else {
		struct ipv6hdr *ip6 = l3, *quoted = l3 + IPV6_LEN + ICMP_LEN;

		if ((void *)quoted + QUOTE_6 > (void *)(long)ctx->data_end)
			return finish(ctx, MPLB_R_TOO_BIG);
		*(__be32 *)ip6 = bpf_htonl(6u << 28);
		ip6->payload_len = bpf_htons(ICMP_LEN + QUOTE_6);
		ip6->nexthdr = IPPROTO_ICMPV6;
		ip6->hop_limit = FRESH_TTL;
		ip6->saddr = quoted->daddr;
		ip6->daddr = quoted->saddr;
		icmp = (void *)(ip6 + 1);
		*icmp = (struct icmp_head){ ICMP6_TOO_BIG, 0, 0, bpf_htonl(mtu) };
		icmp->check = (__be16)~fold(
			sum_words(&ip6->saddr, 32) + bpf_htonl(ICMP_LEN + QUOTE_6) +
			bpf_htonl(IPPROTO_ICMPV6) + sum_words(icmp, ICMP_LEN + QUOTE_6));
	}
	if (bpf_xdp_adjust_tail(ctx, (int)(l3_off + len + quote) - (int)frame_len(ctx)))
		return finish(ctx, MPLB_R_TOO_BIG);
	return finish(ctx, MPLB_R_TOO_BIG_ANSWERED);
}

#endif
