# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Anycast with real BGP: BIRD on the router and on the nodes that announce VIPs, lb-agent beside it. To
# be sourced after lib.sh and topology.sh.
#
#	topology_lb
#	bgp_router lb lb2                  BIRD on the router, a session with each; equal routes are shared
#	bgp_speaker lb web4=$VIP4          BIRD on a node; protocol anycast_web4 announces the VIP, disabled
#	agent_up lb "$(lb_config)…"        lb-agent, which enables it
#	await 5 routed "$VIP4" 2           the router has two next hops for it
#
# Timers are as fast as BIRD's unit, a second, allows; there is no BFD.

LB_AGENT=${LB_AGENT:-$BUILD/lb-agent}
BGP_TIMERS="hold time 3; keepalive time 1; connect retry time 1; connect delay time 1; error wait time 1, 1;"

# lan_of NODE 4|6: its address on the segment.
lan_of() {
	case $1 in
	lb) [ "$2" = 4 ] && echo 10.0.0.2 || echo fd00::2 ;;
	lb2) [ "$2" = 4 ] && echo 10.0.0.3 || echo fd00::3 ;;
	*) "lan$2" "$1" ;;
	esac
}

# bird_up NODE: with $TESTBED_DIR/NODE.bird. Its socket is $TESTBED_DIR/NODE.ctl.
bird_up() {
	start "bird-$1" "$1" bird -f -c "$TESTBED_DIR/$1.bird" -s "$TESTBED_DIR/$1.ctl" \
		-P "$TESTBED_DIR/$1.bird.pid"
	await 10 birdc "$1" show status >/dev/null || {
		cat "$TESTBED_DIR/bird-$1.err" >&2
		return 1
	}
}

# birdc NODE COMMAND...
birdc() {
	command birdc -s "$TESTBED_DIR/$1.ctl" "${@:2}" 2>&1
}

# bgp_router NODE...: the router shares a VIP's connections between the nodes that announce it, by
# addresses and ports. Its own routes to the VIPs go.
bgp_router() {
	local n f

	on router sysctl -qw net.ipv4.fib_multipath_hash_policy=1 \
		net.ipv6.fib_multipath_hash_policy=1
	ip -n "$(netns router)" route del "$VIP4" 2>/dev/null || true
	ip -n "$(netns router)" -6 route del "$VIP6" 2>/dev/null || true
	{
		echo "log stderr all;"
		echo "router id 10.0.0.1;"
		echo "protocol device {}"
		for f in 4 6; do
			echo "protocol kernel { ipv$f { export where source = RTS_BGP; };" \
				"merge paths on; }"
			for n in "$@"; do
				echo "protocol bgp ${n}_$f { local as 65000; passive;" \
					"neighbor $(lan_of "$n" "$f") as 65001; $BGP_TIMERS" \
					"ipv$f { import all; export none; }; }"
			done
		done
	} >"$TESTBED_DIR/router.bird"
	bird_up router
}

# bgp_speaker NODE NAME=ADDRESS...: what lb-agent enables. Nothing goes into the node's own tables.
bgp_speaker() {
	local node=$1 arg f len

	{
		echo "log stderr all;"
		echo "router id $(lan_of "$node" 4);"
		echo "protocol device {}"
		for arg in "${@:2}"; do
			f=4 len=32
			[[ ${arg#*=} != *:* ]] || f=6 len=128
			echo "protocol static anycast_${arg%%=*} { disabled;" \
				"ipv$f; route ${arg#*=}/$len blackhole; }"
		done
		for f in 4 6; do
			local router=10.0.0.1

			[ "$f" = 4 ] || router=fd00::1
			echo "protocol bgp router_$f { local as 65001; neighbor $router as 65000;" \
				"$BGP_TIMERS ipv$f { import none; export where source = RTS_STATIC; }; }"
		done
	} >"$TESTBED_DIR/$node.bird"
	bird_up "$node"
	await 15 bgp_established "$node" || {
		birdc "$node" show protocols >&2
		return 1
	}
}

bgp_established() {
	[ "$(birdc "$1" show protocols | grep -c ' BGP .* Established')" -eq 2 ]
}

# routed ADDRESS COUNT: does the router have so many next hops for it?
routed() {
	[ "$(next_hops "$1")" -eq "$2" ]
}

# next_hops ADDRESS: how many the router has.
next_hops() {
	local family=-4

	[[ $1 != *:* ]] || family=-6
	ip -n "$(netns router)" -j "$family" route show "$1" |
		jq '[.[] | .nexthops // [.] | length] | add // 0'
}

# anycast_config NODE NAME... [KEY=VALUE...]: the config's anycast section, for VIPs of these names.
anycast_config() {
	local node=$1 arg names=() keys=

	shift
	for arg in "$@"; do
		case $arg in
		*=*) keys+=", ${arg%%=*}: ${arg#*=}" ;;
		*) names+=("$arg") ;;
		esac
	done
	echo "anycast:"
	for arg in "${names[@]}"; do
		echo "  - {vip: $arg, speaker: bird, socket: $TESTBED_DIR/$node.ctl," \
			"protocol: anycast_$arg$keys}"
	done
}

# agent_up NODE: lb-agent with $TESTBED_DIR/NODE.yaml, with the capabilities that its unit gives it.
agent_up() {
	start "agent-$1" "$1" setpriv --no-new-privs --bounding-set "$(agent_capabilities)" \
		"$LB_AGENT" --pin-dir "$PINS/$1" run -c "$TESTBED_DIR/$1.yaml"
	ready "agent-$1"
}

# As setpriv wants them: -all,+bpf,...
agent_capabilities() {
	sed -n 's/^CapabilityBoundingSet=//p' "$TESTBED_ROOT/lb-agent/lb-agent.service" |
		tr '[:upper:]' '[:lower:]' | sed 's/cap_/+/g; s/ /,/g; s/^/-all,/'
}
