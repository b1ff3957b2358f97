#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Many established connections, none of which may break or stall while the pool changes, while the
# balancer is replaced, when somebody else's server dies, or, with MPTCP, when there is no balancer any
# more; and no packet that is not accounted for.
# MANY is how many, 1,000 by default; `make many` takes 10,000 and holds them to one second.
#
#	client ══ router ──┬── lb     gue; at first b1 to b10
#	                   ├── lb2    freshly started, takes over
#	                   ├── b1 …   server-pm
#	                   └── b12
# shellcheck source=tests/e2e/check.bash
. "$(dirname "$0")/check.bash"

MANY=${MANY:-1000}
# Seconds between two requests of a connection; a longer answer than STALL is a stall. A machine that
# does other things as well is allowed more.
INTERVAL=${MANY_INTERVAL:-0.5} STALL=${MANY_STALL:-2}

BACKENDS=(b1 b2 b3 b4 b5 b6 b7 b8 b9 b10 b11 b12)
TEN="b1 b2 b3 b4 b5 b6 b7 b8 b9 b10"

# hold_begin LABEL OPTIONS...: over both families, from all addresses of the client.
hold_begin() {
	start "$1" client "$LOAD" hold --connect "$(vip 4)" --connect "$(vip 6)" \
		--source "${CLIENT4[0]}" --source "${CLIENT4[1]}" \
		--source "${CLIENT6[0]}" --source "${CLIENT6[1]}" \
		--count "$MANY" --interval "$INTERVAL" --stall "$STALL" "${@:2}" -j
	ready "$1" established 120
}

# a_while: each connection has asked since.
a_while() {
	sleep "$(jq -n "$INTERVAL * 1.3")"
}

# change COMMAND...: must succeed; then every connection asks.
change() {
	"$@" >>"$TESTBED_DIR/lb.log" 2>&1 || fail "$*" "$(tail -1 "$TESTBED_DIR/lb.log")"
	a_while
}

