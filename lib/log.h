/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_LOG_H
#define MPLB_LOG_H

/*
 * The one logger. Lines go to stderr as "PROGRAM: message"; the level is a word in front of the
 * message where it is not plain ("warning: ", "error: ").
 */
enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Names the program and sets the most talkative level to print. log_bpf_init() sends
 * libbpf's and libxdp's messages through here, as LOG_DEBUG, in a program that links them. */
void log_init(const char *program, enum log_level most);
void log_bpf_init(void);

void log_at(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_at(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)

/* Shows each line that is printed from now on to see() as well; NULL: no more. */
void log_tap(void (*see)(void *data, enum log_level level, const char *line), void *data);

/* Logs an error and returns err (a negative errno): `return log_err_r(-EINVAL, "vip %s: ...")`.
 * What is wrong and how to mend it belongs into the text; strerror() is not appended. */
int log_err_r(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
