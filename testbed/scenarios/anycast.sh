# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The paper's experiment 3: three servers announce one address through BGP, the router spreads
# connections over them by their 5-tuples, and every few seconds one of them withdraws it for a while.
# No balancer: anycast alone.
#
#	client ══ router (BIRD, ECMP) ─┬─ b1 (BIRD)  VIP 198.51.100.1
#	                               ├─ b2 (BIRD)  VIP 198.51.100.1
#	                               └─ b3 (BIRD)  VIP 198.51.100.1

# shellcheck source=testbed/bgp.sh
. "$TESTBED_ROOT/testbed/bgp.sh"

about "anycast: servers come and go under downloads, with real BGP (the paper's experiment 3)"
param cycles 3 "how often a server goes; the paper: 10"
param every 6 "seconds from one to the next; the paper: 10"
param away 3 "seconds that it stays away; the paper: 5"
param connections 30 "downloads under way at a time; one that breaks is followed by another"
param rate 1500k "bytes a second of each download, paced by the server; 0: as fast as it goes"
param modes "tcp unaware mptcp" "of: tcp unaware mptcp close"
param cc cubic "congestion control of client and servers"
param seed 1 "of the servers' order"

manage_anycast() { # MODE
	local b

	for b in "${BACKENDS[@]}"; do
		stop "pm-$b"
		on "$b" sysctl -qw net.mptcp.allow_join_initial_addr_port=1 net.mptcp.pm_type=0
		on "$b" ip mptcp endpoint flush
		case $1 in
		mptcp | close)
			cat >"$TESTBED_DIR/$b.yaml" <<-END
				vips: [$VIP4]
				dedicated: [$(own4 "$b")]
				path_manager: $([ "$1" = close ] && echo userspace || echo kernel)
				initial_subflow: $([ "$1" = close ] && echo close || echo backup)
			END
			start "pm-$b" "$b" "$SERVER_PM" --pin-dir "$PINS/$b" run -c "$TESTBED_DIR/$b.yaml"
			ready "pm-$b"
			;;
		esac
	done
}

# announce NODE enable|disable
announce() {
	birdc "$1" "$2" anycast_direct >/dev/null
}

# cycle: one server after another, by the seed, goes and comes back. What and when goes to "moves".
cycle() {
	local i order begin every=${P[every]} away=${P[away]}

	mapfile -t order < <(printf '%s\n' "${BACKENDS[@]}" | shuf -r -n "${P[cycles]}" \
		--random-source=<(openssl enc -aes-128-ctr -nosalt -pass "pass:${P[seed]}" -pbkdf2 </dev/zero 2>/dev/null))
	begin=$(date +%s%3N)
	: >"$TESTBED_DIR/moves"
	for ((i = 0; i < P[cycles]; i++)); do
		pause_until $((begin + (i * every + every - away) * 1000))
		move "${order[i]}" disable
		pause_until $((begin + (i + 1) * every * 1000))
		move "${order[i]}" enable
	done
	sleep $((every - away))
}

move() { # NODE enable|disable
	announce "$1" "$2"
	jq -nc --arg b "$1" --arg w "$2" --argjson t "$(date +%s%3N)" '{server: $b, what: $w, at_ms: $t}' >>"$TESTBED_DIR/moves"
}

pause_until() { # MILLISECONDS
	local left=$(($1 - $(date +%s%3N)))

	[ "$left" -le 0 ] || sleep "$(printf '%d.%03d' $((left / 1000)) $((left % 1000)))"
}

