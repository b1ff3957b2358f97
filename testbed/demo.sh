#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What mplb does, shown in network namespaces in less than a minute (topology: topology.sh).
# Figures go to build/demo.json (DEMO). Exit code 0: every promise was kept; 1: one was broken, or the
# demo could not run.
# shellcheck disable=SC2119 # functions of lib.sh whose arguments are optional
set -euo pipefail
# shellcheck source=testbed/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=testbed/topology.sh
. "$(dirname "$0")/topology.sh"

DEMO=${DEMO:-$BUILD/demo.json}
CONNECTIONS=200		# joins are counted over so many
DOWNLOAD=10M
PACKETS_TARGET=20	# that an MPTCP download of that size may put on the balancer
KILL_CONNECTIONS=10
KILL_BYTES=4M
KILL_RATE=1M		# bytes a second: the balancer goes away while these last
KILL_MARK=1M

if [ "$(id -u)" -ne 0 ]; then
	cat >&2 <<-END
		The demo needs root, and you are uid $(id -u). Nothing was done. With root it would
		  1. make namespaces for a client with two links, a router, a balancer, three servers
		  2. load the XDP program on the balancer and spread connections over the servers
		  3. compare downloads over TCP and MPTCP, count MPTCP joins that reach a wrong server,
		     with mplb's policy and without
		  4. take the balancer away in the middle of transfers
		  5. write the figures to $DEMO and remove everything again
		Try: sudo make demo
	END
	exit 1
fi
for program in "$LBCTL" "$SERVER_PM" "$LOAD"; do
	[ -x "$program" ] || die "$program is not built; run: make"
done

# ---- output ------------------------------------------------------------------------------------

FIGURES='{}'
BROKEN=()

title() {
	printf '\n%s\n%s\n' "$1" "${1//?/-}"
}

# row LABEL VALUE...
row() {
	printf '  %-34s' "$1"
	shift
	printf ' %14s' "$@"
	printf '\n'
}

# figure PATH VALUE: JSON value at .PATH of demo.json.
figure() {
	FIGURES=$(jq --argjson v "$2" ".$1 = \$v" <<<"$FIGURES")
}

# promise TEXT CONDITION...: notes a promise that was not kept.
promise() {
	local text=$1

	shift
	"$@" || BROKEN+=("$text")
}

# of LABEL FILTER: from the JSON that a `get` printed.
of() {
	jq -r "$2" "$TESTBED_DIR/$1.out"
}

# fetch LABEL OPTIONS...: `get` on the client; its JSON for `of`. A failed connection is a figure
# and not the end of the demo.
fetch() {
	local label=$1

	shift
	on client timeout 60 "$LOAD" get --connect "$VIP4:80" "$@" -j \
		>"$TESTBED_DIR/$label.out" 2>"$TESTBED_DIR/$label.err" || true
	jq -e .count "$TESTBED_DIR/$label.out" >/dev/null 2>&1 ||
		die "the client broke down: $(tail -1 "$TESTBED_DIR/$label.err")"
}

# ---- scenes ------------------------------------------------------------------------------------

show_topology() {
	cat <<-END
		                                                   +-- b1  203.0.113.11
		  client ==two links== router ------ one segment --+-- b2  203.0.113.12
		           1 Gbit/s each               |           +-- b3  203.0.113.13
		                                       |
		                                    balancer (XDP, one-armed): VIP $VIP4

		  client to VIP:    router -> balancer -> (IP-in-IP) -> server
		  server to client: straight through the router (direct server return)
		  203.0.113.x:      each server's own address, routed without the balancer
	END
}

scene_spread() {
	local b

	title "1. Connections spread over the servers"
	fetch spread --proto tcp --bytes 1000 --count 600 --parallel 50
	row SERVER CONNECTIONS
	for b in "${BACKENDS[@]}"; do
		row "$b" "$(of spread ".servers.$b // 0")"
	done
	row "served, every byte verified" "$(of spread '"\(.ok) of \(.count)"')"
	figure spread "$(of spread '{servers, count, ok, errors}')"
	promise "some of the plain TCP connections were not served" \
		test "$(of spread .all_ok)" = true
}

