/* SPDX-License-Identifier: GPL-2.0-only */
#include "nl.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/genetlink.h>
#include <linux/netlink.h>

struct nl {
	struct mnl_socket *socket;
	unsigned int port, seq;
	char error[256];
	char request[NL_BUFFER];
	char reply[32768]; /* the kernel's dumps come in messages of up to 32 KiB */
};

#define EVENTS (sizeof(((struct nl *)0)->reply) / NL_EVENT) /* received at a time */

int nl_open(int protocol, unsigned int groups, struct nl **out)
{
	struct nl *nl = calloc(1, sizeof(*nl));
	int one = 1, err;

	if (!nl)
		return -ENOMEM;
	nl->socket = mnl_socket_open2(protocol, SOCK_CLOEXEC);
	if (!nl->socket || mnl_socket_bind(nl->socket, groups, MNL_SOCKET_AUTOPID) < 0) {
		err = -errno;
		nl_close(nl);
		return err;
	}
	nl->port = mnl_socket_get_portid(nl->socket);
	/* Kernels of our range know both; without them only the error texts are poorer. */
	mnl_socket_setsockopt(nl->socket, NETLINK_EXT_ACK, &one, sizeof(one));
	mnl_socket_setsockopt(nl->socket, NETLINK_CAP_ACK, &one, sizeof(one));
	*out = nl;
	return 0;
}

void nl_close(struct nl *nl)
{
	if (!nl)
		return;
	if (nl->socket)
		mnl_socket_close(nl->socket);
	free(nl);
}

struct nlmsghdr *nl_request(struct nl *nl, int type, int flags)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(nl->request);

	nlh->nlmsg_type = (__u16)type;
	nlh->nlmsg_flags = (__u16)(NLM_F_REQUEST | flags);
	if ((flags & NLM_F_DUMP) != NLM_F_DUMP)
		nlh->nlmsg_flags |= NLM_F_ACK;
	nlh->nlmsg_seq = ++nl->seq;
	return nlh;
}

bool nl_is_whole(const struct nlmsghdr *nlh, size_t head)
{
	return nlh->nlmsg_len >= MNL_NLMSG_HDRLEN + head && nlh->nlmsg_len % NLMSG_ALIGNTO == 0;
}

__u8 nl_attr_u8(const struct nlattr *attr)
{
	return mnl_attr_validate(attr, MNL_TYPE_U8) ? 0 : mnl_attr_get_u8(attr);
}

__u16 nl_attr_u16(const struct nlattr *attr)
{
	return mnl_attr_validate(attr, MNL_TYPE_U16) ? 0 : mnl_attr_get_u16(attr);
}

__u32 nl_attr_u32(const struct nlattr *attr)
{
	return mnl_attr_validate(attr, MNL_TYPE_U32) ? 0 : mnl_attr_get_u32(attr);
}

static int nl_ext_ack_attr(const struct nlattr *attr, void *data)
{
	const char **text = data;

	if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG &&
	    !mnl_attr_validate(attr, MNL_TYPE_NUL_STRING))
		*text = mnl_attr_get_str(attr);
	return MNL_CB_OK;
}

/* Keeps the text of an NLMSG_ERROR with extended ack, then lets libmnl judge the message. */
static void nl_keep_error(struct nl *nl, const char *buf, size_t len)
{
	const struct nlmsghdr *nlh = (const void *)buf;
	int left = (int)len;

	for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
		const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);
		const char *text = NULL;
		size_t offset = sizeof(*e);

		if (nlh->nlmsg_type != NLMSG_ERROR || !nl_is_whole(nlh, sizeof(*e)) || !e->error)
			continue;
		if (!(nlh->nlmsg_flags & NLM_F_CAPPED) && e->msg.nlmsg_len > sizeof(e->msg))
			offset += e->msg.nlmsg_len - sizeof(e->msg);
		if ((nlh->nlmsg_flags & NLM_F_ACK_TLVS) && offset <= mnl_nlmsg_get_payload_len(nlh))
			mnl_attr_parse(nlh, (unsigned int)offset, nl_ext_ack_attr, &text);
		strncpy(nl->error, text ? text : strerror(e->error == INT32_MIN ? 0 : -e->error),
			sizeof(nl->error) - 1);
	}
}

int nl_talk(struct nl *nl, struct nlmsghdr *request, mnl_cb_t cb, void *data)
{
	int run = MNL_CB_OK, err;

	nl->error[0] = '\0';
	if (mnl_socket_sendto(nl->socket, request, request->nlmsg_len) < 0)
		goto fail;
	while (run > MNL_CB_STOP) {
		ssize_t got = mnl_socket_recvfrom(nl->socket, nl->reply, sizeof(nl->reply));

		if (got < 0)
			goto fail;
		nl_keep_error(nl, nl->reply, (size_t)got);
		run = mnl_cb_run(nl->reply, (size_t)got, request->nlmsg_seq, nl->port, cb, data);
	}
	if (run == MNL_CB_ERROR)
		goto fail;
	return 0;
fail:
	err = -errno;
	if (!nl->error[0])
		strncpy(nl->error, strerror(-err), sizeof(nl->error) - 1);
	return err;
}

