#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The cells of testbed/scenarios/matrix.sh that differ most; `mplb-testbed run matrix` has them all.
#
#	client ══ router ──┬── lb    mp_join, join_ports
#	  of several kinds └── b1, b2, b3
set -euo pipefail
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
OUT=$(mktemp /tmp/mplb-matrix.XXXXXX)
trap 'rm -f "$OUT"' EXIT

"$ROOT/testbed/mplb-testbed" run matrix --form short --modes ipip --out "$OUT" >/dev/null || true
jq -r '.verdicts[] | if .holds then "ok matrix: \(.what): \(.got)"
	else "not ok matrix: \(.what): got \(.got), want \(.want)" end' "$OUT"
jq -r '.rows[] | select(.got != .expected) |
	"# matrix: \(.policy), \(.kind), IPv\(.family), \(.mode): \(.got), expected \(.expected), \(.errors)"' "$OUT"
jq -e '.verdicts | length > 0 and all(.holds)' "$OUT" >/dev/null
