#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The programs end to end on a stock kernel, inside the guest that run.sh boots: behind libxdp's
# dispatcher, beside another XDP program, with server-pm and with the kernel's own tunnel devices as
# receivers. Where libxdp cannot share the NIC (see mover.bpf.c), the balancer has to leave the other
# program alone and to run without the dispatcher.
#
#	client ══ eth0, eth1 ══ router ──┬── lb    eth0: neighbour (counts, passes), then mplb
#	   subflow endpoint on eth1      ├── b1    server-pm, later ipip and ip6tnl devices
#	                                 ├── b2
#	                                 └── b3
#
# The balancer runs as on a real machine: pins in /sys/fs/bpf, libxdp's too.
# shellcheck disable=SC2317 # functions that holds and await call
# shellcheck source=tests/e2e/check.bash
. "$(dirname "$0")/../e2e/check.bash"

NEIGHBOUR=$BUILD/kernels/neighbour

# `ip netns exec` would hide /sys/fs/bpf.
in_lb() {
	nsenter --net="/run/netns/$(netns lb)" "$@"
}

lbctl_on() { # NODE ARGUMENTS...
	shift
	in_lb "$LBCTL" "$@"
}

# ---- what runs on the NIC ----------------------------------------------------------------------

# other_attach NAME and other_detach NAME: neighbour or mover.
other_attach() {
	in_lb "$NEIGHBOUR" attach eth0 "$BUILD/kernels/$1.bpf.o" >"$TESTBED_DIR/$1.id"
}

other_detach() {
	in_lb "$NEIGHBOUR" detach eth0 "$(cat "$TESTBED_DIR/$1.id")"
}

# can_share: does libxdp chain a program that moves the head of packets, on this kernel?
can_share() {
	other_attach mover 2>/dev/null && other_detach mover 2>/dev/null
}

# on_nic: names of the programs on the balancer's NIC, as they run.
on_nic() {
	in_lb "$NEIGHBOUR" list eth0 | awk '{ printf "%s%s", sep, /^[0-9]/ ? $2 : $1; sep = " " }'
}

# seen: frames that the neighbour has counted.
seen() {
	bpftool -j map dump name neighbour_seen | jq '.[0].formatted.value'
}

# loaded NAME: how many programs of that name the kernel has.
loaded() {
	bpftool -j prog show | jq --arg n "$1" '[.[] | select(.name == $n)] | length'
}

# The kernel lets go of a program a little after its last user.
none_loaded() {
	[ "$(loaded mplb_lb)" = 0 ]
}

pins() {
	find /sys/fs/bpf -type f "$@" | wc -l
}

balanced() {
	lbctl -j stats | jq '[.vips[].packets] | add'
}

# ---- traffic -----------------------------------------------------------------------------------

# tcp_checks WHAT FAMILY
tcp_checks() {
	get down "$(vip "$2")" --bytes 20k --count 30 --parallel 6
	served down "$1: downloads arrive byte for byte"
	equal "$1: from all servers" "$(reached down)" 3
	get up "$(vip "$2")" --put --bytes 300k --count 3 --parallel 3
	served up "$1: uploads of full-size packets arrive"
}

# client_kind 4|6: two kinds of client. One opens subflows from its second link and accepts no
# address (a phone); the other accepts what is announced. The first kind has a limit of its own
# before 6.12: it heeds the first announced address only, whose family may not be the connection's.
client_kind() {
	if [ "$1" = 4 ]; then
		client_endpoints subflow
	else
		on client ip mptcp endpoint flush
		on client ip mptcp limits set add_addr_accepted 2 subflows 2
	fi
}

# mptcp_checks WHAT FAMILY JOINS: joins is how many of ten connections get a second subflow.
mptcp_checks() {
	client_kind "$2"
	get many "$(vip "$2")" --proto mptcp --bytes 20k --count 10 --parallel 5 \
		--hold-until-joined "$(($3 ? 5 : 1))"
	served many "$1: connections are served byte for byte"
	equal "$1: none falls back to TCP" "$(of many .fallback)" 0
	equal "$1: joined to the server's own address" "$(of many .joined)" "$3"
	equal "$1: joined to the VIP" "$(of many .joined_vip)" 0
	get up "$(vip "$2")" --proto mptcp --put --bytes 1M
	served up "$1: an upload arrives"
}

