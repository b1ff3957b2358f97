#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Health probes: each goes through the tunnel to one backend, and what they find gets into the
# tables.
#
#	client ── router ──┬── lb    eth0 (the balancer, lb-agent)
#	                   ├── b1  ┐
#	                   ├── b2  ├ server-pm, a service on port 80
#	                   └── b3  ┘
# shellcheck disable=SC2317 # functions that `holds` and `fails` call
# shellcheck source=tests/e2e/check.bash
. "$(dirname "$0")/check.bash"

LB_AGENT=${LB_AGENT:-$BUILD/lb-agent}

# health_config HEALTH KEY=VALUE...: the config of the testbed with this `health` in each pool.
health_config() {
	lb_config "${@:2}" | sed "s|^    forward: .*|&\n    health: {$1}|" >"$TESTBED_DIR/lb.yaml"
}

agent() {
	start agent lb "$LB_AGENT" --pin-dir "$PINS/lb" run -c "$TESTBED_DIR/lb.yaml"
	ready agent
}

# reload HEALTH KEY=VALUE...: with another config.
reload() {
	health_config "$@"
	: >"$TESTBED_DIR/agent.err"
	kill -HUP "${TESTBED_PID[agent]}"
}

# states [POOL]: "b1 active, b2 down, ..."
states() {
	lbctl -j show backend | jq -r --arg p "${1:-servers4}" \
		'[.[] | select(.pool == $p) | "\(.name) \(.state)"] | join(", ")'
}

become() {
	[ "$(states "${2:-servers4}")" = "$1" ]
}

# comes WHAT STATES [POOL]
comes() {
	if await 10 become "$2" "${3:-servers4}"; then
		pass "$1"
	else
		fail "$1" "$(states "${3:-servers4}"), want $2"
	fi
}

logged() {
	grep -qE -- "$1" "$TESTBED_DIR/agent.err"
}

# says WHAT PATTERN: the agent logs it.
says() {
	if await 10 logged "$2"; then
		pass "$1"
	else
		fail "$1" "no \"$2\" in: $(tail -5 "$TESTBED_DIR/agent.err" | xargs -d "\n")"
	fi
}

# Nothing is known of the members, and the tables, which follow, have come to show it.
nothing_known() {
	[ "$(lbctl -j show health | jq 'all(.[]; .state == "unknown")')" = true ] &&
		[ "$(lbctl -j show backend | jq 'all(.[]; .state == "active")')" = true ]
}

# anew HEALTH KEY=VALUE...: reloads it with nothing known of the members.
anew() {
	reload "type: none" "${@:2}"
	await 10 nothing_known ||
		fail "$2: nothing is known of the members" "$(lbctl -j show backend | jq -c .)"
	reload "$@"
}

# same_serving WHAT COMMAND...: connections of b1 and b3 outlive the command.
same_serving() {
	get_in_background on "$(vip 4)" --bytes 2000 --requests 20 --gap 0.1 --stall 3 --count 20 \
		--parallel 20 --mark 4000
	ready on mark
	"${@:2}"
	finish on 20 || true
}

pm() {
	stop "pm-$1"
	start "pm-$1" "$1" "$SERVER_PM" --pin-dir "$PINS/$1" run -c "$TESTBED_DIR/$1.yaml"
	ready "pm-$1"
}

serve() {
	start "web-$1" "$1" "$LOAD" serve --listen '*:80' --udp --name "$1"
	ready "web-$1"
}

# httpd NODE: port 8080, /up says "all is well".
httpd() {
	mkdir -p "$TESTBED_DIR/www"
	echo "all is well" >"$TESTBED_DIR/www/up"
	start "http-$1" "$1" busybox httpd -f -p 8080 -h "$TESTBED_DIR/www"
}

rules() {
	on lb ip rule
	on lb ip -6 rule
}

# rules_lead MARK: of either family, to the table of the probes.
rules_lead() {
	[ "$(rules | grep -c "fwmark $1/0xfffff000 lookup 28016")" = 2 ]
}

quietly() {
	"$@" >>"$TESTBED_DIR/lb.log" 2>&1
}

FAST="interval: 200ms, timeout: 150ms"
NO_DAMPING="damping: {downs: 0}"
TCP="type: tcp, $FAST, rise: 2, fall: 3, $NO_DAMPING"
ALL="b1 active, b2 active, b3 active"
NO2="b1 active, b2 down, b3 active"
GUE="forward=gue outer=4"

topology_lb
serve_backends
server_pm_up
for b in "${BACKENDS[@]}"; do
	httpd "$b"
