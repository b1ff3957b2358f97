/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_BPF_SECOND_H
#define MPLB_BPF_SECOND_H

/*
 * Whose is the inner packet? The judgement behind the second chance: does this host know the TCP
 * flow that it belongs to? MPTCP subflows are TCP sockets in the same tables.
 *
 * Limit: sockets are looked for in the device's network namespace, by the addresses that the packet
 * has. A service behind address translation of this host is not found.
 */
#include "bpf/decap.h"
#include "bpf/parse.h"
#include "bpf/request.h"

#define ICMP_UNREACHABLE   3
#define ICMP_TIME_EXCEEDED 11
#define ICMP_PARAMETER	   12
#define ICMP6_ERROR_LAST   4 /* 1 .. 4: unreachable, too big, time exceeded, parameter problem */

/* The TCP flow that an inner packet belongs to. */
struct inner {
	struct bpf_sock_tuple tuple; /* as the client's packets have it */
	__u32 tuple_len; /* bytes of the tuple; 0: there is no TCP flow to look up */
	__u32 l3_off; /* of the inner IP header in the frame */
	__u32 tcp_off; /* of the segment's header; 0: an ICMP error quotes the flow */
};

static __always_inline void tuple_ipv4(struct inner *in, __be32 saddr, __be32 daddr, __be16 sport,
				       __be16 dport)
{
	in->tuple.ipv4.saddr = saddr;
	in->tuple.ipv4.daddr = daddr;
	in->tuple.ipv4.sport = sport;
	in->tuple.ipv4.dport = dport;
	in->tuple_len = sizeof(in->tuple.ipv4);
}

static __always_inline void tuple_ipv6(struct inner *in, const struct in6_addr *saddr,
				       const struct in6_addr *daddr, __be16 sport, __be16 dport)
{
	__builtin_memcpy(in->tuple.ipv6.saddr, saddr, sizeof(*saddr));
	__builtin_memcpy(in->tuple.ipv6.daddr, daddr, sizeof(*daddr));
	in->tuple.ipv6.sport = sport;
	in->tuple.ipv6.dport = dport;
	in->tuple_len = sizeof(in->tuple.ipv6);
}

/* An ICMP error about a TCP packet from the VIP to a client: the flow is the other way round. icmp:
 * type, code, checksum and 4 bytes in front of the packet that is quoted. */
static __always_inline void quoted_ipv4(const __u8 *icmp, const void *end, struct inner *in)
{
	const struct iphdr *ip = (const void *)icmp + ICMP_LEN;
	const __be16 *ports;

	if ((const void *)(ip + 1) > end ||
	    (icmp[0] != ICMP_UNREACHABLE && icmp[0] != ICMP_TIME_EXCEEDED &&
	     icmp[0] != ICMP_PARAMETER))
		return;
	ports = (const void *)ip + ip->ihl * 4;
	if (ip->version != 4 || ip->ihl < 5 || ip->protocol != IPPROTO_TCP ||
	    ip->frag_off & bpf_htons(IPV4_OFFSET) || (const void *)(ports + 2) > end)
		return;
	tuple_ipv4(in, ip->daddr, ip->saddr, ports[1], ports[0]);
}

static __always_inline void quoted_ipv6(const __u8 *icmp, const void *end, struct inner *in)
{
	const struct ipv6hdr *ip6 = (const void *)icmp + ICMP_LEN;
	const __be16 *ports = (const void *)(ip6 + 1);

	if ((const void *)(ports + 2) > end || !icmp[0] || icmp[0] > ICMP6_ERROR_LAST)
		return;
	if (ip6->version == 6 && ip6->nexthdr == IPPROTO_TCP)
		tuple_ipv6(in, &ip6->daddr, &ip6->saddr, ports[1], ports[0]);
}

/* What the flow of an inner IPv4 packet is, if it has one that can be looked up. */
static __always_inline void flow_ipv4(const void *data, const void *end, struct inner *in)
{
	const struct iphdr *ip = data + in->l3_off;
	const struct tcphdr *tcp;
	__u32 off;

	if ((const void *)(ip + 1) > end || ip->frag_off & bpf_htons(IPV4_FRAGMENT))
		return;
	off = in->l3_off + ip->ihl * 4;
	tcp = data + off;
	if (ip->protocol == IPPROTO_ICMP) {
		quoted_ipv4((const __u8 *)tcp, end, in);
	} else if (ip->protocol == IPPROTO_TCP && (const void *)(tcp + 1) <= end) {
		in->tcp_off = off;
		tuple_ipv4(in, ip->saddr, ip->daddr, tcp->source, tcp->dest);
	}
}

/* The same of an inner IPv6 packet, behind the extension headers that a balancer skips. */
static __always_inline void flow_ipv6(struct xdp_md *ctx, struct inner *in)
{
	const void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct extensions x = { .l4_off = in->l3_off + IPV6_LEN };
	const struct ipv6hdr *ip6 = data + in->l3_off;
	const struct tcphdr *tcp;

	if ((const void *)(ip6 + 1) > end)
		return;
	x.proto = ip6->nexthdr;
	if (x.proto != IPPROTO_TCP && x.proto != IPPROTO_ICMPV6)
		skip_extensions(ctx, x.l4_off, x.proto, &x);
	if (x.reason || x.fragment || x.l4_off > L4_MAX)
		return;
	tcp = data + x.l4_off;
	if (x.proto == IPPROTO_ICMPV6) {
		quoted_ipv6((const __u8 *)tcp, end, in);
	} else if (x.proto == IPPROTO_TCP && (const void *)(tcp + 1) <= end) {
		in->tcp_off = x.l4_off;
		tuple_ipv6(in, &ip6->saddr, &ip6->daddr, tcp->source, tcp->dest);
	}
}

