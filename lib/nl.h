/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_NL_H
#define MPLB_NL_H

#include <stdbool.h>
#include <stddef.h>
#include <libmnl/libmnl.h>

/*
 * One netlink conversation at a time over libmnl: request out, replies to a callback, the kernel's
 * own words (extended ack) kept for the error message.
 */
struct nl;

#define NL_BUFFER 8192 /* room for a request, see nl_request() */

/* protocol: NETLINK_ROUTE, NETLINK_GENERIC. groups: bit mask of multicast groups to join at bind
 * (RTMGRP_*), 0 for none. 0 or -errno. */
int nl_open(int protocol, unsigned int groups, struct nl **out);
void nl_close(struct nl *nl);

/* Begins a request in the connection's own buffer. type and flags as in struct nlmsghdr
 * (NLM_F_REQUEST | NLM_F_ACK are added; the ACK not with NLM_F_DUMP). */
struct nlmsghdr *nl_request(struct nl *nl, int type, int flags);

/* Sends the request and hands each reply message to cb (may be NULL), which returns MNL_CB_OK,
 * or MNL_CB_ERROR with errno set to stop. 0 or -errno; nl_error() then has the kernel's text. */
int nl_talk(struct nl *nl, struct nlmsghdr *request, mnl_cb_t cb, void *data);

/* The same for a command that has no reply, and for many of them: no acknowledgement is asked for.
 * The kernel does what generic netlink commands say before sending ends, and only a refusal is
 * answered. */
int nl_command(struct nl *nl, struct nlmsghdr *request);

/* True where the message has `head` bytes of payload before its attributes, and those are padded,
 * the last one too: libmnl counts on both. Every parser asks this first. */
bool nl_is_whole(const struct nlmsghdr *nlh, size_t head);

/* An attribute's number; 0 where the attribute is too short to hold one. */
__u8 nl_attr_u8(const struct nlattr *attr);
__u16 nl_attr_u16(const struct nlattr *attr);
__u32 nl_attr_u32(const struct nlattr *attr);

/* The kernel's text for the last failure, else strerror() of it. */
const char *nl_error(const struct nl *nl);

/* Multicast reception: the descriptor to poll, joining a group by number (generic netlink), and
 * handing every message waiting (never blocks) to cb. nl_receive: 0, or -errno; -ENOBUFS says that
 * events were lost, or longer than NL_EVENT, and the caller must look at everything again. */
#define NL_EVENT 1024
int nl_fd(const struct nl *nl);
int nl_join(struct nl *nl, unsigned int group);
int nl_receive(struct nl *nl, mnl_cb_t cb, void *data);

/* Generic netlink: the family's id, and if group_name is not NULL, its multicast group's number in
 * *group. -ENOENT where the kernel has no such family or group. */
int nl_family(struct nl *nl, const char *name, const char *group_name, unsigned int *group);

/* A generic netlink request: nl_request() plus struct genlmsghdr with this command and version. */
struct nlmsghdr *nl_genl(struct nl *nl, int family, int flags, __u8 command, __u8 version);

#endif
