# shellcheck shell=bash disable=SC2119,SC2120,SC2317 # arguments that are optional, calls by name
# SPDX-License-Identifier: GPL-2.0-only
#
# A service with everything of ours running, and faults to inject into it. To be sourced after
# scenario.sh, topology.sh and link.sh.
#
#	client ══ router ══ segment ── lb, lb2    (ECMP, an lb-agent each, health checks)
#	                        └───── b1, b2, b3 (gue; server-pm in userspace mode)
#
# A fault is a function fault_NAME: it breaks something, $VICTIM's if it is about a backend, waits, and
# mends it. `fault` says what it may do to connections through the VIP, to TCP and to MPTCP:
#
#	whole  nothing: none breaks, none waits longer than $STALL for an answer
#	wait   none breaks, but some may wait
#	own    the victim's may break, and new ones may fail until the victim is found out; others: whole

declare -gA FAULT_ABOUT=() FAULT_TCP=() FAULT_MPTCP=()
FAULTS=()
STALL=1		# seconds
VICTIM=b1
CLOCK=()	# a command in front of our daemons

fault() { # NAME TCP MPTCP ABOUT
	FAULTS+=("$1")
	FAULT_TCP[$1]=$2
	FAULT_MPTCP[$1]=$3
	FAULT_ABOUT[$1]=$4
}

# ---- the site ----------------------------------------------------------------------------------

# agent_up NODE
agent_up() {
	start "agent-$1" "$1" "${CLOCK[@]}" "$AGENT" --pin-dir "$PINS/$1" run -c "$TESTBED_DIR/site.yaml"
	ready "agent-$1"
}

# router_uses NODE...: the balancers that the router spreads flows over, by their 5-tuples.
router_uses() {
	local n hops4=() hops6=()

	for n in "$@"; do
		hops4+=(nexthop via "10.0.0.$([ "$n" = lb ] && echo 2 || echo 3)")
		hops6+=(nexthop via "fd00::$([ "$n" = lb ] && echo 2 || echo 3)")
	done
	ip -n "$(netns router)" route replace "$VIP4" "${hops4[@]}"
	ip -n "$(netns router)" -6 route replace "$VIP6" "${hops6[@]}"
}

# The state files of the agents are on a disk of their own, which can be filled.
state_disk() {
	mkdir "$TESTBED_DIR/state-$1"
	TESTBED_MOUNTS+=("$TESTBED_DIR/state-$1")
	mount -t tmpfs -o size=64k mplb "$TESTBED_DIR/state-$1"
}

# site_up: everything, and steady requests over TCP and MPTCP.
site_up() {
	local n

	topology_lb
	client_endpoints subflow
	on router sysctl -qw net.ipv4.fib_multipath_hash_policy=1 \
		net.ipv6.fib_multipath_hash_policy=1
	serve_backends
	PATH_MANAGER=userspace server_pm_up
	lb_config forward=gue \
		>"$TESTBED_DIR/site.yaml"
	second_balancer_node
	for n in lb lb2; do
		state_disk "$n"
		lbctl_on "$n" attach eth0 mode native >>"$TESTBED_DIR/lb.log" 2>&1
		agent_up "$n"
	done
	router_uses lb lb2
}

# traffic_up PROTO COUNT: so many connections that live as long as the run, each with a request every
# 0.2 s; one that breaks is opened again.
traffic_up() {
	start "hold-$1" client "$LOAD" hold --connect "$VIP4:80" --connect "[$VIP6]:80" --proto "$1" \
		--count "$2" --interval 0.2 --stall "$STALL" --timeout 25 --again 0.3 -j
	ready "hold-$1" established
}

traffic_down() {
	stop hold-tcp
	stop hold-mptcp
}

# ---- faults ------------------------------------------------------------------------------------

fault backend_killed own own "a server loses its power and comes back"
fault_backend_killed() {
	ip -n "$(netns switch)" link set "$VICTIM" down
	sleep 4
	ip -n "$(netns switch)" link set "$VICTIM" up
	sleep 2
}

fault service_killed own own "a server's service is killed and started again"
fault_service_killed() {
	stop "web-$VICTIM" KILL
	sleep 2
	serve_on "$VICTIM"
	sleep 2
}

fault balancer_killed wait whole "a balancer vanishes; the router notices half a second later"
fault_balancer_killed() {
	ip -n "$(netns switch)" link set lb down
	sleep 0.5
	router_uses lb2
	sleep 3
	ip -n "$(netns switch)" link set lb up
	sleep 1
	router_uses lb lb2
	sleep 1
}

fault agents_killed whole whole "kill -9 of every lb-agent and server-pm, and a new start"
fault_agents_killed() {
	local n

	for n in lb lb2; do
		stop "agent-$n" KILL
	done
	for n in "${BACKENDS[@]}"; do
		stop "pm-$n" KILL
	done
	sleep 1
	PATH_MANAGER=userspace server_pm_up
	agent_up lb
	agent_up lb2
	sleep 1
}

fault link_flaps wait whole "the client's first link goes up and down three times"
fault_link_flaps() {
	local i

	for i in 1 2 3; do
		ip -n "$(netns router)" link set c0 down
		sleep 0.4
		ip -n "$(netns router)" link set c0 up
		sleep 0.6
	done
	sleep 3
}

fault vip_blackholed wait whole "what goes to the VIP is lost for five seconds"
fault_vip_blackholed() {
	ip -n "$(netns router)" route replace blackhole "$VIP4"
	ip -n "$(netns router)" -6 route replace blackhole "$VIP6"
	sleep 5
	ip -n "$(netns router)" route del blackhole "$VIP4"
	ip -n "$(netns router)" -6 route del blackhole "$VIP6"
	router_uses lb lb2
	sleep 3
}

