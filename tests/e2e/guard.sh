#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The guard of the dedicated addresses: floods of SYNs, plain and with made-up tokens; what gets in
# and what does not; server-pm killed, open and closed. Lines that begin with # are figures.
#
#	client ══ eth0, eth1 ══ router ── server   (tests/e2e/userspace.bash)
#	  flood                            guard on eth0
#
# FLOOD, RATE, HONEST: seconds, SYNs a second, connections meanwhile.
# shellcheck disable=SC2317 # functions that `holds` and `await` call
# shellcheck source=tests/e2e/guard.bash
. "$(dirname "$0")/guard.bash"

FLOOD=${FLOOD:-3}	# seconds
RATE=${RATE:-10k}	# SYNs a second
HONEST=${HONEST:-200}	# connections meanwhile

# ---- floods ------------------------------------------------------------------------------------

# A measure that cannot tell a flood from none is worth nothing.
check_unguarded() {
	flood off "$OWN4:80" --rate "$RATE" --seconds 2
	at_least "without the guard a flood makes request sockets" "$(made_up_requests 2)" 100
	finish off 10 || true
}

# flooded WHAT REASON ADDR:PORT OPTIONS...: transfers and joins while the flood is on.
flooded() {
	local what=$1 reason=$2 before early sent there

	there=$(made_up_now)
	before=$(guarded "$reason") early=$(guarded early)
	keep slow "$(vip 4)" --proto mptcp --count 10 --parallel 10 --join-first 3
	holds "$what: connections off the VIP" await 5 state_is off_path 10
	flood flood "${@:3}" --rate "$RATE" --seconds "$FLOOD"
	get_in_background honest "$(vip 4)" --proto mptcp --bytes 1k --count "$HONEST" \
		--parallel 20 --hold-until-joined 10
	# Some may be left of a join with a right token.
	at_most "$what: request sockets of made-up clients" "$(made_up_requests "$FLOOD")" "$there"
	finish honest 60 || true
	finish flood 20 || true
	let_go slow
	served slow "$what: transfers under way are served"
	served honest "$what: new connections are served"
	equal "$what: honest joins" "$(of honest .joined)" "$HONEST"
	sent=$(jq .sent "$TESTBED_DIR/flood.out")
	before=$(($(guarded "$reason") - before)) early=$(($(guarded early) - early))
	echo "# $TEST: $what: $sent sent, $before dropped, $early let in by the budget"
	# The links may lose some of it.
	at_least "$what: the guard has seen the flood, percent" \
		$(((before + early) * 100 / (sent + 1))) 90
	at_most "$what: the budget for tokens not known" "$early" \
		$((($(nproc) * (FLOOD + 12)) * 1000))
}

made_up_now() {
	on server ss -Htan state syn-recv | grep -cE '198\.1[89]\.|2001:2:' || true
}

# made_up_requests SECONDS: the most request sockets of made-up clients that there were at a time.
# Those of honest ones come and go.
made_up_requests() {
	local end=$((SECONDS + $1)) most=0 now

	while [ "$SECONDS" -lt "$end" ]; do
		now=$(made_up_now)
		[ "$now" -le "$most" ] || most=$now
		sleep 0.1
	done
	echo "$most"
}

# ---- what gets in ------------------------------------------------------------------------------

reaches() { # ADDR:PORT
	get reach "$1" --bytes 100 --timeout 1
	[ "$(of reach .ok)" = 1 ]
}

reaches_not() {
	! reaches "$1"
}

check_what_gets_in() {
	local f own before

	start admin server "$LOAD" serve --proto tcp --listen '*:2222' --listen '*:2223' --name admin
	ready admin
	start far client "$LOAD" serve --proto tcp --udp --listen '*:7' --name far
	ready far
	for f in 4 6; do
		own=$OWN4
		[ "$f" = 4 ] || own="[$OWN6]"
		holds "IPv$f: a plain SYN to the service is dropped" reaches_not "$own:80"
		holds "IPv$f: a port of guard_allow is open" reaches "$own:2222"
		holds "IPv$f: others are not" reaches_not "$own:2223"
		holds "IPv$f: the VIP is" reaches "$(vip "$f")"
	done
	holds "the server's own connections from a dedicated address" on server "$LOAD" get \
		--connect 192.0.2.2:7 --source "$OWN4" --bytes 100k --timeout 5
	holds "answers to its datagrams" on server "$LOAD" get --udp --connect 192.0.2.2:7 \
		--source "$OWN4" --bytes 1000 --stall 3
	before=$(guarded listener)
	# 2223 is plain TCP: it would take the SYN for one of its own.
	flood_once "$OWN4:2223" --count 5 --join random >/dev/null
	equal "a join to a listener without MPTCP" $(($(guarded listener) - before)) 5
	stop admin
	stop far
}

