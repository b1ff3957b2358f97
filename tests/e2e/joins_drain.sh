#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# mp_join: steer while a member is drained: new connections avoid it, joins to its old ones still get
# there, the number of its tokens goes down as they end; when it has left the pool its joins are refused.
#
#	client ══ eth0, eth1 ══ router ──┬── lb    mp_join: steer, forward: gue
#	   joins from eth1 when told     ├── b1    server-pm, join_vip: allow
#	                                 ├── b2
#	                                 └── b3    drained
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

hold old 6
learnt=$(tokens b3)
at_least "the balancer knows tokens of the member" "$learnt" $((JOINS_N / 10))
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
equal "no join reached a wrong server" "$(wrong_joins)" 0
conclude
