#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Two balancers behind ECMP are replaced one after the other under traffic, as docs/operations.md says:
# withdraw, wait, replace, announce. No connection breaks, TCP or MPTCP, old or new.
#
#	client ══ router (BIRD, ECMP) ──┬── lb    BIRD, lb-agent   replaced first
#	                                ├── lb2   BIRD, lb-agent   replaced second
#	                                ├── b1  ┐
#	                                ├── b2  ├ server-pm
#	                                └── b3  ┘
# shellcheck disable=SC2317 # functions that `holds` calls
# shellcheck source=tests/e2e/check.bash
. "$(dirname "$0")/check.bash"
# shellcheck source=testbed/bgp.sh
. "$TESTBED_ROOT/testbed/bgp.sh"

BALANCERS=(lb lb2)

# seen NODE: packets of the VIPs that it has forwarded.
seen() {
	lbctl_on "$1" -j stats | jq '[.vips[].packets] | add'
}

# has_seen NODE COUNT
has_seen() {
	[ "$(seen "$1")" -ge "$2" ]
}

# replace NODE: what systemctl and dpkg do, with what is there between the two.
replace() {
	local n=$1 other=lb before

	[ "$n" != lb ] || other=lb2
	stop "agent-$n"
	equal "$n: stopped: the router has the other one alone" "$(next_hops "$VIP4")" 1
	equal "$n: stopped: its NIC is free" "$(lbctl_on "$n" -j show attach)" "[]"
	before=$(seen "$other")
	holds "$n: the state of the old version goes" lbctl_on "$n" detach all
	holds "$n: the new one is attached" lbctl_on "$n" attach eth0 mode native
	holds "$n: with its config" lbctl_on "$n" apply "$TESTBED_DIR/$n.yaml"
	sleep 0.5
	equal "$n: nothing comes before it is announced" "$(seen "$n")" 0
	at_least "$n: meanwhile the other one forwards" $(($(seen "$other") - before)) 1
	agent_up "$n"
	holds "$n: announced again" await 10 routed "$VIP4" 2
	holds "$n: announced again, IPv6" await 10 routed "$VIP6" 2
}

topology_lb
client_endpoints subflow
serve_backends
server_pm_up
lb_up forward=gue
second_balancer forward=gue
bgp_router "${BALANCERS[@]}"
for n in "${BALANCERS[@]}"; do
	bgp_speaker "$n" "web4=$VIP4" "web6=$VIP6"
	{
		lb_config forward=gue
		anycast_config "$n" web4 web6 hold_down=1s drain_time=1s
	} >"$TESTBED_DIR/$n.yaml"
	agent_up "$n"
done
holds "both are announced" await 10 routed "$VIP4" 2
holds "both are announced, IPv6" await 10 routed "$VIP6" 2

# Connections that are there from the beginning to the end, and ask for something all the time.
for proto in tcp mptcp; do
	start "hold-$proto" client "$LOAD" hold --connect "$(vip 4)" --connect "$(vip 6)" \
		--proto $proto --count 100 --interval 0.2 -j
done
ready hold-tcp established
ready hold-mptcp established
# Long transfers of either kind, and new connections.
for f in 4 6; do
	get_in_background "tcp$f" "$(vip "$f")" --bytes 4M --rate 500k --count 15 --parallel 15 \
		--mark 100k
	get_in_background "put$f" "$(vip "$f")" --put --bytes 4M --rate 500k --count 5 --parallel 5
	get_in_background "mptcp$f" "$(vip "$f")" --proto mptcp --bytes 4M --rate 500k \
		--count 15 --parallel 15
	get_in_background "short$f" "$(vip "$f")" --bytes 5k --requests 5 --gap 0.1 --count 200 \
		--parallel 15
	get_in_background "mpshort$f" "$(vip "$f")" --proto mptcp --bytes 5k --requests 5 \
		--gap 0.1 --count 200 --parallel 15
done
ready tcp4 mark
ready tcp6 mark
for n in "${BALANCERS[@]}"; do
	at_least "$n has a share of the packets" "$(seen "$n")" 50
done
for n in "${BALANCERS[@]}"; do
	replace "$n"
done
for n in "${BALANCERS[@]}"; do
	holds "$n has a share of the packets again" await 10 has_seen "$n" 50
done
for proto in tcp mptcp; do
	holds "connections were held throughout ($proto)" running "hold-$proto"
	stop "hold-$proto"
	equal "both replaced: connections that were there throughout ($proto): all came up, none broke" \
		"$(of "hold-$proto" '"\(.established) \(.broken) \(.failed)"')" "100 0 0"
done
for f in 4 6; do
	for label in tcp put mptcp short mpshort; do
		finish "$label$f" 40 || true
		served "$label$f" "both replaced: $label$f: nothing broke"
	done
done
equal "no join reached a wrong server" "$(wrong_joins)" 0
conclude
