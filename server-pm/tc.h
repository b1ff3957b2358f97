/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_SERVER_TC_H
#define MPLB_SERVER_TC_H

#include "lib/nl.h"
#include "state.h"

/*
 * The tc programs on a device: sending on to a fallback (ingress), the MSS that VIPs announce
 * (egress), the guard of the dedicated addresses (ingress), and the first flight of answers from
 * VIPs (ingress). All are filters of the device's clsact qdisc, of a priority and handles of ours,
 * beside which others may have theirs.
 */
enum server_tc {
	SERVER_TC_PASS_ON,
	SERVER_TC_MSS,
	SERVER_TC_GUARD,
	SERVER_TC_FIRST_FLIGHT,
};

#define SERVER_TC_QDISC_LEN 16

/* Why this kernel cannot load the program, in words, or NULL: the first flight reads a socket of
 * the kernel's by its address, which lockdown can forbid. The others are loaded everywhere. */
const char *server_tc_obstacle(enum server_tc which);

/* 1 where our program is on the device, 0 where not, -ENODEV, -EEXIST where another program has our
 * handle, or -errno. */
int server_tc_look(const struct server_state *state, const char *device, enum server_tc which);

/* Attaches the program, with a clsact qdisc where there is none. 0 or -errno, logged. */
int server_tc_attach(const struct server_state *state, struct nl *nl, const char *device,
		     enum server_tc which);

/* Puts this version's program in the place of ours, at once. Does nothing where it is the same
 * already, or none is there. 0 or -errno, logged. */
int server_tc_upgrade(const struct server_state *state, const char *device, enum server_tc which);

/* Takes our program off the device; no such device or program is no error. 0 or -errno, logged. */
int server_tc_detach(const struct server_state *state, const char *device, enum server_tc which);

/* The kind of the device's ingress qdisc ("clsact", "ingress"), "" where it has none, in buf. */
int server_tc_qdisc(struct nl *nl, const char *device, char buf[static SERVER_TC_QDISC_LEN]);

/* Removes the clsact qdisc if no filter is left on it. 0 or -errno, logged. */
int server_tc_remove_qdisc(struct nl *nl, const char *device);

#endif
