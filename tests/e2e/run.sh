#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# run.sh [NAME...]: runs the end-to-end tests of this folder, or those named. Each has namespaces of
# its own, and most of its time it waits: several run side by side.
#
#   JOBS=N          how many; default one for each processor
#   LIMIT=SECONDS   for one test; default 300
#   REQUIRE_ALL=1   a skip is a failure
#
# The last line has the totals: "N passed, M failed", and ", K skipped" if there are any. Exit code 0
# if nothing failed.
set -euo pipefail

HERE=$(cd "$(dirname "$0")" && pwd)
LIMIT=${LIMIT:-300}
JOBS=${JOBS:-$(nproc)}
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

# run_test FILE: its output goes to $OUT/NAME, too.
run_test() {
	local name code=0 began=$SECONDS out

	name=$(basename "$1" .sh)
	out=$OUT/$name
	if [ ! -f "$1" ]; then
		echo "not ok $name: no such test in $HERE" | tee "$out"
		return
	fi
	: >"$out"
	# TERM gets to the test's cleanup before KILL comes: what it waits for is bounded by itself.
	timeout -k 70 "$LIMIT" bash "$1" 2> >(tee "$out.err" >&2) > >(tee "$out") || code=$?
	wait
	if [ "$code" -ne 0 ] && ! grep -q '^not ok ' "$out"; then
		echo "not ok $name: ended early with exit code $code: $(tail -1 "$out.err")" | tee -a "$out"
	fi
	echo "e2e: $name took $((SECONDS - began)) s"
}

# interrupted CODE: the tests clean up, then we go.
interrupted() {
	local pids

	trap '' INT TERM
	pids=$(pgrep -d ' ' -x timeout -P "$(jobs -p | paste -sd, -)") || true
	# shellcheck disable=SC2086 # several processes
	[ -z "$pids" ] || kill $pids 2>/dev/null || true
	wait
	exit "$1"
}

if [ "$(id -u)" -ne 0 ]; then
	echo "SKIP e2e: not root: the tests make network namespaces and load BPF"
	skipped=1
	conclude
	exit
fi
OUT=$(mktemp -d /tmp/mplb-e2e.XXXXXX)
trap 'rm -rf "$OUT"' EXIT
trap 'interrupted 130' INT
trap 'interrupted 143' TERM

mapfile -t list < <(tests "$@")
for file in "${list[@]}"; do
	while [ "$(jobs -pr | wc -l)" -ge "$JOBS" ]; do
		wait -n || true
	done
	run_test "$file" &
done
wait
for file in "${list[@]}"; do
	count_lines "$OUT/$(basename "$file" .sh)"
	add_up
done
conclude
