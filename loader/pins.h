/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_PINS_H
#define MPLB_PINS_H

#include "datapath.h"

struct bpf_object;

/* The pinned maps of a data plane, and those of other versions of mplb beside them. */

/* Gives an object that is not loaded yet the pinned maps of the folder; those that are not there
 * are made and pinned at load. A pinned map of another layout is an error. 0 or -errno, logged. */
int pins_bind(struct bpf_object *object, const char *folder);

/* Refuses where another version of mplb has a data plane below root. 0 or -EEXIST, logged. */
int pins_check_versions(const char *root);

/* Calls with every folder below root that has a data plane's pins, of any version. An error stops
 * and is returned; else the number of folders. */
int pins_for_each(const char *root, int (*call)(const char *folder));

/* Removes a data plane's pins from a folder, and the folders that are empty then. 0 or -errno,
 * logged. */
int pins_remove(const char *folder);

#endif