# lose_option SUBTYPE DEVICE PERCENT: of the packets with that MPTCP option that the router gets there.
lose_option() {
	on router nft "add table inet faults; add chain inet faults fw { type filter hook forward priority 0; };
		add rule inet faults fw iifname $2 tcp option mptcp subtype $1 numgen random mod 100 < $3 drop"
}

fault add_addr_lost whole whole "seven of ten ADD_ADDR are lost while 30 connections begin"
fault_add_addr_lost() {
	lose_option 3 lan 70
	newcomers add_addr_lost
	on router nft delete table inet faults
}

fault echo_lost whole whole "99 of 100 echoes of ADD_ADDR are lost while 30 connections begin"
fault_echo_lost() {
	lose_option 3 c0 99
	newcomers echo_lost
	on router nft delete table inet faults
}

# newcomers FAULT: 30 MPTCP connections that wait for their second subflow.
newcomers() {
	on client timeout 40 "$LOAD" get --connect "$VIP4:80" --proto mptcp --bytes 1000 --count 30 \
		--parallel 30 --hold-until-joined 30 -j >"$TESTBED_DIR/newcomers" 2>>"$TESTBED_DIR/faults.log" || true
	jq -e '.ok == 30 and .joined == 30' "$TESTBED_DIR/newcomers" >/dev/null ||
		complain "$1" "of 30 new connections $(jq -r '"\(.ok) were served, \(.joined) joined"' \
			"$TESTBED_DIR/newcomers")"
}

fault route_flips whole whole "the router moves all flows from one balancer to the other, and back"
fault_route_flips() {
	local i

	for i in lb lb2 lb lb2; do
		router_uses "$i"
		sleep 0.7
	done
	router_uses lb lb2
}

fault overload wait wait "a flood of SYNs, as fast as the generator can, for three seconds"
fault_overload() {
	on client timeout 3 "$LOAD" flood --connect "$VIP4:80" >>"$TESTBED_DIR/faults.log" 2>&1 || true
	sleep 3
}

fault clock_steps whole whole "the clock of our daemons steps an hour forth, and two back"
fault_clock_steps() {
	local step

	for step in +1h -1h; do
		echo "$step" >"$TESTBED_DIR/clock"
		sleep 2
	done
	echo "+0" >"$TESTBED_DIR/clock"
}

fault disk_full whole whole "no room for the agents' state, and an order given meanwhile"
fault_disk_full() {
	local n

	for n in lb lb2; do
		dd if=/dev/zero of="$TESTBED_DIR/state-$n/fill" bs=4k 2>/dev/null || true
		lbctl_on "$n" drain "$VICTIM" >>"$TESTBED_DIR/faults.log" 2>&1 || true
	done
	sleep 1.5
	for n in lb lb2; do
		rm "$TESTBED_DIR/state-$n/fill"
		lbctl_on "$n" undrain "$VICTIM" >>"$TESTBED_DIR/faults.log" 2>&1 ||
			complain disk_full "lbctl undrain fails with room on the disk again"
	done
	sleep 1.5
}

fault rolling_restart whole whole "every program of ours is replaced, one after the other"
fault_rolling_restart() {
	local n

	for n in lb lb2; do
		stop "agent-$n"
		lbctl_on "$n" attach eth0 >>"$TESTBED_DIR/faults.log" 2>&1 ||
			complain rolling_restart "lbctl attach on $n fails"
		agent_up "$n"
	done
	for n in "${BACKENDS[@]}"; do
		stop "pm-$n"
		PATH_MANAGER=userspace server_pm_up "$n"
	done
}

# ---- verdicts ----------------------------------------------------------------------------------

# inject NAME: with the time it took noted.
inject() {
	local began

	began=$(date +%s.%N)
	"fault_$1"
	jq -nc --arg n "$1" --arg v "$VICTIM" --arg a "${FAULT_ABOUT[$1]}" --arg tcp "${FAULT_TCP[$1]}" \
		--arg mptcp "${FAULT_MPTCP[$1]}" --argjson b "$began" --argjson e "$(date +%s.%N)" \
		'{fault: $n, about: $a, victim: $v, tcp: $tcp, mptcp: $mptcp, began: $b, ended: $e}' >>"$TESTBED_DIR/injected"
}

# complain NAME WHAT: what a fault saw by itself that must not be.
complain() {
	jq -nc --arg n "$1" --arg w "$2" '{fault: $n, what: $w}' >>"$TESTBED_DIR/complaints"
}

# troubles: of the traffic, each with the fault during which it came, as JSON lines; allowed: as that
# fault may do. What comes before the next fault is laid at the last one's door.
troubles() {
	jq -nc --slurpfile injected "$TESTBED_DIR/injected" --slurpfile tcp "$TESTBED_DIR/hold-tcp.out" \
		--slurpfile mptcp "$TESTBED_DIR/hold-mptcp.out" '
		($tcp[0], $mptcp[0]) as $h | $h.events[] | . as $e | ($h.began_unix_ms / 1000 + .at) as $t
		| ([$injected[] | select(.began <= $t)] | last // {fault: "none", victim: "", tcp: "whole", mptcp: "whole"}) as $f
		| {proto: $h.proto, at: $t, what: .what, server: .server, established, fault: $f.fault,
		allowed: ($f[$h.proto] as $may |
			if $may == "own" then (.server == $f.victim or (.established | not))
			elif $may == "wait" then .what == "stall"
			else false end)}'
}
