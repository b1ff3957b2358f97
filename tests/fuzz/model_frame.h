/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_FUZZ_MODEL_FRAME_H
#define MPLB_FUZZ_MODEL_FRAME_H

/* The inner part of the model: a frame taken apart, and the frames that are made of it. */
#include "model.h"

#define ETH_HEAD    14
#define VLAN_TAG    4
#define IPV4_HEAD   20
#define IPV6_HEAD   40
#define TCP_HEAD    20
#define UDP_HEAD    8
#define ICMP_HEAD   8
#define MODEL_ICMP4 1
#define MODEL_ICMP6 58

/* A frame and what is known of it so far. */
struct walk {
	const struct model *model;
	const uint8_t *frame;
	size_t len;
	size_t l3, l4; /* offsets of the IP and the transport header */
	size_t ip_len; /* by the IP header */
	uint8_t family, proto;
	bool fragment;
	bool options; /* IPv4 options, IPv6 extension headers */
	bool error; /* it is an ICMP error */
	bool traced; /* nothing may be learnt of it */
};

uint16_t model_get16(const uint8_t *at);
uint32_t model_get32(const uint8_t *at);
void model_put16(uint8_t *at, uint32_t value);
void model_put32(uint8_t *at, uint32_t value);

#define GO_ON MPLB_R_FORWARDED /* what a step returns where the walk goes on */

/* Fills in all of the walk but error. GO_ON, or why the packet ends here. (model_parse.c) */
enum mplb_reason walk_headers(struct walk *w);
/* Whether addr (4 or 16 bytes, of the packet's family) is this one, or that of any VIP. */
bool walk_same_address(const struct walk *w, const struct ip *ip, const uint8_t *addr);
bool walk_is_vip(const struct walk *w, const uint8_t *addr);
/* A reason that drops is for packets to a VIP's address only: reason, or NOT_VIP. */
enum mplb_reason walk_end_if_vip(const struct walk *w, enum mplb_reason reason);

/* Addresses in the IP header, 4 or 16 bytes. */
const uint8_t *walk_src(const struct walk *w);
const uint8_t *walk_dst(const struct walk *w);

/* Where a packet leaves. */
struct model_exit {
	uint8_t dmac[6], smac[6];
	uint16_t vlan; /* 0: untagged */
};

/* The packet on its way to backend b; fallback NULL: none. */
void frame_forward(const struct walk *w, const struct mplb_backend *b,
		   const struct mplb_backend *fallback, const struct model_exit *exit,
		   uint32_t hash, struct model_result *out);

/* A client's flow, addresses and ports as they stand in a packet. */
struct flow {
	const uint8_t *src; /* the client's address */
	uint16_t sport, dport; /* host byte order */
};

/* 7: out->owner and out->fallback are the slot's, and become what the packet's token, subflow or
 * port says. GO_ON, or why it ends here. (model_steer.c) */
enum mplb_reason steer_packet(const struct walk *w, const struct flow *flow,
			      struct model_result *out);

/* The answers: to a SYN that is not a join, to a SYN with MP_JOIN, to an echo request, to a packet
 * larger than mtu. */
void frame_plain_reset(const struct walk *w, struct model_result *out);
void frame_reset(const struct walk *w, struct model_result *out);
void frame_echo(const struct walk *w, struct model_result *out);
void frame_too_big(const struct walk *w, uint32_t mtu, struct model_result *out);

#endif