done
quietly lbctl attach eth0 mode native

# ---- every way to a backend --------------------------------------------------------------------------

# shellcheck disable=SC2086 # several settings are several words
health_config "$TCP" $GUE
agent
for how in "forward=gue outer=4" "forward=gue outer=6" "forward=ipip outer=4" \
	"forward=ipip outer=6" "forward=ipip" "forward=l2"; do
	# shellcheck disable=SC2086
	[ "$how" = "$GUE" ] || anew "$TCP" $how
	pool=servers4
	[[ $how != *6 ]] || pool=servers6
	for b in "${BACKENDS[@]}"; do
		says "$how: $b answers" "$pool/$b: up"
	done
done
says "l2: IPv6 as well" "servers6/b3: up"

# ---- tcp ---------------------------------------------------------------------------------------------

# shellcheck disable=SC2086
anew "$TCP" $GUE
says "tcp: b2 is up" "servers4/b2: up"
before=$(drops DROP)
same_serving "tcp" stop web-b2
comes "tcp: its service gone, it is down" "$NO2"
says "and it is said why" 'servers4/b2: down: connection refused \(3 in a row\)'
equal "connections to the others went on" \
	"$(of on '[.servers.b1, .servers.b3] | add')" "$(of on .ok)"
equal "no packet was dropped" "$(drops DROP)" "$before"
get down "$(vip 4)" --bytes 2000 --count 40 --parallel 10
served down "new connections are served"
equal "by the others" "$(of down '.servers.b2 // 0')" 0
serve b2
comes "tcp: it is back, and up" "$ALL"

# The port answers on its own address: only a probe that takes the clients' path finds these.
sed -i "s/^balancers: .*/balancers: [10.9.9.9]/" "$TESTBED_DIR/b2.yaml"
pm b2
comes "tunnel broken: down" "$NO2"
says "its SYNs get no answer" 'servers4/b2: down: no answer to the SYN in time'
holds "while its own address answers" on lb bash -c ": </dev/tcp/$(lan4 b2)/80"
server_config b2 >"$TESTBED_DIR/b2.yaml"
pm b2
comes "tunnel mended: up" "$ALL"
sed -i "s/^vips: .*/vips: [$VIP4]/" "$TESTBED_DIR/b2.yaml"
pm b2
comes "one of two VIPs missing on a backend: down" "$NO2"
# shellcheck disable=SC2086
reload "type: none" $GUE
comes "health checks taken out: nobody is down" "$ALL"
# shellcheck disable=SC2086
reload "$TCP" $GUE
comes "health checks again: down" "$NO2"
server_config b2 >"$TESTBED_DIR/b2.yaml"
pm b2
comes "VIP is back: up" "$ALL"

# ---- all down, reload --------------------------------------------------------------------------------

# shellcheck disable=SC2086
reload "$TCP, port: 81, all_down: stop" $GUE
comes "all_down: stop: nobody takes connections" "b1 down, b2 down, b3 down"
get none "$(vip 4)" --bytes 100 --timeout 1 --stall 1
equal "they are dropped" "$(of none '.ok // 0')" 0
# shellcheck disable=SC2086
reload "$TCP, port: 81, all_down: keep" $GUE
says "all_down: keep: said" 'all_down stop -> keep'
get keep "$(vip 4)" --bytes 100 --count 30 --parallel 10
served keep "all_down: keep: connections are served"
equal "by all" "$(reached keep)" 3
echo "pools: [}" >"$TESTBED_DIR/lb.yaml"
kill -HUP "${TESTBED_PID[agent]}"
says "a config that is none is refused" 'what was in force stays'
# shellcheck disable=SC2086
reload "type: none" $GUE
comes "no health checks: all take connections" "$ALL"
equal "nothing is left of the probes" "$(rules | grep -c fwmark)" 0

# ---- another mark ------------------------------------------------------------------------------------

# shellcheck disable=SC2086
reload "$TCP" $GUE
says "probed again: up" "servers4/b2: up"
on lb ip rule add pref 60 fwmark 0x6d700000/0xfffff000 lookup main
echo "probe_mark: 0x7000" >>"$TESTBED_DIR/lb.yaml"
: >"$TESTBED_DIR/agent.err"
kill -HUP "${TESTBED_PID[agent]}"
await 10 rules_lead 0x7000 || true
sleep 1
equal "another probe_mark: its rules alone are there, for both families" \
	"$(rules | grep -c 'fwmark .*lookup 28016') $(rules | grep -c 'fwmark 0x7000/')" "2 2"
