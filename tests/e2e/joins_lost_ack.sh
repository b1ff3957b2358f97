#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# mp_join: steer where every fifth connection's third ACK, which has both keys, is lost: the balancer
# learns the token from the first data, which repeats them. JOINS_N=1000 for the figures.
#
#	client ══ eth0, eth1 ══ router ──┬── lb    mp_join: steer, forward: l2
#	   joins the VIP from eth1   │   ├── b1    VIP on lo, C flag, nothing of ours
#	                             │   ├── b2
#	          nft: loses third ACKs  └── b3
# shellcheck source=tests/e2e/joins.bash
. "$(dirname "$0")/joins.bash"

topology_lb
plain_backends
lb_up forward=l2 mp_join=steer

# MP_CAPABLE, no SYN, no payload: IP header, TCP header, timestamps, MP_CAPABLE of 20 bytes.
on router nft -f - <<-END
	table inet loss {
	counter third { }
	counter lost { }
	chain fw {
	type filter hook forward priority 0
	tcp flags & (syn | ack) == ack tcp option mptcp subtype 0 meta length 72 counter name third numgen inc mod 5 == 0 counter name lost drop
	tcp flags & (syn | ack) == ack tcp option mptcp subtype 0 meta length 92 counter name third numgen inc mod 5 == 0 counter name lost drop
	}
	}
END

# counted NAME: of nft.
counted() {
	on router nft -j list counter inet loss "$1" | jq '.nftables[] | .counter // empty | .packets'
}

for f in 4 6; do
	what="IPv$f"
	third=$(counted third) lost=$(counted lost) data=$(vip_stat "web$f" learnt_data)
	ignoring
	join_many "l$f" "$f"
	stop joiner
	lost=$(($(counted lost) - lost)) third=$(($(counted third) - third))
	served "l$f" "$what: every byte arrives"
	at_least "$what: a fifth of the third ACKs was lost" $((lost * 5)) "$third"
	tried=$(of joiner .attempted) joined=$(of joiner .established)
	equal "$what: the client tried once for each" "$tried" "$JOINS_N"
	# 99.9 %.
	at_least "$what: joins got to their server, thousandths" $((joined * 1000 / tried)) 999
	# A SYN/ACK that was sent twice has two third ACKs: the token may be learnt from the other.
	at_least "$what: for those, learnt from data" $(($(vip_stat "web$f" learnt_data) - data)) \
		$((lost - (third - JOINS_N)))
	note "$what: third ACKs lost: $lost of $third; $joined of $tried joins steered," \
		"$(vip_stat "web$f" mp_join_unknown) refused as unknown"
done
equal "no join reached a wrong server" "$(wrong_joins)" 0
conclude
