/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_SERVER_OBJECT_H
#define MPLB_SERVER_OBJECT_H

struct bpf_object;

#define SERVER_PROGRAM "mplb_server"

/* Opens the object of bpf/server.bpf.c so that loading it takes the maps pinned in the folder, and
 * pins there those that are missing. To be closed by the caller. NULL with *err, logged. */
struct bpf_object *server_object_open(const char *folder, int *err);

#endif
