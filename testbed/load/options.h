/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_LOAD_OPTIONS_H
#define MPLB_LOAD_OPTIONS_H

#include <stddef.h>

/* Options as data: a name bound to a field of the command's own struct. */
enum option_kind {
	OPTION_FLAG, /* bool, takes no argument */
	OPTION_TEXT, /* const char * */
	OPTION_LIST, /* struct option_list, may be given several times */
	OPTION_NUMBER, /* unsigned long long, with a suffix k, M or G (powers of 1000) */
	OPTION_SECONDS, /* double, 0.001 .. 3600 */
	OPTION_PROTO, /* int: IPPROTO_TCP or IPPROTO_MPTCP */
};

#define OPTION_LIST_MAX 16
struct option_list {
	const char *text[OPTION_LIST_MAX];
	size_t n;
};

struct option {
	const char *name; /* "--bytes" */
	enum option_kind kind;
	size_t field; /* offsetof() in the command's struct */
	const char *argument; /* its name in the help text; NULL for a flag */
	const char *help;
};

/* Reads argv[1] .. argv[argc - 1] into the struct at into. The table ends with a NULL name.
 * 0, or -EINVAL after logging which option is wrong. */
int options_read(const struct option *table, void *into, int argc, char **argv);
/* Prints a line per option on stdout. */
void options_help(const struct option *table);

#endif