# ---- tokens ------------------------------------------------------------------------------------

token_of_one() {
	pm connections -j | jq -r '.[0].token'
}

known_are() {
	[ "$(tokens)" -eq "$1" ]
}

none_live() {
	[ "$(pm connections -j | jq length)" -eq 0 ]
}

check_tokens() {
	local before token

	await 10 none_live || true
	keep one "$(vip 4)" --proto mptcp --join-first 3
	holds "a connection off the VIP" await 5 state_is off_path 1
	token=$(token_of_one)
	holds "its token is known" await 5 known_are 1
	before=$(guarded join)
	flood_once "$OWN4:80" --count 3 --join "$token" >/dev/null
	equal "a join with it gets in" $(($(guarded join) - before)) 3
	let_go one
	served one "and it is served"
	holds "it ends: the token is forgotten" await 10 known_are 0
}

# ---- server-pm dies ----------------------------------------------------------------------------

stale() {
	[ "$(pm status -j | jq .guard.stale)" = true ]
}

joins() { # LABEL SECONDS
	get "$1" "$(vip 4)" --proto mptcp --bytes 1k --count 20 --parallel 20 --hold-until-joined "$2"
	of "$1" .joined
}

check_killed() {
	local sent before

	guard_up kernel "guard: on" "guard_devices: [eth0]"
	keep live "$(vip 4)" --proto mptcp --count 10 --parallel 10 --join-first 3
	holds "off the VIP" await 5 state_is off_path 10
	stop pm KILL
	equal "kill -9: its tokens stay" "$(tokens)" 10
	equal "kill -9: connections begun before may join" \
		"$(flood_once "$OWN4:80" --count 3 --join "$(token_of_one)")" 3
	equal "kill -9: new ones have the budget" "$(joins soon 5)" 20
	let_go live
	served live "kill -9: transfers are served"
	holds "ten seconds later" await 15 stale
	before=$(guarded stale)
	equal "open: new connections join" "$(joins open 5)" 20
	at_least "open: by no token" $(($(guarded stale) - before)) 20
	before=$(guarded syn)
	sent=$(flood_once "$OWN4:80" --count 1000 --rate 5k)
	at_least "open: plain SYNs are dropped all the same" $(($(guarded syn) - before)) \
		$((sent * 9 / 10))
	guard_up kernel "guard: on" "guard_devices: [eth0]" "guard_on_stale: closed"
	keep live "$(vip 4)" --proto mptcp --join-first 3
	holds "closed: a connection off the VIP" await 5 state_is off_path 1
	stop pm KILL
	# As if ten seconds had gone by.
	bpftool map update pinned "$(find "$PINS/server" -name guard_beat)" key 0 0 0 0 \
		value 0 0 0 0 0 0 0 0
	holds "closed: it is not heard of" stale
	before=$(guarded token)
	equal "closed: new connections do not join" "$(joins closed 2)" 0
	served closed "closed: and are served by the VIP"
	at_least "closed: their joins are counted" $(($(guarded token) - before)) 20
	before=$(guarded join)
	flood_once "$OWN4:80" --count 3 --join "$(token_of_one)" >/dev/null
	equal "closed: joins to connections known before get in" $(($(guarded join) - before)) 3
	keep late "$(vip 4)" --proto mptcp
	holds "closed: a connection of which nobody is told" await 5 state_is vip 1
	pm_up
	holds "started again: both live connections are known" await 5 known_are 2
	equal "started again: new connections join" "$(joins again 5)" 20
	let_go late
	let_go live
	served live "started again: the transfer is served"
}

