/* SPDX-License-Identifier: GPL-2.0-only */
#include "explain.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include <bpf/bpf.h>

#include "mplb/mptcp.h"

#define FRAME_MAX 256

/* Lays the transport header down. Returns its length. */
static size_t put_transport(__u8 *at, const struct explain_packet *p)
{
	struct tcphdr *tcp = (void *)at;
	struct udphdr *udp = (void *)at;
	__u8 *option = at + sizeof(*tcp);
	__be32 token = htonl(p->token);
	size_t options = 0;

	if (p->protocol == IPPROTO_UDP) {
		*udp = (struct udphdr){ htons(p->sport), htons(p->dport), htons(sizeof(*udp)), 0 };
		return sizeof(*udp);
	}
	if (p->kind == EXPLAIN_CAPABLE) {
		/* MP_CAPABLE of a SYN: version 1, flag H (RFC 8684, 3.1). */
		options = 4;
		memcpy(option, (__u8[]){ MPTCP_KIND, 4, MPTCP_SUB_MP_CAPABLE << 4 | 1, 1 }, 4);
	} else if (p->kind == EXPLAIN_JOIN) {
		/* MP_JOIN of a SYN: address id, token, nonce (RFC 8684, 3.2). */
		options = 12;
		memcpy(option, (__u8[]){ MPTCP_KIND, 12, MPTCP_SUB_MP_JOIN << 4, 1 }, 4);
		memcpy(option + 4, &token, 4);
	}
	tcp->source = htons(p->sport);
	tcp->dest = htons(p->dport);
	tcp->syn = p->kind != EXPLAIN_SEGMENT;
	tcp->ack = p->kind == EXPLAIN_SEGMENT;
	tcp->doff = (__u16)((sizeof(*tcp) + options) / 4) & 15;
	tcp->window = htons(65535);
	return sizeof(*tcp) + options;
}

/* Lays a frame down. Returns its length. Checksums stay 0: the program does not look at them. */
static size_t put_frame(__u8 *at, const struct explain_packet *p)
{
	/* Apart from the Ethernet header, which would leave what follows out of alignment. */
	union {
		struct iphdr ip4;
		struct ipv6hdr ip6;
		__u8 bytes[FRAME_MAX];
	} packet = { .bytes = { 0 } };
	struct iphdr *ip = &packet.ip4;
	struct ipv6hdr *ip6 = &packet.ip6;
	struct ethhdr *eth = (void *)at;
	size_t header = p->dst.family == MPLB_FAMILY_4 ? sizeof(*ip) : sizeof(*ip6);
	size_t len = put_transport(packet.bytes + header, p);

	eth->h_dest[0] = eth->h_source[0] = 2; /* locally administered */
	if (p->dst.family == MPLB_FAMILY_4) {
		eth->h_proto = htons(ETH_P_IP);
		ip->version = 4;
		ip->ihl = 5;
		ip->ttl = 64;
		ip->protocol = p->protocol;
		ip->tot_len = htons((__u16)(header + len));
		ip->saddr = p->src.addr.word[0];
		ip->daddr = p->dst.addr.word[0];
	} else {
		eth->h_proto = htons(ETH_P_IPV6);
		ip6->version = 6;
		ip6->hop_limit = 64;
		ip6->nexthdr = p->protocol;
		ip6->payload_len = htons((__u16)len);
		memcpy(&ip6->saddr, &p->src.addr, 16);
		memcpy(&ip6->daddr, &p->dst.addr, 16);
	}
	memcpy(at + sizeof(*eth), &packet, header + len);
	return sizeof(*eth) + header + len;
}

int explain_run(const struct datapath_nic *nic, const struct explain_packet *packet,
		struct explain_result *out)
{
	__u8 in[sizeof(struct mplb_trace) + FRAME_MAX] = { 0 }, back[sizeof(in) + FRAME_MAX];
	struct mplb_trace trace = { .magic = MPLB_TRACE_MAGIC,
				    .vip = MPLB_TRACE_NONE,
				    .slot = MPLB_TRACE_NONE,
				    .owner = MPLB_NO_BACKEND,
				    .fallback = MPLB_NO_BACKEND,
				    .reason = MPLB_R_MAX };
	__u32 len = (__u32)(sizeof(trace) + put_frame(in + sizeof(trace), packet));
	struct xdp_md ctx = { .data = sizeof(trace),
			      .data_end = len,
			      .ingress_ifindex = nic->ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in, .data_size_in = len, .data_out = back,
		    .data_size_out = sizeof(back), .ctx_in = &ctx, .ctx_size_in = sizeof(ctx));
	int fd = bpf_prog_get_fd_by_id(nic->entry), err;

	if (fd < 0)
		return -errno;
	memcpy(in, &trace, sizeof(trace));
	err = bpf_prog_test_run_opts(fd, &opts) ? -errno : 0;
	close(fd);
	if (err)
		return err;
	/* The metadata stays in front of the packet wherever its head is moved. */
	memcpy(&out->trace, back, sizeof(out->trace));
	out->reached = out->trace.magic == MPLB_TRACE_MAGIC && out->trace.reason < MPLB_R_MAX;
	out->action = (int)opts.retval;
	return 0;
}
