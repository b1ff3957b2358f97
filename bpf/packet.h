/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_BPF_PACKET_H
#define MPLB_BPF_PACKET_H

/* What the program needs to know of a packet. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "mplb/abi.h"

#define ETH_LEN	 14
#define IPV4_LEN 20
#define IPV6_LEN 40

#define IPV4_FRAGMENT 0x3fff /* more fragments, or an offset (RFC 791) */

#define TCP_SYN 0x02
#define TCP_ACK 0x10

/* An address as the two words of a struct mplb_ip, the way it is hashed and compared. */
struct address {
	__u64 first;
	__u64 second;
};

struct packet {
	struct address src, dst;
	__u32 ports; /* source port, then destination port, as in the packet */
	__u32 l4_off; /* from the start of the frame */
	__u32 ip_len; /* of the IP packet by its own length field, bytes */
	__u8 family; /* MPLB_FAMILY_4, MPLB_FAMILY_6 */
	__u8 proto; /* IPPROTO_TCP or IPPROTO_UDP */
	__u8 tos; /* IPv4 TOS, IPv6 traffic class */
};

static __always_inline __be16 packet_dport(const struct packet *p)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return (__be16)(p->ports >> 16);
#else
	return (__be16)p->ports;
#endif
}

#endif
