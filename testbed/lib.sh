# shellcheck shell=bash disable=SC2119,SC2120 # functions whose arguments are optional
# SPDX-License-Identifier: GPL-2.0-only
#
# Network namespaces for the demo and the end-to-end tests: nodes, links, processes, counters. To be
# sourced, with topology.sh, by a script that has said `set -euo pipefail`:
#
#	testbed_begin demo              namespaces "demo-PID-…", a temporary directory, cleanup
#	topology_lb                     see topology.sh
#	serve_backends                  mplb-load serve on every backend
#	on client build/mplb-load get …
#
# Nothing outside the namespaces is touched, and nothing is left: namespaces, processes, mounts and
# files go away when the script ends, however it ends (SIGKILL aside).

TESTBED_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=${BUILD:-$TESTBED_ROOT/build}
LOAD=${LOAD:-$BUILD/mplb-load}
LBCTL=${LBCTL:-$BUILD/lbctl}
SERVER_PM=${SERVER_PM:-$BUILD/server-pm}

# ---- life of a testbed -------------------------------------------------------------------------

declare -A TESTBED_PID=()	# label -> process
declare -a TESTBED_NODES=() TESTBED_MOUNTS=()
TESTBED_DIR=
TESTBED_RUN=

die() {
	echo "error: $*" >&2
	exit 1
}

# testbed_begin NAME: must be root. Sets TESTBED_DIR (temporary) and PINS (a bpffs of our own: `ip
# netns exec` mounts a fresh /sys, so that /sys/fs/bpf is out of reach in there).
testbed_begin() {
	[ "$(id -u)" -eq 0 ] || die "$1 needs root: it makes network namespaces and loads BPF"
	TESTBED_RUN=$1-$$
	# Signals end the script; cleaning up is the exit trap's alone.
	trap testbed_end EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	TESTBED_DIR=$(mktemp -d "/tmp/mplb-$TESTBED_RUN.XXXXXX")
	PINS=$TESTBED_DIR/bpf
	TESTBED_MOUNTS=("$PINS")
	mkdir "$PINS"
	mount -t bpf bpf "$PINS"
}

testbed_end() {
	local status=$? label ns pid

	trap - EXIT
	trap '' HUP INT TERM
	set +e
	for label in "${!TESTBED_PID[@]}"; do
		kill -TERM "${TESTBED_PID[$label]}" 2>/dev/null
	done
	for label in "${!TESTBED_PID[@]}"; do
		testbed_reap "${TESTBED_PID[$label]}" 2
	done
	# What our children started in our namespaces.
	for ns in "${TESTBED_NODES[@]}"; do
		for pid in $(ip netns pids "$TESTBED_RUN-$ns" 2>/dev/null); do
			kill -KILL "$pid" 2>/dev/null
		done
		ip netns del "$TESTBED_RUN-$ns" 2>/dev/null
	done
	for label in "${TESTBED_MOUNTS[@]}"; do
		umount "$label" 2>/dev/null || umount -l "$label" 2>/dev/null
	done
	[ -z "$TESTBED_DIR" ] || rm -rf --one-file-system "$TESTBED_DIR"
	# Sockets of lb-agents that were killed, named after their pins.
	[ -z "$TESTBED_DIR" ] || rm -f "/run/mplb/agent-$(tr / - <<<"${TESTBED_DIR#/}")"-*.sock
	exit "$status"
}

# testbed_reap PID SECONDS: waits for a child of ours to end, then kills it.
testbed_reap() {
	local tries=$(($2 * 20))

	while [ "$tries" -gt 0 ] && kill -0 "$1" 2>/dev/null; do
		sleep 0.05
		tries=$((tries - 1))
	done
	if [ "$tries" -eq 0 ]; then
		disown "$1" 2>/dev/null || true # or bash reports the death
		kill -KILL "$1" 2>/dev/null || true
	fi
	wait "$1" 2>/dev/null || true
}

# ---- nodes, links, processes -------------------------------------------------------------------

# netns NODE: the namespace's name.
netns() {
	echo "$TESTBED_RUN-$1"
}

# on NODE COMMAND...
on() {
	local node=$1

	shift
	ip netns exec "$TESTBED_RUN-$node" "$@"
}

# node NAME...: namespaces with lo up, no reverse path filter, no duplicate address detection.
node() {
	local name

	for name in "$@"; do
		TESTBED_NODES+=("$name") # first: a signal may come in between
		ip netns add "$TESTBED_RUN-$name"
		on "$name" sysctl -qw net.ipv4.conf.all.rp_filter=0 \
			net.ipv4.conf.default.rp_filter=0 net.ipv6.conf.default.accept_dad=0 \
			net.ipv6.conf.default.router_solicitations=0 \
			net.ipv6.conf.default.accept_ra=0
		ip -n "$TESTBED_RUN-$name" link set lo up
	done
}

# wire NODE1 DEV1 NODE2 DEV2 MTU: a veth pair, both ends up. Checksums are made by the sender, not
# left to a NIC that is not there: XDP would see and forward them unfinished.
wire() {
	ip -n "$(netns "$1")" link add "$2" mtu "$5" type veth \
		peer name "$4" mtu "$5" netns "$(netns "$3")"
	on "$1" ethtool -K "$2" tx off >/dev/null
	on "$3" ethtool -K "$4" tx off >/dev/null
	ip -n "$(netns "$1")" link set "$2" up
	ip -n "$(netns "$3")" link set "$4" up
}

# address NODE DEV ADDRESS/LEN...
address() {
	local ns dev=$2 a

	ns=$(netns "$1")
	shift 2
	for a in "$@"; do
		case $a in
		*:*) ip -n "$ns" -6 addr add "$a" dev "$dev" nodad ;;
		*) ip -n "$ns" addr add "$a" dev "$dev" ;;
		esac
	done
}

