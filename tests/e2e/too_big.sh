#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The path to the backends is no wider than the clients', and nobody lowers the MSS: a full-size packet
# does not fit its tunnel. The balancer says so to the sender, who makes smaller ones.
#
#	client ══ MTU 1500 ══ router ── MTU 1500 ──┬── lb
#	                                           ├── b1  ┐
#	                                           ├── b2  ├ server-pm, decapsulate.mtu 0
#	                                           └── b3  ┘
# shellcheck source=tests/e2e/check.bash
. "$(dirname "$0")/check.bash"

# learnt FAMILY: the MTU towards the VIP that the client has learnt.
learnt() {
	local to=VIP$1

	ip -n "$(netns client)" -"$1" route get "${!to}" | sed -n 's/.* mtu \([0-9]*\).*/\1/p'
}

# forget: it knows nothing; neither it nor the servers remember how connections fared.
forget() {
	ip -n "$(netns client)" route flush cache
	ip -n "$(netns client)" -6 route flush cache
}

topology_lb
for n in lb "${BACKENDS[@]}"; do
	ip -n "$(netns "$n")" link set eth0 mtu 1500
	ip -n "$(netns switch)" link set "$n" mtu 1500
done
serve_backends
DECAPSULATE=", mtu: 0" server_pm_up
lbctl attach eth0 mode native >"$TESTBED_DIR/lb.log" 2>&1

# upload WHAT FAMILY MTU OPTIONS...
upload() {
	local what="$1, IPv$2" answered

	forget
	equal "$what: at first it knows of no limit" "$(learnt "$2")" ""
	answered=$(drops too_big_answered)
	get up "$(vip "$2")" --put --bytes 300k --count 6 --parallel 3 "${@:4}"
	served up "$what: uploads arrive"
	at_least "$what: packets were too big, and answered" \
		"$(($(drops too_big_answered) - answered))" 1
	equal "$what: the sender has learnt the MTU" "$(learnt "$2")" "$3"
}

# An outer header takes 20 or 40 bytes (ipip), 40 or 72 (gue).
lb_apply forward=ipip
upload "ipip" 4 1480
upload "ipip" 6 1460
lb_apply forward=gue
upload "gue" 4 1460
upload "gue" 6 1428
upload "gue, MPTCP" 4 1460 --proto mptcp
lb_apply forward=gue outer=6
upload "gue over IPv6" 4 1428
equal "no packet was dropped without an answer" "$(drops too_big)" 0
conclude
