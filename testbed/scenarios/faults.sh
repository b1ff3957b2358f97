# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Failure injection: steady traffic over TCP and MPTCP while things break, one after another, and a
# verdict for each on what came of it (testbed/faults.sh has the faults and what each may do). A run takes
# the faults in an order, and with victims, that its seed says. When a run goes wrong, faults are
# taken out of it as long as it still goes wrong: what is left is the shortest sequence that shows it.
#
#	client ══ router ══ segment ── lb, lb2      BIRD on router, lb, lb2
#	                        └───── b1, b2, b3

# shellcheck source=testbed/bgp.sh
. "$TESTBED_ROOT/testbed/bgp.sh"
# shellcheck source=testbed/faults.sh
. "$TESTBED_ROOT/testbed/faults.sh"

about "faults under traffic, and what they may break (failure injection)"
param faults all "which, in this order; all; or random: a shuffle of --length of them"
param length 6 "of a random sequence; faults may come twice"
param runs 1 "sequences, each with a seed of its own: --seed, --seed + 1, ..."
param tcp 100 "TCP connections"
param mptcp 100 "MPTCP connections"
param seed 1 "of the order and the victims"
param shrink yes "yes or no: look for the shortest sequence that goes wrong"

scenario() {
	local run seed sequence

	[[ ${P[shrink]} =~ ^(yes|no)$ ]] || die "--shrink ${P[shrink]}: want yes or no"
	if [ "${P[runs]}" -eq 1 ] && [ "${P[faults]}" != random ]; then
		[ "${P[faults]}" != all ] || P[faults]="${FAULTS[*]}"
		sequence "${P[faults]}"
		return
	fi
	for ((run = 0; run < P[runs]; run++)); do
		seed=$((P[seed] + run))
		sequence=$(pick "$seed")
		apart "$seed" "$sequence" "$TESTBED_DIR/run.json" || true
		jq -c --argjson s "$seed" --arg q "$sequence" '.rows[] + {seed: $s, sequence: $q}' \
			"$TESTBED_DIR/run.json" >>"$TESTBED_DIR/rows"
		progress "${P[runs]}" "seed $seed: $sequence: $(jq -r 'if all(.verdicts[]; .holds) then "holds" else
			"BROKEN: " + ([.verdicts[] | select(.holds | not) | "\(.what): \(.got)"] | join("; ")) end' \
			"$TESTBED_DIR/run.json")"
		if [ "${P[shrink]}" = yes ] && ! good "$TESTBED_DIR/run.json"; then
			shrink "$seed" "$sequence"
		fi
	done
	judge_all
}

# pick SEED: the faults of that run.
pick() {
	local length=${P[length]} list=("${FAULTS[@]}")

	case ${P[faults]} in
	random) ;;
	all) length=${#FAULTS[@]} ;;
	*)
		read -ra list <<<"${P[faults]}"
		length=${#list[@]}
		;;
	esac
	if [ "${P[faults]}" = random ]; then
		printf '%s\n' "${list[@]}" | shuf -r -n "$length" --random-source=<(random "$1") | xargs
	else
		printf '%s\n' "${list[@]}" | shuf --random-source=<(random "$1") | xargs
	fi
}

# random SEED: bytes without end, the same for the same seed.
random() {
	openssl enc -aes-128-ctr -nosalt -pass "pass:$1" -pbkdf2 </dev/zero 2>/dev/null
}

# apart SEED SEQUENCE RESULT: a run in a testbed of its own.
apart() {
	"$0" run faults --faults "$2" --seed "$1" --tcp "${P[tcp]}" --mptcp "${P[mptcp]}" --out "$3" \
		>"$TESTBED_DIR/run.log" 2>&1 || [ -f "$3" ] || {
		tail -5 "$TESTBED_DIR/run.log" >&2
		die "seed $1: the run broke down"
	}
}

good() {
	[ "$(jq 'all(.verdicts[]; .holds)' "$1")" = true ]
}

