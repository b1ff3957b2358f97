/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_TEST_SUPPORT_H
#define MPLB_TEST_SUPPORT_H

/* What several unit tests need: a file with given text, what was printed, leaks. */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Redirects a stream into memory, until capture_end() gives back what was written to it. */
struct capture {
	FILE *stream;
	int saved;
	int memory;
	char text[128 << 10];
};

static inline void capture_begin(struct capture *capture, FILE *stream)
{
	fflush(stream);
	capture->stream = stream;
	capture->saved = dup(fileno(stream));
	capture->memory = memfd_create("capture", MFD_CLOEXEC);
	if (capture->saved < 0 || capture->memory < 0 || dup2(capture->memory, fileno(stream)) < 0)
		abort();
}

static inline const char *capture_end(struct capture *capture)
{
	ssize_t n;

	fflush(capture->stream);
	n = pread(capture->memory, capture->text, sizeof(capture->text) - 1, 0);
	capture->text[n > 0 ? n : 0] = '\0';
	if (dup2(capture->saved, fileno(capture->stream)) < 0)
		abort();
	close(capture->saved);
	close(capture->memory);
	return capture->text;
}

/* Writes text to a new temporary file; path is for unlink(). */
static inline void temp_file(char path[static 32], const char *text, size_t len)
{
	int fd;

	strcpy(path, "/tmp/mplb-test-XXXXXX");
	fd = mkstemp(path);
	if (fd < 0 || write(fd, text, len) != (ssize_t)len)
		abort();
	close(fd);
}

/* Criterion's exit code does not show what LeakSanitizer finds at exit: ask inside the test. */
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
static inline bool has_leaks(void)
{
	return __lsan_do_recoverable_leak_check();
}
#else
static inline bool has_leaks(void)
{
	return false;
}
#endif

#endif
