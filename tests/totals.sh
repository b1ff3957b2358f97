# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Sourced by what runs tests: how many passed, failed and were skipped.

passed=0 failed=0 skipped=0

# count_lines FILE: in good, bad and left, how many passed, failed and were skipped of those that say so
# in a line (tests/e2e/check.bash).
count_lines() {
	good=$(grep -c '^ok ' "$1" || true)
	bad=$(grep -c '^not ok ' "$1" || true)
	left=$(grep -c '^SKIP ' "$1" || true)
}

# add_up: those to the totals.
add_up() {
	passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + left))
}

# conclude: prints the totals. Fails if a test failed; with REQUIRE_ALL=1 a skip is a failure.
conclude() {
	if [ "${REQUIRE_ALL:-0}" = 1 ]; then
		failed=$((failed + skipped)) skipped=0
	fi
	totals="$passed passed, $failed failed"
	[ "$skipped" -eq 0 ] || totals="$totals, $skipped skipped"
	echo "$totals"
	[ "$failed" -eq 0 ]
}