/* What is asked of the kernel's own struct (include/linux/tcp.h). */
struct tcp_sock {
	__u32 rcv_nxt;
	__u32 write_seq; /* snd_nxt follows when a segment is out: its ACK may be here before */
} __attribute__((preserve_access_index));

/* Further than any window reaches, on either side (bytes). */
#define FLOW_REACH (1 << 28)

/*
 * Can the segment follow this host's answer to a SYN? One that was sent again may have come to
 * another backend than the first: both have answered then, and the client goes on with one.
 */
static __always_inline int follows(const struct bpf_sock *sk, const struct tcphdr *tcp)
{
	__u32 isn = 0;

	return !tcp->ack || bpf_core_read(&isn, sizeof(isn), &request_of(sk)->snt_isn) ||
	       bpf_ntohl(tcp->ack_seq) == isn + 1;
}

/*
 * Can the segment be one of the socket's? A host that was cut off and comes back has sockets of
 * connections that their clients have long given up; one that was begun at the same ports
 * meanwhile, at another backend, would be held by them until they time out. Its numbers are others,
 * in all but one of 128 cases.
 */
static __always_inline int fits(struct xdp_md *ctx, struct bpf_sock *sk, const struct inner *in)
{
	const void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	const struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	__u32 off = in->tcp_off;
	const struct tcphdr *tcp = data + off;
	__s32 ahead, sent;

	/* An ICMP error is about it. */
	if (!off || off > L4_MAX || (const void *)(tcp + 1) > end)
		return 1;
	if (sk->state == NEW_SYN_RECV)
		return follows(sk, tcp);
	if (!tp) /* TIME_WAIT */
		return 1;
	ahead = (__s32)(bpf_ntohl(tcp->seq) - tp->rcv_nxt);
	sent = (__s32)(tp->write_seq - bpf_ntohl(tcp->ack_seq));
	if (ahead > FLOW_REACH || ahead < -FLOW_REACH)
		return 0;
	return !tcp->ack || (sent >= 0 && sent < FLOW_REACH);
}

static __always_inline int opens(const struct tcphdr *tcp)
{
	return tcp->syn && !tcp->ack;
}

/* True where the segment carries a SYN cookie that this listener made. */
static __always_inline int has_cookie(struct xdp_md *ctx, struct bpf_sock *sk,
				      const struct inner *in)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 len = in->tuple_len == sizeof(in->tuple.ipv4) ? IPV4_LEN : IPV6_LEN;
	__u32 l3_off = in->l3_off, tcp_off = in->tcp_off;
	struct tcphdr *tcp;
	void *ip;

	if (!tcp_off || l3_off > L4_MAX || tcp_off > L4_MAX)
		return 0;
	ip = data + l3_off;
	tcp = data + tcp_off;
	/* Of IPv4, too, there are as many bytes: 20 and a TCP header. */
	if (ip + IPV6_LEN > end || (void *)(tcp + 1) > end)
		return 0;
	return !bpf_tcp_check_syncookie(sk, ip, len, tcp, sizeof(*tcp));
}

/* Looks the flow up. Returns GUE_SOCKET, GUE_COOKIE, or GUE_UNKNOWN: no socket, or a listener only
 * that has never heard of it; or, where another backend may know more, one that the segment does
 * not fit. */
static __always_inline int look_up(struct xdp_md *ctx, struct inner *in, int fallback)
{
	struct bpf_sock *sk =
		bpf_skc_lookup_tcp(ctx, &in->tuple, in->tuple_len, BPF_F_CURRENT_NETNS, 0);
	int reason = MPLB_SERVER_R_GUE_UNKNOWN;

	if (!sk)
		return reason;
	if (sk->state == BPF_TCP_LISTEN) {
		if (has_cookie(ctx, sk, in))
			reason = MPLB_SERVER_R_GUE_COOKIE;
	} else if (!fallback || fits(ctx, sk, in)) {
		reason = MPLB_SERVER_R_GUE_SOCKET;
	}
	bpf_sk_release(sk);
	return reason;
}

/* What is to become of a GUE packet that is right in all its headers: one of the reasons GUE_...
 * for the stack, or PASSED_ON. */
static __always_inline int judge_flow(struct xdp_md *ctx, const struct tunnel *t)
{
	const void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct inner in = { .l3_off = ETH_LEN + t->outer_len };
	int reason;

	if (t->inner == MPLB_FAMILY_4)
		flow_ipv4(data, end, &in);
	else
		flow_ipv6(ctx, &in);
	if (!in.tuple_len)
		return MPLB_SERVER_R_GUE_STATELESS;
	if (in.tcp_off && data + in.tcp_off + TCP_LEN <= end && opens(data + in.tcp_off))
		return MPLB_SERVER_R_GUE_OPENED;
	reason = look_up(ctx, &in, t->fallback);
	if (reason == MPLB_SERVER_R_GUE_UNKNOWN) {
		if (t->fallback)
			return MPLB_SERVER_R_PASSED_ON;
		return t->hops ? MPLB_SERVER_R_GUE_HOPS_USED : reason;
	}
	return t->hops ? MPLB_SERVER_R_GUE_RESCUED : reason;
}

#endif
