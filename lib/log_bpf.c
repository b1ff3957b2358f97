/* SPDX-License-Identifier: GPL-2.0-only */
/* libbpf's and libxdp's messages through our logger, at the level of details. */
#include "log.h"

#include <stdio.h>
#include <string.h>

#include <bpf/libbpf.h>
#include <xdp/libxdp.h>

static int log_from_library(enum log_level level, const char *fmt, va_list ap)
{
	char line[2048];
	size_t len;

	vsnprintf(line, sizeof(line), fmt, ap);
	len = strlen(line);
	while (len && line[len - 1] == '\n')
		line[--len] = '\0';
	if (len)
		log_at(level, "%s", line);
	return 0;
}

/* Their warnings are about what we explain ourselves, in our words. */
static int log_libbpf(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	(void)level;
	return log_from_library(LOG_DEBUG, fmt, ap);
}

static int log_libxdp(enum libxdp_print_level level, const char *fmt, va_list ap)
{
	(void)level;
	return log_from_library(LOG_DEBUG, fmt, ap);
}

void log_bpf_init(void)
{
	libbpf_set_print(log_libbpf);
	libxdp_set_print(log_libxdp);
}
