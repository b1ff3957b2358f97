/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_SERVER_MIB_H
#define MPLB_SERVER_MIB_H

#include <jansson.h>

/* The MPTCP counters of the network namespace that tell how a backend fares (MPTcpExt* in
 * /proc/net/netstat): an array of {"counter", "value", "text"}, to be decref'ed by the caller.
 * Empty where the kernel has none. */
json_t *mib_json(void);

#endif
