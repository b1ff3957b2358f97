/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_LOAD_SERIES_H
#define MPLB_LOAD_SERIES_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#define SERIES_STEP 0.1 /* seconds */

/* What happened in each tenth of a second of a run. All zero is an empty one. */
struct series {
	uint64_t *step;
	size_t n;
};

/* Adds to the step in which `seconds` since the run began lies. Where there is no memory for it,
 * says so in the log and counts nothing. */
void series_add(struct series *series, double seconds, uint64_t amount);
/* An array of all steps of a run of so many seconds; several series of one run have one length. */
json_t *series_json(const struct series *series, double seconds);
void series_free(struct series *series);

/* One for each name. NULL is an empty list. */
struct series_named;

/* The one of this name, made if there is none. NULL: no memory. */
struct series *series_of(struct series_named **list, const char *name);
/* An object: name -> array. */
json_t *series_named_json(const struct series_named *list, double seconds);
void series_named_free(struct series_named **list);

#endif
