/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_BPF_REQUEST_H
#define MPLB_BPF_REQUEST_H

/*
 * Request sockets: what the kernel keeps of a SYN that it has answered, until the third ACK.
 *
 * The helper for them (bpf_skc_to_tcp_request_sock) does not take those of MPTCP listeners for
 * such, whose sk_prot is another (tcp_prot_override, net/mptcp/subflow.c). So they are read by
 * address.
 */
#include <bpf/bpf_core_read.h>

#define NEW_SYN_RECV 12 /* TCP_NEW_SYN_RECV, a request socket; no part of the kernel's UAPI */

/* What is asked of the kernel's own structs (include/net/request_sock.h, inet_sock.h,
 * linux/tcp.h). */
struct request_sock {
	__u16 mss; /* of the client's SYN */
} __attribute__((preserve_access_index));

struct inet_request_sock {
	struct request_sock req;
	__u16 snd_wscale : 4; /* of the client's windows */
} __attribute__((preserve_access_index));

struct tcp_request_sock {
	struct inet_request_sock req;
	__u32 snt_isn; /* of the answer */
} __attribute__((preserve_access_index));

/* The address of a socket whose state is NEW_SYN_RECV. Read from the stack it is a number to the
 * verifier, which lets nobody calculate with a socket. */
static __always_inline const struct tcp_request_sock *request_of(const struct bpf_sock *sk)
{
	const struct tcp_request_sock *req = NULL;

	bpf_probe_read_kernel(&req, sizeof(req), &sk);
	return req;
}

#endif
