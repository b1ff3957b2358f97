#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# An IPv6 address for each connection: all differ, all are joined, and none takes a join to another
# connection. Lines that begin with # are figures.
#
#	client ══ eth0, eth1 ══ router ── server   (tests/e2e/userspace.bash)
#	                            2001:db8:f:1::/64 routed to the server, local there
#
# CONNECTIONS: how many at a time (100). The whole test: 1000.
# shellcheck disable=SC2317 # functions that `holds` and `await` call
# shellcheck source=tests/e2e/guard.bash
. "$(dirname "$0")/guard.bash"

CONNECTIONS=${CONNECTIONS:-100}
PREFIX=2001:db8:f:1::

# all_off_path: they have all joined and left the VIP.
all_off_path() {
	state_is off_path "$CONNECTIONS"
}

# with_application WHAT VIP: connections to an application at that port.
with_application() {
	local what=$1 vip=$2 a b

	keep many "$vip" --proto mptcp --count "$CONNECTIONS" --parallel "$CONNECTIONS" \
		--join-first 10
	holds "$what: all connections have left the VIP" await 20 all_off_path
	pm connections -j >"$TESTBED_DIR/connections"
	equal "$what: each has an address of its own" \
		"$(jq '[.[].dedicated[]] | unique | length' "$TESTBED_DIR/connections")" \
		"$CONNECTIONS"
	equal "$what: all of the prefix" \
		"$(jq "[.[].dedicated[] | select(startswith(\"[$PREFIX\") or
			startswith(\"[${PREFIX%::}:\"))] | length" "$TESTBED_DIR/connections")" \
		"$CONNECTIONS"
	a=$(jq -r '.[0] | "\(.dedicated[0]) \(.token)"' "$TESTBED_DIR/connections")
	b=$(jq -r '.[1] | "\(.dedicated[0]) \(.token)"' "$TESTBED_DIR/connections")
	equal "$what: a join to another connection's address is dropped" \
		"$(counts address "${a% *}" "${b#* }")" 5
	equal "$what: one to its own gets in" "$(counts join "${a% *}" "${a#* }")" 5
	let_go many
	served many "$what: all are served"
	equal "$what: all joined" "$(of many .joined)" "$CONNECTIONS"
}

# counts REASON ADDR:PORT [TOKEN]: how many of five SYNs count for it.
counts() {
	local before

	before=$(guarded "$1")
	flood_once "$2" --count 5 ${3:+--join "$3"} >/dev/null
	echo $(($(guarded "$1") - before))
}

narrow_ready() {
	[ "$(on server ss -Hltn "sport = :81" | wc -l)" -ge 2 ]
}

topology
on server sysctl -qw net.core.somaxconn=8192 net.ipv4.tcp_max_syn_backlog=16384
ulimit -n "$(ulimit -Hn)"
route router "$PREFIX/64" via fd00::11
web_up
two_links
cat >"$TESTBED_DIR/server.yaml" <<-END
	vips: [$VIP4, "$VIP6"]
	path_manager: userspace
	guard: on
	guard_devices: [eth0]
	guard_allow: [2222/tcp, icmp]
	per_connection: "$PREFIX/64"
END
pm_up
with_application "application on every address" "$(vip 6)"

start narrow server "$LOAD" serve --listen "[$VIP6]:81" --name narrow
ready narrow
holds "application on the VIP only: one listener for all joins" await 5 narrow_ready
with_application "application on the VIP only" "[$VIP6]:81"
stop narrow

# The prefix is all local: nothing must be found in it.
start admin server "$LOAD" serve --proto tcp --listen '*:2222' --name admin
ready admin
get scan "[${PREFIX}1]:2222" --bytes 100 --timeout 2
equal "a port of guard_allow is not open there" "$(of scan .ok)" 0
equal "a plain SYN to the service is dropped" "$(counts syn "[${PREFIX}1]:80")" 5
equal "a join with a made-up token, too" "$(counts address "[${PREFIX}1]:80" random)" 5
stop admin

# After a crash the addresses are the same: they live in the kernel with the secret.
keep live "$(vip 6)" --proto mptcp --count 10 --parallel 10 --join-first 5
holds "off the VIP" await 10 state_is off_path 10
before=$(pm connections -j | jq -c '[.[].dedicated[]] | sort')
stop pm KILL
pm_up
get after "$(vip 6)" --proto mptcp --bytes 1k --count 20 --parallel 20 --hold-until-joined 5
equal "after kill -9: new connections join" "$(of after .joined)" 20
equal "after kill -9: the old ones keep their addresses" \
	"$(pm connections -j | jq -c '[.[] | select(.state == "off_path") | .dedicated[]] | sort')" \
	"$before"
let_go live
served live "after kill -9: transfers are served"

stop pm
holds "clear" pm clear
fails "clear takes the route back" 1 '' \
	grep -q "$PREFIX" <<<"$(ip -n "$(netns server)" -6 route show table local)"
conclude
