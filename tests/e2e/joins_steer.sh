#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# mp_join: steer, with servers that know nothing of it and clients that ignore the C flag: every join
# of the VIP gets to the server of its connection, over either family, and carries data; with
# mp_join: reject none gets anywhere, and the connections live on. JOINS_N=1000 for the figures.
#
#	client ══ eth0, eth1 ══ router ──┬── lb    mp_join: steer | reject, forward: l2
#	   userspace path manager        ├── b1    VIP on lo, C flag, nothing of ours
#	   joins the VIP from eth1       ├── b2
#	                                 └── b3
# shellcheck source=tests/e2e/joins.bash
. "$(dirname "$0")/joins.bash"

topology_lb
plain_backends
lb_up forward=l2 mp_join=steer

for f in 4 6; do
	what="steer, IPv$f"
	before=$(accepted_joins) steered=$(vip_stat "web$f" mp_join_steered)
	ignoring
	join_many "s$f" "$f"
	stop joiner
	all_joined "s$f" "$what"
	equal "$what: the client tried once for each" "$(of joiner .attempted)" "$JOINS_N"
	equal "$what: as many joins were accepted by their servers" \
		$(($(accepted_joins) - before)) "$JOINS_N"
	at_least "$what: and sent there by the balancer" \
		$(($(vip_stat "web$f" mp_join_steered) - steered)) "$JOINS_N"
	equal "$what: connections came from all servers" "$(reached "s$f")" 3
	note "$what: $(of "s$f" '"\(.ok) of \(.count) served, \(.joined_vip) joined the VIP"'), data over" \
		"both subflows in $(over_both "s$f")"
done
equal "steer: no join reached a wrong server" "$(wrong_joins)" 0

# The tokens that the balancer has computed are the kernel's own, of every connection.
for f in 4 6; do
	what="tokens, IPv$f" from="${CLIENT4[1]}:7" known=0 agreed=0
	[ "$f" = 4 ] || from="[${CLIENT6[1]}]:7"
	start held client "$LOAD" get --connect "$(vip "$f")" --proto mptcp --bytes 2000 --requests 2 \
		--gap 100 --count "$JOINS_N" --parallel "$JOINS_N" --mark 2000 --timeout 200 -j
	ready held mark 60
	for b in "${BACKENDS[@]}"; do
		for token in $(server_pm "$b" connections -j | jq -r --arg vip "$(vip "$f")" \
			'.[] | select(.local == $vip) | .token'); do
			known=$((known + 1))
			owner=$(lbctl -j explain tcp "$from" "$(vip "$f")" join "$token" |
				jq -r '"\(.backend) by \(.picked_by)"')
			[ "$owner" != "$b by token" ] || agreed=$((agreed + 1))
		done
	done
	stop held
	equal "$what: the kernels have one for every connection" "$known" "$JOINS_N"
	equal "$what: the balancer has the same, each with its server" "$agreed" "$known"
	note "$what: $agreed of $known agree"
done

# The first link goes: what is left arrives over the joined subflow alone.
ignoring
start cut client "$LOAD" get --connect "$(vip 4)" --proto mptcp --put --bytes 300k --rate 150k \
	--count 20 --parallel 20 --timeout 60 --stall 50 --join-first 20 -j
ready cut joined 20
on router nft -f - <<-END
	table inet cut {
	chain fw {
	type filter hook forward priority 0
	iifname c0 drop
	oifname c0 drop
	}
	}
END
finish cut 70 || true
on router nft delete table inet cut
stop joiner
served cut "the first link is cut: uploads finish over the joined subflow"

# From one family to the VIP of the other. A Linux socket of IPv4 opens no IPv6 subflow: the client's
# is one of IPv6 with an IPv4 address in it.
for f in 4 6; do
	to="[::ffff:$VIP4]:80"
	[ "$f" = 4 ] || to=$(vip 6)
	ignoring --to "$(vip $((10 - f)))"
	join_many "o$f" "$f" --connect "$to"
	stop joiner
	what="steer, joins of IPv$((10 - f)) by IPv$f connections"
	served "o$f" "$what: every byte arrives"
	# Another address than the one connected to: to the client that is a dedicated one.
	equal "$what: every connection joined" "$(of "o$f" .joined)" "$JOINS_N"
done
equal "steer, other family: no join reached a wrong server" "$(wrong_joins)" 0

# Servers without the C flag, and Linux's own path manager: nothing has to be ignored.
for b in "${BACKENDS[@]}"; do
	on "$b" sysctl -qw net.mptcp.allow_join_initial_addr_port=1
done
on client sysctl -qw net.mptcp.path_manager=kernel
client_endpoints subflow
join_many k4 4
all_joined k4 "steer, no C flag, the kernel's path manager"
equal "and no join reached a wrong server" "$(wrong_joins)" 0

lb_apply forward=l2 mp_join=reject
on client ip mptcp endpoint flush
for f in 4 6; do
	before=$(accepted_joins) refused=$(vip_stat "web$f" mp_join_rejected)
	ignoring
	join_many "r$f" "$f" --join-first 0.3
	stop joiner
	what="reject, IPv$f"
	served "r$f" "$what: every connection lives on, byte for byte"
	equal "$what: every join was refused" $(($(vip_stat "web$f" mp_join_rejected) - refused)) "$JOINS_N"
	equal "$what: no server accepted one" $(($(accepted_joins) - before)) 0
	note "$what: $(of "r$f" '"\(.ok) of \(.count) served"'), $(of joiner .attempted) joins tried"
done
equal "reject: no join reached a wrong server" "$(wrong_joins)" 0
conclude
