#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# server-pm in userspace mode under losses, crashes and many connections. Lines that begin with # are
# figures.
#
#	client ══ eth0, eth1 ══ router ── server   (tests/e2e/userspace.bash)
# shellcheck disable=SC2317 # functions that `holds` and `await` call
# shellcheck source=tests/e2e/userspace.bash
. "$(dirname "$0")/userspace.bash"

# ---- losses ------------------------------------------------------------------------------------

# In full: LOSSES=500 HOLD=60 TRANSFERS=200 tests/e2e/userspace_pm_load.sh
LOSSES=${LOSSES:-200}
HOLD=${HOLD:-45}
TRANSFERS=${TRANSFERS:-50}

check_losses() {
	if ! command -v nft >/dev/null; then
		skip "ADD_ADDR lost" "no nft here; apt-get install nftables"
		return
	fi
	lose s0 7
	get lost "$(vip 4)" --proto mptcp --bytes 100 --count "$LOSSES" --parallel "$LOSSES" \
		--hold-until-joined "$HOLD"
	equal "ADD_ADDR lost 7 times of 10: all join" "$(of lost .joined)" "$LOSSES"
	figure lost "ADD_ADDR lost with p = 0.7, userspace mode"
	lose c0 7
	get echo "$(vip 4)" --proto mptcp --bytes 100 --count "$LOSSES" --parallel "$LOSSES" \
		--hold-until-joined "$HOLD"
	equal "its echo lost 7 times of 10: all join" "$(of echo .joined)" "$LOSSES"
	figure echo "echo lost with p = 0.7, userspace mode"
	lose c0 10
	get echo "$(vip 4)" --proto mptcp --bytes 100 --count 100 --parallel 50 \
		--hold-until-joined 5
	equal "every echo lost: all join" "$(of echo .joined)" 100
	lose s0 7
	restart kernel backup
	get kernel "$(vip 4)" --proto mptcp --bytes 100 --count "$LOSSES" --parallel "$LOSSES" \
		--hold-until-joined 6
	figure kernel "ADD_ADDR lost with p = 0.7, kernel mode"
	lose_nothing
}

# ---- crashes -----------------------------------------------------------------------------------

check_kill() {
	local mode=$1 i

	keep "kill-$mode" "$(vip 4)" --proto mptcp --count "$TRANSFERS" --parallel "$TRANSFERS"
	for i in 1 2 3; do
		sleep 2
		stop pm KILL
		pm_up
	done
	let_go "kill-$mode"
	served "kill-$mode" "$mode: kill -9 every two seconds breaks no transfer"
	equal "$mode: and all join" "$(of "kill-$mode" .joined)" "$TRANSFERS"
}

# ---- many --------------------------------------------------------------------------------------

check_many() {
	local n begin

	ulimit -n "$(ulimit -Hn)"
	n=$(($(ulimit -n) / 2 - 100))
	[ "$n" -le 10000 ] || n=10000
	restart userspace backup
	stop web
	web_up
	begin=$(cpu pm)
	get many "$(vip 4)" --proto mptcp --bytes 100 --count 10000 --parallel "$n" \
		--hold-until-joined 20
	equal "10,000 connections: all join" "$(of many .joined)" 10000
	equal "10,000 connections: all were told of" "$(counted established)" 10000
	holds "10,000 connections: all are forgotten in the end" await 5 none_left
	echo "# $TEST: 10,000 connections, $n at a time, in $(of many .seconds) s:" \
		"$(($(cpu pm) - begin)) ms of CPU time in all, resident memory" \
		"$(awk '/VmRSS/ { print $2 }' "/proc/${TESTBED_PID[pm]}/status") KiB"
}

none_left() {
	[ "$(pm status -j | jq '.userspace.connections | add')" -eq 0 ]
}

check_metrics() {
	# shellcheck disable=SC2016 # expanded by the other shell
	on server bash -c 'exec 3<>/dev/tcp/127.0.0.1/9181 &&
		printf "GET /metrics HTTP/1.0\r\n\r\n" >&3 && cat <&3' >"$TESTBED_DIR/metrics"
	equal "metrics: connections are counted" \
		"$(awk '$1 == "mplb_server_established_total" { print $2 }' "$TESTBED_DIR/metrics")" \
		10000
	equal "metrics: joins are in the histogram" \
		"$(awk '$1 == "mplb_server_join_seconds_count" { print $2 }' "$TESTBED_DIR/metrics")" \
		10000
	holds "metrics: bytes by kind of subflow" \
		grep -q 'subflow_bytes{path="dedicated",direction="sent"} [0-9]' "$TESTBED_DIR/metrics"
	holds "metrics: kernel counters" grep -q 'kernel_mptcp_total{counter="AddAddrTx"}' \
		"$TESTBED_DIR/metrics"
}

begin userspace close
check_kill close
restart kernel backup
check_kill kernel
restart userspace backup
check_losses
check_many
check_metrics
conclude
