/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_LOAD_LOAD_H
#define MPLB_LOAD_LOAD_H

#include <event2/event.h>
#include <stdint.h>

#include "options.h"

/*
 * The protocol between serve and get or hold, a line per request, several per connection:
 *
 *   GET BYTES SEED [RATE]   answer: "NAME\n", then BYTES of the pattern of SEED, at most RATE
 *                           bytes a second
 *   GO                      the answer under way is paced no more; no answer of its own
 *   PUT BYTES SEED          BYTES of the pattern follow; answer: "NAME ok|bad SHA256\n"
 *
 * UDP: any datagram comes back with "NAME " in front.
 */
#define LOAD_LINE_MAX 256

/* A command: its options, and what runs it. run returns the exit code. */
struct load_command {
	const char *name;
	const char *help;
	const struct option *options;
	int (*run)(int argc, char **argv);
};

extern const struct load_command load_serve, load_get, load_hold, load_join_vip, load_syn;

/* An event loop that SIGINT and SIGTERM end. NULL, logged, where there is no memory. */
struct event_base *load_loop_new(void);
void load_loop_free(struct event_base *base);

/* Seconds on the monotonic clock; and that moment in seconds since 1970. */
double load_now(void);
double load_clock(double now);

/* Raises the limit of open descriptors to so many, or, with 0, to what the kernel lets us have.
 * 0, or -EPERM, logged: it cannot be raised so far. */
int load_descriptors(unsigned long long need);

/* How much of a stream of bytes/s may have been sent after so many seconds; rate 0: everything.
 * A quarter of a second's worth is always allowed, so that a stream starts at once. */
uint64_t load_allowance(uint64_t rate, double seconds);

#endif