# shrink SEED SEQUENCE: leaves out one fault after the other.
shrink() {
	local seed=$1 left i try again=yes

	read -ra left <<<"$2"
	while [ "$again" = yes ] && [ ${#left[@]} -gt 1 ]; do
		again=no
		for i in "${!left[@]}"; do
			try=("${left[@]:0:i}" "${left[@]:i+1}")
			rm -f "$TESTBED_DIR/try.json"
			apart "$seed" "${try[*]}" "$TESTBED_DIR/try.json"
			good "$TESTBED_DIR/try.json" && continue
			left=("${try[@]}")
			again=yes
			break
		done
	done
	echo "  shrunk: mplb-testbed run faults --seed $seed --faults \"${left[*]}\"" >&2
	record "$(jq -nc --argjson s "$seed" --arg q "${left[*]}" '{shrunk: $q, seed: $s}')"
}

# sequence FAULTS: one run, here.
sequence() {
	local f victims

	for f in $1; do
		declare -F "fault_$f" >/dev/null || die "no fault \"$f\"; there are: ${FAULTS[*]}"
	done
	mapfile -t victims < <(printf '%s\n' "${BACKENDS[@]}" |
		shuf -r -n "$(wc -w <<<"$1")" --random-source=<(random "victims ${P[seed]}"))
	: >"$TESTBED_DIR/injected"
	: >"$TESTBED_DIR/complaints"
	site_up
	traffic_up tcp "${P[tcp]}"
	traffic_up mptcp "${P[mptcp]}"
	sleep 2
	CELL=0
	for f in $1; do
		VICTIM=${victims[CELL]}
		inject "$f"
		progress "$(wc -w <<<"$1")" "$f ($VICTIM)"
	done
	sleep 1
	traffic_down
	troubles >"$TESTBED_DIR/troubles"
	verdict "before the first fault" "$(count none tcp false), $(count none mptcp false)" \
		"nothing, nothing" "$([ "$(count none tcp false)$(count none mptcp false)" = nothingnothing ] &&
			echo true || echo false)"
	for f in $(xargs -n1 <<<"$1" | sort -u); do
		judge "$f"
	done
	[ "$BROKEN" -eq 0 ] || keep_logs
	record "$(jq -c --slurpfile i "$TESTBED_DIR/injected" --slurpfile t "$TESTBED_DIR/troubles" \
		'{series: {step: .series.step, began: (.began_unix_ms / 1000), tcp: .series.answers}, injected: $i, troubles: $t}' \
		"$TESTBED_DIR/hold-tcp.out" | jq -c --slurpfile m "$TESTBED_DIR/hold-mptcp.out" \
		'.series.mptcp = $m[0].series.answers')"
}

# What the programs have said, for whoever looks for the cause.
keep_logs() {
	local to=$RESULTS/faults-logs-${P[seed]}

	mkdir -p "$to"
	cp "$TESTBED_DIR"/*.err "$TESTBED_DIR"/*.log "$TESTBED_DIR"/{injected,troubles,complaints} "$to"
	echo "  logs: $(short "$to")" >&2
}

# judge FAULT: what must hold when it was injected.
judge() {
	local p may bad all

	for p in tcp mptcp; do
		may=FAULT_${p^^}[$1]
		all=$(count "$1" "$p" true)
		bad=$(count "$1" "$p" false)
		verdict "$1, ${p^^}" "$bad that must not be$([ "$all" = nothing ] || echo ", $all that may")" \
			"${!may}" "$([ "$bad" = nothing ] && echo true || echo false)"
	done
	if grep -q "\"fault\":\"$1\"" "$TESTBED_DIR/complaints"; then
		verdict "$1, seen by itself" "$(jq -r --arg f "$1" 'select(.fault == $f).what' \
			"$TESTBED_DIR/complaints" | xargs)" nothing false
	fi
}

# count FAULT PROTO ALLOWED: its troubles by kind, in words.
count() {
	jq -rs --arg f "$1" --arg p "$2" --argjson a "$3" 'map(select(.fault == $f and .proto == $p and .allowed == $a))
		| group_by(.what) | map("\(length) \(.[0].what)") | if length > 0 then join(", ") else "nothing" end' \
		"$TESTBED_DIR/troubles"
}

# Over all runs.
judge_all() {
	local f got

	for f in $(rows '[.[].injected[]?.fault] | unique | join(" ")'); do
		got=$(rows "[.[] | select(.injected) | select(any(.injected[]; .fault == \"$f\"))]
			| [length, (map(select(any(.troubles[]; .fault == \"$f\" and (.allowed | not)) | not)) | length)]
			| \"\\(.[1]) of \\(.[0])\"")
		verdict "$f: sequences in which it did what it may, and no more" "$got" all \
			"$([ "${got% of *}" = "${got#* of }" ] && echo true || echo false)"
	done
}

# Answers per 100 ms of the first run, and the faults.
plot() {
	local data=$3 n

	for n in tcp mptcp; do
		jq -r --arg n "$n" '[.rows[] | select(.series)][0].series | .step as $s | .[$n] | to_entries[]
			| "\(.key * $s) \(.value)"' "$1" >"$data/$n"
	done
	jq -r '[.rows[] | select(.series)][0] | .series.began as $t | .injected | to_entries[] | (.value.began - $t) as $b
		| (.value.ended - $t) as $e | "set object rectangle from \($b), graph 0 to \($e), graph 1 fc rgb \"\(if
		.key % 2 == 0 then "#f6e3b4" else "#f3d0c4" end)\" fs solid noborder behind",
		"set label \"\(.value.fault | gsub("_"; " "))\" at \($b), graph 0.98 rotate by -90 left font \",9\" front"' \
		"$1" >"$data/faults"
	gnuplot <<-END
		$(plot_to "$2" 1200 420)
		load "$data/faults"
		set grid ytics lc rgb "#dddddd"
		set ylabel "answers per 100 ms"
		set xlabel "s"
		set yrange [0:*]
		set key bottom right
		D = "$data/"
		plot D."tcp" with lines lw 2 lc rgb "#c0392b" title "TCP", \
			D."mptcp" with lines lw 2 lc rgb "#1f6fb4" title "MPTCP, mplb"
	END
}

# What came of each fault, over all runs.
tables() {
	jq '[.rows[] | select(.injected)] as $runs | {title: "What came of each fault",
		head: ["fault", "", "times", "TCP: stalls", "broken", "not opened", "MPTCP: stalls", "broken", "not opened"],
		body: [[$runs[].injected[]] | group_by(.fault)[] | .[0].fault as $f | [$f, .[0].about, length] + [("tcp", "mptcp") as $p
		| [$runs[].troubles[] | select(.fault == $f and .proto == $p)] | (map(select(.what == "stall")) | length),
		(map(select(.what != "stall" and .established)) | length),
		(map(select(.what != "stall" and (.established | not))) | length)]]}' "$1"
}
