#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# lb-agent is killed at any time, in the middle of changes, under traffic: no packet is lost, what is in
# force is whole, and orders that it confirmed are there. KILLS=50 kills it that often (12 by default).
#
#	client ── router ──┬── lb    eth0 (the balancer, lb-agent)
#	                   ├── b1  ┐
#	                   ├── b2  ├ server-pm
#	                   └── b3  ┘
# shellcheck source=tests/e2e/check.bash
. "$(dirname "$0")/check.bash"
# shellcheck source=tests/e2e/agent.bash
. "$(dirname "$0")/agent.bash"

KILLS=${KILLS:-12}

# change N: the N-th of changes of both kinds, config and order. All of them go between two states of the
# pool, so that no connection is lost to a third (docs/control.md).
change() {
	case $(($1 % 4)) in
	0) lbctl apply "$TESTBED_DIR/two.yaml" ;;
	1) lbctl apply "$TESTBED_DIR/lb.yaml" ;;
	2) lbctl drain b3 ;;
	3) lbctl undrain b3 ;;
	esac
}

topology_lb
serve_backends
server_pm_up
lb_config forward=gue outer=4 >"$TESTBED_DIR/lb.yaml"
lb_config forward=gue outer=4 members="b1 b2" >"$TESTBED_DIR/two.yaml"
lbctl attach eth0 mode native >>"$TESTBED_DIR/lb.log" 2>&1
agent_run
get_in_background long "$(vip 4)" --bytes 2000 --requests $((KILLS * 15 + 20)) --gap 0.1 --stall 5 \
	--timeout 600 --count 40 --parallel 40 --mark 4000
ready long mark
get_in_background fresh "$(vip 4)" --bytes 2000 --count $((KILLS * 200)) --parallel 2 --gap 0.01 \
	--requests 2 --stall 5

RANDOM=7
lost=0 confirmed=0 want=
for ((i = 0; i < KILLS; i++)); do
	change "$i" >"$TESTBED_DIR/change.out" 2>&1 &
	changing=$!
	sleep "0.0$((RANDOM % 90 + 10))"
	stop agent KILL
	code=0
	wait "$changing" || code=$?
	if [ "$code" -eq 0 ]; then
		confirmed=$((confirmed + 1))
		case $((i % 4)) in
		2) want=drain ;;
		3) want= ;;
		esac
	fi
	agent_run || die "it does not start again"
	# Its own config is in force, and the orders. One that was not confirmed may be in force or not.
	now=$(backend b3 '.marks | join(",")')
	if [ "$code" -eq 0 ] && [ "$now" != "$want" ]; then
		echo "round $i: b3 \"$now\", want \"$want\"" >&2
		lost=$((lost + 1))
	fi
	want=$now
done
echo "$confirmed of $KILLS changes were confirmed before the agent died" >&2
equal "killed $KILLS times: what was confirmed is in force" "$lost" 0
equal "the agent's config is in force" "$(lbctl -j show backend | jq '[.[] | select(.marks | index("gone") | not)] | length')" 3
finish long $((KILLS * 2 + 20)) || true
served long "connections from before go on"
finish fresh $((KILLS * 2 + 20)) || true
served fresh "new connections are served"
equal "the balancer lost no packet" "$(drops DROP)" 0
equal "and met no inconsistent table" "$(drops table_inconsistent)" 0
agent_stop
conclude
