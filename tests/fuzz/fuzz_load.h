/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_FUZZ_LOAD_H
#define MPLB_FUZZ_LOAD_H

/* A config file: loaded or refused, with a word about why; never half of it, never leaked. */
#include "fuzz.h"

/* Defines the target for `int load(const char *file, type **out)`: an input that loads goes through
 * check(const type *), and then free_it(type *). */
#define FUZZ_LOAD(type, load, check, free_it)                                                      \
	int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)                               \
	{                                                                                          \
		static type untouched;                                                             \
		type *config = &untouched;                                                         \
		int err = load(fuzz_file_open(data, size), &config);                               \
		unsigned int errors = fuzz_errors();                                               \
                                                                                                   \
		fuzz_file_close();                                                                 \
		if (err) {                                                                         \
			fuzz_check(err < 0 && errors, "what is refused has its reason logged");    \
			fuzz_check(config == &untouched, "a failure leaves *out alone");           \
			return 0;                                                                  \
		}                                                                                  \
		fuzz_check(!errors, "what is accepted has no error logged");                       \
		check(config);                                                                     \
		free_it(config);                                                                   \
		return 0;                                                                          \
	}

#endif
