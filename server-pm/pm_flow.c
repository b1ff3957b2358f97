/* SPDX-License-Identifier: GPL-2.0-only */
#include "pm_flow.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static bool is_mapped(const struct ip *ip)
{
	return ip->family == MPLB_FAMILY_6 && !ip->addr.word[0] && !ip->addr.word[1] &&
	       ip->addr.word[2] == htonl(0xffff);
}

static void unmap(struct ip *ip)
{
	struct ip four = { .family = MPLB_FAMILY_4 };

	four.addr.word[0] = ip->addr.word[3];
	*ip = four;
}

void pm_flow_unmap(struct pm_flow *flow)
{
	if (!is_mapped(&flow->local) || !is_mapped(&flow->remote))
		return;
	unmap(&flow->local);
	unmap(&flow->remote);
	flow->mapped = true;
}

bool pm_flow_equal(const struct pm_flow *a, const struct pm_flow *b)
{
	return a->local_port == b->local_port && a->remote_port == b->remote_port &&
	       ip_equal(&a->local, &b->local) && ip_equal(&a->remote, &b->remote);
}

/* FNV-1a, folded. */
static __u32 add(__u32 hash, const void *data, size_t len)
{
	const __u8 *byte = data;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ byte[i]) * 16777619u;
	return hash;
}

__u16 pm_flow_tag(const struct pm_flow *flow)
{
	__u32 hash = 2166136261u;

	hash = add(hash, &flow->local.addr, sizeof(flow->local.addr));
	hash = add(hash, &flow->remote.addr, sizeof(flow->remote.addr));
	hash = add(hash, &flow->local_port, sizeof(flow->local_port));
	hash = add(hash, &flow->remote_port, sizeof(flow->remote_port));
	hash = (hash >> 16) ^ (hash & 0xffff);
	return (__u16)(hash ? hash : 1);
}

const char *pm_end_format(const struct ip *addr, __u16 port, char buf[static PM_END_STRLEN])
{
	char text[IP_STRLEN];
	bool six = addr->family == MPLB_FAMILY_6;

	snprintf(buf, PM_END_STRLEN, "%s%s%s:%u", six ? "[" : "", ip_format(addr, text),
		 six ? "]" : "", port);
	return buf;
}
