/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_AGENT_SOCKET_H
#define MPLB_AGENT_SOCKET_H

#include <jansson.h>
#include <sys/un.h>
#include "lib/pin.h"

/*
 * Where the control socket of the agent for a pin folder is: where it says in a symbolic link
 * beside the pins, so that lbctl finds it by --pin-dir alone; else at a place that follows from
 * --pin-dir.
 */
#define AGENT_SOCKET_MAX sizeof(((struct sockaddr_un *)0)->sun_path)

/* /run/mplb/agent.sock, or for another folder than the default one, a name made of its path. */
void agent_socket_default(const char *pin_dir, char out[static AGENT_SOCKET_MAX]);

/* The one to talk to. */
void agent_socket_find(const char *pin_dir, char out[static AGENT_SOCKET_MAX]);

/* Writes the link, and removes it. Without it the default is looked at; a failure is a warning. */
void agent_socket_record(const char *pin_dir, const char *path);
void agent_socket_forget(const char *pin_dir);

#endif
