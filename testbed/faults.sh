# shellcheck shell=bash disable=SC2119,SC2120,SC2317 # arguments that are optional, calls by name
# SPDX-License-Identifier: GPL-2.0-only
#
# A service with everything of ours running, and faults to inject into it. To be sourced after
# scenario.sh, topology.sh and bgp.sh.
#
#	client ══ router ══ segment ── lb, lb2    (BIRD and ECMP; an lb-agent each, with health checks)
#	          (BIRD)        └───── b1, b2, b3 (gue; server-pm in userspace mode)
#
# A fault is a function fault_NAME: it breaks something, $VICTIM's if it is about a backend, waits, and
# mends it. `fault` says what it may do to connections through the VIP, to TCP and to MPTCP:
#
#	whole  nothing: none breaks, none waits longer than $STALL for an answer
#	wait   none breaks, but some may wait
#	own    the victim's may break, and new ones may fail until the victim is found out; others: whole
#	gone   as own; but others may wait that long, too: those whose slots are the victim's now, and which it
#	       passes on (second chance)

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

# Our daemons' clock is what $TESTBED_DIR/clock says, as steps from the real one.
clock_command() {
	echo "+0" >"$TESTBED_DIR/clock"
	CLOCK=(env "LD_PRELOAD=$(faketime_library)" "FAKETIME_TIMESTAMP_FILE=$TESTBED_DIR/clock"
		FAKETIME_CACHE_DURATION=1 FAKETIME_DONT_FAKE_MONOTONIC=1)
}

faketime_library() {
	dpkg -L libfaketime 2>/dev/null | grep '/libfaketime\.so' ||
		die "no libfaketime, so no steps of the clock: apt-get install faketime"
}

# site_agent_up NODE
site_agent_up() {
	start "agent-$1" "$1" "${CLOCK[@]}" "$LB_AGENT" --pin-dir "$PINS/$1" \
		--socket "$TESTBED_DIR/$1.sock" --state "$TESTBED_DIR/state-$1/orders.json" \
		run -c "$TESTBED_DIR/$1.yaml"
	ready "agent-$1"
}

# site_pm_up NODE...
site_pm_up() {
	local n

	for n in "$@"; do
		PATH_MANAGER=userspace server_config "$n" >"$TESTBED_DIR/$n.yaml"
		start "pm-$n" "$n" "${CLOCK[@]}" "$SERVER_PM" --pin-dir "$PINS/$n" run -c "$TESTBED_DIR/$n.yaml"
	done
	for n in "$@"; do
		ready "pm-$n"
	done
}

# The state file of an agent is on a disk of its own, which can be filled.
state_disk() {
	mkdir "$TESTBED_DIR/state-$1"
	TESTBED_MOUNTS+=("$TESTBED_DIR/state-$1")
	mount -t tmpfs -o size=64k mplb "$TESTBED_DIR/state-$1"
}

site_config() { # NODE
	lb_config forward=gue | sed '/forward: gue/a\    health: {type: tcp, interval: 250ms, timeout: 250ms, rise: 2, fall: 3}'
	anycast_config "$1" web4 web6 hold_down=1s drain_time=1s
}

site_up() {
	local n

	clock_command
	topology_lb
	client_endpoints subflow
	serve_backends
	site_pm_up "${BACKENDS[@]}"
	second_balancer_node
	bgp_router lb lb2
	for n in lb lb2; do
		state_disk "$n"
		site_config "$n" >"$TESTBED_DIR/$n.yaml"
		lbctl_on "$n" attach eth0 mode native >>"$TESTBED_DIR/lb.log" 2>&1
		bgp_speaker "$n" "web4=$VIP4" "web6=$VIP6"
		site_agent_up "$n"
	done
	announced_by 2 || die "the balancers do not announce the VIPs"
}

