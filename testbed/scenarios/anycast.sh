# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The paper's anycast experiment: three servers announce a VIP themselves, routers share it between them,
# and every ten seconds one of them is taken out for five. Here with real BGP: BIRD, lb-agent without
# data plane, and server-pm on each server. Links to servers are the bottleneck.
#
#	client ══ router (BIRD, ECMP) ──┬── b1  BIRD, lb-agent, server-pm   one of them is taken out
#	                                ├── b2  BIRD, lb-agent, server-pm
#	                                └── b3  BIRD, lb-agent, server-pm

about "servers that announce a VIP by BGP, one taken out again and again (the paper's experiment 3)"
param modes "tcp mptcp" "of: tcp mptcp close unaware"
param seconds 40 "per mode"
param every 10 "s from one removal to the next"
param away 5 "s that a server is out"
param parallel 30 "downloads at a time"
param bytes 500M "of a download, so that few end by themselves"
param rate 100mbit "of each server's link; the paper has 1gbit"
param cc cubic "congestion control of client and servers"

# shellcheck source=testbed/bgp.sh
. "$TESTBED_ROOT/testbed/bgp.sh"

scenario() {
	local m b

	topology_lb 1gbit
	offloads
	congestion_control "${P[cc]}"
	client_endpoints subflow
	serve_backends
	for b in "${BACKENDS[@]}"; do
		shape "$b" eth0 "${P[rate]}"
	done
	manage_servers mptcp # the VIPs stay, whoever manages the paths
	bgp_router "${BACKENDS[@]}"
	for b in "${BACKENDS[@]}"; do
		bgp_speaker "$b" "web4=$VIP4"
		{
			cat <<-END
				data_plane: none
				vips: [{name: web4, address: $VIP4, port: 80, protocol: tcp, pool: self}]
				pools:
				  - name: self
				    health: {type: tcp, interval: 1s, timeout: 900ms, rise: 1, fall: 3}
				    backends: [{name: $b, id: 1, address: "$(lan4 "$b")"}]
			END
			anycast_config "$b" web4 hold_down=0s drain_time=0s
		} >"$TESTBED_DIR/$b.yaml"
		agent_up "$b"
	done
	for m in ${P[modes]}; do
		await 20 routed "$VIP4" 3 || die "the servers do not announce the VIP"
		manage_servers "$m"
		measure "$m"
	done
	judge
}

# manage_servers MODE: close and mptcp as in scenario.sh; unaware, MPTCP without a path manager of ours.
manage_servers() {
	local b

	for b in "${BACKENDS[@]}"; do
		stop "pm-$b"
		case $1 in
		tcp) continue ;;
		unaware)
			on "$b" sysctl -qw net.mptcp.allow_join_initial_addr_port=1 net.mptcp.pm_type=0
			on "$b" ip mptcp endpoint flush
			continue
			;;
		close) PATH_MANAGER=userspace INITIAL_SUBFLOW=close server_config "$b" ;;
		mptcp) server_config "$b" ;;
		*) die "no mode \"$1\"; there are: tcp mptcp close unaware" ;;
		esac >"$TESTBED_DIR/pm.yaml"
		sed '/^decapsulate\|^balancers/d' "$TESTBED_DIR/pm.yaml" >"$TESTBED_DIR/$b-pm.yaml"
		start "pm-$b" "$b" "$SERVER_PM" --pin-dir "$PINS/$b" run -c "$TESTBED_DIR/$b-pm.yaml"
		ready "pm-$b"
	done
}

# measure MODE: a row with the series of goodput and failures, and when who was out.
measure() {
	local every=${P[every]} away=${P[away]} seconds=${P[seconds]} begin out='[]' i victim at proto=mptcp

	[ "$1" != tcp ] || proto=tcp

	# A download is given up when nothing comes for so long, were it neither reset nor moved.
	start "$1" client "$LOAD" get --connect "$VIP4:80" --proto "$proto" --bytes "${P[bytes]}" \
		--parallel "${P[parallel]}" --for "${P[seconds]}" --timeout 600 --stall 10 -j
	begin=$(date +%s%3N)
	for ((i = 0; (i + 1) * every <= seconds; i++)); do
		victim=${BACKENDS[i % 3]}
		pause_until $((begin + ((i + 1) * every - away) * 1000))
		at=$(date +%s%3N)
		stop "agent-$victim"
		pause_until $((begin + (i + 1) * every * 1000 - 200))
		agent_up "$victim"
		out=$(jq -c --arg v "$victim" --argjson at "$at" --argjson back "$(date +%s%3N)" \
			'. + [{server: $v, at: $at, back: $back}]' <<<"$out")
		printf '  %s: %s was out, %d of %d s\n' "$1" "$victim" $(((i + 1) * every)) \
			"${P[seconds]}" >&2
	done
	finish "$1" 60 || true
	jq -e .series "$TESTBED_DIR/$1.out" >/dev/null 2>&1 ||
		die "$1: the client broke down: $(tail -1 "$TESTBED_DIR/$1.err")"
	record "$(summary "$1" "$out")"
}

pause_until() {
	local left=$(($1 - $(date +%s%3N)))

	[ "$left" -le 0 ] || sleep "$(calc "$left / 1000")"
}

