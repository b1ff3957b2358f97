/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_SETTLER_H
#define MPLB_SETTLER_H

#include <jansson.h>
#include <stdint.h>

/*
 * Knows when a pool is to be settled: settle_after after its latest change. It is told of all
 * changes, by what apply() says of them.
 */
struct settler;

struct settler *settler_new(void);
void settler_free(struct settler *s);

/* A change was made at this time. */
void settler_see(struct settler *s, const json_t *changes, uint64_t now_ms);

/* When the first pool is due; UINT64_MAX: none. */
uint64_t settler_next(const struct settler *s, uint32_t settle_after_ms);

/* A pool that is due, or NULL. It is not due again before settle_after is over once more. */
const char *settler_due(struct settler *s, uint32_t settle_after_ms, uint64_t now_ms);

/* An array: pool seconds, until it is settled. */
json_t *settler_json(const struct settler *s, uint32_t settle_after_ms, uint64_t now_ms);

#endif