equal "and the probes have it" "$(grep -c 'down\|do not run' "$TESTBED_DIR/agent.err")" 0
on lb ip rule del pref 60

# ---- http --------------------------------------------------------------------------------------------

HTTP="type: http, port: 8080, $FAST, rise: 1, fall: 2, $NO_DAMPING"
# shellcheck disable=SC2086
anew "$HTTP, path: /up, body: is well, status: 200" $GUE
says "http: status and body are right" "servers4/b2: up"
# shellcheck disable=SC2086
reload "$HTTP, path: /up, body: is ill" $GUE
says "http: another body" 'servers4/b2: down: "is ill" is not in the body'
# shellcheck disable=SC2086
anew "$HTTP, path: /missing" $GUE
says "http: another status" 'servers4/b1: down: status 404'

# ---- mptcp -------------------------------------------------------------------------------------------

MPTCP="type: mptcp, $FAST, rise: 1, fall: 2, $NO_DAMPING"
# shellcheck disable=SC2086
anew "$MPTCP" $GUE
says "mptcp: MP_CAPABLE is answered" "servers4/b3: up"
# shellcheck disable=SC2086
anew "$MPTCP, port: 8080" $GUE
says "mptcp: a service without it is down" 'servers4/b3: down: it answers as plain TCP'

# ---- flapping ----------------------------------------------------------------------------------------

# shellcheck disable=SC2086
anew "type: tcp, $FAST, rise: 1, fall: 1, damping: {downs: 2, within: 1m, hold: 2s}" $GUE
says "flapping: b2 is up" "servers4/b2: up"
stop web-b2
comes "flapping: down" "$NO2"
serve b2
comes "up" "$ALL"
stop web-b2
comes "down again" "$NO2"
says "and damped" 'goes up and down too often'
serve b2
since=$EPOCHREALTIME
comes "up in the end" "$ALL"
at_least "but only after it was well for 2 s" "$(((${EPOCHREALTIME/./} - ${since/./}) / 1000))" 1900

# ---- what is in the way ------------------------------------------------------------------------------

# shellcheck disable=SC2086
reload "$TCP" $GUE
on lb ip rule del pref 100
says "a rule that somebody removed: said" 'putting them in place again'
holds "and put back" rules_lead 0x6d700000
: >"$TESTBED_DIR/agent.err"
on lb tc filter del dev lo egress
says "a program that somebody removed: said" 'putting them in place again'
equal "and put back" "$(on lb tc filter show dev lo egress | grep -c mplb_probe)" 1
on lb ip rule add pref 50 fwmark 0x6d700000/0xfffff000 lookup main
says "a rule in front of ours is reported" 'leave by eth0, by table 254, and not through lo'
equal "nobody is taken to be down for it" "$(states)" "$ALL"
on lb ip rule del pref 50
says "and that it is gone" 'health probes run again'
on lb sysctl -qw net.ipv4.conf.eth0.accept_local=1
: >"$TESTBED_DIR/agent.err"
address lb lo "$VIP4/32"
sleep 1
equal "a balancer may hold the VIP" "$(grep -c ': down' "$TESTBED_DIR/agent.err")" 0
on lb sysctl -qw net.ipv4.conf.eth0.accept_local=0
says "with accept_local only: else answers are lost" 'servers4/b1: down: no answer to the SYN'
stop agent KILL
agent
says "and it is said what to do" 'accept_local=1'
ip -n "$(netns lb)" addr del "$VIP4/32" dev lo
says "the address gone, they are up" 'servers4/b1: up'
comes "and in the tables" "$ALL"
on lb sysctl -qw net.ipv4.conf.eth0.rp_filter=1
ip -n "$(netns lb)" route add unreachable "$VIP4"
stop agent
agent
says "answers that rp_filter drops: said" 'VIP 198.51.100.1 is not through eth0, so rp_filter drops'
says "and seen" 'servers4/b1: down: no answer to the SYN'
ip -n "$(netns lb)" route del unreachable "$VIP4"
says "the route mended: up" 'servers4/b1: up'
on lb sysctl -qw net.ipv4.conf.eth0.rp_filter=0
comes "all of them" "$ALL"

# ---- the agent's life --------------------------------------------------------------------------------

stop web-b2
comes "b2 is down" "$NO2"
stop agent KILL
agent
equal "down outlives a crash" "$(states)" "$NO2"
stop agent
equal "rules are gone with the agent" "$(rules | grep -c fwmark)" 0
equal "so is the program" "$(on lb tc qdisc show dev lo | grep -c clsact)" 0
equal "b2 stays as it was" "$(states)" "$NO2"
conclude
