/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_TEST_KEPT_H
#define MPLB_TEST_KEPT_H

/*
 * BPF programs that are loaded once for many tests: verifying them takes longer than most tests, in
 * an emulated machine by far. Each test is a process of its own; programs and maps are pinned from
 * one to the next, and every map is emptied before a test gets it; but maps of maps, where the
 * kernel waits for a grace period with each entry, are left to those who use them. Tests that run
 * side by side get different copies.
 */
#include <bpf/libbpf.h>

#define KEPT_ROOT "/sys/fs/bpf" /* a bpffs of the tests' own: main.c */

/* Enters a mount namespace with an empty bpffs there; both end with the last process in it. 0 or
 * -errno. */
int kept_mount(void);

/*
 * Loads an object that is open, or takes the copy that an earlier test has loaded: of that, maps
 * have file descriptors, programs have none (kept_program()). The programs are those that the
 * object would load, the same ones for a name.
 *
 * Returns what holds the copy until it is closed. What goes wrong ends the test.
 */
int kept_load(const char *name, struct bpf_object *obj);

/* A program of it, by name: a new file descriptor. */
int kept_program(int kept, const char *program);

#endif
