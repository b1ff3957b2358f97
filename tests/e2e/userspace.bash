# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What the tests of server-pm's userspace mode have in common: a server without a balancer.
#
#	client ══ eth0, eth1 ══ router ── server   VIP 198.51.100.1, 2001:db8:100::1
#	   subflow endpoint on eth1       │        dedicated 203.0.113.11, 2001:db8:d::11
#	                                  nft: loses ADD_ADDR, or its echo

# shellcheck source=tests/e2e/check.bash
. "$(dirname "${BASH_SOURCE[0]}")/check.bash"

OWN4=203.0.113.11
OWN6=2001:db8:d::11

topology() {
	local i ns

	node client router server
	on router sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	wire client eth0 router c0 1500
	wire client eth1 router c1 1500
	wire server eth0 router s0 1500
	address client eth0 192.0.2.2/26 2001:db8:1::2/64
	address client eth1 192.0.2.66/26 2001:db8:2::2/64
	address router c0 192.0.2.1/26 2001:db8:1::1/64
	address router c1 192.0.2.65/26 2001:db8:2::1/64
	address router s0 10.0.0.1/24 fd00::1/64
	address server eth0 10.0.0.11/24 fd00::11/64
	address server lo "$OWN4/32" "$OWN6/128"
	route server default via 10.0.0.1
	route server default via fd00::1
	route client default via 192.0.2.1
	route client default via 2001:db8:1::1
	ns=$(netns client)
	ip -n "$ns" route add default via 192.0.2.65 dev eth1 table 2
	ip -n "$ns" -6 route add default via 2001:db8:2::1 dev eth1 table 2
	ip -n "$ns" rule add from 192.0.2.66 table 2
	ip -n "$ns" -6 rule add from 2001:db8:2::2 table 2
	for i in "$OWN4 10.0.0.11" "$VIP4 10.0.0.11" "$OWN6 fd00::11" "$VIP6 fd00::11"; do
		route router "${i% *}" via "${i#* }"
	done
	for i in c0 c1 s0; do
		shape router "$i" 1gbit
	done
	shape server eth0 1gbit
}

# two_links: a client that opens subflows from its second link; accepting: one that joins what is
# announced, from any link.
two_links() {
	on client ip mptcp endpoint flush
	on client ip mptcp endpoint add 192.0.2.66 dev eth1 subflow
	on client ip mptcp endpoint add 2001:db8:2::2 dev eth1 subflow
	on client ip mptcp limits set add_addr_accepted 0 subflows 2
}

accepting() {
	on client ip mptcp endpoint flush
	on client ip mptcp limits set add_addr_accepted 2 subflows 4
}

# configure MANAGER INITIAL
configure() {
	cat >"$TESTBED_DIR/server.yaml" <<-END
		vips: [$VIP4, "$VIP6"]
		dedicated: [$OWN4, "$OWN6"]
		path_manager: $1
		initial_subflow: $2
		metrics: {listen: "127.0.0.1:9181"}
	END
}

pm() {
	on server "$SERVER_PM" --pin-dir "$PINS/server" "$@"
}

pm_up() {
	start pm server "$SERVER_PM" --pin-dir "$PINS/server" run -c "$TESTBED_DIR/server.yaml"
	ready pm
}

# restart MANAGER INITIAL
restart() {
	stop pm
	configure "$1" "$2"
	pm_up
}

# state STATE: how many live connections are in it.
state() {
	pm connections -j | jq --arg s "$1" '[.[] | select(.state == $s)] | length'
}

state_is() {
	[ "$(state "$1")" -eq "$2" ]
}

# counted COUNTER: of the running server-pm.
counted() {
	pm status -j | jq --arg c "$1" '.userspace.counters[] | select(.counter == $c) | .value'
}

# lose LINK TENTHS: so many of the packets with ADD_ADDR, or its echo, that come in there.
lose() {
	local share="numgen random mod 10 < $2"

	[ "$2" -lt 10 ] || share=
	lose_nothing
	on router nft "add table inet loss"
	on router nft "add chain inet loss fw { type filter hook forward priority 0; }"
	on router nft "add rule inet loss fw iifname $1 tcp option mptcp subtype 3 $share drop"
}

lose_nothing() {
	on router nft "delete table inet loss" 2>/dev/null || true
}

# figure LABEL WHAT: the time that connections of --hold-until-joined took to join.
figure() {
	local all

	all=$(of "$1" '[.connections[] | select(.joined) | .seconds] | sort |
		"median \(.[length / 2 | floor]) s, 99th percentile \(.[length * 0.99 | floor]) s"')
	echo "# $TEST: $2: $(of "$1" '"\(.joined) of \(.count) joined"'), $all"
}

# cpu LABEL: milliseconds that the process has used.
cpu() {
	awk -v hz="$(getconf CLK_TCK)" '{ print ($14 + $15) * 1000 / hz }' \
		"/proc/${TESTBED_PID[$1]}/stat"
}

web_up() {
	start web server "$LOAD" serve --listen '*:80' --name server
	ready web
}

# begin MANAGER INITIAL: everything up.
begin() {
	topology
	on server sysctl -qw net.core.somaxconn=8192 net.ipv4.tcp_max_syn_backlog=16384
	web_up
	two_links
	configure "$1" "$2"
	pm_up
}
