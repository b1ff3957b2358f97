/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_NICS_H
#define MPLB_NICS_H

#include <stdbool.h>

/*
 * Whether some NIC runs the data plane. The kernel tells of most attachments and detachments; it is
 * looked at once a second besides.
 */
struct datapath;
struct event_base;
struct nics;

/* Looks now and from then on; changed(data) is called when the answer is another. 0 or -errno,
 * logged. */
int nics_open(const struct datapath *dp, struct event_base *base, void (*changed)(void *data),
	      void *data, struct nics **out);
bool nics_attached(const struct nics *n);
void nics_close(struct nics *n);

#endif
