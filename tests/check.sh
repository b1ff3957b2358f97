#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# make check: every test, stage by stage, and one line of totals at the end.
#
#   tests/check.sh [STAGE...]    stages: unit bpf fuzz e2e kernels; default: all
#
# REQUIRE_ALL=1 turns a skip into a failure. Exit 0: nothing failed.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

# shellcheck source=tests/totals.sh
. tests/totals.sh
log=$(mktemp)
wrong=$(mktemp) # what failed and what was skipped, said once more at the end
trap 'rm -f "$log" "$wrong"' EXIT

if [ "$(id -u)" -ne 0 ]; then
	echo "check: error: not root. As root this would run the unit tests, the data plane through" \
		"BPF_PROG_TEST_RUN, end-to-end tests in network namespaces, and stock kernels in QEMU." \
		"Run: sudo make check (make build/test-unit && build/test-unit needs no root)" >&2
	exit 1
fi

# Lines of Criterion and of the runners that say so.
WRONG='^(\[(----|FAIL|SKIP)\]|not ok |SKIP |FAIL: |error: )'

# complain WHAT: of a stage that does not even say what failed.
complain() {
	echo "check: $*" | tee -a "$wrong"
	failed=$((failed + 1))
}

say() {
	printf '\n== %s ==\n' "$*"
}

# Adds up a Criterion summary: "Synthesis: Tested: 9 | Passing: 8 | Failing: 1 | Crashing: 0". A run
# that ends without one has crashed.
count_criterion() { # EXIT_CODE
	local line
	line=$(grep -a 'Synthesis: Tested:' "$log" | tail -n 1)
	if [ -z "$line" ]; then
		complain "no summary: the test program did not finish (exit $1)"
		return
	fi
	# shellcheck disable=SC2046 # the numbers are to be split
	set -- "$1" $(tr -c '0-9' ' ' <<<"${line#*Tested:}")
	passed=$((passed + $3))
	failed=$((failed + $4 + $5))
	skipped=$((skipped + $2 - $3 - $4 - $5))
	# A leak or an error outside of a test shows in the exit code alone.
	if [ "$1" -ne 0 ] && [ $(($4 + $5)) -eq 0 ]; then
		complain "every test passed, but the program exited with $1"
	fi
}

criterion() { # PROGRAM
	"$1" --color=never 2>&1 | tee "$log"
	count_criterion "${PIPESTATUS[0]}"
}

stage_unit() {
	criterion build/test-unit
}

stage_bpf() {
	criterion build/test-bpf
}

# A runner that ends with a line "N passed, M failed[, K skipped]".
runner() { # SCRIPT
	"$1" 2>&1 | tee "$log"
	local rc=${PIPESTATUS[0]} script=$1 line
	line=$(grep -aE '^[0-9]+ passed, [0-9]+ failed' "$log" | tail -n 1)
	# shellcheck disable=SC2046 # the numbers are to be split
	set -- $(tr -c '0-9' ' ' <<<"$line")
	if [ $# -lt 2 ] || { [ "$rc" -ne 0 ] && [ "$2" -eq 0 ]; }; then
		complain "$script did not finish (exit $rc)"
	fi
	passed=$((passed + ${1:-0}))
	failed=$((failed + ${2:-0}))
	skipped=$((skipped + ${3:-0}))
}

stage_fuzz() {
	runner tests/fuzz/run.sh
}

stage_e2e() {
	runner tests/e2e/run.sh
}

# The table of packets and an end-to-end run, on each stock kernel.
stage_kernels() {
	runner tests/kernels/run.sh
}

stages=("$@")
[ ${#stages[@]} -gt 0 ] || stages=(unit bpf fuzz e2e kernels)
for stage in "${stages[@]}"; do
	begin=$SECONDS
	say "$stage"
	: >"$log"
	"stage_$stage"
	grep -aE "$WRONG" "$log" | sed "s/^/$stage: /" >>"$wrong"
	echo "check: $stage took $((SECONDS - begin)) s"
done

if [ "${REQUIRE_ALL:-0}" = 1 ] && [ "$skipped" -gt 0 ]; then
	echo "check: REQUIRE_ALL=1: $skipped skipped count as failed"
fi
if [ -s "$wrong" ]; then
	say "failed or skipped"
	cat "$wrong"
fi
echo
conclude