# route NODE ROUTE...: `ip route` arguments, the family by the colon in them.
route() {
	local ns

	ns=$(netns "$1")
	shift
	case "$*" in
	*:*) ip -n "$ns" -6 route add "$@" ;;
	*) ip -n "$ns" route add "$@" ;;
	esac
}

# shape NODE DEV RATE: of what the node sends there.
shape() {
	on "$1" tc qdisc replace dev "$2" root tbf rate "$3" burst 128kb limit 1500kb
}

# pass_stub NODE DEV: a veth takes what its peer sends by XDP_TX or redirect only while it has an
# XDP program of its own.
pass_stub() {
	ip -n "$(netns "$1")" link set dev "$2" xdpdrv obj "$BUILD/testbed/pass.bpf.o" sec xdp
}

# start LABEL NODE COMMAND...: in the background; output in $TESTBED_DIR/LABEL.{out,err}.
start() {
	local label=$1 node=$2

	shift 2
	: >"$TESTBED_DIR/$label.err" # for those who look before the process has begun
	ip netns exec "$TESTBED_RUN-$node" "$@" \
		>"$TESTBED_DIR/$label.out" 2>>"$TESTBED_DIR/$label.err" &
	TESTBED_PID[$label]=$!
}

# await SECONDS COMMAND...: until it succeeds. 1 when the time is over.
await() {
	local tries=$(($1 * 20))

	shift
	until "$@"; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || return 1
		sleep 0.05
	done
}

# said LABEL WORD: has the process logged "PROGRAM: WORD", alone or with more behind a colon?
said() {
	grep -qE "^[a-z-]+: $2(:|\$)" "$TESTBED_DIR/$1.err"
}

# ready LABEL [WORD [SECONDS]]: waits for the process to log the word, "ready" by default.
ready() {
	local label=$1 word=${2:-ready} tries=$((${3:-10} * 20))

	until said "$label" "$word"; do
		if ! running "$label" || [ "$tries" -le 0 ]; then
			echo "error: $label did not say \"$word\":" >&2
			tail -5 "$TESTBED_DIR/$label.err" >&2
			return 1
		fi
		tries=$((tries - 1))
		sleep 0.05
	done
}

running() {
	[ -n "${TESTBED_PID[$1]:-}" ] && kill -0 "${TESTBED_PID[$1]}" 2>/dev/null
}

# stop LABEL [SIGNAL]: signals, waits up to 5 s. Its exit code is lost; see finish.
stop() {
	[ -n "${TESTBED_PID[$1]:-}" ] || return 0
	[ "${2:-TERM}" != KILL ] || disown "${TESTBED_PID[$1]}" 2>/dev/null || true
	kill -"${2:-TERM}" "${TESTBED_PID[$1]}" 2>/dev/null || true
	testbed_reap "${TESTBED_PID[$1]}" 5
	unset "TESTBED_PID[$1]"
}

# finish LABEL SECONDS: waits for the process to end by itself. Its exit code, or 124.
finish() {
	local pid=${TESTBED_PID[$1]} tries=$(($2 * 20)) status=0

	while kill -0 "$pid" 2>/dev/null; do
		if [ "$tries" -le 0 ]; then
			stop "$1"
			return 124
		fi
		tries=$((tries - 1))
		sleep 0.05
	done
	wait "$pid" || status=$?
	unset "TESTBED_PID[$1]"
	return "$status"
}

# ---- counters ----------------------------------------------------------------------------------

# mib NODE COUNTER: of nstat, since the namespace was made.
mib() {
	on "$1" nstat -asz "$2" | awk -v name="$2" '$1 == name { n = $2 } END { print n + 0 }'
}

# mib_sum COUNTER NODE...
mib_sum() {
	local counter=$1 sum=0 n

	shift
	for n in "$@"; do
		sum=$((sum + $(mib "$n" "$counter")))
	done
	echo "$sum"
}

# packets NODE DEV rx|tx: what the link has carried. For packets to the balancer, ask its
# neighbour's transmit counter: it counts frames as they are sent, whatever XDP then does.
packets() {
	ip -n "$(netns "$1")" -s -j link show dev "$2" | jq ".[0].stats64.$3.packets"
}
