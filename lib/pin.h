/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_PIN_H
#define MPLB_PIN_H

#include <stddef.h>

#define PIN_PATH_MAX 256

/*
 * The folder of pinned maps below root (a bpffs folder): "root/v<MPLB_ABI>[/sub]". Makes it, 0700,
 * where create is set. Sets LIBXDP_BPFFS, so that libxdp's own pins live on the same bpffs.
 * 0 with the path in out, or -errno with the mend logged: not on a bpffs, no rights, not there.
 */
int pin_folder(const char *root, const char *sub, int create, char out[static PIN_PATH_MAX]);

/* Whether pins can be below root: it, or the nearest folder above it that there is, is on a bpffs.
 * 0, or -errno with how to mend it in mend: -ENOTSUP where it is on another file system. Logs
 * nothing. */
int pin_check(const char *root, char *mend, size_t size);

/* Takes the exclusive lock of a pin folder, which whoever changes what is in it holds. wait: block
 * until it is free, else -EBUSY. Returns a descriptor to close, or -errno, logged but for -EBUSY.
 */
int pin_lock(const char *folder, int wait);

/* Cuts the last component off path; "." where there is none. */
void pin_parent(char *path);

#endif
