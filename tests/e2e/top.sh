#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# `lbctl top`: one page, a page a second in a pipe, JSON, and on a terminal, which it leaves as it was.
#
#	client ── router ──┬── lb
#	                   ├── b1  ┐
#	                   ├── b2  ├ server-pm
#	                   └── b3  ┘
# shellcheck disable=SC2317 # functions that `await` calls
# shellcheck source=tests/e2e/check.bash
. "$(dirname "$0")/check.bash"

ESC=$'\033'

# drawn LABEL: has lbctl begun to draw?
drawn() {
	grep -qF '[H' "$TESTBED_DIR/$1.out"
}

# on_terminal LABEL KEYS COMMAND: in a shell on a terminal of 80 x 24, with keys typed 1 s after the
# first page.
on_terminal() {
	: >"$TESTBED_DIR/$1.out"
	{
		await 10 drawn "$1" || true
		sleep 1
		printf '%s' "$2"
		sleep 0.3
	} | on lb timeout 30 script -qec "stty rows 24 cols 80; stty -g; $3; echo code \$?; stty -g" \
		/dev/null >>"$TESTBED_DIR/$1.out" 2>&1 || true
}

# once_drawn LABEL COMMAND: for on_terminal, the command that runs beside the one on the terminal.
once_drawn() {
	echo "(until grep -qF '[H' $TESTBED_DIR/$1.out; do sleep 0.1; done; $2) &"
}

# left_well LABEL: the other screen and the hidden cursor are undone, and the settings as before.
left_well() {
	equal "$1: the screen is entered and left once" \
		"$(grep -o "${ESC}\[?1049[hl]" "$TESTBED_DIR/$1.out" | tr -d '\033' | tr '\n' ' ')" \
		"[?1049h [?1049l "
	equal "$1: the cursor is back" "$(grep -o "${ESC}\[?25[hl]" "$TESTBED_DIR/$1.out" | tail -1)" \
		"${ESC}[?25h"
	equal "$1: the terminal is as it was" \
		"$(tr -d '\r' <"$TESTBED_DIR/$1.out" | grep -oE '([0-9a-f]+:){10,}[0-9a-f]+' |
			sort -u | wc -l)" 1
}

# last_page LABEL: as lines.
last_page() {
	tr -d '\r' <"$TESTBED_DIR/$1.out" | awk -v RS="$ESC\\\\[H" 'NR > 1 { page = $0 } END { print page }' |
		sed "s/${ESC}\[[0-9;?]*[A-Za-z]//g" | sed '/^code /,$d'
}

topology_lb
serve_backends
server_pm_up
lb_up forward=gue
TOP="$LBCTL --pin-dir $PINS/lb top"

keep tcp "$(vip 4)" --count 10 --parallel 10
get_in_background mptcp "$(vip 4)" --proto mptcp --bytes 10k --count 200 --parallel 5
lbctl -j top --once >"$TESTBED_DIR/once.out"
at_least "a second in JSON: packets of the VIP" \
	"$(of once '.vips[] | select(.name == "web4") | .packets_s | floor')" 20
equal "the busiest is the first" "$(of once '.vips[0].name')" web4
equal "backends have their states" "$(of once '[.backends[].state] | unique | join(" ")')" active
equal "most new connections are MPTCP" "$(of once '.vips[0].mptcp_share > 0.5')" true
let_go tcp
finish mptcp 20 || true

quietly() {
	"$@" >>"$TESTBED_DIR/lb.log" 2>&1
}
quietly lbctl drain servers4/b1
lbctl top --once >"$TESTBED_DIR/page.out"
holds "one page: a VIP" grep -qE '^web4 +[0-9.]+' "$TESTBED_DIR/page.out"
holds "one page: a backend, and its order" \
	grep -qE '^b1 .* servers4 +draining drain' "$TESTBED_DIR/page.out"
lbctl top --interval 0.2 | head -60 >"$TESTBED_DIR/pipe.out" || true
at_least "in a pipe: page after page" "$(grep -c '^mplb on eth0' "$TESTBED_DIR/pipe.out")" 2
equal "in a pipe: no control sequences" "$(grep -c "$ESC" "$TESTBED_DIR/pipe.out")" 0
fails "an interval that is none" 1 'no interval' lbctl top --interval 0
fails "a word too many" 1 'cannot read "now"' lbctl top now

on_terminal q q "$TOP --interval 0.2"
left_well q
holds "q: ends with 0" grep -q 'code 0' "$TESTBED_DIR/q.out"
on_terminal "^C" $'\003' "$TOP --interval 0.2"
left_well "^C"
on_terminal resized q "$(once_drawn resized "stty rows 12 cols 40 </dev/tty") $TOP --interval 0.2"
left_well resized
at_least "resized: there is a page" "$(last_page resized | wc -l)" 8
at_most "resized: no line is wider" "$(last_page resized | wc -L)" 40
at_most "resized: nor higher" "$(last_page resized | wc -l)" 12
on_terminal gone "" "$(once_drawn gone "$LBCTL --pin-dir $PINS/lb detach all") $TOP --interval 0.2"
left_well gone
holds "the data plane goes: said, where it can be read" \
	grep -q 'top: the data plane was taken away' "$TESTBED_DIR/gone.out"
conclude
