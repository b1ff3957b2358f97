# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What mplb-link does, measured with real traffic through it, so that one knows how far to trust it.
#
#	a ── [ mplb-link ] ── b

about "the link emulator: added delay, rate, loss, measured with real traffic"
param seed 1 "of the losses"

get_b() {
	on a timeout --foreground 120 "$LOAD" get --connect 10.9.0.2:80 "$@" -j 2>/dev/null || true
}

# Times of TCP handshakes, each an answer's way to and fro, beside those of the perfect link.
delays() {
	local d j base row

	base=$(handshakes 300)
	record "$(jq -nc --argjson b "$base" '{what: "delay", set_ms: 0, handshake: $b}')"
	for d in 1 5 20 100; do
		link_set l forth "delay_ms=$d"
		row=$(handshakes 200 | jq -c --argjson d "$d" --argjson b "$base" '{what: "delay", set_ms: $d,
			added_median_ms: (.median - $b.median), added_p99_ms: (.p99 - $b.median)}')
		record "$row"
		progress 19 "delay $d ms: adds $(jq -r '"\(.added_median_ms * 1000 | round / 1000) " +
			"(99th percentile \(.added_p99_ms * 1000 | round / 1000))"' <<<"$row") ms"
		[ "$d" != 20 ] || verdict "delay of 20 ms" "$(jq '.added_median_ms * 100 | round / 100' <<<"$row")" \
			"within 0.3" "$(jq '.added_median_ms | . > 19.7 and . < 20.3' <<<"$row")"
	done
	for j in 2 10; do
		link_set l forth delay_ms=20 "jitter_ms=$j"
		row=$(handshakes 300 | jq -c --argjson j "$j" --argjson b "$base" '{what: "jitter", set_ms: $j,
			added_least_ms: (.min - $b.median), added_most_ms: (.p99 - $b.median)}')
		record "$row"
		progress 19 "delay 20 ms, jitter $j ms: $(jq -r '"\(.added_least_ms * 10 | round / 10) to " +
			"\(.added_most_ms * 10 | round / 10)"' <<<"$row") ms"
	done
	link_perfect l
}

handshakes() {
	get_b --bytes 10 --count "$1" | jq -c '[.connections[].connect_seconds * 1000] | sort |
		{median: .[length / 2 | floor], p99: .[length * 0.99 | floor], min: .[0]}'
}

# Bulk data over TCP. Frames are 1514 bytes for 1448 of data.
rates() {
	local r row

	for r in 1 10 100 500 0; do
		link_set l back "rate_mbit=$r" queue_kb=250
		row=$(get_b --bytes "$(calc "if $r == 0 then 250000000 else $r * 250000 end")" |
			jq -c --argjson r "$r" '{what: "rate", set_mbit: $r, goodput_mbit,
			on_the_wire_mbit: (.goodput_mbit * 1514 / 1448)}')
		record "$row"
		progress 19 "rate $(calc "if $r == 0 then \"unlimited\" else $r end"): $(jq -r \
			'"\(.on_the_wire_mbit * 10 | round / 10) Mbit/s of frames"' <<<"$row")"
		[ "$r" != 100 ] || verdict "rate of 100 Mbit/s" "$(jq '.on_the_wire_mbit * 10 | round / 10' <<<"$row")" \
			"95 to 101" "$(jq '.on_the_wire_mbit | . > 95 and . < 101' <<<"$row")"
		[ "$r" != 0 ] || verdict "carries full-size frames" \
			"$(jq '.on_the_wire_mbit | round' <<<"$row") Mbit/s" ">= 1000" \
			"$(jq '.on_the_wire_mbit >= 1000' <<<"$row")"
	done
	link_perfect l
}

# Datagrams that are echoed: what is lost, alone and in bursts; duplicates and late ones as counted.
losses() {
	local s row

	for s in "loss=0.01" "loss=0.05" "loss=0.2" "loss=0.05 burst=5" "duplicate=0.1" \
		"delay_ms=1 reorder=0.1 reorder_ms=5" "blackhole=true"; do
		link_tell l '{"forth": null}' >/dev/null
		# shellcheck disable=SC2086 # several settings are several words
		link_set l forth $s
		row=$(counted 20000 | jq -c --arg s "$s" '.what = "faults" | .set = $s')
		record "$row"
		progress 19 "$s: $(jq -r '"\(.lost_percent) % unanswered, \(.duplicated_percent) % " +
			"doubled, \(.overtaken_percent) % overtaken"' <<<"$row")"
		[ "$s" != "loss=0.05" ] || verdict "loss of 5 %" "$(jq .lost_percent <<<"$row") %" \
			"within 0.5" "$(jq '.lost_percent | . > 4.5 and . < 5.5' <<<"$row")"
	done
	link_perfect l
}

# counted N: N datagrams, and what the link counted meanwhile. A blackhole needs no large number.
counted() {
	local n=$1 before after got

	[[ $(link_ask l .forth.settings.blackhole) == false ]] || n=100
	before=$(link_tell l '{}')
	got=$(get_b --udp --bytes 100 --count "$n" --parallel 100 --stall 0.3)
	after=$(link_tell l '{}')
	jq -nc --argjson g "$got" --argjson b "$before" --argjson a "$after" '
		def percent($x): $x * 10000 / $g.count | round / 100;
		{sent: $g.count, lost_percent: percent($g.lost),
		duplicated_percent: percent($a.forth.counters.duplicated - $b.forth.counters.duplicated),
		overtaken_percent: percent($a.forth.counters.overtaken - $b.forth.counters.overtaken)}'
}

scenario() {
	local row

	node a m b
	wire a eth0 m near 1500
	wire m far b eth0 1500
	address a eth0 10.9.0.1/24
	address b eth0 10.9.0.2/24
	on m sysctl -qw net.ipv6.conf.all.disable_ipv6=1
	on a sysctl -qw net.ipv4.ip_local_port_range="1024 65535"
	link_run l m near far
	start web b "$LOAD" serve --listen '*:80' --udp --name b
	ready web
	delays
	rates
	losses
	row=$(link_tell l '{}' | jq -c '{what: "self", overrun: (.forth.counters.overrun +
		.back.counters.overrun), refused: (.forth.counters.refused + .back.counters.refused),
		late_us_mean: .back.late_us_mean, late_us_max: .back.late_us_max}')
	record "$row"
	progress 19 "frames lost by the emulator itself: $(jq '.overrun + .refused' <<<"$row")"
}
