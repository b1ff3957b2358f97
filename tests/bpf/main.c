/* SPDX-License-Identifier: GPL-2.0-only */
/* Runs the tests with a bpffs of their own, in a mount namespace of their own: what they keep there
 * (kept.h) ends with this process, however it ends. */
#include <criterion/criterion.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "kept.h"

static int mount_bpffs(void)
{
	return unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	       mount("bpf", KEPT_ROOT, "bpf", 0, NULL);
}

int main(int argc, char *argv[])
{
	struct criterion_test_set *tests;
	int failed = 0;

	if (!geteuid() && mount_bpffs()) {
		fprintf(stderr, "error: no bpffs at " KEPT_ROOT " for the tests: %s\n",
			strerror(errno));
		return 1;
	}
	tests = criterion_initialize();
	if (criterion_handle_args(argc, argv, true))
		failed = !criterion_run_all_tests(tests);
	criterion_finalize(tests);
	return failed;
}
