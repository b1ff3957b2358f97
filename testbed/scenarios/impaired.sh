# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The paper's experiment 1: completion times of downloads through a balancer that is far away and
# loses packets. Only what goes to the balancer is impaired; answers come directly from the server.
#
#	client ══ router ── switch ──[ delay, loss ]── balancer
#	                      ├── b1, b2, b3

about "downloads through a balancer with latency and loss (the paper's experiment 1)"
param form short "short (a minute) or full (all of the grid below)"
param delays "0 10 25 50 100" "ms towards the balancer, full form"
param losses "0 1 2 5" "percent towards the balancer, full form"
param sizes "10k 100k 1M 10M" "bytes, full form"
param count 10 "downloads per point, full form"
param modes "tcp mptcp close unaware" "of: tcp mptcp close unaware"
param answers direct "direct or balancer: the way of the servers' answers"
param cc cubic "congestion control of client and servers"
param seed 1 "of the losses"

# The value of a row, by mode, delay, loss, bytes.
cell() {
	rows "map(select(.mode == \"$1\" and .delay_ms == $2 and .loss_percent == $3
		and .bytes == $4))[0] | $5"
}

scenario() {
	local delays=${P[delays]} losses=${P[losses]} sizes=${P[sizes]} count=${P[count]}
	local m d l s row total

	if [ "${P[form]}" = short ]; then
		delays="0 50" losses="0 5" sizes="10k 10M" count=7
	fi
	total=$((($(wc -w <<<"${P[modes]}") * $(wc -w <<<"$delays") * $(wc -w <<<"$losses") + 1) *
		$(wc -w <<<"$sizes")))
	bench_up
	offloads
	answers_by "${P[answers]}"
	for m in none ${P[modes]}; do
		mode "$m"
		for d in $delays; do
			for l in $losses; do
				# Without a balancer in the way there is nothing to impair.
				[ "$m" != none ] || [ "$d $l" = "0 0" ] || continue
				impair "delay_ms=$d" "loss=$(calc "$l / 100")"
				for s in $sizes; do
					transfer t "$s" "$count"
					row=$ROW
					record "$(jq -c --argjson d "$d" --argjson l "$l" \
						'.delay_ms = $d | .loss_percent = $l' <<<"$row")"
					progress "$total" "$(jq -r --arg s "$s" --arg d "$d" --arg l "$l" \
						'"\(.mode), \($d) ms, \($l) %, \($s): \(.ok)/\(.count) ok, median " +
						"\(.ms.median | round) ms, \(.goodput_mbit | round) Mbit/s"' <<<"$row")"
				done
			done
		done
	done
	answers_by direct
	paired "$losses"
	judge "$delays" "$losses"
}

# Without a balancer, with one, and with one that loses packets, in turns, so that all three see the
# same machine. Medians over all turns are compared.
paired() {
	local turn m ways=(none near lossy) n=8 worst

	worst=$(xargs -n1 <<<"$1" | sort -n | tail -1)
	[[ ${P[modes]} == *mptcp* ]] || return 0
	for turn in {1..5}; do
		for m in "${ways[@]}"; do
			mode "$([ "$m" = none ] && echo none || echo mptcp)"
			impair "loss=$([ "$m" = lossy ] && calc "$worst / 100" || echo 0)"
			transfer t 10M "$n"
			jq -c --arg m "$m" '{pair: $m, ms: [.connections[] | select(.ok) | .seconds * 1000]}' \
				"$TESTBED_DIR/t.out" >>"$TESTBED_DIR/pairs"
		done
		printf '  in turns, %d of 5\n' "$turn" >&2
	done
	for m in "${ways[@]}"; do
		record "$(jq -sc --arg m "$m" --argjson l "$worst" "$STATS"'map(select(.pair == $m).ms) | add
			| {mode: "in turns: \($m)", bytes: 10000000, loss_percent: (if $m == "lossy" then $l else 0 end),
			delay_ms: 0, count: length, ok: length, ms: stats, goodput_mbit: (8e4 / (sort | at(0.5)))}' \
			"$TESTBED_DIR/pairs")"
	done
}

