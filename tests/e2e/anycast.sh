#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# VIPs are announced through real BIRD by a balancer, while its data plane is on a NIC, and by servers
# themselves, without a data plane. What makes a route go, and when it comes back; what lb-agent does
# with a BIRD that is not as it should be.
#
#	client ══ router (BIRD, ECMP) ──┬── lb   BIRD, lb-agent: announces web4, web6
#	                                ├── b1 ┐ server-pm decapsulates web4, web6;
#	                                ├── b2 ├ BIRD, lb-agent without data plane:
#	                                └── b3 ┘ announce 198.51.100.9, which is theirs
# shellcheck disable=SC2317 # functions that `holds` and `await` call
# shellcheck source=tests/e2e/check.bash
. "$(dirname "$0")/check.bash"
# shellcheck source=testbed/bgp.sh
. "$TESTBED_ROOT/testbed/bgp.sh"

DIRECT=198.51.100.9
HOLD=1		# s
PROBES="interval: 200ms, timeout: 150ms, rise: 2, fall: 2"
SLACK=2500	# ms beyond what is to be: a busy machine's, not ours

# now: milliseconds.
now() {
	date +%s%3N
}

# quietly COMMAND...: what it says goes to the log.
quietly() {
	"$@" >>"$TESTBED_DIR/lb.log" 2>&1
}

# log_of NODE: what its lb-agent has said.
log_of() {
	cat "$TESTBED_DIR/agent-$1.err"
}

says() {
	log_of "$1" | grep -qE -- "$2"
}

# gone_in WHAT ADDRESS COUNT MS COMMAND...: within that time of the command the router comes to so
# many next hops, by its own clock.
gone_in() {
	local begin at

	begin=$(now)
	"${@:5}"
	holds "$1" await 10 routed "$2" "$3"
	at=$(grep -F " $2 " "$TESTBED_DIR/routes.out" | tail -1 | sed 's/^\[\(.*\)\].*/\1/')
	at=$(($(date -d "$at" +%s%3N) - begin))
	at_most "$1: $at ms" "$at" $(($4 + SLACK))
}

# back_after_hold WHAT ADDRESS COUNT: not before the hold-down is over, which began at $BEGAN.
back_after_hold() {
	holds "$1" await 15 routed "$2" "$3"
	at_least "$1: not before the hold-down is over" $(($(now) - BEGAN)) $((HOLD * 1000))
}

# metric NODE SERIES: its value, over HTTP.
metric() {
	on "$1" bash -c 'exec 3<>/dev/tcp/127.0.0.1/9180 &&
		printf "GET /metrics HTTP/1.0\r\n\r\n" >&3 && cat <&3' |
		awk -v series="$2" '$1 == series { print $2 }'
}

# announced NODE: does its agent say so of web4?
announced() {
	[ "$(metric "$1" 'mplb_anycast_announced{vip="web4",protocol="anycast_web4"}')" = 1 ]
}

# lb_yaml [NAME...]: the balancer's config, announcing these.
lb_yaml() {
	lb_config forward=gue | sed "/forward:/a\\    health: {type: tcp, $PROBES}"
	anycast_config lb "$@" hold_down=${HOLD}s drain_time=3s min_healthy=3
	echo 'metrics: {listen: "127.0.0.1:9180"}'
}

server_yaml() {
	cat <<-END
		data_plane: none
		vips: [{name: direct, address: $DIRECT, port: 80, protocol: tcp, pool: self}]
		pools:
		  - name: self
		    health: {type: tcp, $PROBES}
		    backends: [{name: $1, id: 1, address: "$(lan4 "$1")"}]
	END
	anycast_config "$1" direct hold_down=${HOLD}s drain_time=1s
}

topology_lb
serve_backends
server_pm_up
lb_up forward=gue
bgp_router lb "${BACKENDS[@]}"
start routes router ip -ts monitor route

holds "BIRD takes the example of its config" bird -p -c "$TESTBED_ROOT/docs/bird.conf.example"

