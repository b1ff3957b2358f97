#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A balancer that is far away and loses packets does not slow MPTCP down: only the set-up crosses it.
# 40 ms and 5 % of loss towards the balancer; answers go directly from server to client.
#
#	client ══ router ── switch ──[ mplb-link: delay, loss ]── lb
#	                      ├── b1  203.0.113.11  server-pm
#	                      ├── b2  203.0.113.12  server-pm
#	                      └── b3  203.0.113.13  server-pm
# shellcheck source=tests/e2e/check.bash
. "$(dirname "$0")/check.bash"
# shellcheck source=testbed/link.sh
. "$TESTBED_ROOT/testbed/link.sh"

DELAY=40

[ -f "$LINK" ] || die "$LINK is not built; run: make"
topology_lb
link_splice lan switch lb lan
# With Linux's first receive window MPTCP senders wait for the client now and then.
on client sysctl -qw net.ipv4.tcp_rmem="4096 4194304 33554432"
client_endpoints subflow
serve_backends
server_pm_up
lb_up

# median LABEL: of the completion times, ms.
median() {
	of "$1" '[.connections[].seconds * 1000] | sort | .[length / 2 | floor] | round'
}

get near "$(vip 4)" --proto mptcp --bytes 5M --count 9
served near "a good link: downloads arrive"

link_set lan forth delay_ms=$DELAY loss=0.05
get tcp "$(vip 4)" --proto tcp --bytes 5M --count 3
served tcp "a bad link: TCP downloads arrive"
before=$(link_ask lan .forth.packets.received)
get far "$(vip 4)" --proto mptcp --bytes 5M --count 15 --parallel 1
served far "a bad link: MPTCP downloads arrive"
after=$(link_ask lan .forth.packets.received)
equal "a bad link: every connection joins the server's own address" "$(of far .joined)" 15
# SYN and request each cross it once.
at_most "a bad link: MPTCP waits for it at set-up only" "$(median far)" \
	$(($(median near) + 3 * DELAY + 300))
at_least "a bad link: TCP waits for it all the time" "$(median tcp)" $((6 * DELAY))
# 5 MB are some 1,700 acknowledgements.
at_most "a bad link: packets of an MPTCP download that cross it" $(((after - before) / 15)) 120
at_least "the link has lost packets" "$(link_ask lan .forth.packets.lost)" 1
equal "the link has lost no packet by mistake" "$(link_ask lan \
	'[.forth, .back] | map(.counters | .overrun + .no_room + .refused) | add')" 0

# A connection that has joined does not notice that nothing passes any more.
get_in_background cut "$(vip 4)" --proto mptcp --bytes 3M --rate 2M --mark 500k --join-first 5 \
	--stall 5 --timeout 20
ready cut mark 10
link_set lan forth blackhole=true
finish cut 25 || true
served cut "a link that is cut in mid-transfer: the transfer goes on"
conclude
