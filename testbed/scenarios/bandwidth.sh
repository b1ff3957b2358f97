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
param rates "1 10 100" "Mbit/s to the balancer, full form"
param kinds "direct balancer upload" "of: direct (download, direct server return), balancer, upload"
param modes "tcp mptcp unaware" "of: tcp mptcp unaware"
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
	for k in ${P[kinds]}; do
		answers_by direct
		[ "$k" != balancer ] || answers_by balancer
		extra=()
		[ "$k" != upload ] || extra=(--put)
		for m in none ${P[modes]}; do
			mode "$m"
			for r in $rates; do
				[ "$m" != none ] || [ "$r" = "${rates%% *}" ] || continue
				n=$count
				# At such a rate two are enough to see it.
				[ "$m" != tcp ] && [ "$m" != unaware ] || [ "$r" -gt 10 ] || n=2
				impair "rate_mbit=$r" queue_kb=64
				row=$(transfer t "$bytes" "$n" "${extra[@]}")
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
	local k r got

	verdict "transfers served byte for byte" "$(rows '"\(map(.ok) | add) of \(map(.count) | add)"')" \
		all "$(rows 'all(.ok == .count)')"
	[[ ${P[modes]} == *mptcp* ]] || return 0
	for k in ${P[kinds]}; do
		for r in $1; do
			got=$(rows "(map(select(.kind == \"$k\" and .mode == \"none\"))[0].goodput_mbit) as \$n |
				map(select(.kind == \"$k\" and .mode == \"mptcp\" and .rate_mbit == $r))[0]
				| .goodput_mbit / \$n * 100 | round")
			verdict "$k, balancer of $r Mbit/s: MPTCP, of the same without one" "$got %" \
				">= 80 %" "$(calc "$got >= 80")"
		done
	done
}

plot() {
	local data m

	data=$(mktemp -d /tmp/mplb-plot.XXXXXX)
	for m in tcp unaware mptcp; do
		jq -r --arg m "$m" '.rows | map(select(.mode == $m)) | .[]
			| "\"\(.kind), \(.rate_mbit) Mbit/s\" \(.goodput_mbit)"' "$1" >"$data/$m"
	done
	gnuplot <<-END
		set terminal svg size 900,420 dynamic background "white" font "sans,13"
		set output "$2"
		set style data histograms
		set style fill solid 0.9
		set boxwidth 0.9
		set logscale y
		set yrange [0.5:*]
		set grid ytics lc rgb "#dddddd"
		set ylabel "goodput, Mbit/s (median)"
		set xtics rotate by -25
		set key top left horizontal
		set offsets graph 0, 0, graph 0.3, 0
		D = "$data/"
		plot D."tcp" using 2:xtic(1) title "TCP" lc rgb "#c0392b", \
			D."unaware" using 2 title "MPTCP, unaware balancer" lc rgb "#e0a030", \
			D."mptcp" using 2 title "MPTCP, mplb" lc rgb "#1f6fb4"
	END
	rm -r "$data"
}