# ---- a BIRD that is not there yet ----

lb_yaml web4 web6 >"$TESTBED_DIR/lb.yaml"
agent_up lb
holds "no BIRD: said" await 5 says lb "BIRD at .*lb.ctl: No such file.*is BIRD running.*every second"
sleep 1.2
equal "no BIRD: said once" "$(log_of lb | grep -c 'is BIRD running')" 1
bgp_speaker lb "web4=$VIP4" "web6=$VIP6"
holds "BIRD comes: found" await 5 says lb 'lb.ctl: answers again'
holds "BIRD comes: announced" await 10 routed "$VIP4" 1
holds "BIRD comes: announced, IPv6" await 10 routed "$VIP6" 1
get one "$(vip 4)" --bytes 10k --count 10
served one "the announced VIP serves"

# ---- the data plane is detached by hand ----

gone_in "detached: withdrawn" "$VIP4" 0 200 quietly lbctl detach eth0
holds "detached: withdrawn, IPv6" await 10 routed "$VIP6" 0
holds "detached: said" says lb 'warning: anycast web4: withdrawn .*: no NIC runs the data plane'
equal "detached: the metric" "$(metric lb 'mplb_anycast_announced{vip="web4",protocol="anycast_web4"}')" 0
BEGAN=$(now)
quietly lbctl attach eth0 mode native
back_after_hold "attached: announced again" "$VIP4" 1

# ---- the agent dies: what is announced stays, and nothing flaps when another one comes ----

changes=$(grep -c " $VIP4 " "$TESTBED_DIR/routes.out")
stop agent-lb KILL
sleep 1
equal "agent killed: still announced" "$(next_hops "$VIP4")" 1
get killed "$(vip 4)" --bytes 10k --count 20 --parallel 5
served killed "agent killed: the data plane serves on"
agent_up lb
holds "started again: takes over" await 5 says lb 'anycast web4: is announced already'
sleep 0.5
equal "started again: the router has noticed nothing" \
	"$(grep -c " $VIP4 " "$TESTBED_DIR/routes.out")" "$changes"
stop agent-lb KILL
gone_in "nobody starts it again: what systemd then runs withdraws" "$VIP4" 0 200 \
	quietly on lb "$LB_AGENT" withdraw -c "$TESTBED_DIR/lb.yaml"
BEGAN=$(now)
agent_up lb
back_after_hold "started at last: announced again" "$VIP4" 1
equal "announced: the metric" "$(metric lb 'mplb_anycast_announced{vip="web4",protocol="anycast_web4"}')" 1
equal "health: the metric" "$(metric lb 'mplb_backend_up{pool="servers4",backend="b1"}')" 1
equal "the session, as BIRD has it" "$(metric lb 'mplb_bird_protocol_up{protocol="router_4",type="BGP"}')" 1

# ---- BIRD is restarted, told otherwise, reconfigured ----

stop bird-lb KILL
holds "BIRD killed: said" await 5 says lb 'BIRD at .*: (has closed the connection|Connection refused)'
bird_up lb
holds "BIRD restarted: announced again" await 15 routed "$VIP4" 1
birdc lb disable anycast_web4 >/dev/null
holds "disabled by hand: gone" await 10 routed "$VIP4" 0
holds "disabled by hand: enabled again" await 5 routed "$VIP4" 1
birdc lb configure >/dev/null
holds "reconfigured: announced, or again" await 5 routed "$VIP4" 1

# ---- a protocol that BIRD does not have ----

lb_yaml web4 web6 echo4 >"$TESTBED_DIR/lb.yaml"
kill -HUP "${TESTBED_PID[agent-lb]}"
holds "unknown protocol: named" await 5 says lb 'error: BIRD at .*has no protocol "anycast_echo4"'
equal "unknown protocol: the others stay" "$(next_hops "$VIP4")" 1
equal "unknown protocol: the metric" \
	"$(metric lb 'mplb_anycast_problem{vip="echo4",protocol="anycast_echo4"}')" 1
