#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# join_ports, two balancers that share nothing but their config, and a router that spreads flows over
# both: every join of VIP:port gets to the server that announced it, whichever balancer has it.
# JOINS_N=1000 for the figures.
#
#	client ══ eth0, eth1 ══ router ──┬── lb     join_ports: {base: 20000}
#	   accepts what is      (ECMP by ├── lb2    the same
#	   announced, two links  5-tuple)├── b1     server-pm, join_port: 20001, no dedicated address
#	                                 ├── b2     ... 20002
#	                                 └── b3     ... 20003, in userspace mode
# shellcheck source=tests/e2e/joins.bash
. "$(dirname "$0")/joins.bash"

topology_lb
serve_backends
JOINS=port server_pm_up b1 b2
JOINS=port PATH_MANAGER=userspace server_pm_up b3
lb_up forward=gue join_ports=20000
second_balancer forward=gue join_ports=20000
on router sysctl -qw net.ipv4.fib_multipath_hash_policy=1 net.ipv6.fib_multipath_hash_policy=1
ip -n "$(netns router)" route replace "$VIP4" nexthop via 10.0.0.2 nexthop via 10.0.0.3
ip -n "$(netns router)" -6 route replace "$VIP6" nexthop via fd00::2 nexthop via fd00::3
client_endpoints subflow

# by_port NODE: joins that this balancer has sent by their port.
by_port() {
	lbctl_on "$1" -j stats | jq '[.vips[] | .mp_join_by_port // 0] | add'
}

for f in 4 6; do
	what="IPv$f" one=$(by_port lb) two=$(by_port lb2)
	join_many "p$f" "$f"
	one=$(($(by_port lb) - one)) two=$(($(by_port lb2) - two))
	served "p$f" "$what: every byte arrives"
	equal "$what: every connection joined" "$(of "p$f" .joined)" "$JOINS_N"
	equal "$what: connections came from all servers" "$(reached "p$f")" 3
	# shellcheck disable=SC2016 # the dollar is jq's
	equal "$what: every join at the port of the server that answers" "$(of "p$f" '[.connections[] |
		(.server[1:] | tonumber + 20000) as $port | select([.subflows[] | select(.dedicated) |
		.remote] | any(endswith(":\($port)")))] | length')" "$JOINS_N"
	at_least "$what: the first balancer had some of the joins" "$one" $((JOINS_N / 5))
	at_least "$what: the second had some" "$two" $((JOINS_N / 5))
	at_least "$what: together all" $((one + two)) "$JOINS_N"
	note "$what: $(of "p$f" '"\(.joined) of \(.count) joined"'), $one by the first balancer," \
		"$two by the second; data over both subflows in $(over_both "p$f")"
done
equal "no join reached a wrong server" "$(wrong_joins)" 0

# One balancer goes: what it carried is carried by the other.
get_in_background move "$(vip 4)" --proto mptcp --put --bytes 400k --rate 100k --count 30 --parallel 30 \
	--join-first 5
ready move joined
ip -n "$(netns router)" route replace "$VIP4" via 10.0.0.3
lbctl detach all
finish move 60 || true
served move "a balancer goes away: uploads go on, over either subflow"
equal "and still no join at a wrong server" "$(wrong_joins)" 0

# Nothing but joins is taken at the port.
for proto in tcp mptcp; do
	get direct "$VIP4:20001" --proto "$proto" --bytes 100 --timeout 5 --stall 5
	equal "a $proto connection that begins at a join port is refused" "$(of direct .errors.refused)" 1
done
conclude
