/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_BENCH_H
#define MPLB_BENCH_H

#include <jansson.h>
#include <linux/types.h>
#include <stddef.h>

#define RUNS   11
#define REPEAT 1000000

/* Runs a program REPEAT times over a frame, RUNS times and once before to warm up. ns[]: per
 * packet, sorted. 0 or -errno; -EPROTO, logged, where the program does not return the verdict. */
int bench_run(int prog, const char *name, const void *frame, size_t len, int verdict,
	      __u32 ns[static RUNS]);

/* Appends a case: name, median, least and most. */
void bench_row(json_t *rows, const char *name, const __u32 ns[static RUNS]);
/* Adds to each what it is over the floor, which is one of them, and its ratio to that. */
void bench_compare(json_t *rows, size_t floor);

/* bench_server.c: the backend's program. NULL, logged, if a case fails. */
json_t *bench_server(void);

#endif
