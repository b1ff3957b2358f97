#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# mp_join: steer while a member is drained: new connections avoid it, joins to its old ones still get
# there, it comes by no more tokens; when it has left the pool, and that is settled, joins are refused.
#
#	client ══ eth0, eth1 ══ router ──┬── lb    mp_join: steer, forward: gue
#	   joins from eth1 when told     ├── b1    server-pm, join_vip: allow
#	                                 ├── b2
#	                                 └── b3    drained
# shellcheck disable=SC2317 # functions that `holds` calls
# shellcheck source=tests/e2e/joins.bash
. "$(dirname "$0")/joins.bash"

# tokens NAME: that the balancer knows of the IPv4 pool's member.
tokens() {
	lbctl -j show backend | jq -r --arg n "$1" '[.[] | select(.name == $n) | .tokens] | max'
}

# owned LABEL: connections of that run that b3 serves.
owned() {
	of "$1" '[.connections[] | select(.server == "b3")] | length'
}

# took N, refused N: joins, by the member and by the balancer.
took() {
	[ "$(mib b3 MPTcpExtMPJoinAckRx)" -eq "$1" ]
}

refused() {
	[ "$(vip_stat web4 mp_join_gone)" -ge "$1" ]
}

# hold LABEL SECONDS: connections that ask once, and again after so long.
hold() {
	start "$1" client "$LOAD" get --connect "$(vip 4)" --proto mptcp --bytes 2000 --requests 2 \
		--gap "$2" --count "$JOINS_N" --parallel "$JOINS_N" --mark 2000 --timeout 120 -j
	ready "$1" mark 30
}

topology_lb
serve_backends
JOINS=vip server_pm_up
lb_up forward=gue outer=4 mp_join=steer
on client ip mptcp limits set add_addr_accepted 0 subflows 2

hold old 10
learnt=$(tokens b3)
at_least "the balancer knows tokens of the member" "$learnt" 1
lbctl drain b3 >>"$TESTBED_DIR/lb.log" 2>&1
get fresh "$(vip 4)" --proto mptcp --bytes 2000 --count "$JOINS_N" --parallel 20
served fresh "drained: new connections are served"
equal "drained: none of them by the member" "$(owned fresh)" 0
equal "drained: it learns no token" $(($(tokens b3) > learnt)) 0

# Only now the client gets an endpoint to join from: its kernel joins with all live connections.
before=$(mib b3 MPTcpExtMPJoinAckRx)
client_endpoints subflow
finish old 40 || true
served old "drained: old connections go on"
equal "drained: and have joined the VIP" "$(of old .joined_vip)" "$JOINS_N"
equal "drained: the member took the joins of its own" \
	$(($(mib b3 MPTcpExtMPJoinAckRx) - before)) "$(owned old)"

# It leaves. Until the change is settled its connections have their second chance, and their joins too.
lbctl undrain b3 >>"$TESTBED_DIR/lb.log" 2>&1
lbctl settle >>"$TESTBED_DIR/lb.log" 2>&1
on client ip mptcp endpoint flush
hold left 100
mine=$(server_pm b3 connections -j | jq length)
at_least "left: it has connections" "$mine" 1
lb_apply forward=gue outer=4 mp_join=steer members="b1 b2"
before=$(mib b3 MPTcpExtMPJoinAckRx)
client_endpoints subflow
holds "left, not settled: it takes the joins of its own" await 10 took "$((before + mine))"

lbctl settle >>"$TESTBED_DIR/lb.log" 2>&1
equal "settled: the balancer knows the member no more" "$(tokens b3)" null
gone=$(vip_stat web4 mp_join_gone)
address client eth0 192.0.2.3/26
on client ip mptcp endpoint add 192.0.2.3 dev eth0 subflow
holds "settled: joins to it are refused" await 10 refused "$((gone + mine))"
equal "settled: none reached it" "$(mib b3 MPTcpExtMPJoinAckRx)" "$((before + mine))"
stop left
note "$JOINS_N connections held; drained: $(owned old) of the member, all joined; left: $mine joined," \
	"settled: $(($(vip_stat web4 mp_join_gone) - gone)) joins refused"
equal "no join reached a wrong server" "$(wrong_joins)" 0
conclude
