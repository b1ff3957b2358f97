/* SPDX-License-Identifier: GPL-2.0-only */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static const char *log_program = "mplb";
static enum log_level log_most = LOG_INFO;

static const char *const log_prefix[] = {
	[LOG_ERROR] = "error: ",
	[LOG_WARN] = "warning: ",
	[LOG_INFO] = "",
	[LOG_DEBUG] = "debug: ",
};

void log_init(const char *program, enum log_level most)
{
	log_program = program;
	log_most = most;
}

static void (*log_see)(void *data, enum log_level level, const char *line);
static void *log_data;

void log_tap(void (*see)(void *data, enum log_level level, const char *line), void *data)
{
	log_see = see;
	log_data = data;
}

static void log_v(enum log_level level, const char *fmt, va_list ap)
{
	char line[1024];
	int saved = errno;

	if (level > log_most)
		return;
	vsnprintf(line, sizeof(line), fmt, ap);
	fprintf(stderr, "%s: %s%s\n", log_program, log_prefix[level], line);
	if (log_see)
		log_see(log_data, level, line);
	errno = saved;
}

void log_at(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_v(level, fmt, ap);
	va_end(ap);
}

int log_err_r(int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_v(LOG_ERROR, fmt, ap);
	va_end(ap);
	return err;
}
