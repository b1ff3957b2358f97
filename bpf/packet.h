/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_BPF_PACKET_H
#define MPLB_BPF_PACKET_H

/* What the program needs to know of a packet. */
#include "mplb/abi.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#define ETH_LEN	 14
#define VLAN_LEN 4
#define IPV4_LEN 20
#define IPV6_LEN 40
#define TCP_LEN	 20
#define UDP_LEN	 8
#define ICMP_LEN 8

#define IPV4_DF	      0x4000
#define IPV4_FRAGMENT 0x3fff /* more fragments, or an offset (RFC 791) */
#define IPV6_FRAGMENT                                                                              \
	0xfff9 /* the same in a fragment header (RFC 8200, 4.5)                                    \
		*/

#define L3_MAX (ETH_LEN + 2 * VLAN_LEN) /* where the IP header begins, at most */
#define L4_MAX                                                                                     \
	8300 /* where the transport header begins, at most: four of the longest                    \
		extension headers */

#define FRESH_TTL 64 /* of everything that begins here */

#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

/* An address as the two words of a struct mplb_ip, the way it is hashed and
 * compared. */
struct address {
	__u64 first;
	__u64 second;
};

struct packet {
	struct address src, dst;
	__u32 ports; /* source port, then destination port, as in the packet */
	__u32 l3_off; /* of the IP header, from the start of the frame */
	__u32 l4_off; /* of the transport header */
	__u32 ip_len; /* of the IP packet by its own length field, bytes */
	__u8 family; /* MPLB_FAMILY_4, MPLB_FAMILY_6 */
	__u8 proto; /* transport protocol */
	__u8 tos; /* IPv4 TOS, IPv6 traffic class */
	__u8 fragment; /* of an IP packet: its ports cannot be had */
	__u8 error; /* an ICMP error: src, ports and proto are those of the flow it is
		       about */
	__u8 dont_fragment; /* IPv4 with DF and IPv6, without options and extension
			       headers */
};

static __always_inline __be16 packet_dport(const struct packet *p)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return (__be16)(p->ports >> 16);
#else
	return (__be16)p->ports;
#endif
}

/* Both MAC addresses of an Ethernet header, destination first, as words: byte
 * by byte is what clang makes of a memcpy() there. */
struct macs {
	__u32 word[3];
};

static __always_inline void write_macs(void *eth, const struct macs *macs)
{
	__u32 *to = eth;

	to[0] = macs->word[0];
	to[1] = macs->word[1];
	to[2] = macs->word[2];
}

static __always_inline void swap_ethernet(void *eth)
{
	__u32 *word = eth;
	__u16 *half = eth;
	__u32 dst = word[0];
	__u16 dst_end = half[2];

	word[0] = half[3] | (__u32)half[4] << 16;
	half[2] = half[5];
	half[3] = (__u16)dst;
	half[4] = (__u16)(dst >> 16);
	half[5] = dst_end;
}

/* Length of the frame. */
static __always_inline __u32 frame_len(const struct xdp_md *ctx)
{
	__u64 len = (void *)(long)ctx->data_end - (void *)(long)ctx->data;

	barrier_var(len); /* or clang subtracts from one of the pointers, in 32 bits */
	return (__u32)len;
}

/* Internet checksum arithmetic (RFC 1071): words summed in 32 bits each, folded
 * to 16. */
static __always_inline __u64 sum_words(const void *data, __u32 len)
{
	const __u32 *word = data;
	__u64 sum = 0;

	for (__u32 i = 0; i < len / 4; i++)
		sum += word[i];
	return sum;
}

static __always_inline __u16 fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)sum;
}

/* An IPv4 header that begins here: no options, DF, checksum included. Addresses
 * as in the struct. */
static __always_inline void make_ipv4(struct iphdr *ip, __be32 saddr, __be32 daddr, __u8 proto,
				      __u32 len)
{
	*ip = (struct iphdr){
		.version = 4,
		.ihl = 5,
		.tot_len = bpf_htons((__u16)len),
		.frag_off = bpf_htons(IPV4_DF),
		.ttl = FRESH_TTL,
		.protocol = proto,
		.saddr = saddr,
		.daddr = daddr,
	};
	ip->check = (__sum16)~fold(sum_words(ip, IPV4_LEN));
}

#endif