# announced_by COUNT: waits for the router to have so many next hops for each VIP.
announced_by() {
	await 15 routed "$VIP4" "$1" && await 15 routed "$VIP6" "$1"
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

fault backend_killed gone own "a server loses its power and comes back"
fault_backend_killed() {
	ip -n "$(netns switch)" link set "$VICTIM" down
	sleep 4
	ip -n "$(netns switch)" link set "$VICTIM" up
	sleep 4 # the longest that TCP waits before it tries again
}

fault service_killed own own "a server's service is killed and started again"
fault_service_killed() {
	stop "web-$VICTIM" KILL
	sleep 2
	serve_on "$VICTIM"
	sleep 2
}

fault balancer_killed wait whole "a balancer vanishes; the router notices when BGP's hold time is over"
fault_balancer_killed() {
	ip -n "$(netns switch)" link set lb down
	announced_by 1 || complain balancer_killed "the router does not notice"
	sleep 3
	ip -n "$(netns switch)" link set lb up
	announced_by 2 || complain balancer_killed "the balancer does not come back"
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
	site_pm_up "${BACKENDS[@]}"
	site_agent_up lb
	site_agent_up lb2
	sleep 1
}

fault link_flaps wait whole "the client's first link goes up and down three times"
fault_link_flaps() {
	# Or its IPv6 addresses go with the link, and do not come back with it.
	on router sysctl -qw net.ipv6.conf.c0.keep_addr_on_down=1
	for _ in 1 2 3; do
		ip -n "$(netns router)" link set c0 down
		sleep 0.4
		ip -n "$(netns router)" link set c0 up
		sleep 0.6
	done
	sleep 3
}

fault vip_blackholed wait whole "what goes to the VIP is lost for five seconds"
fault_vip_blackholed() {
	# Before the routes of BIRD, whose metric is 32.
	ip -n "$(netns router)" route add blackhole "$VIP4" metric 1
	ip -n "$(netns router)" -6 route add blackhole "$VIP6" metric 1
	sleep 5
	ip -n "$(netns router)" route del blackhole "$VIP4" metric 1
	ip -n "$(netns router)" -6 route del blackhole "$VIP6" metric 1
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

fault route_flips whole whole "the router loses each balancer in turn, twice: all flows move"
fault_route_flips() {
	local n f

	for n in lb lb2 lb lb2; do
		for f in 4 6; do
			birdc router disable "${n}_$f" >>"$TESTBED_DIR/faults.log"
		done
		sleep 0.7
		for f in 4 6; do
			birdc router enable "${n}_$f" >>"$TESTBED_DIR/faults.log"
		done
		announced_by 2 || complain route_flips "$n does not come back"
	done
}

fault bgp_reset whole whole "the BGP sessions of a balancer are reset"
fault_bgp_reset() {
	birdc lb restart router_4 >>"$TESTBED_DIR/faults.log"
	birdc lb restart router_6 >>"$TESTBED_DIR/faults.log"
	sleep 0.5
	announced_by 2 || complain bgp_reset "the sessions do not come back"
}

fault bird_killed wait whole "BIRD of a balancer is killed, and started again"
fault_bird_killed() {
	stop bird-lb KILL
	sleep 2
	bird_up lb
	announced_by 2 || complain bird_killed "the balancer is not announced again"
}

fault overload wait wait "a flood of SYNs to the VIP, as fast as they can be made, for three seconds"
fault_overload() {
	on client "$LOAD" syn --to "$VIP4:80" --seconds 3 >>"$TESTBED_DIR/faults.log" 2>&1 ||
		complain overload "there was no flood"
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

fault disk_full whole whole "no room for the agents' state, and orders given meanwhile"
fault_disk_full() {
	local n

	for n in lb lb2; do
		dd if=/dev/zero of="$TESTBED_DIR/state-$n/fill" bs=4k 2>/dev/null || true
		order "$n" drain || true # it may refuse
	done
	sleep 1.5
	for n in lb lb2; do
		rm "$TESTBED_DIR/state-$n/fill"
		order "$n" drain || complain disk_full "lbctl drain fails on $n, with room on the disk again"
	done
	sleep 1.5
	for n in lb lb2; do
		order "$n" undrain || complain disk_full "lbctl undrain fails on $n, with room on the disk again"
	done
	sleep 1
}

order() { # NODE ORDER, for $VICTIM in both pools
	local f

	for f in 4 6; do
		lbctl_on "$1" "$2" "servers$f/$VICTIM" >>"$TESTBED_DIR/faults.log" 2>&1 || return 1
	done
}

fault drained whole whole "a server is drained on both balancers, and taken back"
fault_drained() {
	local n

	for n in drain undrain; do
		{ order lb "$n" && order lb2 "$n"; } || complain drained "lbctl $n fails"
		sleep 2
	done
}

fault rolling_restart whole whole "every program of ours is stopped and started, one after the other"
fault_rolling_restart() {
	local n

	for n in lb lb2; do
		stop "agent-$n" # withdraws, waits, takes the program off the NIC
		lbctl_on "$n" attach eth0 mode native >>"$TESTBED_DIR/faults.log" 2>&1 ||
			complain rolling_restart "lbctl attach on $n fails"
		site_agent_up "$n"
		announced_by 2 || complain rolling_restart "$n is not announced again"
	done
	for n in "${BACKENDS[@]}"; do
		stop "pm-$n"
		site_pm_up "$n"
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
# fault may do. What comes before the next fault is laid at the last one's door; clocks agree to some
# milliseconds. between: the connection was opened after a change of the pool and broke at a later one,
# with no settling in between, which is the known limit of the second chance (docs/limits.md).
troubles() {
	jq -nc --slurpfile injected "$TESTBED_DIR/injected" --slurpfile tcp "$TESTBED_DIR/hold-tcp.out" \
		--slurpfile mptcp "$TESTBED_DIR/hold-mptcp.out" '
		["backend_killed", "service_killed", "disk_full", "drained", "balancer_killed"] as $changes
		| ($tcp[0], $mptcp[0]) as $h | $h.events[] | . as $e | ($h.began_unix_ms / 1000) as $t0 | ($t0 + .at) as $t
		| ([$injected[] | select(.began <= $t + 0.02)] | last // {fault: "none", victim: "", tcp: "whole", mptcp: "whole"}) as $f
		| ([$injected[] | select(.fault as $n | $changes | index($n)) | .began] | first // infinite) as $first
		| (.what == "reset" and .established and $t0 + .opened > $first and $f.began > $t0 + .opened
			and ($changes | index($f.fault)) != null) as $between
		| {proto: $h.proto, at: $t, what: .what, server: .server, established, fault: $f.fault, between: $between,
		allowed: ($between or ($f[$h.proto] as $may |
			if $may == "own" or $may == "gone" then
				(.server == $f.victim or (.established | not) or ($may == "gone" and .what == "stall"))
			elif $may == "wait" then .what == "stall"
			else false end))}'
}
