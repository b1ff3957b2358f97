#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# mplb-testbed: short forms of its scenarios, what its verdicts say of traffic that went wrong, how a
# sequence of faults is shrunk, and the report, seen by a browser.
#
# The topologies are those of the scenarios (testbed/scenarios/*.sh), each run in a testbed of its own.
# shellcheck disable=SC2317 # functions that `holds` calls
# shellcheck source=tests/e2e/check.bash
. "$(dirname "$0")/check.bash"

MPLB_TESTBED=$TESTBED_ROOT/testbed/mplb-testbed
export RESULTS=$TESTBED_DIR/results

# ran SCENARIO OPTIONS...: some verdicts are about speed and no test's business; others are looked at
# by `verdict_holds`.
ran() {
	"$MPLB_TESTBED" run "$@" >"$TESTBED_DIR/$1.out" 2>"$TESTBED_DIR/$1.err" || [ -f "$RESULTS/$1.json" ] || {
		fail "$1 runs" "$(tail -1 "$TESTBED_DIR/$1.err")"
		return 0
	}
	pass "$1 runs"
}

# verdict_holds SCENARIO PATTERN: all verdicts of that kind, and there is one.
verdict_holds() {
	local got

	got=$(jq -r --arg p "$2" '[.verdicts[] | select(.what | test($p))] | if length == 0 then "no such verdict" else
		map(select(.holds | not) | "\(.what): \(.got)") | join("; ") end' "$RESULTS/$1.json")
	equal "$1: $2" "${got:-holds}" holds
}

# ---- scenarios ---------------------------------------------------------------------------------

ran faults --faults "route_flips service_killed agents_killed disk_full" --tcp 20 --mptcp 20
verdict_holds faults "before the first fault"
verdict_holds faults "route_flips, (TCP|MPTCP)"
verdict_holds faults "service_killed, (TCP|MPTCP)"
verdict_holds faults "agents_killed, (TCP|MPTCP)"
verdict_holds faults "disk_full, (TCP|MPTCP)"
at_least "faults: a killed service was felt" "$(jq '[.rows[].troubles[] | select(.fault == "service_killed")]
	| length' "$RESULTS/faults.json")" 1

ran anycast --seconds 6 --every 6 --away 2 --modes "mptcp" --parallel 12
verdict_holds anycast "mptcp: downloads broken"

ran share --sizes 10M --count 1 --modes "tcp mptcp"
verdict_holds share "transfers served byte for byte"
at_most "share: of an MPTCP transfer next to nothing crosses the balancer, in thousandths" \
	"$(jq '[.rows[] | select(.mode == "mptcp").share * 1000] | max | round' "$RESULTS/share.json")" 50
at_least "share: of TCP it is ten times as much, and more" \
	"$(jq 'def of($m; pick): [.rows[] | select(.mode == $m).share] | pick;
		of("tcp"; min) / of("mptcp"; max) | floor' "$RESULTS/share.json")" 10

# ---- verdicts on traffic that went wrong -------------------------------------------------------

# A subshell with the functions of the scenario, and a run that is made up.
# shellcheck source=testbed/scenario.sh disable=SC1091
in_scenario() {
	(
		. "$TESTBED_ROOT/testbed/link.sh"
		. "$TESTBED_ROOT/testbed/scenario.sh"
		. "$TESTBED_ROOT/testbed/scenarios/faults.sh"
		"$@"
	)
}

made_up() {
	cat >"$TESTBED_DIR/injected" <<-END
		{"fault": "service_killed", "victim": "b1", "tcp": "own", "mptcp": "own", "began": 1010, "ended": 1020}
		{"fault": "route_flips", "victim": "b2", "tcp": "whole", "mptcp": "whole", "began": 1020, "ended": 1030}
		{"fault": "link_flaps", "victim": "b2", "tcp": "wait", "mptcp": "whole", "began": 1030, "ended": 1040}
		{"fault": "drained", "victim": "b2", "tcp": "whole", "mptcp": "whole", "began": 1040, "ended": 1050}
		{"fault": "backend_killed", "victim": "b2", "tcp": "gone", "mptcp": "own", "began": 1050, "ended": 1060}
	END
	: >"$TESTBED_DIR/complaints"
	cat >"$TESTBED_DIR/hold-tcp.out" <<-END
		{"proto": "tcp", "began_unix_ms": 1000000, "events": [
		{"at": 11, "opened": 1, "what": "reset", "server": "b1", "established": true},
		{"at": 12, "what": "refused", "server": null, "established": false},
		{"at": 13, "opened": 1, "what": "reset", "server": "b2", "established": true},
		{"at": 31, "opened": 1, "what": "stall", "server": "b3", "established": true},
		{"at": 41, "opened": 15, "what": "reset", "server": "b3", "established": true},
		{"at": 51, "opened": 1, "what": "stall", "server": "b3", "established": true},
		{"at": 52, "opened": 1, "what": "reset", "server": "b2", "established": true}]}
	END
	cat >"$TESTBED_DIR/hold-mptcp.out" <<-END
		{"proto": "mptcp", "began_unix_ms": 1000000, "events": [
		{"at": 21, "opened": 1, "what": "stall", "server": "b2", "established": true},
		{"at": 32, "opened": 1, "what": "stall", "server": "b3", "established": true},
		{"at": 41, "opened": 1, "what": "reset", "server": "b3", "established": true},
		{"at": 51, "opened": 1, "what": "stall", "server": "b3", "established": true}]}
	END
	troubles >"$TESTBED_DIR/troubles"
	judge service_killed
	judge route_flips
	judge link_flaps
	judge drained
	judge backend_killed
	# shellcheck disable=SC2031 # this is the subshell
	jq -c '[.[] | [.what, .holds]]' <<<"$VERDICTS" >"$TESTBED_DIR/judged"
}

in_scenario made_up >/dev/null
equal "verdicts: another server's connections must live, and nothing may wait where it must not" \
	"$(cat "$TESTBED_DIR/judged")" \
	'[["service_killed, TCP",false],["service_killed, MPTCP",true],["route_flips, TCP",true],["route_flips, MPTCP",false],["link_flaps, TCP",true],["link_flaps, MPTCP",false],["drained, TCP",true],["drained, MPTCP",false],["backend_killed, TCP",true],["backend_killed, MPTCP",false]]'

# Goes wrong where overload comes before clock_steps.
shrinks() {
	apart() { # SEED SEQUENCE RESULT
		jq -n --argjson holds "$([[ $2 != *overload*clock_steps* ]] && echo true || echo false)" \
			'{verdicts: [{what: "x", holds: $holds}]}' >"$3"
	}
	: >"$TESTBED_DIR/rows"
	shrink 7 "route_flips overload disk_full link_flaps clock_steps route_flips" 2>/dev/null
	jq -r .shrunk "$TESTBED_DIR/rows"
}

equal "a sequence that goes wrong is shrunk to what it takes" "$(in_scenario shrinks)" "overload clock_steps"

# ---- bad arguments -----------------------------------------------------------------------------

fails "an unknown scenario" 1 "no such scenario; there are: " "$MPLB_TESTBED" run nothing
fails "an unknown parameter" 1 "faults has no --speed; it has: " "$MPLB_TESTBED" run faults --speed 9
fails "a parameter without a value" 1 "a value is missing" "$MPLB_TESTBED" run faults --seed
fails "an unknown fault" 1 'no fault "quake"; there are: ' "$MPLB_TESTBED" run faults --faults quake

# ---- report ------------------------------------------------------------------------------------

holds "the report is made" "$MPLB_TESTBED" report
for f in faults anycast share; do
	at_least "the report has a plot of $f, as PNG too" "$(stat -c %s "$RESULTS/$f.png" 2>/dev/null || echo 0)" 2000
done
if command -v chromium >/dev/null; then
	HOME=$TESTBED_DIR timeout 60 chromium --headless --no-sandbox --disable-gpu --dump-dom \
		"file://$RESULTS/report.html" >"$TESTBED_DIR/dom" 2>/dev/null || true
	equal "a browser shows a section for each scenario" \
		"$(grep -o '<section id="[a-z]*"' "$TESTBED_DIR/dom" | cut -d'"' -f2 | xargs)" "anycast faults share"
	equal "and a plot in each" "$(grep -c '<svg' "$TESTBED_DIR/dom")" 3
	equal "and every verdict" "$(grep -oE '<td class="(holds|broken)">' "$TESTBED_DIR/dom" | wc -l)" \
		"$(jq -s 'map(.verdicts | length) | add' "$RESULTS"/{anycast,faults,share}.json)"
	equal "and needs nothing from elsewhere" \
		"$(grep -cE '(src|href)="(https?:|//|[a-z]+/)' "$TESTBED_DIR/dom" || true)" 0
else
	skip "a browser shows the report" "no chromium; mk/deps.sh --browser installs it"
fi
conclude
