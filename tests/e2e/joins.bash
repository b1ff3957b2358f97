# shellcheck shell=bash disable=SC2119,SC2120 # functions whose arguments are optional
# SPDX-License-Identifier: GPL-2.0-only
#
# What the tests of joins that reach the VIP have in common: clients, servers, and where joins land.
# JOINS_N is the number of connections, small for a check; JOINS_N=1000 gives the figures of docs/mptcp.md.

# shellcheck source=tests/e2e/check.bash
. "$(dirname "${BASH_SOURCE[0]}")/check.bash"

JOINS_N=${JOINS_N:-40}
# At most so many connections at a time: the servers' queues are as the kernel has them by default.
JOINS_PARALLEL=$((JOINS_N < 100 ? JOINS_N : 100))

# plain_backends: servers without any program of ours; for `forward=l2`. They set the C flag.
plain_backends() {
	local b

	vips_on_backends
	for b in "${BACKENDS[@]}"; do
		on "$b" sysctl -qw net.mptcp.allow_join_initial_addr_port=0
	done
	serve_backends
}

# ignoring [OPTIONS...]: the client joins the VIP from its second link whatever the C flag says.
ignoring() {
	on client sysctl -qw net.mptcp.path_manager=userspace
	stop joiner
	start joiner client "$LOAD" join-vip --local "${CLIENT4[1]}" --local "${CLIENT6[1]}" "$@"
	ready joiner
}

# join_many LABEL FAMILY [OPTIONS...]: JOINS_N uploads, each of which begins when its connection has
# joined. Uploads: what crosses the balancer is data, not only acknowledgements.
join_many() {
	local label=$1 f=$2

	shift 2
	on client timeout 300 "$LOAD" get --connect "$(vip "$f")" --proto mptcp --put --bytes 400k \
		--count "$JOINS_N" --parallel "$JOINS_PARALLEL" --timeout 120 --stall 60 \
		--join-first 20 "$@" -j >"$TESTBED_DIR/$label.out" 2>"$TESTBED_DIR/$label.err" || true
}

# all_joined LABEL WHAT: every connection was served byte for byte, and joined the VIP.
all_joined() {
	served "$1" "$2: every byte arrives"
	equal "$2: every connection joined the VIP" "$(of "$1" .joined_vip)" "$JOINS_N"
}

# over_both LABEL: connections whose bytes went over two subflows.
over_both() {
	of "$1" '[.connections[] | select([.subflows[] | select(.bytes_sent > 0)] | length > 1)] | length'
}

# note TEXT: a figure.
note() {
	echo "# $TEST: $*"
}

# accepted_joins: at all servers.
accepted_joins() {
	mib_sum MPTcpExtMPJoinAckRx "${BACKENDS[@]}"
}
