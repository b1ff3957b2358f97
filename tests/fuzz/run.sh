#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs the fuzzers that are built: fuzz-lb (root), then the libFuzzer targets, side by side. Each
# begins with its corpus in tests/fuzz/corpus/, where what was once a crash or a difference stays.
#
#   FUZZ_SEED=N      of fuzz-lb; default 1
#   FUZZ_PACKETS=N   of fuzz-lb; default 1,000,000
#   FUZZ_SECONDS=N   of each libFuzzer target; default 10
#   FUZZ_BUILD=DIR   where they are; default build
#   FUZZ_ONLY=NAME   lb, options, config, server_config, netlink or control: just that one
#
# Prints "ok NAME: ..." or "not ok NAME: ..." for each, then "N passed, M failed". What made one fail
# is in DIR/fuzz/: difference-*.hex, NAME-crash-*, NAME.log. Exit 0: nothing failed.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

build=${FUZZ_BUILD:-build}
seed=${FUZZ_SEED:-1} packets=${FUZZ_PACKETS:-1000000} seconds=${FUZZ_SECONDS:-10}
only=${FUZZ_ONLY-}
out=$build/fuzz
results=$(mktemp)
trap 'rm -f "$results"' EXIT
mkdir -p "$out"
export UBSAN_OPTIONS=print_stacktrace=1

# Prints a line of the result and keeps it for the totals. A failure is followed by its log.
result() { # ok|"not ok" NAME TEXT LOG
	printf '%s %s: %s\n' "$1" "$2" "$3" | tee -a "$results"
	[ "$1" = ok ] || grep -v '^#[0-9]' "$4" | tail -n 60
}

run_lb() {
	local log=$out/lb.log last
	"$build/fuzz-lb" --seed "$seed" --count "$packets" --corpus tests/fuzz/corpus/lb \
		--out "$out" >"$log" 2>&1
	local rc=$?
	last=$(tail -n 1 "$log")
	if [ "$rc" -eq 0 ] && ! grep -q 'NEVER REACHED' "$log"; then
		result ok lb "${last#fuzz-lb: }" "$log"
	else
		result 'not ok' lb "exit $rc: ${last#fuzz-lb: }" "$log"
	fi
}

# One libFuzzer target. What it learns is kept in build/, the corpus of the tree is only read.
run_target() { # NAME
	local log=$out/$1.log runs coverage args=()
	case $1 in
	*config) args+=(-dict=tests/fuzz/config.dict) ;;
	esac
	mkdir -p "$out/corpus/$1"
	"$out/$1" -max_total_time="$seconds" -timeout=10 -max_len=4096 -print_final_stats=1 \
		-artifact_prefix="$out/$1-" "${args[@]}" "$out/corpus/$1" \
		"tests/fuzz/corpus/$1" >"$log" 2>&1
	local rc=$?
	runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
	coverage=$(sed -n 's/.*DONE *cov: \([0-9]*\).*/\1/p' "$log")
	if [ "$rc" -eq 0 ] && [ -n "$runs" ]; then
		result ok "$1" "$runs runs in $seconds s, $coverage edges, no crash" "$log"
	else
		result 'not ok' "$1" "exit $rc after ${runs:-?} runs" "$log"
	fi
}

case $only in
'' | lb) run_lb ;;
esac
for target in options config server_config netlink control; do
	[ -z "$only" ] || [ "$only" = "$target" ] || continue
	while [ "$(jobs -pr | wc -l)" -ge "$(nproc)" ]; do
		wait -n
	done
	run_target "$target" &
done
wait

failed=$(grep -c '^not ok' "$results")
echo "$(grep -c '^ok' "$results") passed, $failed failed"
[ "$failed" -eq 0 ]
