# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The paper's headline: a 10 MB download at 16 Mbit/s over TCP and 803 over MPTCP, through the same
# impaired balancer. Looks for settings that give TCP so much, and measures MPTCP there.
#
#	client ══ router ── switch ──[ delay, loss, rate ]── balancer
#	                      ├── b1, b2, b3

about "MPTCP against TCP where a bad balancer leaves TCP 16 Mbit/s (the paper: 803 / 16)"
param ways "loss latency rate direct" "of: loss latency rate direct, what is turned until TCP gets there"
param tcp 16 "Mbit/s that TCP is to get"
param bytes 10M "per download"
param count 15 "MPTCP downloads per setting; TCP gets a third of them"
param delay 2 "ms, of way loss; the four that set-up takes are part of every download"
param cc cubic "congestion control of client and servers"
param seed 1 "of the losses"

# way NAME X: impairs so; X from 0 (TCP is too fast) to 1 (too slow).
#   loss     answers through the balancer, --delay, 0 to 4 % of loss
#   latency  answers through the balancer, 5 % of loss, 0 to 4 ms
#   rate     answers through the balancer, 100 to 1 Mbit/s, a queue of 64 KB
#   direct   direct server return, no loss, 0 to 1 s
way() {
	case $1 in
	loss) impair "delay_ms=${P[delay]}" "loss=$(calc "$2 * 0.04")" ;;
	latency) impair "delay_ms=$(calc "$2 * 4")" loss=0.05 ;;
	rate) impair "rate_mbit=$(calc "100 - $2 * 99")" queue_kb=64 ;;
	direct) impair "delay_ms=$(calc "$2 * 1000")" ;;
	*) die "$1: no such way" ;;
	esac
}

# Halves the range until TCP is within 5 % of what it is to get; sets X.
search() {
	local low=0 high=1 got try

	for try in 1 2 3 4 5 6 7; do
		X=$(calc "($low + $high) / 2")
		way "$1" "$X"
		transfer search "${P[bytes]}" 2
		got=$(jq .goodput_mbit_mean <<<"$ROW")
		printf '  %s, step %d: TCP gets %.1f Mbit/s\n' "$1" "$try" "$got" >&2
		[ "$(calc "($got / ${P[tcp]} - 1) | fabs < 0.05")" = false ] || return 0
		if [ "$(calc "$got > ${P[tcp]}")" = true ]; then
			low=$X
		else
			high=$X
		fi
	done
}

scenario() {
	local w m row n count settings tcp got total

	total=$(($(wc -w <<<"${P[ways]}") * 3 + 1))
	bench_up
	offloads
	mode none
	transfer t "${P[bytes]}" "${P[count]}"
	row=$ROW
	record "$(jq -c '.way = "none"' <<<"$row")"
	progress "$total" "no balancer: $(jq '.goodput_mbit | round' <<<"$row") Mbit/s"
	for w in ${P[ways]}; do
		if [ "$w" = direct ]; then
			answers_by direct
		else
			answers_by balancer
		fi
		mode tcp
		search "$w"
		settings=$(link_ask lan '.forth.settings | with_entries(select(.value != 0 and
			.value != false)) | tojson')
		for m in tcp mptcp close; do
			mode "$m"
			count=${P[count]}
			[ "$m" != tcp ] || count=$((count / 3))
			transfer t "${P[bytes]}" "$count"
			row=$ROW
			record "$(jq -c --arg w "$w" --argjson s "$settings" '.way = $w | .settings = $s' \
				<<<"$row")"
			progress "$total" "$(jq -r --arg w "$w" '"\($w): \(.mode) \(.goodput_mbit * 10 |
				round / 10) Mbit/s, set-up \(.set_up_ms.median | round) ms"' <<<"$row")"
		done
		tcp=$(rows "map(select(.way == \"$w\" and .mode == \"tcp\"))[0].goodput_mbit")
		for m in mptcp close; do
			got=$(rows "map(select(.way == \"$w\" and .mode == \"$m\"))[0].goodput_mbit")
			n=$(calc "$got / $tcp | . * 10 | round / 10")
			printf '  %s %s: TCP %.1f, %s %.0f Mbit/s: %s times\n' "$w" "$settings" \
				"$tcp" "$m" "$got" "$n"
			# Set-up alone takes two of so long ways: see docs/results.md.
			[ "$w" = direct ] || [ "$m" = close ] ||
				verdict "MPTCP / TCP, TCP slowed by $w" "$n" ">= 50" "$(calc "$n >= 50")" \
					"803 / 16 = 50"
		done
	done
	verdict "downloads served byte for byte" "$(rows '"\(map(.ok) | add) of \(map(.count) | add)"')" \
		all "$(rows 'all(.ok == .count)')"
}

tables() {
	jq '{title: "10 MB downloads, Mbit/s, median", head: ["TCP slowed by", "TCP", "MPTCP, mplb", "MPTCP, close"],
		body: [.rows | group_by(.way)[] | select(.[0].way != "none") | . as $r | [.[0].way, (("tcp", "mptcp", "close") as $m
		| $r[] | select(.mode == $m).goodput_mbit | . * 10 | round / 10)]]}' "$1"
}
