/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_BACKENDS_H
#define MPLB_BACKENDS_H

#include "nexthop.h"
#include "state.h"

/*
 * Entries of mplb_backends: where a backend's packets go. Route and neighbour come from the kernel.
 * A backend without one of them has an entry that says so, and the program asks the FIB itself.
 */

/* The entry of a backend with this address and forwarding mode that is reached by hop. */
struct mplb_backend backends_entry(const struct ip *addr, enum mplb_forward forward,
				   const struct nexthop *hop);

/* An entry to write. live: packets may be reading the one that is there. */
struct backends_write {
	__u32 index;
	bool live;
	struct mplb_backend entry;
};

/* Writes entries in place, and the devices they name into mplb_ports. Packets of a live entry that
 * changes are the FIB's business for the millisecond that it takes. */
void backends_write(struct datapath *dp, const struct backends_write *writes, size_t n);

enum backends_scope {
	BACKENDS_ALL,
	BACKENDS_STARTING, /* those alone that are to take packets, and did not before */
};

/*
 * Looks up and writes the entries of the members of want, each at its index; now says which of
 * these packets may be reading. A neighbour that is not known yet is asked for and waited for, a
 * second at most in all, with BACKENDS_STARTING a fifth of one. What keeps packets from a member
 * that is to take some is a warning, but a backend of an l2 pool behind a router an error: a config
 * must not make a loop. 0 or -errno, logged, and then nothing is written.
 */
int backends_resolve(struct datapath *dp, const struct state *want, const struct in_force *now,
		     enum backends_scope scope);

#endif
