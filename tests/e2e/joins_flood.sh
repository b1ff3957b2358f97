#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A flood of joins with random tokens, as fast as its sender can, beside honest ones: these all get to
# their server, and of the flood nothing reaches a server. JOINS_N=1000 for the figures.
#
#	client ══ eth0, eth1 ══ router ──┬── lb    mp_join: steer, forward: l2
#	   joins the VIP from eth1   │   ├── b1    VIP on lo, C flag, nothing of ours
#	                             │   ├── b2
#	        flooder 192.0.2.130 ─┘   └── b3
# shellcheck source=tests/e2e/joins.bash
. "$(dirname "$0")/joins.bash"

topology_lb
plain_backends
lb_up forward=l2 mp_join=steer
node flooder
wire flooder eth0 router f0 1500
address flooder eth0 192.0.2.130/26 2001:db8:3::2/64
address router f0 192.0.2.129/26 2001:db8:3::1/64
topology_defaults flooder eth0 192.0.2.129 2001:db8:3::1
meet flooder 192.0.2.129
meet flooder 2001:db8:3::1

# They are joins: a server that gets them looks their tokens up.
for to in "$(own4 b1):80 192.0.2.130" "[$(own6 b1)]:80 2001:db8:3::2"; do
	before=$(mib b1 MPTcpExtMPJoinNoTokenFound)
	on flooder "$LOAD" syn --to "${to% *}" --source "${to#* }" --join random --rate 500 \
		--seconds 0.5 >"$TESTBED_DIR/few.out"
	sent=$(of few .sent)
	at_least "${to% *}: some were sent" "$sent" 100
	equal "${to% *}: the server takes them for joins" \
		$(($(mib b1 MPTcpExtMPJoinNoTokenFound) - before)) "$sent"
done
wrong=$(wrong_joins)

# forwarded VIP: joins that the balancer sent to a server.
forwarded() {
	echo $(($(vip_stat "$1" mp_join_steered) + $(vip_stat "$1" mp_join_hashed)))
}

for f in 4 6; do
	what="IPv$f" source=192.0.2.130
	[ "$f" = 4 ] || source=2001:db8:3::2
	before=$(vip_stat "web$f" mp_join_unknown) limited=$(vip_stat "web$f" mp_join_limited)
	forwarded=$(forwarded "web$f")
	start flood flooder "$LOAD" syn --to "$(vip "$f")" --source "$source" --join random \
		--seconds 300
	ready flood
	ignoring
	join_many "h$f" "$f"
	stop joiner
	stop flood
	sent=$(of flood .sent)
	all_joined "h$f" "$what, under the flood"
	at_least "$what: there was a flood" "$sent" $((JOINS_N * 20))
	unknown=$(($(vip_stat "web$f" mp_join_unknown) - before))
	limited=$(($(vip_stat "web$f" mp_join_limited) - limited))
	note "$what: a flood of $(of flood '"\(.rate | round) a second for \(.seconds | round) s"'):" \
		"$unknown answered with a reset, $limited dropped without;" \
		"$(of "h$f" '"\(.joined_vip) of \(.count) honest ones joined"')"
	# Some of it is lost in queues on the way.
	at_least "$what: it got to the balancer" $((unknown + limited)) $((JOINS_N * 10))
	# An honest SYN may have to be sent again.
	at_most "$what: joins that were forwarded, with the honest ones" \
		$(($(forwarded "web$f") - forwarded)) $((JOINS_N * 2))
done
equal "no join reached a wrong server" $(($(wrong_joins) - wrong)) 0
conclude
