/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_PORTS_H
#define MPLB_PORTS_H

#include "in_force.h"

/* mplb_ports: the devices that packets may leave by other than the one they came in by. */

/* Puts a device in, if it is not in there. A device that cannot be had is a warning: packets to
 * backends behind it are lost, unless they leave by the NIC they came in by. */
void ports_add(const struct datapath *dp, unsigned int ifindex);

/* Takes out those that no backend in force leaves by. */
void ports_prune(const struct datapath *dp, const struct in_force *now);

#endif