# summary MODE OUT: times become seconds of the run. The second after a removal or a return, and the
# first two seconds, belong to neither state. Medians of steps of 0.1 s: a step in which a busy machine
# did not let the client read counts twice as much in the next one.
summary() {
	jq -c --arg mode "$1" --argjson out "$2" '
		def median: if length > 0 then sort | .[length / 2 | floor] else null end;
		.began_unix_ms as $began | .series.step as $step |
		($out | map({server, at: ((.at - $began) / 1000), back: ((.back - $began) / 1000)})) as $out |
		[.series.bytes | to_entries[] | {t: (.key * $step), mbit: (.value * 8e-6 / $step)}] as $points |
		{mode: $mode, out: $out, step: $step,
		mbit: ($points | map(.mbit * 10 | round / 10)), failed: .series.failed,
		downloads: .count, broken: (.series.failed | add // 0),
		worst_second: ([$points[].mbit] as $p | ($out | map(.at, .back)) as $moves
			| [range(20; ($p | length) - 15) as $i | select(any($moves[]; . > $i * $step - 1 and . < ($i + 10) * $step))
			| $p[$i:$i + 10] | add / 10] | min),
		worst_second_else: ([$points[].mbit] as $p | ($out | map(.at, .back)) as $moves
			| [range(20; ($p | length) - 15) as $i | select(any($moves[]; . > $i * $step - 1 and . < ($i + 10) * $step) | not)
			| $p[$i:$i + 10] | add / 10] | min),
		mbit_three: ([$points[] | select(.t as $t | $t > 2 and
			($out | all($t < .at - 0.2 or $t > .back + 1.5))) | .mbit] | median),
		mbit_two: ([$points[] | select(.t as $t |
			$out | any($t > .at + 1 and $t < .back - 0.2)) | .mbit] | median)}' "$TESTBED_DIR/$1.out"
}

of_mode() {
	rows "map(select(.mode == \"$1\"))[0] | $2"
}

judge() {
	local m got

	for m in ${P[modes]}; do
		got=$(of_mode "$m" '.mbit_two / .mbit_three * 1000 | round / 10')
		if [ "$m" = tcp ]; then
			verdict "TCP: downloads broken by removals and returns" "$(of_mode tcp .broken)" "> 0" \
				"$(of_mode tcp '.broken > 0')"
			verdict "TCP: goodput with two servers, of that with three" "$got %" "<= 80 %" \
				"$(calc "$got <= 80")" "1,900 of 2,800 Mbit/s"
		elif [ "$m" != unaware ]; then
			verdict "$m: downloads broken" "$(of_mode "$m" .broken)" 0 \
				"$(of_mode "$m" '.broken == 0')" "no RST"
			verdict "$m: goodput with two servers, of that with three" "$got %" ">= 95 %" \
				"$(calc "$got >= 95")" "no drop"
			got=$(of_mode "$m" '(1 - .worst_second / .mbit_three) * 1000 | round / 10')
			verdict "$m: worst second around a removal or return, below three servers" \
				"$got % (elsewhere $(of_mode "$m" '(1 - .worst_second_else / .mbit_three) * 1000 | round / 10') %)" \
				"<= 2 %" "$(calc "$got <= 2")"
		fi
	done
}

tables() {
	jq '{title: "Three servers that announce the VIP, and one of them out", head: ["", "three servers, Mbit/s", "two, Mbit/s",
		"two of three, %", "worst second of a move, Mbit/s", "elsewhere", "downloads broken"],
		body: [.rows[] | [.mode, (.mbit_three | round), (.mbit_two | round), (.mbit_two / .mbit_three * 100 | round),
		(.worst_second | round), (.worst_second_else | round), .broken]]}' "$1"
}

# plot RESULT.json OUT FOLDER: goodput over time, and downloads that broke.
plot() {
	local data=$3 m lines=

	declare -A colour=([tcp]="#c0392b" [unaware]="#e0a030" [mptcp]="#1f6fb4" [close]="#3a9a4a")
	declare -A title=([tcp]="TCP" [unaware]="MPTCP, no path manager" [mptcp]="MPTCP, mplb" [close]="MPTCP, mplb, close")

	for m in $(jq -r '.rows[].mode' "$1"); do
		jq -r --arg m "$m" '.rows[] | select(.mode == $m) | .step as $step | .failed as $failed |
			.mbit | to_entries[] | "\(.key * $step) \(.value) \($failed[.key] // 0)"' \
			"$1" >"$data/$m"
		lines+="${lines:+, }'$data/$m' using 1:2 with lines lw 2 lc rgb '${colour[$m]}' title '${title[$m]}'"
		lines+=", '$data/$m' using 1:3 axes x1y2 with impulses lc rgb '${colour[$m]}' title '${title[$m]}, broken'"
	done
	{
		plot_to "$2" 1000 440
		echo "set xlabel 's'; set ylabel 'goodput, Mbit/s'; set y2label 'downloads broken per 0.1 s'"
		echo "set ytics nomirror; set y2tics; set yrange [0:*]; set y2range [0:*]; set key outside top"
		jq -r '.rows[0].out[] | "set object rectangle from \(.at), graph 0 to \(.back), graph 1
			fc rgb \"#eeeeee\" behind" | gsub("\n\t*"; " ")' "$1"
		echo "plot $lines"
	} | gnuplot
}
