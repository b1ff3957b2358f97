#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# server-pm announces VIP:port instead of an address of the server's own (join_port), in kernel and in
# userspace mode, over IPv4 and IPv6, and to connections only: nobody can begin one at that port.
#
#	client ══ eth0, eth1 ══ router ── server   (tests/e2e/userspace.bash; no dedicated address)
# shellcheck disable=SC2317 # functions that `holds` and `await` call
# shellcheck source=tests/e2e/userspace.bash
. "$(dirname "$0")/userspace.bash"

PORT=20003

# port_config MANAGER [LINE]
port_config() {
	cat >"$TESTBED_DIR/server.yaml" <<-END
		vips: [$VIP4, "$VIP6"]
		join_port: $PORT
		path_manager: $1
		${2:-}
	END
}

# port_restart MANAGER [LINE]
port_restart() {
	stop pm
	port_config "$@"
	pm_up
}

# port_joins WHAT FAMILY COUNT: so many connections, all joined at the port, every byte verified.
port_joins() {
	local before

	before=$(mib server MPTcpExtMPJoinPortAckRx)
	get joins "$(vip "$2")" --proto mptcp --bytes 100k --count "$3" --parallel 20 --join-first 10
	served joins "$1: every byte arrives"
	equal "$1: every connection joins" "$(of joins .joined)" "$3"
	at_least "$1: at the port" $(($(mib server MPTcpExtMPJoinPortAckRx) - before)) \
		"$([ "$2" = 4 ] && echo "$3" || echo "${4:-$3}")"
}

c_flag() {
	[ "$(on server sysctl -n net.mptcp.allow_join_initial_addr_port)" = 0 ]
}

# refused WHAT PROTO FAMILY: a connection that begins at the port.
refused() {
	local to

	to=$(vip "$3")
	get direct "${to%:80}:$PORT" --proto "$2" --bytes 100 --timeout 5 --stall 5
	equal "$1: a connection ($2) that begins at the port gets nothing" "$(of direct .ok)" 0
}

# all_have_subflows COUNT N: so many connections have N, the initial one among them.
all_have_subflows() {
	[ "$(pm connections -j | jq "[.[] | select(.subflows == $2)] | length")" = "$1" ]
}

# said_so LABEL PATTERN: in its log.
said_so() {
	grep -qE -- "$2" "$TESTBED_DIR/$1.err"
}

# says WHAT PATTERN COMMAND...
says() {
	local what=$1 pattern=$2

	shift 2
	"$@" >"$TESTBED_DIR/says.err" 2>&1 || true
	holds "$what" said_so says "$pattern"
}

topology
on server ip addr del "$OWN4/32" dev lo
on server ip -6 addr del "$OWN6/128" dev lo
web_up
two_links

for manager in kernel userspace; do
	port_restart "$manager"
	holds "$manager: the C flag stays" c_flag
	port_joins "$manager, IPv4" 4 20
	# A client whose subflow endpoints are of either family joins the IPv4 VIP from an IPv6 one.
	port_joins "$manager, IPv6 with timestamps: the IPv4 VIP is announced" 6 20
	equal "$manager: nothing was dropped for want of room" "$(mib server MPTcpExtAddAddrTxDrop)" 0
	for proto in mptcp tcp; do
		refused "$manager" "$proto" 4
	done
	keep living "$(vip 4)" --proto mptcp --count 5 --parallel 5 --join-first 10
	ready living joined
	# Sockets of those before may linger for a while.
	holds "$manager: the joined are shown so" await 5 state_is joined 5
	equal "$manager: and their initial subflow is no backup" "$(state off_path)" 0
	stop pm KILL
	pm_up
	holds "$manager: killed and started again, it knows them" await 5 state_is joined 5
	# The port goes, the connections stay.
	stop pm
	sed '/^join_port/d' "$TESTBED_DIR/server.yaml" >"$TESTBED_DIR/without.yaml"
	start pm server "$SERVER_PM" --pin-dir "$PINS/server" run -c "$TESTBED_DIR/without.yaml"
	ready pm
	let_go living
	served living "$manager: taken out of the config, connections live on"
	equal "$manager: and no endpoint is left" "$(on server ip mptcp endpoint show | wc -l)" 0
done

# ---- beside a dedicated address ----
address server lo "$OWN4/32"
accepting
for manager in kernel userspace; do
	port_restart "$manager" "dedicated: [$OWN4]"
	keep beside "$(vip 4)" --proto mptcp --count 5 --parallel 5 --join-first 10
	ready beside joined
	holds "$manager, a dedicated address beside it: the initial subflow is left for that" \
		await 5 state_is off_path 5
	equal "$manager: and nothing else is" "$(state joined)" 0
	await 10 all_have_subflows 5 3 || true
	let_go beside
	served beside "$manager, a dedicated address beside it: every byte arrives"
	equal "$manager: the client has joined both" "$(of beside '[.connections[] | select(
		([.subflows[].remote] | index("203.0.113.11:80")) and
		([.subflows[].remote] | index("198.51.100.1:20003")))] | length')" 5
done
stop pm
on server ip addr del "$OWN4/32" dev lo
two_links

# ---- IPv6 and TCP timestamps ----
port_config kernel
# found FILE: what `check` says of join_port; the config is not the one that runs.
found() {
	pm check -j -c "$TESTBED_DIR/$1" | jq -r '.findings[] | select(.finding |
		startswith("join_port")) | "\(.finding) \(.grade)"'
}

equal "check: IPv6 with a port is warned about, not refused" "$(found server.yaml)" \
	"join_port_ipv6 warning"
says "check: names the mend" 'tcp_timestamps=0' pm check -c "$TESTBED_DIR/server.yaml"
sed "s/^vips.*/vips: [\"$VIP6\"]/" "$TESTBED_DIR/server.yaml" >"$TESTBED_DIR/six.yaml"
fails "check: with nothing to announce it is a fault" 1 'nothing is announced.*tcp_timestamps=0' \
	pm check -c "$TESTBED_DIR/six.yaml"
on server sysctl -qw net.ipv4.tcp_timestamps=0
equal "check: without timestamps all is well" "$(found six.yaml)" ""
for manager in kernel userspace; do
	port_restart "$manager"
	port_joins "$manager, IPv6 without timestamps" 6 20
	equal "$manager: IPv6 joined over IPv6" "$(of joins '[.connections[] | select(
		[.subflows[].remote] | any(startswith("[2001:db8:100::1]:20003")))] | length')" 20
done
on server sysctl -qw net.ipv4.tcp_timestamps=1

# ---- somebody else has the port ----
stop pm
pm clear
start squatter server "$LOAD" serve --listen "0.0.0.0:$PORT" --proto tcp --name squatter
ready squatter
port_config kernel
fails "kernel: a port in use is named" 2 "port $PORT.*ss -tlnp" pm run -c "$TESTBED_DIR/server.yaml"
pm clear
port_config userspace
pm_up
holds "userspace: a port in use is named" said_so pm "$VIP4:$PORT: joins need a listener"
get plain "$(vip 4)" --proto mptcp --bytes 100k --count 5
served plain "userspace: connections are served all the same"
stop squatter
holds "userspace: the port is taken once it is free" await 10 said_so pm "$VIP4:$PORT: listening for joins"
port_joins "userspace: then joins come" 4 10
conclude
