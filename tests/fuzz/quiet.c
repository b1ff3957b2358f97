/* SPDX-License-Identifier: GPL-2.0-only */
/* In place of lib/log.c; and a config file in memory. */
#include "fuzz.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/log.h"

static unsigned int errors;
static int file = -1;

static void (*log_see)(void *data, enum log_level level, const char *line);
static void *log_data;

void log_tap(void (*see)(void *data, enum log_level level, const char *line), void *data)
{
	log_see = see;
	log_data = data;
}

static void swallow(enum log_level level, const char *fmt, va_list ap)
{
	static char line[4096];

	vsnprintf(line, sizeof(line), fmt, ap);
	if (log_see)
		log_see(log_data, level, line);
	errors += level == LOG_ERROR;
}

void log_at(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	swallow(level, fmt, ap);
	va_end(ap);
}

int log_err_r(int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	swallow(LOG_ERROR, fmt, ap);
	va_end(ap);
	return err;
}

unsigned int fuzz_errors(void)
{
	unsigned int n = errors;

	errors = 0;
	return n;
}

void fuzz_check(int ok, const char *text)
{
	if (ok)
		return;
	fprintf(stderr, "fuzz: violated: %s\n", text);
	abort();
}

const char *fuzz_file_open(const uint8_t *data, size_t size)
{
	static char path[32];

	file = memfd_create("config", MFD_CLOEXEC);
	if (file < 0 || write(file, data, size) != (ssize_t)size) {
		perror("fuzz: memfd");
		exit(2);
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	return path;
}

void fuzz_file_close(void)
{
	close(file);
}
