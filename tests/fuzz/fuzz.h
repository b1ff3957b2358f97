/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_FUZZ_H
#define MPLB_FUZZ_H

/* What the libFuzzer targets share (quiet.c). */
#include <stddef.h>
#include <stdint.h>

/* What libFuzzer calls with each input. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the run as a crash does, with this text, unless ok. */
void fuzz_check(int ok, const char *text);

/* How many errors were logged since the last call. The logger of these programs formats every
 * message and prints none. */
unsigned int fuzz_errors(void);

/* A file in memory with these bytes: its path, to be given to fuzz_file_close(). */
const char *fuzz_file_open(const uint8_t *data, size_t size);
void fuzz_file_close(void);

#endif
