/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_BPF_MSS_H
#define MPLB_BPF_MSS_H

/*
 * The MSS that a VIP announces. Clients' segments cross the tunnel, so the SYN/ACK asks for such as
 * fit it with the tunnel's headers; other addresses of the host are not touched.
 */
#include "bpf/segment.h"
#include "bpf/server_maps.h"

#define TCPOPT_EOL	 0
#define TCPOPT_NOP	 1
#define TCPOPT_MSS	 2
#define TCPOPT_MSS_LEN	 4
#define TCP_OPTIONS_WALK 20 /* options looked at: the MSS is Linux's first or second */
#define TCP_OPTIONS_MAX	 (60 - TCP_LEN)

/* A SYN/ACK of a VIP on its way out. */
struct syn_ack {
	struct mplb_server_addr src;
	__u32 tcp_off; /* in the frame */
	__u32 options; /* bytes */
	__u32 headers; /* of IP and TCP without options, bytes: what a MTU has beside the MSS */
};

static __always_inline int is_syn_ack(const struct tcphdr *tcp)
{
	return tcp->syn && tcp->ack;
}

static __always_inline const struct tcphdr *syn_ack_ipv4(const void *data, const void *end,
							 struct syn_ack *s)
{
	const struct tcphdr *tcp = segment_ipv4(data, end, &s->tcp_off);
	const struct iphdr *ip = data + ETH_LEN;

	if (!tcp || !is_syn_ack(tcp))
		return NULL;
	s->src.family = MPLB_FAMILY_4;
	s->src.addr.word[0] = ip->saddr;
	s->headers = IPV4_LEN + TCP_LEN;
	return tcp;
}

static __always_inline const struct tcphdr *syn_ack_ipv6(const void *data, const void *end,
							 struct syn_ack *s)
{
	const struct tcphdr *tcp = segment_ipv6(data, end, &s->tcp_off);
	const struct ipv6hdr *ip6 = data + ETH_LEN;

	if (!tcp || !is_syn_ack(tcp))
		return NULL;
	s->src.family = MPLB_FAMILY_6;
	__builtin_memcpy(&s->src.addr, &ip6->saddr, sizeof(s->src.addr));
	s->headers = IPV6_LEN + TCP_LEN;
	return tcp;
}

/* True for a SYN/ACK of a VIP. */
static __always_inline int find_syn_ack(struct __sk_buff *skb, struct syn_ack *s)
{
	const void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	const struct tcphdr *tcp = NULL;

	if (skb->protocol == bpf_htons(ETH_P_IP))
		tcp = syn_ack_ipv4(data, end, s);
	else if (skb->protocol == bpf_htons(ETH_P_IPV6))
		tcp = syn_ack_ipv6(data, end, s);
	if (!tcp || tcp->doff < TCP_LEN / 4 || !bpf_map_lookup_elem(&server_vips, &s->src))
		return 0;
	s->options = tcp->doff * 4 - TCP_LEN;
	return 1;
}

/* The largest MSS that fits, or 0 where that is not known. */
static __always_inline __u32 mss_limit(struct __sk_buff *skb, const struct syn_ack *s)
{
	struct mplb_server_settings *settings;
	__u32 zero = 0, mtu = 0, taken;

	settings = bpf_map_lookup_elem(&server_settings, &zero);
	if (!settings)
		return 0;
	/* Whether this packet fits is not the question: the device's MTU is, which comes along. */
	if (settings->mtu)
		mtu = settings->mtu;
	else
		bpf_check_mtu(skb, 0, &mtu, 0, 0);
	taken = settings->overhead + s->headers;
	return mtu > taken ? mtu - taken : 0;
}

/* Where the MSS stands in the frame, or 0. */
static __always_inline __u32 find_mss(struct __sk_buff *skb, const struct syn_ack *s)
{
	__u32 at = 0;
	__u8 option[2];

	for (int i = 0; i < TCP_OPTIONS_WALK; i++) {
		if (at + TCPOPT_MSS_LEN > s->options || at > TCP_OPTIONS_MAX ||
		    bpf_skb_load_bytes(skb, s->tcp_off + TCP_LEN + at, option, sizeof(option)))
			return 0;
		if (option[0] == TCPOPT_EOL)
			return 0;
		if (option[0] == TCPOPT_MSS)
			return option[1] == TCPOPT_MSS_LEN ? s->tcp_off + TCP_LEN + at + 2 : 0;
		if (option[0] != TCPOPT_NOP && option[1] < 2)
			return 0;
		at += option[0] == TCPOPT_NOP ? 1 : option[1];
	}
	return 0;
}

/* Puts the limit in place of a larger MSS. 1 where it did, 0 where not. */
static __always_inline int lower_mss(struct __sk_buff *skb, const struct syn_ack *s, __u32 limit)
{
	__u32 at = find_mss(skb, s);
	__be16 old, new = bpf_htons((__u16)limit);

	if (!at || bpf_skb_load_bytes(skb, at, &old, sizeof(old)) || bpf_ntohs(old) <= limit)
		return 0;
	if (bpf_skb_store_bytes(skb, at, &new, sizeof(new), 0))
		return 0;
	/* In a checksum, what stands at an odd place counts with its bytes swapped (RFC 1071, 2).
	 */
	if ((at - s->tcp_off) % 2) {
		old = __builtin_bswap16(old);
		new = __builtin_bswap16(new);
	}
	bpf_l4_csum_replace(skb, s->tcp_off + offsetof(struct tcphdr, check), old, new,
			    sizeof(new));
	return 1;
}

#endif
