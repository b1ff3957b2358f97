/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_BIRD_REPLY_H
#define MPLB_BIRD_REPLY_H

#include <stdbool.h>
#include <stddef.h>

/*
 * What BIRD 2 says on its control socket (its doc/reply_codes, nest/cli.c). A reply is one line or
 * several; all but the last have a dash behind the code:
 *
 *	1002-bgp1 BGP --- up 04:00:05.230 Established
 *	 bgp2 BGP --- start 04:00:05.230 Idle		same code as the line before
 *	+log message					on its own, no part of a reply
 *	0000						and a space: the end
 *
 * Codes: 0xxx done, 1xxx a row, 2xxx a heading, 8xxx cannot be done, 9xxx not understood.
 */
enum bird_code {
	BIRD_OK = 0,
	BIRD_WELCOME = 1,
	BIRD_ALREADY_DISABLED = 8,
	BIRD_NOW_DISABLED = 9,
	BIRD_ALREADY_ENABLED = 10,
	BIRD_NOW_ENABLED = 11,
	BIRD_PROTOCOL_ROW = 1002, /* of `show protocols` */
	BIRD_NO_PROTOCOL = 8003,
	BIRD_DENIED = 8007, /* the socket is restricted to looking */
};

#define BIRD_LINE_MAX 1024 /* bytes; BIRD's own lines are shorter */
#define BIRD_NAME_MAX 65 /* bytes of a protocol's name; with the final NUL */

struct bird_line {
	unsigned int code;
	bool last; /* of the reply */
	bool aside; /* no part of a reply */
	const char *text; /* into the line */
};

/* Takes a line (without its end) apart. *line has the one before, and gets this one. 0, or -EINVAL,
 * *line untouched: BIRD does not say such a thing. */
int bird_line_read(const char *text, struct bird_line *line);

/* Was the command refused? */
bool bird_is_error(unsigned int code);

/* A row of `show protocols`. */
struct bird_row {
	char name[BIRD_NAME_MAX];
	char type[16]; /* "BGP", "Static", ... */
	char state[8]; /* "up", "start", "down", "stop", "flush" */
};

/* Reads one. 0, or -EINVAL, *row untouched. */
int bird_row_read(const char *text, struct bird_row *row);

#endif
