/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_LOAD_MPTCP_EVENT_H
#define MPLB_LOAD_MPTCP_EVENT_H

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stdint.h>

#include "endpoint.h"

/* What an event of the kernel's MPTCP path manager says (enum mptcp_event_attr). What it does not
 * say is 0. */
struct mptcp_event {
	uint32_t token, reset_reason;
	uint8_t error, rem_id;
	bool server_side;
	struct endpoint local, remote;
};

/* Reads a message of the group mptcp_pm_events. False if it is malformed. */
bool mptcp_event_read(const struct nlmsghdr *nlh, struct mptcp_event *out);

#endif
