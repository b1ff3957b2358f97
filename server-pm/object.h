/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_SERVER_OBJECT_H
#define MPLB_SERVER_OBJECT_H

#include <stdarg.h>
#include <stdbool.h>
#include <bpf/libbpf.h>
#include "state.h"

#define SERVER_PROGRAM	     "mplb_server" /* the XDP program */
#define SERVER_GUARD_PROGRAM "mplb_guard"

/* Opens the object of bpf/server.bpf.c so that loading it takes the maps pinned in the folder, and
 * pins there those that are missing, but the guard's with its program only; of its programs it
 * loads the one named, or none (NULL). To be closed by the caller. NULL with *err, logged. */
struct bpf_object *server_object_open(const char *folder, const char *program, int *err);

/* The same, loaded: the program's descriptor, owned by *out; or -errno with *out NULL. */
int server_object_load(const char *folder, const char *program, struct bpf_object **out);

/* True for a program that uses our pinned maps: it is ours, whoever attached it and when. */
bool server_object_is_ours(const struct server_state *state, __u32 prog_id);

/* 1 where the program behind fd and the one with that id have the same code, 0 or -errno. */
int server_object_same_code(int fd, __u32 prog_id);

/* For libbpf_set_print(), around calls of which libbpf complains where all is well. */
int server_object_print_debug(enum libbpf_print_level level, const char *fmt, va_list ap);

#endif
