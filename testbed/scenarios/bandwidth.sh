# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The paper's experiment 2: a balancer with little bandwidth. Downloads with direct server return,
# downloads whose answers pass the balancer, and uploads.
#
#	client ══ router ── switch ──[ rate ]── balancer
#	                      ├── b1, b2, b3

about "transfers through a balancer with little bandwidth (the paper's experiment 2)"
param form short "short (a minute) or full (all of the lists below)"
param rates "2 10 100" "Mbit/s to the balancer, full form"
param kinds "direct balancer upload" "of: direct (download, direct server return), balancer, upload"
param modes "tcp mptcp close unaware" "of: tcp mptcp close unaware"
param bytes 10M "per transfer, full form"
param count 5 "transfers per point, full form"
param cc cubic "congestion control of client and servers"
param seed 1 "of chance"

scenario() {
	local rates=${P[rates]} bytes=${P[bytes]} count=${P[count]} m r k row total extra n

	if [ "${P[form]}" = short ]; then
		rates=10 bytes=4M count=3
	fi
	total=$((($(wc -w <<<"${P[modes]}") * $(wc -w <<<"$rates") + 1) * $(wc -w <<<"${P[kinds]}")))
	bench_up
	offloads
	for k in ${P[kinds]}; do
		extra=()
		[ "$k" != upload ] || extra=(--put)
		for m in none ${P[modes]}; do
			mode "$m"
			answers_by direct
			[ "$k $m" = "balancer none" ] || [ "$k" != balancer ] || answers_by balancer
			for r in $rates; do
				[ "$m" != none ] || [ "$r" = "${rates%% *}" ] || continue
				n=$count
				# At such a rate two are enough to see it.
				[ "$m" != tcp ] && [ "$m" != unaware ] || [ "$r" -gt 10 ] || n=2
				impair "rate_mbit=$r" queue_kb=64
				transfer t "$bytes" "$n" "${extra[@]}"
				row=$ROW
				record "$(jq -c --argjson r "$r" --arg k "$k" \
					'.rate_mbit = $r | .kind = $k' <<<"$row")"
				progress "$total" "$(jq -r --arg r "$r" --arg k "$k" '"\($k), \(.mode), " +
					"\($r) Mbit/s: \(.ok)/\(.count) ok, \(.goodput_mbit | round) Mbit/s, " +
					"\(.balancer_packets | round) packets on the balancer"' <<<"$row")"
			done
		done
	done
	judge "$rates"
}

judge() {
	local r got

	verdict "transfers served byte for byte" "$(rows '"\(map(.ok) | add) of \(map(.count) | add)"')" \
		all "$(rows 'all(.ok == .count)')"
	[[ ${P[modes]} == *mptcp* ]] || return 0
	for r in $1; do
		# Above that the client's links are the limit.
		[ "$r" -le 10 ] || continue
		got=$(rows "map(select(.mode == \"mptcp\" and .rate_mbit == $r).goodput_mbit) | min / $r | round")
		verdict "MPTCP's goodput, times the $r Mbit/s of the balancer" "$got" ">= 10" \
			"$(calc "$got >= 10")"
	done
	got=$(rows 'map(select(.mode == "mptcp").balancer_packets) | max | round')
	verdict "packets of an MPTCP transfer on the balancer, at most" "$got" "<= 120" \
		"$(calc "$got <= 120")"
}

plot() {
	local data=$3 m

	for m in tcp unaware mptcp close; do
		jq -r --arg m "$m" '.rows | map(select(.mode == $m)) | .[]
			| "\"\(.kind), \(.rate_mbit) Mbit/s\" \(.goodput_mbit)"' "$1" >"$data/$m"
	done
	gnuplot <<-END
		$(plot_to "$2" 900 420)
		set style data histograms
		set style fill solid 0.9
		set boxwidth 0.9
		set logscale y
		set yrange [0.5:10000]
		set format y "%g"
		set grid ytics lc rgb "#dddddd"
		set ylabel "goodput, Mbit/s (median)"
		set xtics rotate by -25
		set key top left horizontal
		D = "$data/"
		plot D."tcp" using 2:xtic(1) title "TCP" lc rgb "#c0392b", \
			D."unaware" using 2 title "MPTCP, unaware balancer" lc rgb "#e0a030", \
			D."mptcp" using 2 title "MPTCP, mplb" lc rgb "#1f6fb4", \
			D."close" using 2 title "MPTCP, mplb, close" lc rgb "#3a9a4a"
	END
}
