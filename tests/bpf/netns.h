/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_TEST_NETNS_H
#define MPLB_TEST_NETNS_H

/*
 * A network namespace of the test's own, set up through rtnetlink, so that a guest without ip(8)
 * will do. It ends with the process. All return 0 or -errno.
 */
#include <stdint.h>

/* Enters a new namespace; its lo is up. */
int netns_enter(void);

/* Makes a pair of veth devices, both up. mac: of the first, or NULL. */
int netns_veth(const char *name, const char *peer, const uint8_t *mac);

/* Gives a device an address (text) with this prefix length; IPv6 without waiting for duplicates. */
int netns_addr(const char *dev, const char *addr, unsigned int prefix);

/* A permanent neighbour. */
int netns_neighbour(const char *dev, const char *addr, const uint8_t mac[static 6]);

/* A route by a router (via, text; NULL: none), of a type (RTN_UNICAST, RTN_BLACKHOLE, ...). mtu: 0:
 * the device's. */
int netns_route(const char *dst, unsigned int prefix, const char *via, uint8_t type, uint32_t mtu);

#endif
