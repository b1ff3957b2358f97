/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_SERVER_DECAP_H
#define MPLB_SERVER_DECAP_H

#include "config.h"
#include "state.h"

/*
 * The decapsulation: what the XDP program's maps hold, and the program on a device. A program is
 * ours if it uses our pinned maps, so it is known again whoever attached it and when.
 */

/* Makes the maps hold the config's VIPs and balancers and nothing else; neither, where the config
 * has no decapsulation. 0 or -errno, logged. */
int server_decap_fill(const struct server_state *state, const struct server_config *config);

/* How many of the list's addresses the map lacks, and how many others it has. */
int server_decap_compare(const struct server_state *state, enum server_map map,
			 const struct server_addresses *list, size_t *missing, size_t *others);

/* Bytes that balancers of this config put in front of a packet, at most. */
int server_decap_overhead(const struct server_config *config);

/* Makes a map of addresses hold those of the list (NULL: none) and nothing else. what: in a
 * message. 0 or -errno, logged. */
int server_map_fill(int fd, const char *what, const struct server_addresses *list);

/* 1 where our program is on the device, 0 where not, -ENODEV, or -errno. */
int server_decap_look(const struct server_state *state, const char *device);

/* Attaches the program. 0 or -errno, logged. */
int server_decap_attach(const struct server_state *state, const char *device,
			enum server_mode mode);

/* Puts this version's program in the place of ours on the device, in the same mode, with no packet
 * in between that meets none. Does nothing where it is the same already. 0 or -errno, logged. */
int server_decap_upgrade(const struct server_state *state, const char *device);

/* Takes our program off the device; no such device or program is no error. */
int server_decap_detach(const struct server_state *state, const char *device);

/* "native" or "generic", as our program is attached, or "-". */
const char *server_decap_mode(const struct server_state *state, const char *device);

/* The name of an XDP program on the device that is not ours and does not share the hook, in buf;
 * NULL where there is none. */
const char *server_decap_foreign(const struct server_state *state, const char *device, char *buf,
				 size_t size);

/* The sum over all CPUs of a reason's counters. */
int server_decap_count(const struct server_state *state, enum mplb_server_reason reason,
		       struct mplb_server_count *out);

#endif
