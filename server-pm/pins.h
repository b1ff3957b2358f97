/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_SERVER_PINS_H
#define MPLB_SERVER_PINS_H

#include <stddef.h>

/* The folder of the pins, on a BPF file system. */

/* Writes PIN_DIR/v<MPLB_ABI>/server, or with up > 0 the folder that many levels above it. */
void server_pins_path(const char *pin_dir, int up, char *buf, size_t size);

/* Makes the folders (mode 0700). 0, or -errno, logged. */
int server_pins_make(const char *pin_dir);

#endif
