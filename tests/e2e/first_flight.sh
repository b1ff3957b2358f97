#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What of an answer is given to the subflow through the VIP before the client has joined. Answers take the
# balancer's way as well, which is 5 ms long, so that no join is ever up before the first data.
#
#	client ══ router ── switch ──[ mplb-link: 5 ms ]── lb
#	                      ├── b1  203.0.113.11  server-pm
#	                      ├── b2  203.0.113.12  server-pm
#	                      └── b3  203.0.113.13  server-pm
# shellcheck source=tests/e2e/check.bash
. "$(dirname "$0")/check.bash"
# shellcheck source=testbed/link.sh
. "$TESTBED_ROOT/testbed/link.sh"
# shellcheck source=testbed/scenario.sh
. "$TESTBED_ROOT/testbed/scenario.sh"

SEGMENT=1420	# of data: 1,488 of the SYN/ACK, but the client's links have a MTU of 1500
COUNT=10

# counted: third ACKs with another window than they came with, on all servers.
counted() {
	decapsulated "${BACKENDS[@]}" first_flight
}

# segments N: server-pm with that limit, by a reload. The connections before are over.
segments() {
	local b

	for b in "${BACKENDS[@]}"; do
		DECAPSULATE=", first_flight: $1" server_config "$b" >"$TESTBED_DIR/$b.yaml"
		: >"$TESTBED_DIR/pm-$b.err"
		kill -HUP "${TESTBED_PID[pm-$b]}"
		ready "pm-$b" reloaded
	done
}

# vip_bytes LABEL: what a download had over the subflow through the VIP, in the mean.
vip_bytes() {
	of "$1" '.bytes_vip / .count | round'
}

bench_up
answers_by balancer
impair delay_ms=5
link_set lan back delay_ms=5

get limited "$(vip 4)" --proto mptcp --bytes 1M --count $COUNT
served limited "ten segments, the default: downloads arrive"
equal "ten segments: every connection joins" "$(of limited .joined)" $COUNT
at_most "ten segments: no more goes by the VIP" "$(vip_bytes limited)" $((10 * SEGMENT))
at_least "ten segments: but much of a flight does" "$(vip_bytes limited)" $((4 * SEGMENT))
equal "ten segments: every third ACK was seen to" "$(counted)" $COUNT

segments 3
get three "$(vip 4)" --proto mptcp --bytes 1M --count $COUNT
served three "three segments, by a reload: downloads arrive"
at_most "three segments: no more goes by the VIP" "$(vip_bytes three)" $((3 * SEGMENT))
equal "three segments: every third ACK was seen to" "$(counted)" $((2 * COUNT))

segments 0
get all "$(vip 4)" --proto mptcp --bytes 1M --count $COUNT
served all "no limit: downloads arrive"
at_least "no limit: the kernel gives the VIP's subflow what it has" "$(vip_bytes all)" 30000
equal "no limit: no third ACK is touched" "$(counted)" $((2 * COUNT))
fails "no limit: the program is gone" 1 '' \
	bash -c "ip netns exec $(netns b1) tc filter show dev eth0 ingress | grep -q mplb_first_flight"

segments 10
get tcp "$(vip 4)" --proto tcp --bytes 1M --count $COUNT
served tcp "TCP: downloads arrive"
equal "TCP: is left alone" "$(counted)" $((2 * COUNT))

# One that never joins has the VIP alone, and all of its answer by it.
on client ip mptcp endpoint flush
get stays "$(vip 4)" --proto mptcp --bytes 1M --count $COUNT
served stays "a client that does not join: downloads arrive"
equal "a client that does not join: does not" "$(of stays .joined)" 0
conclude
