/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_MONOTONIC_H
#define MPLB_MONOTONIC_H

#include <stdint.h>

/* What CLOCK_MONOTONIC says, which BPF programs read with bpf_ktime_get_ns(). */
uint64_t monotonic_ns(void);
uint64_t monotonic_us(void);
uint64_t monotonic_ms(void);

#endif
