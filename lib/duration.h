/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_DURATION_H
#define MPLB_DURATION_H

#include <stdint.h>

#include "conf.h"

#define DURATION_STRLEN 16

/* Reads a whole number and its unit, "500ms", "1s", "2m", "1h", as milliseconds. 0, or -EINVAL
 * (-ERANGE: more than 32 bits hold) with *ms untouched. */
int duration_parse(const char *text, uint32_t *ms);

/* Writes it as duration_parse() reads it, in the largest unit that it is a whole number of. Returns
 * buf. */
const char *duration_format(uint32_t ms, char buf[static DURATION_STRLEN]);

/* The duration at path in a config file, which is to be least to most. text NULL: the key is not
 * there, and *ms stays what it is. 0, or -EINVAL, logged as conf_error() does. */
int duration_read(const struct conf *conf, const char *path, const char *text, uint32_t least,
		  uint32_t most, uint32_t *ms);

#endif
