/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_SERVER_USERSPACE_H
#define MPLB_SERVER_USERSPACE_H

#include "config.h"
#include "machine.h"
#include "pm_engine.h"

/*
 * The userspace path manager: the kernel's events in, commands out, what is decided in between is
 * pm_engine.h's matter.
 */
struct event_base;
struct userspace;

/* Takes over the connections that live, and follows them and those to come on the base's loop. The
 * config outlives it, and so does guard: the guard's settings, with the secret of the connections'
 * addresses, or NULL where there is no guard. 0 with *out to be freed, or -errno, logged. */
int userspace_new(struct event_base *base, const struct server_config *config,
		  const struct mplb_guard *guard, struct userspace **out);
void userspace_free(struct userspace *u);

/* Goes by another config: addresses that are left out are taken back from live connections, new
 * ones announced. 0, or -errno, logged: then it goes by the old one. */
int userspace_reload(struct userspace *u, const struct server_config *config);

/* After a look at the machine: announces addresses that came, takes back those that went, and has
 * listeners where joins need them. */
void userspace_look(struct userspace *u, const struct machine *machine);

const struct pm_stats *userspace_stats(const struct userspace *u);
/* Sockets opened because the application has none on a dedicated address. */
size_t userspace_listeners(const struct userspace *u);

#endif
