# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The paper's "beyond direct server return": how much of a transfer crosses the balancer. With direct
# server return answers do not, with MPTCP and the path manager nothing does but the set-up.
#
#	client ══ router ── switch ── balancer
#	                      ├── b1, b2, b3

about "share of a transfer's packets that cross the balancer (the paper's beyond DSR)"
param sizes "10k 100k 1M 10M" "bytes"
param count 5 "transfers per point"
param modes "tcp unaware mptcp close" "of: tcp unaware mptcp close"
param cc cubic "congestion control of client and servers"

# What the client's links have carried, both ways.
client_packets() {
	local dev sum=0

	for dev in eth0 eth1; do
		sum=$((sum + $(packets client $dev rx) + $(packets client $dev tx)))
	done
	echo "$sum"
}

scenario() {
	local m s kind before n=0 total

	total=$(($(wc -w <<<"${P[modes]}") * $(wc -w <<<"${P[sizes]}") * 2))
	bench_up
	for m in ${P[modes]}; do
		mode "$m"
		for kind in download upload; do
			for s in ${P[sizes]}; do
				before=$(client_packets)
				if [ "$kind" = upload ]; then
					transfer t "$s" "${P[count]}" --put
				else
					transfer t "$s" "${P[count]}"
				fi
				n=$(calc "($(client_packets) - $before) / ${P[count]}")
				record "$(jq -c --arg k "$kind" --argjson n "$n" \
					'.kind = $k | .packets = $n | .share = .balancer_packets / $n' <<<"$ROW")"
				progress "$total" "$m, $kind of $s: $(rows '.[-1] | "\(.balancer_packets) of \(.packets) packets, " +
					"\(.share * 1000 | round / 10) %"')"
			done
		done
	done
	verdict "transfers served byte for byte" "$(rows '"\(map(.ok) | add) of \(map(.count) | add)"')" \
		all "$(rows 'all(.ok == .count)')"
	for m in mptcp close; do
		n=$(rows "map(select(.mode == \"$m\" and .kind == \"download\" and .bytes == 10000000).balancer_packets) | .[0] // empty")
		[ -z "$n" ] || verdict "packets of a 10 MB download on the balancer, $m" "$n" "<= 20" "$(calc "$n <= 20")"
	done
}

tables() {
	jq '.rows as $r | ("download", "upload") as $k | {title: "\($k): packets on the balancer, of all (client'"'"'s links, both ways)",
		head: ["bytes", "TCP", "MPTCP, unaware", "MPTCP, mplb", "MPTCP, close"],
		body: [[$r[].bytes] | unique[] | . as $b | [$b] + [("tcp", "unaware", "mptcp", "close") as $m
		| [$r[] | select(.kind == $k and .bytes == $b and .mode == $m)][0]
		| if . then "\(.balancer_packets | round) of \(.packets | round)" else "" end]]}' "$1"
}

plot() {
	local data=$3 m

	for m in tcp unaware mptcp close; do
		jq -r --arg m "$m" '.rows[] | select(.mode == $m and .kind == "download") | "\(.bytes) \(.share * 100)"' \
			"$1" | sort -n >"$data/$m"
	done
	gnuplot <<-END
		$(plot_to "$2" 900 380)
		set logscale xy
		set yrange [0.01:100]
		set grid ytics lc rgb "#dddddd"
		set xlabel "bytes of a download"
		set ylabel "packets that cross the balancer, %"
		set key bottom left
		D = "$data/"
		set style data linespoints
		plot D."tcp" title "TCP" lw 2 lc rgb "#c0392b", \
			D."unaware" title "MPTCP, unaware balancer" lw 2 lc rgb "#e0a030", \
			D."mptcp" title "MPTCP, mplb" lw 2 lc rgb "#1f6fb4", \
			D."close" title "MPTCP, mplb, close" lw 2 lc rgb "#3a9a4a"
	END
}
