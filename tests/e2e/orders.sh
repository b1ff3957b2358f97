#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The operator's orders and what the pool makes of them: drain, weight, settle, members that come and
# go, while the fallback table stands still and connections go on. The program is replaced under
# traffic. lb-agent follows next hops.
#
#	client ── router ──┬── lb    eth0 (the balancer, lb-agent), spare0 ── spare1 in "switch"
#	                   ├── b1  ┐
#	                   ├── b2  ├ server-pm; 10.9.0.0/24 is behind b3
#	                   └── b3  ┘
# shellcheck disable=SC2317 # functions that `holds` and `fails` call
# shellcheck source=tests/e2e/check.bash
. "$(dirname "$0")/check.bash"

LB_AGENT=${LB_AGENT:-$BUILD/lb-agent}
FLOWS=25

# quietly COMMAND...: what it says goes to the log.
quietly() {
	"$@" >>"$TESTBED_DIR/lb.log" 2>&1
}

apply() {
	quietly lb_apply forward=gue outer=4 "$@"
}

# backend NAME FILTER: from `show backend`.
backend() {
	lbctl -j show backend | jq -r --arg n "$1" ".[] | select(.name == \$n) | $2"
}

# members: "b1 active 100/100 ..." of all backends: weight and base weight.
members() {
	lbctl -j show backend | jq -r '[.[] | "\(.name) \(.state) \(.weight)/\(.base_weight)" +
		([.marks[] | " " + .] | add // "")] | join(", ")'
}

# slots owner|fallback: who has how many, by name.
slots() {
	lbctl -j show table | jq -r --arg k "$1" '[.[] | "\(.backend) \(.[$k])"] | sort | join(", ")'
}

# decisions backend|fallback: what becomes of some flows.
decisions() {
	local i

	for ((i = 0; i < FLOWS; i++)); do
		lbctl -j explain tcp "192.0.2.2:$((4000 + i))" "$VIP4:80"
	done | jq -rs --arg k "$1" '[.[][$k]] | join(" ")'
}

# had DECISIONS: how many of the flows are with who had them, or have him to fall back on.
had() {
	paste -d ' ' <(tr ' ' '\n' <<<"$1") <(decisions backend | tr ' ' '\n') \
		<(decisions fallback | tr ' ' '\n') |
		awk '{ n += $1 == $2 || $1 == $3 } END { print n " of " NR }'
}

# begin LABEL: connections that ask every 0.1 s for 2 s.
begin() {
	get_in_background "$1" "$(vip 4)" --bytes 2000 --requests 20 --gap 0.1 --stall 5 \
		--count 40 --parallel 40 --mark 4000
	ready "$1" mark
}

# goes_on WHAT COMMAND...: they outlive the command.
goes_on() {
	begin on
	quietly "${@:2}" || fail "$1" "$(tail -1 "$TESTBED_DIR/lb.log")"
	finish on 20 || true
	served on "$1: connections under way go on"
}

# fresh LABEL: new connections.
fresh() {
	get "$1" "$(vip 4)" --bytes 1000 --count 60 --parallel 20
}

topology_lb
serve_backends
server_pm_up
wire lb spare0 switch spare1 1500
# How long an answered neighbour counts as there.
on lb sysctl -qw net.ipv4.neigh.eth0.base_reachable_time_ms=2000

# ---- drain, weight, settle -------------------------------------------------------------------------

quietly lbctl attach eth0 mode native
apply members="b1 b2"
equal "a new pool is active" "$(members)" "b1 active 100/100, b2 active 100/100"
equal "and settled: nothing is said" "$(lbctl show pool | grep -c 'under way')" 0
before=$(decisions backend)
equal "owner and fallback are one" "$(decisions fallback)" "$before"
shares=$(slots fallback)

goes_on "a member more" apply
equal "it is joining" "$(backend b3 '"\(.state) \(.weight)/\(.base_weight)"')" "joining 100/0"
equal "changes under way are shown" "$(lbctl show | grep -c 'settle it when')" 1
fresh joined
equal "it takes new connections" "$(reached joined)" 3
equal "the fallback table stands still" "$(slots fallback)" "$shares, b3 0"
quietly lbctl settle
equal "settled: all are active" "$(members)" \
	"b1 active 100/100, b2 active 100/100, b3 active 100/100"
settled=$(decisions backend)
shares=$(slots fallback)

goes_on "drain" lbctl drain b2
equal "it is draining" "$(backend b2 '"\(.state) \(.marks[0]) \(.share)"')" "draining drain 0"
fresh drained
served drained "drain: new connections are served"
equal "drain: by others" "$(of drained '.servers.b2 // 0')" 0
apply
equal "the order outlasts an apply" "$(backend b2 .state)" draining
fails "a second change warns of connections made in between" 0 'other changes are under way' \
	lbctl weight servers4/b1 300
equal "it is in force" "$(backend b1 '"\(.weight)/\(.base_weight) \(.marks[0])"')" \
	"300/100 weight"
apply weight_b1=50
equal "and outlasts an apply with another" "$(backend b1 .weight)" 300
fails "what is under way is told at apply" 0 'servers4: changes under way' \
	lbctl apply "$TESTBED_DIR/lb.yaml"
equal "who had a flow is its owner or its fallback" "$(had "$settled")" "$FLOWS of $FLOWS"
fails "settle says what it did" 0 'servers4/b2 +base weight 100 -> 0' lbctl settle servers4
equal "settled: b2 has nothing any more" "$(slots owner | grep -o 'b2 [0-9]*')" "b2 0"
equal "owner and fallback are one again" "$(slots fallback)" "$(slots owner)"
fails "weight given back to the config" 0 'weight 300 -> 50' lbctl weight b1 config
fails "undrain" 0 'takes new connections' lbctl undrain b2
equal "it joins again" "$(backend b2 .state)" joining
quietly lbctl settle
fails "settled twice" 0 'nothing to change' lbctl settle

# ---- members that leave and come back ----------------------------------------------------------------

apply
quietly lbctl settle
shares=$(slots fallback)
begin gone
apply members="b1 b2"
equal "a member that left is kept" "$(backend b3 '"\(.state) \(.marks[0])"')" "down gone"
equal "in the fallback table" "$(slots fallback)" "$shares"
finish gone 20 || true
served gone "a member left: its connections go on"
fails "it takes no orders" 1 'no longer in the config' lbctl undrain b3
counted=$(lbctl -j stats | jq '.backends[] | select(.name == "b3") | .packets')
apply
equal "it came back: as if it had never left" "$(members)" \
	"b1 active 100/100, b2 active 100/100, b3 active 100/100"
at_least "with its counters" \
	"$(lbctl -j stats | jq '.backends[] | select(.name == "b3") | .packets')" "$counted"
apply members="b1 b2"
quietly lbctl settle
equal "settled without it: forgotten" "$(members)" "b1 active 100/100, b2 active 100/100"
apply
quietly lbctl settle
lb_config forward=gue outer=4 seed=7 >"$TESTBED_DIR/seed.yaml"
fails "another hash_seed keeps no connections, and says so" 0 'hash_seed changes' \
	lbctl apply "$TESTBED_DIR/seed.yaml"
equal "nor does it wait to be settled" "$(lbctl -j show pool | jq '.[0].settled')" true

# ---- wrong uses, and pools without a second chance ------------------------------------------------------

fails "drain without a name" 1 'which backend' lbctl drain
fails "drain of nobody" 1 'no backend is called this' lbctl drain b9
fails "weight without a number" 1 'which weight' lbctl weight b1
fails "weight out of range" 1 'no weight from 0' lbctl weight b1 65536
fails "weight that is none" 1 'no weight from 0' lbctl weight b1 heavy
fails "settle of no pool" 1 'no pool is called this' lbctl settle b1
quietly lb_apply forward=l2
fails "a name of two" 1 'say which: servers4/b1, servers6/b1' lbctl drain b1
fails "l2: drain says what it costs" 0 'established connections whose backend changes break' \
	lbctl drain servers4/b1
equal "l2: the base follows" "$(lbctl -j show pool | jq '[.[].settled] | all')" true
fresh l2
served l2 "l2: the others serve"
equal "l2: without it" "$(of l2 '.servers.b1 // 0')" 0
quietly lbctl drain servers4/b2
fails "nobody left" 0 'no backend takes new connections' lbctl drain servers4/b3
for b in "${BACKENDS[@]}"; do
	quietly lbctl undrain "servers4/$b"
done

# ---- another program in its place ------------------------------------------------------------------------

apply
begin upgrade
for _ in 1 2 3 4 5; do
	fails "attach again: replaced" 0 'replaced program [0-9]+ by [0-9]+' lbctl attach eth0
	sleep 0.2
done
finish upgrade 20 || true
served upgrade "attach again: connections under way do not notice"
equal "one program is there" "$(lbctl -j show attach | jq length)" 1
fails "in another mode: refused" 2 'already, in native mode.*detach' \
	lbctl attach eth0 mode generic
holds "attach to a second NIC" lbctl attach spare0
holds "and off it" lbctl detach spare0
mkdir "$PINS/lb/v0"
on lb bpftool map create "$PINS/lb/v0/mplb_vips" type array key 4 value 4 entries 1 name other
fails "pins of another version" 2 'v0: .*another version.*detach all.*--pin-dir' \
	lbctl attach eth0
rm -r "$PINS/lb/v0"
abi=v$(awk '$2 == "MPLB_ABI" { print $3 }' "$TESTBED_ROOT/include/mplb/abi.h")
mkdir -p "$PINS/other/$abi"
on lb bpftool map create "$PINS/other/$abi/mplb_backends" type array key 4 value 48 entries 9 \
	name other
fails "maps of another layout are named" 2 "$abi/mplb_backends: .*9 values of 48.*detach all" \
	on lb "$LBCTL" --pin-dir "$PINS/other" attach spare0

# ---- lb-agent --------------------------------------------------------------------------------------------

# agent ARGUMENTS...
agent() {
	on lb "$LB_AGENT" --pin-dir "$PINS/lb" "$@"
}

# told PATTERN: has the agent logged it?
told() {
	grep -qE "$1" "$TESTBED_DIR/agent.err"
}

on lb ip route add 10.9.0.0/24 via "$(lan4 b3)"
lb_config forward=gue outer=4 members="b1 b2" >"$TESTBED_DIR/agent.yaml"
echo '      - {name: far, id: 9, address: 10.9.0.1, weight: 0}' >>"$TESTBED_DIR/agent.yaml"
cp "$TESTBED_DIR/agent.yaml" "$TESTBED_DIR/good.yaml"
fails "agent: no config" 1 'give -c' agent run
fails "agent: no such command" 1 'no command' agent walk
fails "agent: check" 0 'ok: 4 VIPs, 1 pools' agent check -c "$TESTBED_DIR/agent.yaml"
start agent lb "$LB_AGENT" --pin-dir "$PINS/lb" run -c "$TESTBED_DIR/agent.yaml"
ready agent
fails "agent: one at a time" 2 'another lb-agent' agent run -c "$TESTBED_DIR/agent.yaml"
equal "a backend behind a router: the router's MAC address" "$(backend far .next_hop)" \
	"$(ip -n "$(netns b3)" -j link show eth0 | jq -r '.[0].address')"

on b1 sysctl -qw net.ipv4.conf.eth0.arp_notify=1
began=$(date +%s%N)
ip -n "$(netns b1)" link set eth0 address 02:00:00:00:0b:01
until told 'backend servers4/b1: next hop 02:00:00:00:0b:01 on eth0' ||
	[ $(($(date +%s%N) - began)) -gt 5000000000 ]; do
	sleep 0.005
done
took=$((($(date +%s%N) - began) / 1000000))
echo "agent: another MAC address was followed in $took ms" >&2
at_most "agent: another MAC address is followed (ms)" "$took" 2000
equal "agent: it is in force" "$(backend b1 .next_hop)" 02:00:00:00:0b:01
fresh moved
served moved "agent: connections are served there"

on lb ip route replace 10.9.0.0/24 via "$(lan4 b2)"
await 10 told 'servers4/far: next hop' || true
equal "agent: another router is followed" "$(backend far .next_hop)" \
	"$(ip -n "$(netns b2)" -j link show eth0 | jq -r '.[0].address')"
on lb ip route replace unreachable 10.9.0.0/24
holds "agent: a route that goes" await 10 told 'warning: backend servers4/far: no route'
equal "agent: is a problem shown" "$(backend far .problem)" "no route to 10.9.0.1"

ip -n "$(netns switch)" link set b2 down
equal "a dead neighbour is named" "$(backend b2 .problem)" \
	"no neighbour: 10.0.0.12 does not answer on eth0"
holds "agent: and told" await 10 told \
	'warning: backend servers4/b2: no neighbour: 10.0.0.12 does not answer on eth0'
equal "agent: its packets do not go there" "$(backend b2 .resolved)" false
ip -n "$(netns switch)" link set b2 up
holds "agent: it comes back" await 5 told 'lb-agent: backend servers4/b2: next hop'
equal "nothing is wrong with it" "$(backend b2 '.problem // "nothing"')" nothing

echo 'colour: blue' >>"$TESTBED_DIR/agent.yaml"
on lb kill -HUP "${TESTBED_PID[agent]}"
holds "agent: a bad config is not reloaded" await 5 told 'not reloaded; what was in force stays'
equal "agent: and changes nothing" "$(backend far .name)" far
sed '/far/d' "$TESTBED_DIR/good.yaml" >"$TESTBED_DIR/agent.yaml"
on lb kill -HUP "${TESTBED_PID[agent]}"
holds "agent: a good one is" await 5 told 'remove backend servers4/far'
begin last
on lb kill -TERM "${TESTBED_PID[agent]}"
code=0
finish agent 5 || code=$?
equal "agent: ends with" "$code" 0
finish last 20 || true
served last "agent: traffic flows on without it"
equal "the program never met an inconsistent table" "$(drops table_inconsistent)" 0
holds "detach all" lbctl detach all
equal "no pin is left" "$(find "$PINS/lb" -type f 2>/dev/null | wc -l)" 0
conclude