scenario() {
	local m proto rate=() resets every=${P[every]}

	topology_lb
	[ "${P[cc]}" = host ] || congestion_control "${P[cc]}"
	client_endpoints subflow
	on client ip mptcp limits set add_addr_accepted 1 subflows 4
	vips_on_backends
	serve_backends
	bgp_router "${BACKENDS[@]}"
	for m in "${BACKENDS[@]}"; do
		bgp_speaker "$m" direct="$VIP4"
		announce "$m" enable
	done
	await 10 routed "$VIP4" 3 || die "the router has $(next_hops "$VIP4") next hops of 3"
	[ "${P[rate]}" = 0 ] || rate=(--rate "${P[rate]}")
	for m in ${P[modes]}; do
		proto=mptcp
		[ "$m" != tcp ] || proto=tcp
		manage_anycast "$m"
		resets=$(mib_sum TcpOutRsts "${BACKENDS[@]}")
		start load client "$LOAD" get --connect "$VIP4:80" --proto "$proto" --bytes 2000M --count 1000000 \
			--parallel "${P[connections]}" --for $(((P[cycles] + 1) * every)) --timeout 3600 "${rate[@]}" -j
		sleep 3 # to come up to speed
		cycle
		finish load $((every + 30)) || true
		jq -e .series "$TESTBED_DIR/load.out" >/dev/null 2>&1 ||
			die "$m: the client broke down: $(tail -1 "$TESTBED_DIR/load.err")"
		record "$(jq -c --arg m "$m" --slurpfile moves "$TESTBED_DIR/moves" \
			--argjson rst "$(($(mib_sum TcpOutRsts "${BACKENDS[@]}") - resets))" '
			.began_unix_ms as $t | ([$moves[].at_ms - $t] | max / 100) as $stop
			| .series.bytes as $b | [range(30; $stop) as $i | {at: ($i / 10), mbit: ($b[$i:$i + 10] | add * 8e-6)}
				| .moved = (.at as $s | any($moves[]; (.at_ms - $t) / 1000 | . < $s + 1 and . > $s - 1))] as $w
			| ($w | map(.mbit) | sort | .[length / 2 | floor]) as $median
			| def dip: (1 - (map(.mbit) | min) / $median) * 100;
			{mode: $m, broken: ([.connections[] | select(.error != null and .error != "stopped")] | length),
			errors, begun: (.connections | length), joined: (.joined // 0), resets_sent: $rst,
			goodput_mbit: ($w | map(.mbit) | add / length), worst_second_mbit: ($w | map(.mbit) | min),
			dip_percent: ($w | map(select(.moved)) | dip), dip_else_percent: ($w | map(select(.moved | not)) | dip),
			longest_pause_ms: (.pause_max_seconds * 1000),
			series: {step: .series.step, mbit: [.series.bytes[] * 80e-6]},
			moves: [$moves[] | .at = (.at_ms - $t) / 1000]}' "$TESTBED_DIR/load.out")"
		progress "$(wc -w <<<"${P[modes]}")" "$m: $(rows '.[-1] | "\(.broken) connections broken, " +
			"\(.goodput_mbit | round) Mbit/s, worst second of a move " +
			"\(.dip_percent * 10 | round / 10) % below the median (elsewhere \(.dip_else_percent * 10 | round / 10) %), " +
			"longest pause \(.longest_pause_ms | round) ms"')"
	done
	judge
}

judge() {
	local m got

	for m in mptcp close; do
		[[ " ${P[modes]} " == *" $m "* ]] || continue
		got=$(rows "map(select(.mode == \"$m\"))[0].broken")
		verdict "$m: connections that broke" "$got" 0 "$(calc "$got == 0")" 0
		got=$(rows "map(select(.mode == \"$m\"))[0].dip_percent * 10 | round / 10")
		verdict "$m: goodput of the worst second in which a server goes or comes, below the median" \
			"$got % (elsewhere $(rows "map(select(.mode == \"$m\"))[0].dip_else_percent * 10 | round / 10") %)" "<= 2 %" "$(calc "$got <= 2")" \
			"no drop"
	done
	[[ " ${P[modes]} " != *" tcp "* ]] || {
		got=$(rows 'map(select(.mode == "tcp"))[0].broken')
		verdict "tcp: connections that broke (so the removals are felt)" "$got" ">= 1" "$(calc "$got >= 1")" \
			"spikes of RST"
	}
}

tables() {
	jq '{title: "Servers that come and go", head: ["", "connections broken", "RSTs of the servers", "goodput, Mbit/s",
		"worst second, Mbit/s", "worst of a move, % below the median", "worst elsewhere, %", "longest pause, ms"],
		body: [.rows[] | [.mode, .broken, .resets_sent, (.goodput_mbit | round), (.worst_second_mbit | round),
		(.dip_percent * 10 | round / 10), (.dip_else_percent * 10 | round / 10), (.longest_pause_ms | round)]]}' "$1"
}

# Goodput over time, and who is away when.
plot() {
	local data m

	data=$(mktemp -d /tmp/mplb-plot.XXXXXX)
	for m in tcp unaware mptcp close; do
		jq -r --arg m "$m" '.rows[] | select(.mode == $m).series | .step as $s | .mbit
			| to_entries[] | "\(.key * $s) \(.value)"' "$1" >"$data/$m"
	done
	jq -r '.rows[0].moves as $m | range(0; $m | length; 2) as $i
		| "set object rectangle from \($m[$i].at), graph 0 to \($m[$i + 1].at), graph 1 fc rgb \"#f6e3b4\" fs solid noborder behind",
		"set label \"\($m[$i].server) away\" at \($m[$i].at), graph 0.96 left font \",10\" front"' "$1" >"$data/moves"
	gnuplot <<-END
		$(plot_to "$2" 1100 420)
		load "$data/moves"
		set grid ytics lc rgb "#dddddd"
		set yrange [0:*]
		set ylabel "goodput, Mbit/s, per 100 ms"
		set xlabel "s"
		set key bottom right
		D = "$data/"
		plot $(for m in $(jq -r '.rows[].mode' "$1"); do
			case $m in
			tcp) echo -n "D.\"tcp\" with lines lw 2 lc rgb \"#c0392b\" title \"TCP\", " ;;
			unaware) echo -n "D.\"unaware\" with lines lw 1 lc rgb \"#e0a030\" title \"MPTCP, no path manager\", " ;;
			mptcp) echo -n "D.\"mptcp\" with lines lw 2 lc rgb \"#1f6fb4\" title \"MPTCP, mplb\", " ;;
			close) echo -n "D.\"close\" with lines lw 2 lc rgb \"#3a9a4a\" title \"MPTCP, mplb, close\", " ;;
			esac
		done)
	END
	rm -r "$data"
}