# What has to hold, at 10 MB, if that was among the sizes.
judge() {
	local delays=$1 losses=$2 big=10000000 worst most none got lossless

	verdict "downloads served byte for byte" "$(rows '"\(map(.ok) | add) of \(map(.count) | add)"')" \
		all "$(rows 'all(.ok == .count)')"
	[[ ${P[modes]} == *mptcp* ]] || return 0
	most=$(xargs -n1 <<<"$losses" | sort -n | tail -1)
	worst=$(xargs -n1 <<<"$delays" | sort -n | tail -1)
	none=$(rows 'map(select(.mode == "in turns: none"))[0].goodput_mbit')
	lossless=$(rows 'map(select(.mode == "in turns: near"))[0].goodput_mbit')
	got=$(calc "$lossless / $none * 1000 | round / 10")
	verdict "MPTCP through the balancer, of the same without one" "$got %" ">= 95 %" \
		"$(calc "$got >= 95")"
	got=$(rows 'map(select(.mode == "in turns: lossy"))[0].goodput_mbit')
	got=$(calc "(1 - $got / $lossless) * 1000 | round / 10")
	verdict "median goodput that $most % of loss costs MPTCP" "$got %" "<= 2 %" \
		"$(calc "$got <= 2")" "small"
	[ "$(cell mptcp 0 0 $big .bytes)" = $big ] || return 0
	got=$(calc "$(cell mptcp "$worst" 0 $big .ms.median) - $(cell mptcp 0 0 $big .ms.median) |
		. / (if $worst == 0 then 1 else $worst end) * 10 | round / 10")
	verdict "latency touches the set-up only: delays that a download waits for" "$got" "<= 3" \
		"$(calc "$got <= 3")"
}

tables() {
	jq '.rows as $r | (10000, 10000000) as $b | select($r | any(.bytes == $b))
		| ([$r[].loss_percent] | max | tostring) as $l
		| {title: "\(if $b == 10000 then "10 KB" else "10 MB" end): completion time in ms, median; in brackets with \($l) % of loss",
		head: ["latency, ms", "TCP", "MPTCP, mplb", "MPTCP, close", "MPTCP, unaware"],
		body: [[$r[] | select(.mode == "tcp").delay_ms] | unique[] | . as $d | [$d] +
			[("tcp", "mptcp", "close", "unaware") as $m
			| [$r[] | select(.mode == $m and .bytes == $b and .delay_ms == $d)
				| {key: (.loss_percent | tostring), value: .ms.median}] | from_entries
			| if length == 0 then "" else "\(.["0"] // 0 | round) (\(.[$l] // 0 | round))" end]]}' "$1"
}

# Completion time over latency (left, no loss) and over loss (right, greatest latency), 10 MB and
# 10 KB: median, bars from the least to the 95th percentile.
plot() {
	local data=$3 m

	for m in tcp mptcp close unaware; do
		for s in 10000 10000000; do
			jq -r --arg m "$m" --argjson s "$s" '.rows[] | select(.mode == $m and .bytes == $s
				and .loss_percent == 0) | "\(.delay_ms) \(.ms.median) \(.ms.min) \(.ms.p95)"' \
				"$1" | sort -n >"$data/delay-$m-$s"
			jq -r --arg m "$m" --argjson s "$s" '(.rows | map(.delay_ms) | max) as $d | .rows[] | select(.mode == $m and .bytes == $s and .delay_ms == $d)
				| "\(.loss_percent) \(.ms.median) \(.ms.min) \(.ms.p95)"' \
				"$1" | sort -n >"$data/loss-$m-$s"
		done
	done
	gnuplot <<-END
		$(plot_to "$2" 900 420)
		set multiplot layout 1,2
		set grid ytics lc rgb "#dddddd"
		set key top left
		set ylabel "completion time, ms"
		set style data yerrorlines
		set title "latency of the balancer, no loss"
		set xlabel "ms"
		set yrange [0:2400]
		set offsets graph 0.04, graph 0.04, 0, 0
		D = "$data/"
		plot D."delay-tcp-10000000" title "10 MB, TCP" lw 2 lc rgb "#c0392b", \
			D."delay-unaware-10000000" title "10 MB, MPTCP, unaware balancer" lw 2 lc rgb "#e0a030", \
			D."delay-mptcp-10000000" title "10 MB, MPTCP, mplb" lw 2 lc rgb "#1f6fb4", \
			D."delay-close-10000000" title "10 MB, MPTCP, mplb, close" lw 2 lc rgb "#3a9a4a", \
			D."delay-tcp-10000" title "10 KB, TCP" dt 2 lc rgb "#c0392b", \
			D."delay-mptcp-10000" title "10 KB, MPTCP, mplb" dt 2 lc rgb "#1f6fb4"
		set title "loss at the balancer, greatest latency"
		unset ylabel
		set xlabel "%"
		unset key
		plot D."loss-tcp-10000000" lw 2 lc rgb "#c0392b", \
			D."loss-unaware-10000000" lw 2 lc rgb "#e0a030", \
			D."loss-mptcp-10000000" lw 2 lc rgb "#1f6fb4", \
			D."loss-close-10000000" lw 2 lc rgb "#3a9a4a", \
			D."loss-tcp-10000" dt 2 lc rgb "#c0392b", \
			D."loss-mptcp-10000" dt 2 lc rgb "#1f6fb4"
	END
}
