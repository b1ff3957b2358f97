/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_SYSCTL_H
#define MPLB_SYSCTL_H

#include <stddef.h>

/*
 * Sysctls below net. by their dotted names, in the caller's network namespace. A component may not
 * contain a dot; device names that do (VLANs) have it written as "/", as sysctl(8) does.
 */

/* Reads the value without its newline. 0, -ENOENT where the kernel has no such sysctl, -ENOSPC
 * where size is too small, or -errno; value untouched on failure. */
int sysctl_read(const char *name, char *value, size_t size);
int sysctl_write(const char *name, const char *value);

/* The value as a number, or fallback where it cannot be read or is none. */
long sysctl_number(const char *name, long fallback);

#endif
