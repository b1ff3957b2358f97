/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_BPF_FIRST_FLIGHT_H
#define MPLB_BPF_FIRST_FLIGHT_H

/*
 * How much of an answer the initial subflow is given before the client's first acknowledgement. The
 * kernel hands a subflow up to 64 KB at once and never takes back what it has handed out
 * (net/mptcp/protocol.c, mptcp_subflow_get_send(), MPTCP_SEND_BURST_SIZE). A server that answers
 * before the join is up so leaves 64 KB to the path through the balancer, of which TCP's initial
 * window sends ten segments; the rest trickles, and all that the joined subflow brings waits for
 * it.
 *
 * What bounds that is the MPTCP window, which begins as the window of the client's third ACK
 * (mptcp_sk_clone_init()), the first segment with both keys. So that window is lowered to what the
 * first flight can be, on its way in. The client's next acknowledgement has its real window, and
 * the kernel's own never shrinks: nobody waits longer than for that.
 *
 * The window's scale is known from the client's SYN, which the kernel keeps in the request socket.
 * Under a SYN flood (SYN cookies) there is none, and the window stays as it is.
 */
#include "bpf/request.h"
#include "bpf/segment.h"
#include "bpf/server_maps.h"
#include "mplb/mptcp.h"

/* A segment that may be a third ACK to a VIP. */
struct third_ack {
	struct mplb_server_addr dst;
	struct bpf_sock_tuple tuple;
	__u32 tuple_len;
	__u32 tcp_off; /* in the frame */
	__be16 window;
};

/* Can it be one, by its header? */
static __always_inline int may_be_third_ack(const struct tcphdr *tcp, const void *end,
					    struct third_ack *a)
{
	if (!tcp || !tcp->ack || tcp->syn || tcp->rst || tcp->doff < TCP_LEN / 4 ||
	    !mptcp_is_keys((const __u8 *)(tcp + 1), tcp->doff * 4 - TCP_LEN, end))
		return 0;
	a->window = tcp->window;
	return 1;
}

static __always_inline int third_ack_ipv4(const void *data, const void *end, struct third_ack *a)
{
	const struct tcphdr *tcp = segment_ipv4(data, end, &a->tcp_off);
	const struct iphdr *ip = data + ETH_LEN;

	if (!may_be_third_ack(tcp, end, a))
		return 0;
	a->dst.family = MPLB_FAMILY_4;
	a->dst.addr.word[0] = ip->daddr;
	a->tuple.ipv4.saddr = ip->saddr;
	a->tuple.ipv4.daddr = ip->daddr;
	a->tuple.ipv4.sport = tcp->source;
	a->tuple.ipv4.dport = tcp->dest;
	a->tuple_len = sizeof(a->tuple.ipv4);
	return 1;
}

static __always_inline int third_ack_ipv6(const void *data, const void *end, struct third_ack *a)
{
	const struct tcphdr *tcp = segment_ipv6(data, end, &a->tcp_off);
	const struct ipv6hdr *ip6 = data + ETH_LEN;

	if (!may_be_third_ack(tcp, end, a))
		return 0;
	a->dst.family = MPLB_FAMILY_6;
	__builtin_memcpy(&a->dst.addr, &ip6->daddr, sizeof(a->dst.addr));
	__builtin_memcpy(a->tuple.ipv6.saddr, &ip6->saddr, sizeof(ip6->saddr));
	__builtin_memcpy(a->tuple.ipv6.daddr, &ip6->daddr, sizeof(ip6->daddr));
	a->tuple.ipv6.sport = tcp->source;
	a->tuple.ipv6.dport = tcp->dest;
	a->tuple_len = sizeof(a->tuple.ipv6);
	return 1;
}

/* True for a segment with both keys to a VIP. */
static __always_inline int find_third_ack(struct __sk_buff *skb, struct third_ack *a)
{
	const void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		if (!third_ack_ipv4(data, end, a))
			return 0;
	} else if (skb->protocol != bpf_htons(ETH_P_IPV6) || !third_ack_ipv6(data, end, a)) {
		return 0;
	}
	return bpf_map_lookup_elem(&server_vips, &a->dst) != NULL;
}

/* The window field that stands for so many full segments. */
static __always_inline __u32 request_window(const struct bpf_sock *sk, __u32 segments)
{
	const struct tcp_request_sock *req = request_of(sk);
	__u32 mss = BPF_CORE_READ(req, req.req.mss),
	      scale = BPF_CORE_READ_BITFIELD_PROBED(&req->req, snd_wscale);

	/* A segment of data has options, too: of 40 bytes, at most. */
	mss = mss > 2 * MPTCP_OPTIONS_MAX ? mss - MPTCP_OPTIONS_MAX : mss;
	return segments * mss >> (scale & 15);
}

/* The same, at least 1; 0xffff where the connection's scale is not known. */
static __always_inline __u32 first_flight_window(struct __sk_buff *skb, struct third_ack *a,
						 __u32 segments)
{
	struct bpf_sock *sk =
		bpf_skc_lookup_tcp(skb, &a->tuple, a->tuple_len, BPF_F_CURRENT_NETNS, 0);
	__u32 window = 0xffff;

	if (!sk)
		return window;
	if (sk->state == NEW_SYN_RECV)
		window = request_window(sk, segments);
	bpf_sk_release(sk);
	return window ? window : 1;
}

/* Puts it in place of a larger one. 1 where it did, 0 where not. */
static __always_inline int lower_window(struct __sk_buff *skb, const struct third_ack *a,
					__u32 limit)
{
	__be16 old = a->window, new = bpf_htons((__u16)limit);

	if (bpf_ntohs(old) <= limit ||
	    bpf_skb_store_bytes(skb, a->tcp_off + offsetof(struct tcphdr, window), &new,
				sizeof(new), 0))
		return 0;
	bpf_l4_csum_replace(skb, a->tcp_off + offsetof(struct tcphdr, check), old, new,
			    sizeof(new));
	return 1;
}

#endif
