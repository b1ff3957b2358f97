# shellcheck shell=bash disable=SC2119,SC2120 # functions whose arguments are optional
# SPDX-License-Identifier: GPL-2.0-only
#
# Links with faults, by mplb-link (`mplb-link help` lists what it can do). To be sourced after lib.sh.
#
#	link_splice lan switch lb lan       in front of the balancer, before lb_up
#	link_set lan forth delay_ms=50 loss=0.01
#	link_set lan back blackhole=true
#	link_perfect lan
#	link_ask lan .forth.packets.lost

LINK=${LINK:-$BUILD/mplb-link}

# link_run LABEL NODE DEV1 DEV2 [SEED]: mplb-link between two interfaces of a node. "forth" is from
# DEV1 to DEV2. Frames must come one by one and complete: no GRO, and nothing of IPv6's own.
link_run() {
	local label=$1 node=$2 dev

	for dev in "$3" "$4"; do
		on "$node" ethtool -K "$dev" tx off gro off >/dev/null
	done
	start "link-$label" "$node" "$LINK" run "$TESTBED_DIR/$label.link" "$3" "$4" \
		seed "${5:-${SEED:-1}}"
	ready "link-$label"
}

# link_splice LABEL NODE PORT BRIDGE [SEED]: a link between a bridge and the node behind one of its
# ports. "forth" is towards that node. Its addresses stay as they are; no XDP may be on the port's
# other end yet.
link_splice() {
	local mid=link-$1 ns port mtu

	node "$mid"
	on "$mid" sysctl -qw net.ipv6.conf.all.disable_ipv6=1
	ns=$(netns "$2")
	port=$3
	mtu=$(ip -n "$ns" -j link show dev "$port" | jq '.[0].mtu')
	ip -n "$ns" link set "$port" xdp off
	ip -n "$ns" link set "$port" netns "$(netns "$mid")" name far
	ip -n "$(netns "$mid")" link set far up
	wire "$2" "$port" "$mid" near "$mtu"
	ip -n "$ns" link set "$port" master "$4"
	# The node behind may send by XDP_TX.
	pass_stub "$mid" far
	link_run "$1" "$mid" near far "${5:-}"
}

# link_tell LABEL JSON
link_tell() {
	"$LINK" tell "$TESTBED_DIR/$1.link" "$2"
}

# link_set LABEL forth|back KEY=VALUE...
link_set() {
	local label=$1 way=$2 arg request='{}'

	shift 2
	for arg in "$@"; do
		request=$(jq -c --arg w "$way" --arg k "${arg%%=*}" --argjson v "${arg#*=}" \
			'.[$w][$k] = $v' <<<"$request")
	done
	link_tell "$label" "$request" >"$TESTBED_DIR/$label.told" || {
		cat "$TESTBED_DIR/$label.told" >&2
		return 1
	}
}

# link_perfect LABEL: both ways.
link_perfect() {
	link_tell "$1" '{"forth": null, "back": null}' >/dev/null
}

# link_ask LABEL FILTER: from its settings and counters.
link_ask() {
	link_tell "$1" '{}' | jq -r "$2"
}
