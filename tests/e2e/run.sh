#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# run.sh [NAME...]: runs the end-to-end tests of this folder, or those named, one after another.
# The last line has the totals: "N passed, M failed", and ", K skipped" if there are any. With
# REQUIRE_ALL=1 a skip is a failure. Exit code 0 if nothing failed.
set -euo pipefail

HERE=$(cd "$(dirname "$0")" && pwd)
LIMIT=${LIMIT:-120}	# seconds per test
# shellcheck source=tests/totals.sh
. "$HERE/../totals.sh"

tests() {
	local name

	if [ $# -gt 0 ]; then
		for name in "$@"; do
			echo "$HERE/$(basename "$name" .sh).sh"
		done
		return
	fi
	for name in "$HERE"/*.sh; do
		[ "$name" = "$HERE/run.sh" ] || echo "$name"
	done
}

# run_test FILE: shows its output, adds up its lines.
run_test() {
	local name code=0 began=$SECONDS

	name=$(basename "$1" .sh)
	: >"$OUT"
	# --foreground: ^C reaches the test too. What a test waits for is bounded by itself, so that
	# TERM gets to its cleanup before KILL comes.
	timeout --foreground -k 70 "$LIMIT" bash "$1" > >(tee "$OUT") 2> >(tee "$OUT.err" >&2) || code=$?
	wait
	count_lines "$OUT"
	if [ "$code" -ne 0 ] && [ "$bad" -eq 0 ]; then
		echo "not ok $name: ended early with exit code $code: $(tail -1 "$OUT.err")"
		bad=1
	fi
	echo "e2e: $name took $((SECONDS - began)) s"
	add_up
}

if [ "$(id -u)" -ne 0 ]; then
	echo "SKIP e2e: not root: the tests make network namespaces and load BPF"
	skipped=1
	conclude
	exit
fi
OUT=$(mktemp /tmp/mplb-e2e.XXXXXX)
trap 'rm -f "$OUT" "$OUT.err"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

mapfile -t list < <(tests "$@")
for file in "${list[@]}"; do
	if [ ! -f "$file" ]; then
		echo "not ok $(basename "$file" .sh): no such test in $HERE"
		failed=$((failed + 1))
		continue
	fi
	run_test "$file"
done
conclude