int nl_command(struct nl *nl, struct nlmsghdr *request)
{
	ssize_t got;
	int err = 0;

	nl->error[0] = '\0';
	request->nlmsg_flags &= (__u16)~NLM_F_ACK;
	if (mnl_socket_sendto(nl->socket, request, request->nlmsg_len) < 0)
		err = -errno;
	got = err ? 0 : recv(nl_fd(nl), nl->reply, sizeof(nl->reply), MSG_DONTWAIT);
	if (got < 0 && errno != EAGAIN)
		err = -errno;
	if (got > 0) {
		nl_keep_error(nl, nl->reply, (size_t)got);
		if (mnl_cb_run(nl->reply, (size_t)got, request->nlmsg_seq, nl->port, NULL, NULL) ==
		    MNL_CB_ERROR)
			err = -errno;
	}
	if (err && !nl->error[0])
		strncpy(nl->error, strerror(-err), sizeof(nl->error) - 1);
	return err;
}

const char *nl_error(const struct nl *nl)
{
	return nl->error;
}

int nl_fd(const struct nl *nl)
{
	return mnl_socket_get_fd(nl->socket);
}

int nl_join(struct nl *nl, unsigned int group)
{
	if (mnl_socket_setsockopt(nl->socket, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		return -errno;
	return 0;
}

/* Up to EVENTS messages with one call: the number of them, or -errno. */
static int nl_receive_some(struct nl *nl, struct mmsghdr *message)
{
	struct iovec at[EVENTS];
	int got;

	for (size_t i = 0; i < EVENTS; i++) {
		at[i] = (struct iovec){ nl->reply + i * NL_EVENT, NL_EVENT };
		message[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &at[i], .msg_iovlen = 1 } };
	}
	do
		got = recvmmsg(nl_fd(nl), message, EVENTS, MSG_DONTWAIT, NULL);
	while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : got;
}

int nl_receive(struct nl *nl, mnl_cb_t cb, void *data)
{
	struct mmsghdr message[EVENTS];
	int got, lost = 0;

	do {
		got = nl_receive_some(nl, message);
		for (int i = 0; i < got; i++) {
			if (message[i].msg_hdr.msg_flags & MSG_TRUNC)
				lost = -ENOBUFS;
			else if (mnl_cb_run(nl->reply + (size_t)i * NL_EVENT, message[i].msg_len, 0,
					    0, cb, data) == MNL_CB_ERROR)
				return -errno;
		}
	} while (got == EVENTS);
	return got < 0 && got != -EAGAIN ? got : lost;
}

struct nl_group_search {
	const char *name;
	unsigned int id;
};

struct nl_family_search {
	int id;
	struct nl_group_search group;
};

static int nl_group_attr(const struct nlattr *attr, void *data)
{
	struct nl_group_search *found = data, here = { 0 };
	const struct nlattr *field;

	mnl_attr_for_each_nested (field, attr) {
		if (mnl_attr_get_type(field) == CTRL_ATTR_MCAST_GRP_ID)
			here.id = nl_attr_u32(field);
		else if (mnl_attr_get_type(field) == CTRL_ATTR_MCAST_GRP_NAME &&
			 !mnl_attr_validate(field, MNL_TYPE_NUL_STRING))
			here.name = mnl_attr_get_str(field);
	}
	if (found->name && here.name && !strcmp(here.name, found->name))
		found->id = here.id;
	return MNL_CB_OK;
}

static int nl_family_attr(const struct nlattr *attr, void *data)
{
	struct nl_family_search *found = data;

	if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID)
		found->id = nl_attr_u16(attr);
	else if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GROUPS)
		mnl_attr_parse_nested(attr, nl_group_attr, &found->group);
	return MNL_CB_OK;
}

static int nl_family_msg(const struct nlmsghdr *nlh, void *data)
{
	if (!nl_is_whole(nlh, sizeof(struct genlmsghdr)))
		return MNL_CB_OK;
	return mnl_attr_parse(nlh, sizeof(struct genlmsghdr), nl_family_attr, data);
}

int nl_family(struct nl *nl, const char *name, const char *group_name, unsigned int *group)
{
	struct nl_family_search found = { .group.name = group_name };
	struct nlmsghdr *nlh = nl_genl(nl, GENL_ID_CTRL, 0, CTRL_CMD_GETFAMILY, 1);
	int err;

	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, name);
	err = nl_talk(nl, nlh, nl_family_msg, &found);
	if (err)
		return err;
	if (!found.id || (group_name && !found.group.id))
		return -ENOENT;
	if (group_name)
		*group = found.group.id;
	return found.id;
}

struct nlmsghdr *nl_genl(struct nl *nl, int family, int flags, __u8 command, __u8 version)
{
	struct nlmsghdr *nlh = nl_request(nl, family, flags);
	struct genlmsghdr *genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));

	genl->cmd = command;
	genl->version = version;
	return nlh;
}
