/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_PROM_H
#define MPLB_PROM_H

#include <stdint.h>

/*
 * Prometheus' text format (version 0.0.4): a head for each metric, then its samples. Labels are
 * pairs of name and value, up to a NULL; values are escaped.
 */
struct evbuffer;

/* type: "counter" (its name ends with _total), "gauge". */
void prom_head(struct evbuffer *out, const char *name, const char *type, const char *help);

void prom_count(struct evbuffer *out, const char *name, uint64_t value, ...)
	__attribute__((sentinel));
void prom_gauge(struct evbuffer *out, const char *name, double value, ...)
	__attribute__((sentinel));

#endif
