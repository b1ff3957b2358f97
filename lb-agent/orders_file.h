/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_ORDERS_FILE_H
#define MPLB_ORDERS_FILE_H

#include "loader/plan.h"

/*
 * Operators' orders on disk. The maps hold them for as long as the machine runs; the file is for
 * the time after: it is written with each order, and read where nothing is in force yet. A member
 * is known by pool, id and address, as in the maps.
 */

/* Writes those in force, atomically, if they are not what *last is: the text that was written last,
 * which is replaced. 0 or -errno, logged: then the file is what it was. */
int orders_file_save(const char *path, const struct state *state, char **last);

/* Orders that were read, for members that the config has. */
struct orders {
	struct order *order;
	size_t n;
	char (*names)[2 * MPLB_NAME_LEN + 1]; /* that the orders point to */
};

/* Reads them. A file that is not there holds none. One that makes no sense is an error, logged, and
 * holds none: -EINVAL. */
int orders_file_load(const char *path, const struct lb_config *config, struct orders *out);
void orders_drop(struct orders *orders);

#endif
