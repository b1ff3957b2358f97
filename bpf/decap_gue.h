/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_BPF_DECAP_GUE_H
#define MPLB_BPF_DECAP_GUE_H

/*
 * UDP and GUE headers of a tunnel packet (include/mplb/gue.h). As in decap.h, what is read is
 * checked, and a function returns an enum mplb_server_reason, DECAPSULATED for "go on".
 */
#include "bpf/decap.h"

#define GUE_BASE_LEN 4 /* what hlen does not count */

/* hlen: variant (2 bits) and control flag (1 bit), which are 0, then the length in words. */
#define GUE_HLEN_MASK 0x1f

/* hlen of a header, of its length in bytes. */
#define GUE_HLEN(len) (((len)-GUE_BASE_LEN) / 4)

/* True where the fallback's address stands behind gue, and is not the outer destination: this host,
 * which would ask itself. daddr is the destination's address in the outer header. */
static __always_inline int gue_other_fallback(const struct mplb_gue *gue, const void *daddr,
					      const void *end, const struct tunnel *t)
{
	const __be32 *to = (const void *)(gue + 1), *here = daddr;

	if (t->outer == MPLB_FAMILY_4)
		return (const void *)(to + 1) <= end && to[0] != here[0];
	return (const void *)(to + 4) <= end &&
	       (to[0] != here[0] || to[1] != here[1] || to[2] != here[2] || to[3] != here[3]);
}

/* Reads the private data, which is all within the outer packet. A version that is not ours says
 * nothing here; one that is ours must be as a balancer writes it. */
static __always_inline int gue_private(const struct mplb_gue *gue, const void *daddr,
				       const void *end, struct tunnel *t)
{
	__u8 want = t->outer == MPLB_FAMILY_4 ? GUE_HLEN(MPLB_GUE_LEN_4) : GUE_HLEN(MPLB_GUE_LEN_6);

	if (gue->hlen < GUE_HLEN(sizeof(*gue)))
		return MPLB_SERVER_R_DECAPSULATED;
	if ((const void *)(gue + 1) > end)
		return MPLB_SERVER_R_INNER_TRUNCATED;
	if (gue->version != MPLB_GUE_VERSION)
		return MPLB_SERVER_R_DECAPSULATED;
	t->hops = gue->hops;
	if (!gue->family)
		return MPLB_SERVER_R_DECAPSULATED;
	if (gue->family != t->outer || gue->hlen != want)
		return MPLB_SERVER_R_GUE_MALFORMED;
	t->fallback = !gue->hops && gue_other_fallback(gue, daddr, end, t);
	return MPLB_SERVER_R_DECAPSULATED;
}

/* The headers between the outer IP header, which is t->outer_len long, and the inner packet. Adds
 * them to t->outer_len and takes them off t->payload. */
static __always_inline int gue_headers(const void *ip, const void *end, struct tunnel *t)
{
	const void *daddr = t->outer == MPLB_FAMILY_4
				    ? (const void *)&((const struct iphdr *)ip)->daddr
				    : (const void *)&((const struct ipv6hdr *)ip)->daddr;
	const struct udphdr *udp = ip + t->outer_len;
	const struct mplb_gue *gue = (const void *)(udp + 1);
	__u32 len, room;

	if ((const void *)gue + GUE_BASE_LEN > end || t->payload < UDP_LEN + GUE_BASE_LEN)
		return MPLB_SERVER_R_GUE_TRUNCATED;
	len = bpf_ntohs(udp->len);
	room = UDP_LEN + GUE_BASE_LEN + (gue->hlen & GUE_HLEN_MASK) * 4;
	if (t->outer == MPLB_FAMILY_6 && udp->check)
		return MPLB_SERVER_R_GUE_CHECKSUM;
	if (len > t->payload || gue->hlen & ~GUE_HLEN_MASK || gue->flags)
		return MPLB_SERVER_R_GUE_MALFORMED;
	if (len < room)
		return MPLB_SERVER_R_GUE_TRUNCATED;
	t->inner = tunnel_family(gue->proto);
	if (!t->inner)
		return MPLB_SERVER_R_GUE_MALFORMED;
	t->outer_len += room;
	t->payload = len - room;
	return gue_private(gue, daddr, end, t);
}

#endif
