/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_BPF_REJECT_H
#define MPLB_BPF_REJECT_H

/*
 * The answer to a join that must not go to any server: RST with MP_TCPRST (RFC 8684, 3.6), made of
 * the SYN itself. The client keeps its connection and uses the address that the server advertises.
 */
#include "bpf/count.h"
#include "bpf/packet.h"
#include "mplb/mptcp.h"

struct reset {
	struct tcphdr tcp;
	__u8 kind, len, subtype, reason; /* MP_TCPRST, no flags */
};
_Static_assert(sizeof(struct reset) == 24, "a TCP header and a word of options");

static __always_inline void swap_ethernet(struct ethhdr *eth)
{
	__u8 mac[6];

	__builtin_memcpy(mac, eth->h_dest, 6);
	__builtin_memcpy(eth->h_dest, eth->h_source, 6);
	__builtin_memcpy(eth->h_source, mac, 6);
}

static __always_inline __u16 fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)sum;
}

static __always_inline __u64 sum_words(const void *data, __u32 len)
{
	const __u32 *word = data;
	__u64 sum = 0;

	for (__u32 i = 0; i < len / 4; i++)
		sum += word[i];
	return sum;
}

static __always_inline void write_reset(struct reset *r)
{
	__be16 sport = r->tcp.source;
	__be32 seq = r->tcp.seq;

	*r = (struct reset){
		.tcp = {
			.source = r->tcp.dest,
			.dest = sport,
			.ack_seq = bpf_htonl(bpf_ntohl(seq) + 1),
			.doff = sizeof(*r) / 4,
			.rst = 1,
			.ack = 1,
		},
		.kind = MPTCP_KIND,
		.len = 4,
		.subtype = MPTCP_SUB_MP_TCPRST << 4,
		.reason = MPTCP_RST_PROHIBITED,
	};
}

/* The IP header of a packet without options that now holds one struct reset, source and destination
 * swapped; the sum of both addresses goes into the TCP checksum either way. */
static __always_inline int reset_ipv4(struct iphdr *ip, struct reset *r)
{
	__be32 src = ip->saddr;
	__u64 pseudo;

	ip->saddr = ip->daddr;
	ip->daddr = src;
	ip->tos = 0;
	ip->tot_len = bpf_htons(IPV4_LEN + sizeof(*r));
	ip->id = 0;
	ip->frag_off = bpf_htons(0x4000);
	ip->ttl = 64;
	ip->check = 0;
	ip->check = (__sum16)~fold(sum_words(ip, IPV4_LEN));
	pseudo = (__u64)ip->saddr + ip->daddr + bpf_htonl(IPPROTO_TCP << 16 | sizeof(*r));
	r->tcp.check = (__sum16)~fold(pseudo + sum_words(r, sizeof(*r)));
	return ETH_LEN + IPV4_LEN + sizeof(*r);
}

static __always_inline int reset_ipv6(struct ipv6hdr *ip6, struct reset *r)
{
	struct in6_addr src = ip6->saddr;
	__u64 pseudo;

	ip6->saddr = ip6->daddr;
	ip6->daddr = src;
	*(__be32 *)ip6 = bpf_htonl(6u << 28);
	ip6->payload_len = bpf_htons(sizeof(*r));
	ip6->hop_limit = 64;
	pseudo = sum_words(&ip6->saddr, 32) + bpf_htonl(sizeof(*r)) + bpf_htonl(IPPROTO_TCP);
	r->tcp.check = (__sum16)~fold(pseudo + sum_words(r, sizeof(*r)));
	return ETH_LEN + IPV6_LEN + sizeof(*r);
}

/* Answers the SYN+MP_JOIN in ctx; its options take at least 4 bytes, so the answer always fits.
 * Returns an XDP action. A global function, as syn_subtypes(). */
__noinline int reject_join(struct xdp_md *ctx, __u32 family, __u32 l4_off)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct reset *r;
	int len;

	/* IPv4 options are not copied: the reset moves up to where they were. */
	if (data + ETH_LEN + IPV6_LEN + sizeof(*r) <= end && family == MPLB_FAMILY_6) {
		r = data + ETH_LEN + IPV6_LEN;
		write_reset(r);
		len = reset_ipv6(data + ETH_LEN, r);
	} else if (family == MPLB_FAMILY_4 && l4_off <= ETH_LEN + 60 &&
		   data + l4_off + sizeof(*r) <= end &&
		   data + ETH_LEN + IPV4_LEN + sizeof(*r) <= end) {
		struct iphdr *ip = data + ETH_LEN;
		struct tcphdr tcp = *(struct tcphdr *)(data + l4_off);

		ip->ihl = 5;
		r = data + ETH_LEN + IPV4_LEN;
		r->tcp = tcp;
		write_reset(r);
		len = reset_ipv4(ip, r);
	} else {
		return finish(ctx, MPLB_R_LENGTH_MISMATCH);
	}
	swap_ethernet(eth);
	if (bpf_xdp_adjust_tail(ctx, len - (int)(end - data)))
		return finish(ctx, MPLB_R_LENGTH_MISMATCH);
	return finish(ctx, MPLB_R_JOIN_REJECTED);
}

#endif
