#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# server-pm keeps a backend as its config says: what someone removes comes back; what it set works on
# without it; `clear` takes back exactly that.
#
#	client ══ eth0, eth1 ══ router ──┬── lb
#	   subflow endpoint on eth1      ├── b1    server-pm: VIP on lo, signal and backup endpoints,
#	                                 ├── b2    sysctls, decapsulation
#	                                 └── b3
# shellcheck disable=SC2317 # functions that `holds` calls
# shellcheck source=tests/e2e/check.bash
. "$(dirname "$0")/check.bash"

endpoint() {
	grep -qE "^$1 .*\\b$2\\b" <<<"$(on b1 ip mptcp endpoint show)"
}

c_flag() {
	[ "$(on b1 sysctl -n net.mptcp.allow_join_initial_addr_port)" = 0 ]
}

vip_on_lo() {
	grep -qE "inet6? $1/" <<<"$(ip -n "$(netns b1)" addr show dev lo)"
}

xdp_there() {
	ip -n "$(netns b1)" -j link show dev eth0 | jq -e '.[0].xdp.prog.id' >/dev/null
}

# repaired WHAT COMMAND...: comes true within five seconds.
repaired() {
	holds "$1" await 5 "${@:2}"
}

# snapshot: everything on b1 that server-pm may touch.
snapshot() {
	on b1 ip mptcp endpoint show
	on b1 ip mptcp limits show
	on b1 sysctl net.mptcp net.ipv4.conf.all.arp_ignore net.ipv4.conf.all.arp_announce
	ip -n "$(netns b1)" -br addr show dev lo
	ip -n "$(netns b1)" -j link show dev eth0 | jq '.[0].xdp // "no XDP"'
}

topology_lb
client_endpoints subflow
serve_backends
before=$(snapshot)
server_config b1 >"$TESTBED_DIR/b1.yaml"
sed 's/^dedicated/dedicatedd/' "$TESTBED_DIR/b1.yaml" >"$TESTBED_DIR/bad.yaml"
fails "a config with an unknown key is refused" 1 'bad.yaml:[0-9]+:.*dedicatedd' \
	server_pm b1 run -c "$TESTBED_DIR/bad.yaml"
equal "and sets nothing" "$(snapshot)" "$before"

server_pm_up
lb_up
holds "set: C flag" c_flag
holds "set: signal endpoint" endpoint "$(own4 b1)" signal
holds "set: signal endpoint, IPv6" endpoint "$(own6 b1)" signal
holds "set: backup endpoint for the VIP" endpoint "$VIP4" backup
holds "set: VIP on lo" vip_on_lo "$VIP4"
holds "set: VIP on lo, IPv6" vip_on_lo "$VIP6"
holds "set: decapsulation" xdp_there
holds "status" server_pm b1 status -j
fails "a second one is refused" 2 'another|stop' server_pm b1 run -c "$TESTBED_DIR/b1.yaml"

on b1 ip mptcp endpoint flush
on b1 sysctl -qw net.mptcp.allow_join_initial_addr_port=1
ip -n "$(netns b1)" addr del "$VIP4/32" dev lo
ip -n "$(netns b1)" -6 addr del "$VIP6/128" dev lo
repaired "put back: C flag" c_flag
repaired "put back: signal endpoint" endpoint "$(own4 b1)" signal
repaired "put back: signal endpoint, IPv6" endpoint "$(own6 b1)" signal
repaired "put back: backup endpoint for the VIP" endpoint "$VIP4" backup
repaired "put back: VIP on lo" vip_on_lo "$VIP4"
repaired "put back: VIP on lo, IPv6" vip_on_lo "$VIP6"
ip -n "$(netns b1)" link set dev eth0 xdp off
repaired "put back: decapsulation" xdp_there
get repaired "$(vip 4)" --proto mptcp --bytes 10k --count 45 --parallel 15 --hold-until-joined 3
served repaired "connections are served after the repair"
equal "and join their server" "$(of repaired .joined)" 45

# Another config, again and again, under traffic through the tunnel.
lost=0
for i in 1 2 3 4 5 6; do
	get_in_background reloads "$(vip 4)" --udp --bytes 600 --count 8000 --parallel 6 --stall 5
	sleep 0.1
	for b in "${BACKENDS[@]}"; do
		server_config "$b" >"$TESTBED_DIR/$b.yaml"
		[ $((i % 2)) -eq 0 ] || sed -i -e 's/{device: eth0}/{device: eth0, mtu: 1500}/' \
			-e 's/^balancers: \[/&10.0.0.9, /' "$TESTBED_DIR/$b.yaml"
		kill -HUP "${TESTBED_PID[pm-$b]}"
	done
	get "during-$i" "$(vip 4)" --put --bytes 100k --count 12 --parallel 6
	finish reloads 30 || true
	lost=$((lost + 8000 - $(of reloads .ok)))
done
equal "SIGHUP, six times: no datagram of 48,000 is lost" "$lost" 0
served during-3 "SIGHUP: connections are served"
equal "SIGHUP: the config was taken each time" \
	"$(grep -c ' reloaded:' "$TESTBED_DIR/pm-b1.err")" 6
equal "SIGHUP: no packet of a balancer was refused" "$(server_pm b1 status -j |
	jq '[.decapsulation.counters[] | select(.reason == "not_balancer" or .reason == "not_vip") |
		.packets] | add')" 0

# The daemon dies in mid-transfer.
keep dying "$(vip 4)" --proto mptcp --count 12 --parallel 12 --join-first 3 --mark 10k
ready dying mark
for b in "${BACKENDS[@]}"; do
	stop "pm-$b" KILL
done
let_go dying
served dying "kill -9: transfers under way finish"
get without "$(vip 4)" --proto mptcp --bytes 10k --count 30 --parallel 10 --hold-until-joined 3
served without "kill -9: new connections are served"
equal "kill -9: and join their server" "$(of without .joined)" 30

server_pm_up
get after "$(vip 4)" --proto mptcp --bytes 10k --count 30 --parallel 10 --hold-until-joined 3
equal "started again: connections join their server" "$(of after .joined)" 30
fails "clear is refused while it runs" 2 'runs|stop' server_pm b1 clear
stop pm-b1
holds "SIGTERM leaves everything in place" c_flag
holds "clear" server_pm b1 clear
equal "clear brings back what was there before" "$(snapshot)" "$before"
equal "clear leaves no pin" "$(find "$PINS/b1" -type f 2>/dev/null | wc -l)" 0
equal "no join reached a wrong server" "$(wrong_joins)" 0
conclude
