# shellcheck shell=bash disable=SC2119,SC2120 # functions whose arguments are optional
# shellcheck disable=SC2034 # what mplb-testbed reads
# SPDX-License-Identifier: GPL-2.0-only
#
# What scenarios (scenarios/*.sh) have in common: parameters, progress, results, verdicts, ways to
# run the balancer, transfers and their statistics. mplb-testbed sources it after lib.sh, topology.sh
# and link.sh.
#
# A scenario file says `about TEXT` and `param NAME DEFAULT TEXT`, and has a function scenario(), and,
# if it has a plot, plot RESULT.json OUT FOLDER, which begins with plot_to OUT WIDTH HEIGHT and has FOLDER,
# gone afterwards, for its data. tables RESULT.json, if it is there, prints the report's tables: {title,
# head: [...], body: [[...]]}, one after another.

declare -A P=()			# parameters: name -> value
declare -A PARAM_HELP=()
PARAM_ORDER=()
ABOUT=
VERDICTS='[]'
BROKEN=0
CELL=0

about() {
	ABOUT=$1
}

param() {
	P[$1]=$2
	PARAM_HELP[$1]=$3
	PARAM_ORDER+=("$1")
}

# ---- results -----------------------------------------------------------------------------------

# record JSON: a line of the result's "rows".
record() {
	jq -c . <<<"$1" >>"$TESTBED_DIR/rows"
}

# rows FILTER: over all rows so far, as an array.
rows() {
	jq -sr "$1" "$TESTBED_DIR/rows"
}

# verdict WHAT GOT WANT true|false [PAPER]: is a line of the result and of the output. PAPER: what the
# paper has there.
verdict() {
	VERDICTS=$(jq -c --arg what "$1" --arg got "$2" --arg want "$3" --argjson holds "$4" --arg paper "${5-}" \
		'. + [{what: $what, got: $got, want: $want, holds: $holds} +
		(if $paper == "" then {} else {paper: $paper} end)]' <<<"$VERDICTS")
	if [ "$4" = true ]; then
		printf '  holds:  %s: %s (want %s)\n' "$1" "$2" "$3"
	else
		printf '  BROKEN: %s: %s (want %s)\n' "$1" "$2" "$3"
		BROKEN=1
	fi
}

# calc EXPRESSION: a number or true/false, by jq.
calc() {
	jq -nr "$1"
}

# plot_to OUT WIDTH HEIGHT: the first lines of a gnuplot script, for OUT.svg or OUT.png.
plot_to() {
	case $1 in
	*.png) echo "set terminal pngcairo size $2,$3 background \"white\" font \"sans,11\"" ;;
	*) echo "set terminal svg size $2,$3 dynamic background \"white\" font \"sans,13\"" ;;
	esac
	echo "set output \"$1\""
}

# progress TOTAL TEXT: one step done.
progress() {
	CELL=$((CELL + 1))
	printf '  [%d/%d, %d s] %s\n' "$CELL" "$1" "$SECONDS" "$2" >&2
}

# ---- ways to run the service -------------------------------------------------------------------

# congestion_control NAME: of client and servers. By route: the sysctl of a namespace takes only
# what the host allows to everybody, and the host is not ours to change.
congestion_control() {
	local n

	for n in "${BACKENDS[@]}"; do
		ip -n "$(netns "$n")" route change default via 10.0.0.1 dev eth0 congctl "$1"
	done
	ip -n "$(netns client)" route change default via 192.0.2.1 dev eth0 congctl "$1"
	ip -n "$(netns client)" route change default via 192.0.2.65 dev eth1 table 2 congctl "$1"
}

# bench_up: topology "lb" with a link (mplb-link "lan") in front of the balancer, everything of ours
# running. Congestion control is that of parameter cc, whatever the host uses. Connections begin
# afresh: what the kernel learnt from one is not used for the next. The client's first receive window
# is large: with the default of 128 KB a Linux client leaves MPTCP senders waiting (docs/results.md
# has the packets).
bench_up() {
	local n

	topology_lb
	link_splice lan switch lb lan
	for n in client "${BACKENDS[@]}"; do
		on "$n" sysctl -qw net.ipv4.tcp_no_metrics_save=1
	done
	congestion_control "${P[cc]:-cubic}"
	on client sysctl -qw net.ipv4.tcp_rmem="4096 4194304 33554432"
	client_endpoints subflow
	serve_backends
	lb_up
	server_pm_up
	MODE=mptcp MANAGER=mptcp
}

