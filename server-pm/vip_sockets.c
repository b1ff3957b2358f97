/* SPDX-License-Identifier: GPL-2.0-only */
#include "vip_sockets.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/inet_diag.h>
#include <linux/sock_diag.h>

/* ESTABLISHED, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT, LAST_ACK, CLOSING (include/net/tcp_states.h):
 * whoever has data or a FIN to send or to get. */
#define STATES_OPEN (1u << 1 | 1u << 4 | 1u << 5 | 1u << 8 | 1u << 9 | 1u << 11)

struct look {
	const struct server_addresses *vips;
	size_t n;
};

static struct ip local_of(const struct inet_diag_msg *msg)
{
	static const __u8 mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct ip ip = { .family = msg->idiag_family == AF_INET ? MPLB_FAMILY_4 : MPLB_FAMILY_6 };
	const __u8 *bytes = (const __u8 *)msg->id.idiag_src;

	/* An IPv6 socket that talks IPv4. */
	if (ip.family == MPLB_FAMILY_6 && !memcmp(bytes, mapped, sizeof(mapped))) {
		ip.family = MPLB_FAMILY_4;
		bytes += sizeof(mapped);
	}
	memcpy(&ip.addr, bytes, IP_KEYLEN(ip.family));
	return ip;
}

static int on_socket(const struct nlmsghdr *nlh, void *data)
{
	const struct inet_diag_msg *msg = mnl_nlmsg_get_payload(nlh);
	struct look *look = data;
	struct ip local;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*msg))
		return MNL_CB_OK;
	local = local_of(msg);
	for (size_t i = 0; i < look->vips->n; i++) {
		if (ip_equal(&look->vips->ip[i], &local)) {
			look->n++;
			break;
		}
	}
	return MNL_CB_OK;
}

int vip_sockets_count(struct nl *nl, const struct server_addresses *vips, size_t *out)
{
	static const __u8 families[] = { AF_INET, AF_INET6 };
	struct look look = { .vips = vips };
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(families); i++) {
		struct nlmsghdr *nlh = nl_request(nl, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP);
		struct inet_diag_req_v2 *req = mnl_nlmsg_put_extra_header(nlh, sizeof(*req));

		req->sdiag_family = families[i];
		req->sdiag_protocol = IPPROTO_TCP;
		req->idiag_states = STATES_OPEN;
		req->id.idiag_cookie[0] = req->id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
		err = nl_talk(nl, nlh, on_socket, &look);
	}
	if (!err)
		*out = look.n;
	return err;
}
