/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_LBCTL_H
#define MPLB_LBCTL_H

#include <jansson.h>
#include <stdbool.h>

/* What every command of lbctl gets: the options before it. */
struct lbctl {
	bool json; /* -j */
	const char *pin_dir; /* --pin-dir */
	const char *socket; /* --socket; NULL: the one that goes with pin_dir */
};

enum lbctl_exit { LBCTL_OK = 0, LBCTL_USAGE = 1, LBCTL_KERNEL = 2 };

/* A command: argv[0] is its name. Returns an exit status; errors are logged. */
int cmd_attach(const struct lbctl *ctl, int argc, char **argv);
int cmd_detach(const struct lbctl *ctl, int argc, char **argv);
int cmd_check(const struct lbctl *ctl, int argc, char **argv);
int cmd_apply(const struct lbctl *ctl, int argc, char **argv);
int cmd_drain(const struct lbctl *ctl, int argc, char **argv);
int cmd_undrain(const struct lbctl *ctl, int argc, char **argv);
int cmd_weight(const struct lbctl *ctl, int argc, char **argv);
int cmd_settle(const struct lbctl *ctl, int argc, char **argv);
int cmd_show(const struct lbctl *ctl, int argc, char **argv);
int cmd_stats(const struct lbctl *ctl, int argc, char **argv);
int cmd_top(const struct lbctl *ctl, int argc, char **argv);
int cmd_drops(const struct lbctl *ctl, int argc, char **argv);
int cmd_explain(const struct lbctl *ctl, int argc, char **argv);

/* Logs "COMMAND: what is wrong; usage: ..." and returns LBCTL_USAGE. */
int lbctl_usage(const char *command, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Is text the word, or a beginning of it that is one of a kind in words (ended by NULL)? Returns
 * its index, or -1. */
int lbctl_word(const char *text, const char *const *words);

/* The exit status for an error of a library function: bad input is the user's, the rest the
 * kernel's. */
int lbctl_exit(int err);

/*
 * Lets the agent that runs do it: sends a request, which is taken, and prints what was logged
 * meanwhile. True: there is an agent, or should be one; *code is the exit status, and *answer, to
 * be decref'ed, the answer or NULL. False: none runs.
 */
bool lbctl_ask(const struct lbctl *ctl, json_t *request, int *code, json_t **answer);

/* The same for what only an agent can do: that none runs is an error. Returns the exit status. */
int lbctl_need(const struct lbctl *ctl, json_t *request, json_t **answer);

/* Prints what an apply or an order changed (loader/notes.h). */
void lbctl_print_changes(const struct lbctl *ctl, const json_t *changes);

#endif