# mode MODE: how the following transfers go.
#   tcp      plain TCP through the balancer
#   mptcp    MPTCP, our path manager on the servers (kernel mode, initial subflow backup), our policy
#            on the balancer
#   close    the same with the path manager in userspace mode, which closes the initial subflow
#   unaware  MPTCP, a balancer that hashes joins as it hashes all else, servers that say nothing
#   none     as mptcp, without a balancer: the router sends the VIP to server b1
mode() {
	local manager=$1

	case $1 in
	tcp | none) manager=mptcp ;;
	esac
	[ "$manager" = "$MANAGER" ] || manage "$manager"
	if [ "$1" = none ]; then
		ip -n "$(netns router)" route replace "$VIP4" via "$(lan4 b1)"
	elif [ "$MODE" = none ]; then
		vips_through lb
	fi
	MODE=$1
}

# manage mptcp|close|unaware: other path managers on the servers. The VIP and the decapsulation
# outlive them.
manage() {
	local b

	for b in "${BACKENDS[@]}"; do
		stop "pm-$b"
	done
	lb_apply "mp_join=$([ "$1" = unaware ] && echo hash || echo reject)"
	case $1 in
	mptcp) server_pm_up ;;
	close) PATH_MANAGER=userspace INITIAL_SUBFLOW=close server_pm_up ;;
	unaware)
		for b in "${BACKENDS[@]}"; do
			on "$b" sysctl -qw net.mptcp.allow_join_initial_addr_port=1 net.mptcp.pm_type=0
			on "$b" ip mptcp endpoint flush
		done
		;;
	esac
	MANAGER=$1
}

# answers_by direct|balancer: direct server return, or answers of the VIP by way of the balancer, as
# with balancers that translate addresses or are the servers' gateway. Dedicated addresses never
# pass the balancer.
answers_by() {
	local b

	for b in "${BACKENDS[@]}"; do
		ip -n "$(netns "$b")" rule del from "$VIP4" table 9 2>/dev/null || true
		[ "$1" = balancer ] || continue
		ip -n "$(netns "$b")" route replace default via 10.0.0.2 table 9 congctl "${P[cc]:-cubic}"
		ip -n "$(netns "$b")" rule add from "$VIP4" table 9
	done
	on lb sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.send_redirects=0 \
		net.ipv4.conf.eth0.send_redirects=0
}

# impair KEY=VALUE...: packets on their way to the balancer; others are not touched.
impair() {
	link_tell lan '{"forth": null, "back": null}' >/dev/null
	link_set lan forth "$@"
}

# ---- transfers ---------------------------------------------------------------------------------

# shellcheck disable=SC2016 # the dollars are jq's
STATS='def at($p): sort | .[((length - 1) * $p) | round];
	def stats: {median: at(0.5), p95: at(0.95), mean: (add / length), min: min, max: max};'

# transfer LABEL BYTES COUNT [OPTIONS...]: one after another in the current mode. Sets ROW (and does
# not print it: a script in $( ) hears of signals only when that is over) to JSON: how many were
# served, completion times (ms, from connect() to the last byte), goodput of the median,
# packets to the balancer and bytes by way per transfer.
transfer() {
	local label=$1 bytes=$2 count=$3 proto=mptcp before

	shift 3
	[ "$MODE" != tcp ] || proto=tcp
	before=$(packets switch lb tx)
	start "$label" client "$LOAD" get --connect "$VIP4:80" --proto "$proto" --bytes "$bytes" \
		--count "$count" --timeout 120 --stall 60 "$@" -j
	finish "$label" 600 || true
	jq -e .count "$TESTBED_DIR/$label.out" >/dev/null 2>&1 ||
		die "$label: the client broke down: $(tail -1 "$TESTBED_DIR/$label.err")"
	ROW=$(jq -c --arg mode "$MODE" --argjson bytes "$(bytes_of "$bytes")" \
		--argjson packets "$(($(packets switch lb tx) - before))" "$STATS"'
		(.connections | map(select(.ok))) as $c | {mode: $mode, bytes: $bytes, count, ok, errors,
		ms: ($c | map(.seconds * 1000) | if length > 0 then stats else null end),
		set_up_ms: ($c | map(.connect_seconds * 1000) | if length > 0 then stats else null end),
		balancer_packets: ($packets / .count), joined: (.joined // 0),
		bytes_vip: ((.bytes_vip // .bytes) / .count),
		bytes_dedicated: ((.bytes_dedicated // 0) / .count)}
		| .goodput_mbit = if .ms then $bytes * 8e-3 / .ms.median else 0 end
		| .goodput_mbit_mean = if .ms then $bytes * 8e-3 / .ms.mean else 0 end' \
		"$TESTBED_DIR/$label.out")
}

# bytes_of 10k|10M|...
bytes_of() {
	case $1 in
	*k) echo "${1%k}000" ;;
	*M) echo "${1%M}000000" ;;
	*) echo "$1" ;;
	esac
}