# ---- filters and maps come and go --------------------------------------------------------------

filter_there() {
	on server tc filter show dev eth0 ingress | grep -q mplb_guard
}

# reload [LINE...]: the config's other lines, by SIGHUP.
reload() {
	local before

	before=$(grep -c 'reloaded:' "$TESTBED_DIR/pm.err" || true)
	guard_config kernel "$@"
	kill -HUP "${TESTBED_PID[pm]}"
	await 5 reloaded "$before" || die "not reloaded"
}

reloaded() { # TIMES-BEFORE
	[ "$(grep -c 'reloaded:' "$TESTBED_DIR/pm.err")" -gt "$1" ]
}

check_keeping() {
	on server tc filter del dev eth0 ingress
	holds "the filter is put back" await 5 filter_there
	reload
	fails "reloaded, guard off: the filter is gone" 1 '' filter_there
	equal "reloaded, guard off: its maps are gone" "$(find "$PINS/server" -name 'guard_*' | wc -l)" 0
	reload "guard: on" "guard_devices: [eth0]"
	holds "reloaded, guard on: it is back" filter_there
	equal "reloaded, guard on: connections join" "$(joins reloaded 5)" 20
	at_least "reloaded, guard on: by their tokens" "$(($(guarded join) + $(guarded early)))" 20
	start admin server "$LOAD" serve --proto tcp --listen '*:2222' --name admin
	ready admin
	holds "a port is closed" reaches_not "$OWN4:2222"
	reload "guard: on" "guard_devices: [eth0]" "guard_allow: [2222/tcp]"
	holds "reloaded, allowed: it is open" reaches "$OWN4:2222"
	reload "guard: on" "guard_devices: [eth0]"
	holds "reloaded, no longer allowed: it is closed" reaches_not "$OWN4:2222"
	stop admin
	stop pm
	holds "stopped: it stays" filter_there
	holds "clear" pm clear
	fails "clear takes it off" 1 '' filter_there
	equal "clear leaves no pin" "$(find "$PINS/server" -type f 2>/dev/null | wc -l)" 0
	equal "clear leaves no qdisc" "$(on server tc qdisc show dev eth0 ingress | wc -l)" 0
}

check_warnings() {
	local said

	start admin server "$LOAD" serve --proto tcp --udp --listen '*:2223' --name admin
	ready admin
	said=$(pm check -c "$TESTBED_DIR/server.yaml" 2>&1 || true)
	holds "check: a listener that would be cut off" grep -q '2223/tcp.*(guard_cuts_off).*guard_allow' <<<"$said"
	holds "check: a UDP socket, too" grep -q '2223/udp.*(guard_cuts_off).*guard_allow' <<<"$said"
	holds "check: what is allowed is not named" test -z "$(grep 2222/ <<<"$said")"
	holds "check: nor is the service" test -z "$(grep ' 80/' <<<"$said")"
	stop admin
}

metric() { # NAME, with labels
	# shellcheck disable=SC2016 # expanded by the other shell
	on server bash -c 'exec 3<>/dev/tcp/127.0.0.1/9181 &&
		printf "GET /metrics HTTP/1.0\r\n\r\n" >&3 && cat <&3' |
		awk -v name="$1" '$1 == name { print $2 }'
}

check_metrics() {
	equal "metrics: packets by reason" \
		"$(metric 'mplb_server_packets_total{reason="guard_syn"}')" "$(guarded syn)"
	equal "metrics: tokens" "$(metric mplb_server_guard_tokens)" "$(tokens)"
}

topology
on server sysctl -qw net.core.somaxconn=8192 net.ipv4.tcp_max_syn_backlog=16384
web_up
two_links
guard_up kernel "guard: on" "guard_devices: [eth0]" "guard_allow: [2222/tcp]"
check_warnings
check_what_gets_in
check_tokens
flooded "kernel mode, plain SYNs" syn "$OWN4:80"
check_metrics
guard_up userspace "guard: on" "guard_devices: [eth0]"
check_tokens
flooded "userspace mode, made-up joins" token "$OWN4:80" --join random
check_killed
check_keeping
check_unguarded
conclude