# tunnel_devices: what receives on the backends in place of server-pm: the kernel.
tunnel_devices() {
	local b

	for b in "${BACKENDS[@]}"; do
		on "$b" ip link add balanced4 type ipip local "$(lan4 "$b")" remote 10.0.0.2
		on "$b" ip link add balanced6 type ip6tnl mode ip6ip6 local "$(lan6 "$b")" \
			remote fd00::2
		on "$b" ip link set balanced4 up
		on "$b" ip link set balanced6 up
	done
}

# vlan_devices: another segment between balancer and backends, in VLAN 7; the kernel receives there, too.
vlan_devices() {
	local n

	for n in lb "${BACKENDS[@]}"; do
		on "$n" ip link add link eth0 name eth0.7 type vlan id 7
		on "$n" ip link set eth0.7 up
	done
	address lb eth0.7 10.7.0.2/24
	for n in "${BACKENDS[@]}"; do
		address "$n" eth0.7 "10.7.0.$(number "$n")/24"
		on "$n" ip link add balanced7 type ipip local "10.7.0.$(number "$n")" \
			remote 10.7.0.2
		on "$n" ip link set balanced7 up
	done
}

# tags: of the next hops of the IPv4 backends.
tags() {
	lbctl -j show backend | jq -c '[.[] | select(.pool == "servers4") | .vlan] | unique'
}

# attach_shared and attach_alone: mplb on a NIC where another program is. RUNS is what is on the NIC
# after that.
attach_shared() {
	RUNS="dispatcher neighbour mplb_lb"
	holds "attach beside it" lbctl attach eth0 mode native
	equal "both are on the NIC" "$(on_nic)" "$RUNS"
	equal "show attach: native, shared" "$(shown)" '["eth0","native",true]'
}

attach_alone() {
	RUNS="alone"
	fails "attach beside it is refused, where libxdp cannot share" 2 \
		'^lbctl: error: eth0: .*(busy|another)' lbctl attach eth0 mode native
	equal "the other program stays" "$(on_nic)" "dispatcher neighbour"
	holds "the other program goes" other_detach neighbour
	holds "attach without the dispatcher" lbctl attach eth0 mode native
	equal "show attach: native, not shared" "$(shown)" '["eth0","native",false]'
}

shown() {
	lbctl -j show attach | jq -c '.[] | [.device, .mode, .shared]'
}

# detach_checks: in the end nothing of ours is on the machine.
detach_checks() {
	holds "detach all" lbctl detach all
	equal "no pin of ours is left" "$(pins -path '*mplb*')" 0
	holds "no program of ours is left" await 5 none_loaded
	[ -z "$SHARES" ] || equal "the other program stays again" "$(on_nic)" "dispatcher neighbour"
	[ -z "$SHARES" ] || holds "the other program goes, too" other_detach neighbour
	equal "no pin at all is left" "$(pins)" 0
	equal "nothing is on the NIC" "$(on_nic)" ""
}

# other_way_round: mplb first, the other program later.
other_way_round() {
	seen_before=$(seen)
	get other "$(vip 4)" --bytes 100 --stall 1
	equal "the other program stays" "$(on_nic)" "dispatcher neighbour"
	at_least "and still counts" $(($(seen) - seen_before)) 1
	holds "the other program goes" other_detach neighbour
	holds "attach to a free NIC" lbctl attach eth0
	equal "show attach: native, shared" "$(shown)" '["eth0","native",true]'
	holds "another program comes beside it" other_attach neighbour
	equal "both are on the NIC again" "$(on_nic)" "$RUNS"
}

# ---- beside another program --------------------------------------------------------------------

topology_lb
serve_backends

