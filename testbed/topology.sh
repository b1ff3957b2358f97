# shellcheck shell=bash disable=SC2119,SC2120 # functions whose arguments are optional
# SPDX-License-Identifier: GPL-2.0-only
#
# The topology of the demo and the end-to-end tests, and the programs under test on it. To be sourced
# after lib.sh, which has the means.

# ---- topology "lb" -----------------------------------------------------------------------------
#
#	client ─ eth0 192.0.2.2/26  2001:db8:1::2/64 ────┐
#	   │                                          router ─ lan 10.0.0.1/24 fd00::1/64
#	   └──── eth1 192.0.2.66/26 2001:db8:2::2/64 ────┘     │
#	                                                       │  one segment (bridge in "switch")
#	        ┌──────────────┬──────────────┬────────────────┤
#	       b1             b2             b3                lb (balancer, one-armed)
#	  eth0 10.0.0.11      .12            .13               eth0 10.0.0.2/24 fd00::2/64
#	       fd00::11       fd00::12       fd00::13
#	  own  203.0.113.11   .12            .13         routed to the backend, not by the balancer
#	       2001:db8:d::11 …              …
#	  VIP  198.51.100.1 and 2001:db8:100::1          routed to the balancer
#
# Client links: MTU 1500, 1 Gbit/s each way. Segment: MTU 1600, room for any outer header. Replies
# go from the backend to the router (direct server return). A bridge and not a router with a link
# per node, so that `forward: l2`, which needs one segment, and ipip run on the same ground; native
# XDP_TX of the balancer into a bridge port works once that port has an XDP program.

VIP4=198.51.100.1
VIP6=2001:db8:100::1
BACKENDS=(b1 b2 b3)
CLIENT4=(192.0.2.2 192.0.2.66)
CLIENT6=(2001:db8:1::2 2001:db8:2::2)

