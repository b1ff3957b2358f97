/* SPDX-License-Identifier: GPL-2.0-only */
/* Runs the tests with a bpffs of their own, in a mount namespace of their own: what they keep there
 * (kept.h) ends with this process, however it ends. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kept.h"

int main(int argc, char *argv[])
{
	struct criterion_test_set *tests;
	int failed = 0, err = geteuid() ? 0 : kept_mount();

	if (err) {
		fprintf(stderr, "error: no bpffs at " KEPT_ROOT " for the tests: %s\n",
			strerror(-err));
		return 1;
	}
	tests = criterion_initialize();
	if (criterion_handle_args(argc, argv, true))
		failed = !criterion_run_all_tests(tests);
	criterion_finalize(tests);
	return failed;
}