SHARES=
holds "another program is on the NIC, through libxdp" other_attach neighbour
if can_share; then
	SHARES=yes
	attach_shared
else
	attach_alone
fi

# ---- server-pm receives ------------------------------------------------------------------------

server_pm_up
lb_apply forward=ipip
seen_before=0
[ -z "$SHARES" ] || seen_before=$(seen)
for f in 4 6; do
	tcp_checks "ipip to server-pm, TCP, IPv$f" "$f"
	mptcp_checks "ipip to server-pm, MPTCP, IPv$f" "$f" 10
done
at_least "the balancer sees the packets" "$(balanced)" 500
[ -z "$SHARES" ] ||
	at_least "the other program sees them, too" $(($(seen) - seen_before)) "$(balanced)"
equal "no join reached a wrong server" "$(wrong_joins)" 0
equal "the balancer loses no packet" "$(drops DROP)" 0

for dev in c0 c1; do
	on router tc qdisc replace dev "$dev" root netem delay 10ms loss 1% limit 1000
done
get far "$(vip 4)" --bytes 100k --count 6 --parallel 3
served far "netem, TCP: downloads arrive"
get far "$(vip 4)" --proto mptcp --bytes 100k --count 6 --parallel 3
served far "netem, MPTCP: downloads arrive"
for dev in c0 c1; do
	shape router "$dev" 1gbit
done

# ---- what is said, and a new version ---------------------------------------------------------------

server=$(of down '.connections[0].server')
from=$(of down '.connections[0].local')
before=$(lbctl -j stats)
equal "explain names the server that a connection had" \
	"$(lbctl -j explain tcp "$from" "$(vip 6)" | jq -r .backend)" "$server"
equal "explain: a join to the VIP" \
	"$(lbctl -j explain tcp 192.0.2.2:5555 "$(vip 4)" join 0xdeadbeef | jq -r .reason)" \
	join_rejected
equal "explain counts nothing" "$(lbctl -j stats)" "$before"

get_in_background under "$(vip 4)" --bytes 400k --rate 100k --count 3 --parallel 3 --mark 50k
ready under mark
holds "a new version takes the old one's place" lbctl attach eth0 mode native
finish under 30 || true
served under "transfers under way do not notice"
equal "the NIC has one of each as before" "$(on_nic)" "$RUNS"

# ---- the kernel's tunnel devices receive -------------------------------------------------------

for b in "${BACKENDS[@]}"; do
	stop "pm-$b"
	holds "server-pm clears $b" server_pm "$b" clear
done
vips_on_backends
holds "ipip and ip6tnl devices" tunnel_devices
for f in 4 6; do
	tcp_checks "ipip to a device, TCP, IPv$f" "$f"
	mptcp_checks "ipip to a device, MPTCP, IPv$f" "$f" 0
done
at_least "joins to the VIP were rejected" "$(drops join_rejected)" 1
equal "no join reached a wrong server" "$(wrong_joins)" 0
equal "the balancer loses no packet" "$(drops DROP)" 0

# ---- backends behind a VLAN ----------------------------------------------------------------------

holds "VLAN devices" vlan_devices
lan4() { echo "10.7.0.$(number "$1")"; }
lb_apply forward=ipip
equal "next hops behind a VLAN are tagged" "$(tags)" "[7]"
tcp_checks "ipip through a VLAN, TCP" 4
lb_apply forward=l2
equal "l2: next hops behind a VLAN are tagged" "$(tags)" "[7]"
tcp_checks "l2 through a VLAN, TCP" 4
equal "the balancer loses no packet in a VLAN" "$(drops DROP)" 0

# ---- and off again -----------------------------------------------------------------------------

holds "detach from the NIC" lbctl detach eth0
get gone "$(vip 4)" --bytes 100 --stall 1
equal "the VIP is not served" "$(of gone .ok)" 0
if [ -n "$SHARES" ]; then
	other_way_round
else
	holds "attach again" lbctl attach eth0
fi
get back "$(vip 4)" --bytes 20k --count 10 --parallel 5
served back "the config from before is in force"
detach_checks
conclude