# number NODE: 11 for b1, 12 for b2, ... the last part of all its addresses.
number() {
	echo $((10 + ${1#b}))
}

lan4() { echo "10.0.0.$(number "$1")"; }
lan6() { echo "fd00::$(number "$1")"; }
own4() { echo "203.0.113.$(number "$1")"; }
own6() { echo "2001:db8:d::$(number "$1")"; }

# topology_lb [RATE]: of the client's links, 1gbit by default.
topology_lb() {
	local rate=${1:-1gbit} b

	node client router switch lb "${BACKENDS[@]}"
	on switch sysctl -qw net.ipv6.conf.all.disable_ipv6=1
	ip -n "$(netns switch)" link add lan mtu 1600 type bridge mcast_snooping 0
	ip -n "$(netns switch)" link set lan up
	for b in router lb "${BACKENDS[@]}"; do
		if [ "$b" = router ]; then
			wire switch "$b" router lan 1600
		else
			wire switch "$b" "$b" eth0 1600
		fi
		ip -n "$(netns switch)" link set "$b" master lan
	done
	pass_stub switch lb

	topology_router "$rate"
	topology_client "$rate"
	address lb eth0 10.0.0.2/24 fd00::2/64
	topology_defaults lb eth0 10.0.0.1 fd00::1
	for b in "${BACKENDS[@]}"; do
		address "$b" eth0 "$(lan4 "$b")/24" "$(lan6 "$b")/64"
		address "$b" lo "$(own4 "$b")/32" "$(own6 "$b")/128"
		topology_defaults "$b" eth0 10.0.0.1 fd00::1
		route router "$(own4 "$b")" via "$(lan4 "$b")"
		route router "$(own6 "$b")" via "$(lan6 "$b")"
	done
	route router "$VIP4" via 10.0.0.2
	route router "$VIP6" via fd00::2
	topology_settle
}

# offloads: hosts and router may send large frames, as with the TSO and GRO of any NIC; else two cores
# are busy with 1 Gbit/s of small ones, and measure themselves. Where XDP or mplb-link takes frames, the
# kernel makes small ones of them: on the balancer's wires, and in front of a server's XDP program.
offloads() {
	local b

	for b in "${BACKENDS[@]}"; do
		on "$b" ethtool -K eth0 tx on tso on >/dev/null
		on switch ethtool -K "$b" tx on tso on >/dev/null
	done
	on switch ethtool -K router tx on tso on >/dev/null
	for b in lan c0 c1; do
		on router ethtool -K "$b" tx on tso on >/dev/null
	done
	for b in eth0 eth1; do
		on client ethtool -K "$b" tx on tso on >/dev/null
	done
}

topology_defaults() {
	route "$1" default via "$3" dev "$2"
	route "$1" default via "$4" dev "$2"
}

topology_router() {
	on router sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	wire client eth0 router c0 1500
	wire client eth1 router c1 1500
	address router lan 10.0.0.1/24 fd00::1/64
	address router c0 192.0.2.1/26 2001:db8:1::1/64
	address router c1 192.0.2.65/26 2001:db8:2::1/64
	shape router c0 "$1"
	shape router c1 "$1"
}

# A host with two links sends from each address by its own link.
topology_client() {
	local i ns

	ns=$(netns client)
	address client eth0 192.0.2.2/26 2001:db8:1::2/64
	address client eth1 192.0.2.66/26 2001:db8:2::2/64
	topology_defaults client eth0 192.0.2.1 2001:db8:1::1
	ip -n "$ns" route add default via 192.0.2.65 dev eth1 table 2
	ip -n "$ns" -6 route add default via 2001:db8:2::1 dev eth1 table 2
	ip -n "$ns" rule add from "${CLIENT4[1]}" table 2
	ip -n "$ns" -6 rule add from "${CLIENT6[1]}" table 2
	for i in 0 1; do
		shape client "eth$i" "$1"
	done
}

# Neighbours are resolved and bridge ports known before anything is counted or timed.
topology_settle() {
	local n

	for n in lb "${BACKENDS[@]}"; do
		meet "$n" 10.0.0.1
		meet "$n" fd00::1
	done
	for n in 192.0.2.1 192.0.2.65 2001:db8:1::1 2001:db8:2::1; do
		meet client "$n"
	done
}

# meet NODE ADDRESS: has the neighbour resolved, by a datagram to its discard port.
meet() {
	on "$1" bash -c "echo >/dev/udp/$2/9" || true
	await 5 met "$1" "$2" || die "$1 does not reach $2"
}

met() {
	[[ $(ip -n "$(netns "$1")" neigh show to "$2") == *lladdr* ]]
}

# client_endpoints [FLAGS]: the client opens subflows from its second link, as a phone does.
client_endpoints() {
	local flags=${1:-subflow}

	on client ip mptcp endpoint flush
	# shellcheck disable=SC2086 # several flags are several words
	on client ip mptcp endpoint add "${CLIENT4[1]}" dev eth1 $flags
	# shellcheck disable=SC2086
	on client ip mptcp endpoint add "${CLIENT6[1]}" dev eth1 $flags
	on client ip mptcp limits set add_addr_accepted 0 subflows 2
}

# serve_on NODE [OPTIONS...]: a server, port 80, all addresses, TCP, MPTCP and UDP.
serve_on() {
	local b=$1

	shift
	start "web-$b" "$b" "$LOAD" serve --listen '*:80' --udp --name "$b" "$@"
}

# serve_backends [OPTIONS...]: one on each backend.
serve_backends() {
	local b

	for b in "${BACKENDS[@]}"; do
		serve_on "$b" "$@"
	done
	for b in "${BACKENDS[@]}"; do
		ready "web-$b"
	done
}

# vips_on_backends: what server-pm does in this matter, by hand. The VIP is on every backend: none
# may answer ARP for it on the segment.
vips_on_backends() {
	local b

	for b in "${BACKENDS[@]}"; do
		on "$b" sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2
		address "$b" lo "$VIP4/32" "$VIP6/128"
	done
}

# ---- programs under test -----------------------------------------------------------------------

# lbctl_on NODE ARGUMENTS...: on that balancer, with pins of its own; lbctl ARGUMENTS...: on "lb".
lbctl_on() {
	local node=$1

	shift
	on "$node" "$LBCTL" --pin-dir "$PINS/$node" "$@"
}

lbctl() {
	lbctl_on lb "$@"
}

# lb_config [KEY=VALUE...]: a config for topology "lb" on stdout: VIPs web4, web6 (TCP) and echo4,
# echo6 (UDP), one pool each family of backends.
#   forward=l2|ipip|gue  outer=4|6|same (family of the backends' addresses)
#   mp_join=reject|hash|steer  join_ports=BASE (none by default)
#   seed=N  members="b1 b2 b3"  weight_bN=N
lb_config() {
	local forward=ipip outer=same mp_join=reject join_ports='' seed=0x5eed
	local members="${BACKENDS[*]}" arg f

	for arg in "$@"; do
		local "${arg?}"
	done
	echo "hash_seed: $seed"
	echo "vips:"
	for f in 4 6; do
		local vip=VIP$f pool=servers$f

		[ "$outer" = same ] || pool=servers$outer
		echo "  - {name: web$f, address: \"${!vip}\", port: 80, protocol: tcp," \
			"pool: $pool, mp_join: $mp_join${join_ports:+, join_ports: {base: $join_ports\}}}"
		echo "  - {name: echo$f, address: \"${!vip}\", port: 80, protocol: udp, pool: $pool}"
	done
	echo "pools:"
	for f in 4 6; do
		[ "$outer" = same ] || [ "$outer" = "$f" ] || continue
		echo "  - name: servers$f"
		echo "    forward: $forward"
		echo "    backends:"
		for arg in $members; do
			local weight=weight_$arg

			echo "      - {name: $arg, id: ${arg#b}, address: \"$("lan$f" "$arg")\"," \
				"weight: ${!weight:-100}}"
		done
	done
}

# second_balancer_node: "lb2" beside "lb", without a program.
second_balancer_node() {
	node lb2
	wire switch lb2 lb2 eth0 1600
	ip -n "$(netns switch)" link set lb2 master lan
	pass_stub switch lb2
	address lb2 eth0 10.0.0.3/24 fd00::3/64
	topology_defaults lb2 eth0 10.0.0.1 fd00::1
	meet lb2 10.0.0.1
	meet lb2 fd00::1
}

# second_balancer [KEY=VALUE...]: the node "lb2", up with such a config. It gets packets once the
# router sends them there: `vips_through lb2`.
second_balancer() {
	second_balancer_node
	lb_config "$@" >"$TESTBED_DIR/lb2.yaml"
	{
		lbctl_on lb2 attach eth0 mode native &&
			lbctl_on lb2 apply "$TESTBED_DIR/lb2.yaml"
	} >>"$TESTBED_DIR/lb.log" 2>&1 || {
		cat "$TESTBED_DIR/lb.log" >&2
		return 1
	}
}

# vips_through lb|lb2: the balancer that the router picks.
vips_through() {
	local n=2

	[ "$1" = lb ] || n=3
	ip -n "$(netns router)" route replace "$VIP4" via "10.0.0.$n"
	ip -n "$(netns router)" -6 route replace "$VIP6" via "fd00::$n"
}

# lb_up [KEY=VALUE...]: the program on the balancer's eth0 (native XDP) with that config.
lb_up() {
	lbctl attach eth0 mode native >>"$TESTBED_DIR/lb.log" 2>&1 || {
		cat "$TESTBED_DIR/lb.log" >&2
		return 1
	}
	lb_apply "$@"
}

lb_apply() {
	lb_config "$@" >"$TESTBED_DIR/lb.yaml"
	lbctl apply "$TESTBED_DIR/lb.yaml" >>"$TESTBED_DIR/lb.log" 2>&1 || {
		cat "$TESTBED_DIR/lb.log" >&2
		return 1
	}
}

# server_pm NODE ARGUMENTS...: on a backend, with pins of its own.
server_pm() {
	local node=$1

	shift
	on "$node" "$SERVER_PM" --pin-dir "$PINS/$node" "$@"
}

# server_config NODE: the config of server-pm on that backend, on stdout; PATH_MANAGER and
# INITIAL_SUBFLOW are others than the usual, DECAPSULATE is more, as in ", mtu: 0". JOINS says where
# clients are to join: own (the server's own addresses, the usual), vip (the balancer steers), or port
# (the VIP, join_ports base 20000).
server_config() {
	case ${JOINS:-own} in
	own) echo "dedicated: [$(own4 "$1"), \"$(own6 "$1")\"]" ;;
	vip) echo "join_vip: allow" ;;
	port) echo "join_port: $((20000 + ${1#b}))" ;;
	*) die "JOINS=$JOINS: want own, vip or port" ;;
	esac
	cat <<-END
		vips: [$VIP4, "$VIP6"]
		path_manager: ${PATH_MANAGER:-kernel}
		initial_subflow: ${INITIAL_SUBFLOW:-backup}
		decapsulate: {device: eth0${DECAPSULATE:-}}
		balancers: [10.0.0.2, "fd00::2", 10.0.0.3, "fd00::3"]
	END
}

# server_pm_up [NODE...]: the daemon on those backends, all by default.
server_pm_up() {
	local b

	[ $# -gt 0 ] || set -- "${BACKENDS[@]}"
	for b in "$@"; do
		server_config "$b" >"$TESTBED_DIR/$b.yaml"
		start "pm-$b" "$b" "$SERVER_PM" --pin-dir "$PINS/$b" run \
			-c "$TESTBED_DIR/$b.yaml"
	done
	for b in "$@"; do
		ready "pm-$b"
	done
}