# whole LABEL WHAT: each connection was established, none broke, none stalled, all data was right.
whole() {
	holds "$2" jq -e "if .all_ok and .ok == $MANY and .broken + .failed + .stalls == 0 and
		.answers == .requests then true
		else error(\"\(.ok) of $MANY whole, troubles \(.troubles), first \(.events[0])\") end" \
		"$TESTBED_DIR/$1.out"
}

# tell LABEL WHAT: figures for whoever reads the output.
tell() {
	of "$1" '"\(.count) connections, \(.answers) answers in \(.seconds | round) s, " +
		"latency median \(.latency_ms.median | round) ms, 99 % \(.latency_ms.p99 | round), " +
		"max \(.latency_ms.max | round); troubles \(.troubles | tostring)"' |
		sed "s/^/many: $2: /" >&2
}

# tunnel_counts: over all backends, as JSON: reason -> packets.
tunnel_counts() {
	local b

	for b in "${BACKENDS[@]}"; do
		server_pm "$b" status -j
	done | jq -s '[.[].decapsulation.counters[]] | group_by(.reason) |
		map({key: .[0].reason, value: (map(.packets) | add)}) | from_entries'
}

# forwarded NODE...: packets to backends, by those balancers' own counting.
forwarded() {
	local n

	for n in "$@"; do
		lbctl_on "$n" -j stats
	done | jq -s '[.[].backends[].packets] | add'
}

# frames_lost NODE: that the switch has sent it and that no counter has, since the last call.
declare -A FRAMES=()
frames_lost() {
	local frames counted

	# Read until nothing came in between.
	until frames=$(packets switch "$1" tx) &&
		counted=$(jq -s '([.[0].vips[].packets] | add) + ([.[1][].packets] | add)' \
			<(lbctl_on "$1" -j stats) <(lbctl_on "$1" -j drops)) &&
		[ "$frames" = "$(packets switch "$1" tx)" ]; do
		:
	done
	LOST=$((frames - counted - ${FRAMES[$1]:-0}))
	FRAMES[$1]=$((frames - counted))
}

topology_lb
serve_backends
server_pm_up
lb_up forward=gue outer=4 members="$TEN"
second_balancer forward=gue outer=4 members="$TEN"

# ---- the pool changes ------------------------------------------------------------------------------

frames_lost lb
frames_lost lb2
hold_begin hold
start new client "$LOAD" get --connect "$(vip 4)" --bytes 2000 --requests 2 --gap 0.02 --parallel 10 \
	--for 3600 -j
change lb_apply forward=gue outer=4 members="$TEN b11"
change lbctl drain b3
change lbctl weight b5 300
change lb_apply forward=gue outer=4 members="$TEN b11 b12"
change lbctl drain b7
change lbctl weight b1 20

# ---- another balancer takes over ----------------------------------------------------------------------

# It is told what the first one was told, and so has the same tables.
cp "$TESTBED_DIR/lb.yaml" "$TESTBED_DIR/lb2.yaml"
{
	lbctl_on lb2 apply "$TESTBED_DIR/lb2.yaml"
	lbctl_on lb2 drain b3
	lbctl_on lb2 drain b7
	lbctl_on lb2 weight b5 300
	lbctl_on lb2 weight b1 20
} >>"$TESTBED_DIR/lb.log" 2>&1
lb_before=$(forwarded lb)
vips_through lb2
ip -n "$(netns switch)" link set lb down
a_while
a_while
stop new
stop hold
tell hold "changes and a new balancer"
whole hold "members added, drained, weighted anew, twice each; another balancer: nothing breaks or stalls"
at_least "new connections are served meanwhile" "$(of new .ok)" 100
# One that was made between two changes, and is on one of the few slots that both move, may break.
at_most "and next to none breaks" "$(of new '[.errors[]] | add // 0')" 5
equal "all ten had connections" "$(of hold '.servers | length')" 10
at_least "both balancers took part" "$((lb_before < $(forwarded lb2) ? lb_before : $(forwarded lb2)))" \
	"$MANY"
counts=$(tunnel_counts)
passed_on=$(jq .passed_on <<<"$counts")
at_least "some needed the second chance" "$passed_on" "$((MANY / 20))"
arrived=$(jq '[to_entries[] | select(.key | startswith("gue_") or . == "passed_on") | .value] | add' <<<"$counts")
sent=$(($(forwarded lb lb2) + passed_on))
at_most "no packet arrives that was not sent, those passed on twice" "$arrived" "$sent"
# The first balancer's link was cut under traffic.
at_most "and each that was sent arrived, but what was in that link" $((sent - arrived)) 20
equal "none was cut off or malformed" "$(jq '.gue_truncated + .gue_malformed' <<<"$counts")" 0
# A last ACK may come when its socket is gone; nobody waits for that one.
at_most "none was for nobody" "$(jq '.gue_unknown + .gue_hops_used' <<<"$counts")" \
	"$((MANY / 50))"
ip -n "$(netns switch)" link set lb up
for n in lb lb2; do
	frames_lost "$n"
	equal "$n: each frame is in a counter" "$LOST" 0
	equal "$n: none was dropped" "$(lbctl_on "$n" -j drops |
		jq '[.[] | select(.action == "drop") | .packets] | add')" 0
done

# ---- a server dies ---------------------------------------------------------------------------------------

lbctl_on lb2 settle >>"$TESTBED_DIR/lb.log"
hold_begin death --timeout "$(jq -n "$STALL + 1")" --again 0.5
ip -n "$(netns switch)" link set b2 down
a_while
# What a health check would do.
lb_config forward=gue outer=4 members="${TEN/b2 /} b11 b12" >"$TESTBED_DIR/lb2.yaml"
holds "a member died: out of the pool" lbctl_on lb2 apply "$TESTBED_DIR/lb2.yaml"
sleep "$(jq -n "$INTERVAL * 1.3 + $STALL + 2.5")"
stop death
tell death "a member died"
at_least "a member died: it had connections" "$(of death .servers.b2.connections)" "$((MANY / 40))"
equal "a member died: its connections break, all of them" "$(of death .broken)" \
	"$(of death .servers.b2.connections)"
equal "a member died: nobody else's breaks or stalls" \
	"$(of death '[.events[] | select(.server != "b2")] | length')" 0
equal "a member died: its clients are served by others" \
	"$(of death '"\(.established - .count - .broken) \(.failed)"')" "0 0"

# ---- no balancer any more, MPTCP --------------------------------------------------------------------------

# Connections that have joined their server's own address need none.
on client ip mptcp limits set add_addr_accepted 2 subflows 2
hold_begin off --proto mptcp
sleep "$(jq -n "$INTERVAL * 3 + 1")"
ip -n "$(netns switch)" link set lb2 down
a_while
a_while
stop off
tell off "no balancer any more, MPTCP"
whole off "no balancer any more: MPTCP connections go on"
equal "no balancer any more: all had joined their server" "$(of off '"\(.joined) \(.joined_vip)"')" \
	"$MANY 0"
equal "no join reached a wrong server" "$(wrong_joins)" 0
conclude