scene_download() {
	local proto before n=()

	title "2. One download of ${DOWNLOAD}B"
	for proto in tcp mptcp; do
		before=$(packets switch lb tx)
		fetch "download-$proto" --proto "$proto" --bytes "$DOWNLOAD"
		n+=($(($(packets switch lb tx) - before)))
		promise "the $proto download failed" test "$(of "download-$proto" .all_ok)" = true
		figure "download.$proto" "$(of "download-$proto" "{ok: .all_ok, goodput_mbit, seconds,
			bytes_vip: (.bytes_vip // .bytes), bytes_dedicated: (.bytes_dedicated // 0),
			sha256: .connections[0].sha256, balancer_packets: ${n[-1]}}")"
	done
	row "" TCP MPTCP
	row "packets on the balancer" "${n[@]}"
	row "received from the VIP, bytes" \
		"$(of download-tcp .bytes)" "$(of download-mptcp .bytes_vip)"
	row "received from the server's own" 0 "$(of download-mptcp .bytes_dedicated)"
	row "goodput, Mbit/s" "$(of download-tcp '.goodput_mbit | round')" \
		"$(of download-mptcp '.goodput_mbit | round')"
	figure download.target_packets "$PACKETS_TARGET"
	figure download.target_met "$([ "${n[1]}" -le "$PACKETS_TARGET" ] && echo true || echo false)"
	[ "${n[1]}" -le "$PACKETS_TARGET" ] ||
		echo "  (more than the $PACKETS_TARGET packets that we aim at)"
}

# joins LABEL: many connections of the two-link client; sets WRONG and SYNS.
joins() {
	local before_wrong before_syn

	before_wrong=$(mib_sum MPTcpExtMPJoinNoTokenFound "${BACKENDS[@]}")
	before_syn=$(mib client MPTcpExtMPJoinSynTx)
	fetch "$1" --proto mptcp --bytes 10k --count "$CONNECTIONS" --parallel 20 \
		--hold-until-joined "$2"
	WRONG=$(($(mib_sum MPTcpExtMPJoinNoTokenFound "${BACKENDS[@]}") - before_wrong))
	SYNS=$(($(mib client MPTcpExtMPJoinSynTx) - before_syn))
	figure "joins.$1" "$(of "$1" "{count, ok, joined, joined_vip, join_syns: $SYNS,
		wrong_server: $WRONG}")"
}

scene_joins() {
	local wrong syns

	title "3. $CONNECTIONS MPTCP connections of a client with two links"
	joins mplb 3
	wrong=$WRONG syns=$SYNS
	promise "a join reached a server that does not own its token" test "$WRONG" -eq 0
	promise "an MPTCP connection was not served" test "$(of mplb .all_ok)" = true

	without_mplb
	joins unaware 0.2
	with_mplb

	row "" mplb "unaware LB"
	row "joins sent by the client" "$syns" "$SYNS"
	row "joins that hit a wrong server" "$wrong" "$WRONG"
	row "connections with a second subflow" "$(of mplb .joined)" "$(of unaware .joined_vip)"
	row "  as a share" "$(of mplb '"\(.joined * 100 / .count | round) %"')" \
		"$(of unaware '"\(.joined_vip * 100 / .count | round) %"')"
	echo "  unaware LB: same program with \`mp_join: hash\`, servers that say nothing about joins"
}

# The servers keep the VIP and the decapsulation, which outlive server-pm, and lose its policy.
without_mplb() {
	local b

	for b in "${BACKENDS[@]}"; do
		stop "pm-$b"
		on "$b" sysctl -qw net.mptcp.allow_join_initial_addr_port=1
		on "$b" ip mptcp endpoint flush
	done
	lb_apply mp_join=hash
}

with_mplb() {
	lb_apply
	server_pm_up
}

scene_kill() {
	local proto label extra left

	title "4. The balancer goes away in the middle of transfers"
	for proto in tcp mptcp; do
		extra=()
		[ "$proto" = tcp ] || extra=(--join-first 5)
		start "kill-$proto" client "$LOAD" get --connect "$VIP4:80" --proto "$proto" -j \
			--bytes "$KILL_BYTES" --rate "$KILL_RATE" --mark "$KILL_MARK" \
			--count "$KILL_CONNECTIONS" --parallel "$KILL_CONNECTIONS" \
			--stall 4 --timeout 40 "${extra[@]}"
	done
	for proto in tcp mptcp; do
		ready "kill-$proto" mark 15
	done
	lbctl detach eth0 >>"$TESTBED_DIR/lb.log" 2>&1
	ip -n "$(netns switch)" link set lb down
	echo "  program detached and link cut after $KILL_MARK of $KILL_BYTES bytes of each transfer"
	for proto in tcp mptcp; do
		finish "kill-$proto" 45 || true
		figure "kill.$proto" "$(of "kill-$proto" '{count, ok, errors, joined: (.joined // 0),
			died_although_joined: ([.connections[] | select(.joined and (.ok | not))]
			| length), seconds}')"
	done
	row "" TCP MPTCP
	row "transfers under way" "$(of kill-tcp .count)" "$(of kill-mptcp .count)"
	row "finished, byte for byte (SHA-256)" "$(of kill-tcp .ok)" "$(of kill-mptcp .ok)"
	for label in stall reset; do
		row "ended by: $label" "$(of kill-tcp ".errors.$label // 0")" \
			"$(of kill-mptcp ".errors.$label // 0")"
	done
	left=$(jq .kill.mptcp.died_although_joined <<<"$FIGURES")
	promise "a connection with a dedicated subflow died with the balancer" test "$left" -eq 0
	promise "no MPTCP transfer survived the balancer" test "$(of kill-mptcp .ok)" -gt 0
}

# ---- the demo ----------------------------------------------------------------------------------

SECONDS=0
testbed_begin demo
title "mplb: an MPTCP-aware layer-4 load balancer"
topology_lb
client_endpoints subflow
serve_backends
server_pm_up
lb_up
show_topology
scene_spread
scene_download
scene_joins
scene_kill

title "Result"
figure seconds "$SECONDS"
figure kernel "\"$(uname -r)\""
figure broken "$(jq -nc '$ARGS.positional' --args "${BROKEN[@]}")"
mkdir -p "$(dirname "$DEMO")"
jq . <<<"$FIGURES" >"$DEMO"
for text in "${BROKEN[@]}"; do
	echo "  BROKEN: $text"
done
[ ${#BROKEN[@]} -eq 0 ] || exit 1
echo "  every promise kept, $SECONDS s; figures: ${DEMO#"$PWD"/}"