echo "protocol static anycast_echo4 { disabled; ipv4; route 198.51.100.77/32 blackhole; }" \
	>>"$TESTBED_DIR/lb.bird"
birdc lb configure >/dev/null
holds "unknown protocol: found once it is there" await 10 routed 198.51.100.77 1
lb_yaml web4 web6 >"$TESTBED_DIR/lb.yaml"
kill -HUP "${TESTBED_PID[agent-lb]}"
holds "no longer in the config: withdrawn" await 5 routed 198.51.100.77 0

# ---- BIRD is wedged ----

kill -STOP "${TESTBED_PID[bird-lb]}"
holds "BIRD wedged: said" await 10 says lb 'took the connection, but does not answer|closed the conn.*'
begin=$(now)
equal "BIRD wedged: metrics are served" "$(metric lb mplb_data_plane_attached)" 1
at_most "BIRD wedged: at once" $(($(now) - begin)) 1500
kill -CONT "${TESTBED_PID[bird-lb]}"
holds "BIRD awake: announced" await 20 routed "$VIP4" 1
holds "BIRD awake: it does as it is told" await 5 announced lb

# ---- the agent is stopped ----

gone_in "SIGTERM: withdrawn" "$VIP4" 0 200 kill -TERM "${TESTBED_PID[agent-lb]}"
equal "SIGTERM: it waits for the drain time" "$(running agent-lb && echo yes)" yes
equal "SIGTERM: the data plane is still there" "$(lbctl -j show attach | jq length)" 1
finish agent-lb 12 && code=0 || code=$?
equal "SIGTERM: exit code" "$code" 0
equal "SIGTERM: the data plane is off in the end" "$(lbctl -j show attach | jq length)" 0
holds "attached again" lbctl attach eth0 mode native
BEGAN=$(now)
agent_up lb
back_after_hold "started again: announced" "$VIP4" 1

# ---- servers that announce themselves ----

for b in "${BACKENDS[@]}"; do
	address "$b" lo "$DIRECT/32"
	bgp_speaker "$b" "direct=$DIRECT"
	server_yaml "$b" >"$TESTBED_DIR/$b.yaml"
	# One announces itself as a node, whatever its VIPs are.
	[ "$b" != b3 ] || sed -i 's/{vip: direct, speaker/{speaker/' "$TESTBED_DIR/$b.yaml"
	agent_up "$b"
done
holds "three servers announce themselves" await 15 routed "$DIRECT" 3
get direct "$DIRECT:80" --bytes 10k --count 60 --parallel 10
served direct "they serve"
equal "all of them" "$(reached direct)" 3
# Two probes fail, 200 ms apart.
gone_in "a service fails: withdrawn" "$DIRECT" 2 $((2 * 200 + 200)) stop web-b2 KILL
holds "a service fails: the balancer that needs three has withdrawn, too" await 10 routed "$VIP4" 0
holds "a service fails: and says why" await 10 says lb 'anycast web4: withdrawn .*: 2 of 3 backends are up, min'
get direct "$DIRECT:80" --bytes 10k --count 40 --parallel 10
served direct "a service fails: the others serve"
start web-b2 b2 "$LOAD" serve --listen '*:80' --udp --name b2
BEGAN=$(now)
ready web-b2
back_after_hold "the service is back: announced again" "$DIRECT" 3
holds "the service is back: by the balancer, too" await 5 routed "$VIP4" 1
holds "lbctl shows it" grep -qE '^web4 +anycast_web4 .* up ' <(lbctl show anycast)
gone_in "the data plane is taken away: withdrawn" "$VIP4" 0 200 quietly lbctl detach all
finish agent-lb 12 && code=0 || code=$?
equal "the data plane is taken away: lb-agent ends, with 2" "$code" 2
stop agent-b3
equal "a server's agent is stopped: withdrawn" "$(next_hops "$DIRECT")" 2
conclude
