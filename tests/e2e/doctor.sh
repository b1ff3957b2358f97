#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# server-pm check: every fault of docs/doctor.md is planted in turn, found and named, with nothing else
# named beside it; the command that it prints mends it; a healthy server has no finding.
#
#	client ══ eth0, eth1 ══ router ── eth0 server   VIP 198.51.100.1, 2001:db8:100::1
#	                           └───── lan0     │    dedicated 203.0.113.11, 2001:db8:d::11
#	                                  the tunnel's   d0, a device for addresses
# shellcheck disable=SC2317 # functions that `holds` and `await` call
# shellcheck source=tests/e2e/userspace.bash
. "$(dirname "$0")/userspace.bash"

CONF=$TESTBED_DIR/server.yaml
BASE=
AS=()	# what server-pm check runs under
declare -A PLANTED=()

# findings [SED-SCRIPT]: of the config, edited: their names, sorted, each once.
findings() {
	local conf=$CONF

	if [ -n "${1-}" ]; then
		conf=$TESTBED_DIR/edited.yaml
		sed -E "$1" "$CONF" >"$conf"
	fi
	on server "${AS[@]}" "$SERVER_PM" --pin-dir "${PIN_DIR:-$PINS/server}" check -j -c "$conf" \
		>"$TESTBED_DIR/check.json" || true
	jq -r '[.findings[].finding] | unique | join(" ")' "$TESTBED_DIR/check.json"
}

finds() {
	[ "$(findings "${2-}")" = "$1" ]
}

sorted() {
	# shellcheck disable=SC2086 # words
	printf '%s\n' $1 | sort -u | paste -sd ' '
}

# mend NAME: runs the command that was printed for it. False where it was no command.
mend() {
	local command

	command=$(jq -r --arg f "$1" '[.findings[] | select(.finding == $f and .command)][0].mend //
		empty' "$TESTBED_DIR/check.json")
	[ -n "$command" ] && on server sh -ec "$command" >/dev/null
}

# planted NAME BY [OPTION=...]: BY, a shell line for the server, plants the fault NAME.
#	with=NAMES   what is to be found besides
#	undo=LINE    instead of the command that was printed
#	edit=SCRIPT  of the config
#	left=NAMES   what is left after mending, besides BASE
planted() {
	local name=$1 by=$2 with='' undo='' edit='' left='' arg want

	shift 2
	for arg in "$@"; do
		local "${arg?}"
	done
	PLANTED[$name]=1
	[ -z "$by" ] || on server sh -ec "$by" >/dev/null
	want=$(sorted "$BASE $name $with")
	if ! await 10 finds "$want" "$edit"; then
		fail "$name: found" "found: $(findings "$edit"), want $want"
	fi
	if [ -n "$undo" ]; then
		on server sh -ec "$undo" >/dev/null
	elif [ -n "$by" ] && ! mend "$name"; then
		fail "$name: the command that is printed mends it" \
			"$(jq -c '.findings' "$TESTBED_DIR/check.json")"
		return
	fi
	want=$(sorted "$BASE $left")
	if await 10 finds "$want"; then
		pass "$name: found, named and mended"
	else
		fail "$name: mended" "found: $(findings), want $want"
	fi
}

# ---- the rig -----------------------------------------------------------------------------------

doctors_topology() {
	topology
	wire server lan0 router s1 1500
	wire server d0 router d0 1500
	address server lan0 10.0.1.11/24 fd00:1::11/64
	address router s1 10.0.1.1/24 fd00:1::1/64
	cat >"$CONF" <<-END
		vips: [$VIP4, "$VIP6"]
		dedicated: [$OWN4, "$OWN6"]
		path_manager: kernel
		decapsulate: {device: lan0, mtu: 1500}
		balancers: [10.0.1.2, "fd00:1::2"]
	END
	web_up
}

healthy() {
	BASE=
	equal "$1: nothing is found" "$(findings)" ""
	holds "$1: exit code 0" pm check -c "$CONF"
}

# ---- before it is set up -----------------------------------------------------------------------

before_run() {
	BASE=not_set_up
	PLANTED[not_set_up]=1
	equal "not_set_up: found and named" "$(findings)" not_set_up
	fails "exit code 1" 1 'pin folder.*systemctl start' pm check -c "$CONF"
	planted endpoint_conflict "ip mptcp endpoint add $OWN4 subflow"
	planted endpoint_room "for i in 1 2 3 4 5; do ip mptcp endpoint add 10.9.9.\$i subflow; done" \
		undo="ip mptcp endpoint flush"
	PLANTED[pins]=1
	PIN_DIR=$TESTBED_DIR/nowhere
	equal "pins: found and named" "$(findings)" pins
	unset PIN_DIR
	PLANTED[rights]=1
	AS=(setpriv "--bounding-set=-net_admin,-bpf,-sys_admin"
		"--inh-caps=-net_admin,-bpf,-sys_admin")
	equal "rights: found and named" "$(findings)" rights
	AS=()
}

# ---- of the machine, with server-pm at work ----------------------------------------------------

machine() {
	planted mptcp_disabled "sysctl -w net.mptcp.enabled=0"
	planted syncookies "sysctl -w net.ipv4.tcp_syncookies=2"
	no_btf
	old_kernel
	planted device_missing "" edit='s/lan0/lan9/'
	planted device_down "ip link set lan0 down"
	planted mtu "ip link set lan0 mtu 1400"
	planted mtu "" edit='s/mtu: 1500/mtu: 0/' undo=true
	planted rp_filter "sysctl -w net.ipv4.conf.lan0.rp_filter=1"
	planted tx_checksum "ethtool -K lan0 tx on"
	planted dedicated_missing "ip address del $OWN4/32 dev lo"
	planted dedicated_missing "ip address del $OWN6/128 dev lo"
	planted dedicated_down "ip address del $OWN4/32 dev lo; ip address add $OWN4/32 dev d0
		ip link set d0 down"
	on server sh -ec "ip address del $OWN4/32 dev d0; ip address add $OWN4/32 dev lo"
	planted dedicated_tentative "sysctl -w net.ipv6.conf.d0.accept_dad=1 \
		net.ipv6.conf.d0.dad_transmits=1000
		ip address del $OWN6/128 dev lo; ip address add $OWN6/128 dev d0"
	on server sh -ec "ip address del $OWN6/128 dev d0; ip address add $OWN6/128 dev lo"
	planted private_address "" edit="s/$OWN4/10.0.0.11/" with=endpoint_missing
	planted vip_on_segment "ip address add $VIP4/24 dev lan0"
	planted vip_on_segment "ip address add $VIP6/128 dev lan0 nodad"
	planted arp_device "sysctl -w net.ipv4.conf.lan0.arp_ignore=3"
	planted no_route "ip route del default" undo="ip route add default via 10.0.0.1"
	planted no_route "ip -6 route del default" undo="ip -6 route add default via fd00::1"
	planted endpoint_ipv6_port "ip mptcp endpoint add $OWN6 port 8080 signal"
	planted join_port_ipv6 "" edit='s/^path_manager/join_port: 20001\n&/' \
		with="endpoint_missing limit"
	planted join_port_nothing "" edit="/^dedicated/d; s/^vips.*/vips: [\"$VIP6\"]\njoin_port: 20001/" \
		with=vips_differ
	planted balancers_differ "" edit='s/10\.0\.1\.2,/10.0.1.3,/'
	planted vips_differ "" edit="s/^vips: \[/&198.51.100.9, /" with="vip_missing endpoint_missing"
	# Which takes the IPv6 addresses off it; server-pm puts the VIP back.
	planted lo_down "ip link set lo down" with=dedicated_missing left=dedicated_missing
	on server ip address add "$OWN6" dev lo nodad
}

# The kernel's BTF hidden, as if it was built without.
no_btf() {
	PLANTED[no_btf]=1
	cat >"$TESTBED_DIR/btf.sh" <<-'END'
		mount -t tmpfs none /sys/kernel/btf && exec "$@"
	END
	AS=(unshare -m sh "$TESTBED_DIR/btf.sh")
	equal "no_btf: found and named" "$(findings)" no_btf
	AS=()
}

# The sysctls of MPTCP hidden, as a kernel before 5.14 has none.
old_kernel() {
	local got

	PLANTED[old_kernel]=1 PLANTED[no_userspace]=1
	cat >"$TESTBED_DIR/old.sh" <<-'END'
		mount -t tmpfs none /proc/sys/net/mptcp && exec "$@"
	END
	AS=(unshare -m sh "$TESTBED_DIR/old.sh")
	got=$(findings)
	equal "old_kernel: found and named" "$got" "add_addr_timeout c_flag old_kernel"
	got=$(findings 's/^path_manager: kernel/path_manager: userspace/')
	equal "no_userspace: found and named" "$got" \
		"add_addr_timeout c_flag no_userspace old_kernel"
	AS=()
}

# Under a config with a guard that server-pm does not run with yet.
guard() {
	local all='eth0, lan0, d0' on="\$aguard: on\\nguard_devices:"

	planted guard_missing "" edit="$on [$all]"
	planted guard_device "" edit="$on [$all, lan9]" with=guard_missing
	planted guard_link "" edit="$on [$all, lo]" with=guard_missing
	planted guard_other_device "" edit="$on [eth0, lan0]" with=guard_missing
	start plain server "$LOAD" serve --proto tcp --listen "*:2223" --name plain
	ready plain
	planted guard_cuts_off "" edit="$on [$all]" with=guard_missing
	planted guard_missing "" edit="$on [$all]\\nguard_allow: [2223/tcp]"
	stop plain
	planted route_missing "" with="guard_missing limit path_manager" \
		edit="s/^(path_manager: ).*/\\1userspace/; $on [$all]\\nper_connection: '2001:db8:f:1::\\/64'"
}

others() {
	cp "$(command -v sleep)" "$TESTBED_DIR/mptcpd"
	start other server "$TESTBED_DIR/mptcpd" 60
	planted other_manager "" undo=true left=other_manager
	stop other
	start narrow server "$LOAD" serve --listen "$VIP4:81" --name narrow
	ready narrow
	planted no_listener "" undo=true left=no_listener
	stop narrow
	start plain server "$LOAD" serve --proto tcp --listen "$VIP4:82" --name plain
	ready plain
	planted plain_tcp "" undo=true left=plain_tcp
	stop plain
	stop web
	start plain server "$LOAD" serve --proto tcp --listen "*:80" --name plain
	ready plain
	planted no_mptcp_service "" undo=true left=no_mptcp_service
	stop plain
	web_up
}

firewall() {
	local t='nft add table inet t; nft add chain inet t in { type filter hook input priority 0 \;'

	if ! command -v nft >/dev/null; then
		skip "firewall" "no nft here; apt-get install nftables"
		PLANTED[firewall]=1
		return
	fi
	# shellcheck disable=SC2016 # not for this shell
	on server sh -ec "$t }
		nft add rule inet t in tcp dport 22 drop
		nft add rule inet t in ip daddr $VIP4 drop
		nft add rule inet t in ip daddr $OWN4 tcp dport 81 drop
		nft add rule inet t in ip daddr $OWN4 tcp dport 80 ct state invalid drop
		nft add rule inet t in iifname lo drop
		nft add rule inet t in ct state invalid drop
		nft add rule inet t in tcp dport { 1-79, 81 } drop
		nft add rule inet t in ip daddr $OWN4 udp dport 80 drop"
	equal "rules about other packets: nothing is found" "$(findings)" ""
	planted firewall "nft add rule inet t in ip daddr $OWN4 tcp dport 80 counter drop"
	planted firewall "nft add rule inet t in ip6 daddr 2001:db8:d::/48 reject"
	on server nft flush ruleset
	planted firewall "$t policy drop \\; }
		nft add rule inet t in ct state established,related accept
		nft add rule inet t in iif lo accept
		nft add rule inet t in icmpv6 type echo-request accept
		nft add rule inet t in tcp dport { 22, 8000-9000 } accept
		nft add rule inet t in ip6 daddr $OWN6 accept" \
		undo="nft add rule inet t in ip daddr $OWN4 tcp dport 80 accept" left=
	on server nft flush ruleset
}

# ---- of what server-pm keeps, with server-pm dead ----------------------------------------------

kept() {
	stop pm KILL
	BASE=not_running
	PLANTED[not_running]=1
	equal "not_running: found and named" "$(findings)" not_running
	planted path_manager "sysctl -w net.mptcp.path_manager=userspace"
	planted path_manager "" edit='s/^path_manager: kernel/path_manager: userspace/'
	planted c_flag "sysctl -w net.mptcp.allow_join_initial_addr_port=1"
	planted add_addr_timeout "sysctl -w net.mptcp.add_addr_timeout=0"
	AS=(setarch --uname-2.6 --)
	equal "add_addr_timeout: the default of 120 s, on an old kernel" "$(findings)" \
		"add_addr_timeout not_running"
	AS=()
	planted arp "sysctl -w net.ipv4.conf.all.arp_ignore=0"
	planted arp "sysctl -w net.ipv4.conf.all.arp_announce=0"
	planted limit "ip mptcp limits set subflows 0"
	planted vip_missing "ip address del $VIP4/32 dev lo"
	planted vip_missing "ip address del $VIP6/128 dev lo"
	planted endpoint_missing "ip mptcp endpoint delete id \$(ip mptcp endpoint show |
		awk '\$1 == \"$OWN4\" { print \$3 }')"
	planted endpoint_missing "ip mptcp endpoint delete id \$(ip mptcp endpoint show |
		awk '\$1 == \"$VIP4\" { print \$3 }')"
	# What only server-pm can put back: it is started again.
	planted decapsulation_missing "ip link set dev lan0 xdp off" undo=true \
		left=decapsulation_missing
	on server ip link set dev lan0 xdpdrv obj "$BUILD/testbed/pass.bpf.o" sec xdp
	planted xdp_foreign "" with=decapsulation_missing undo="ip link set dev lan0 xdp off" \
		left=decapsulation_missing
	planted first_flight_missing \
		"tc filter del dev lan0 ingress prio 1 handle 0x6d706c64 bpf" \
		with=decapsulation_missing undo=true \
		left="decapsulation_missing first_flight_missing"
	planted pass_on_missing "tc filter del dev lan0 ingress" \
		with="decapsulation_missing first_flight_missing" \
		undo=true left="decapsulation_missing first_flight_missing pass_on_missing"
	planted mss_missing "tc filter del dev lan0 egress" \
		with="decapsulation_missing first_flight_missing pass_on_missing" undo=true \
		left="decapsulation_missing first_flight_missing mss_missing pass_on_missing"
	planted qdisc "tc qdisc del dev lan0 clsact; tc qdisc add dev lan0 ingress" \
		with="decapsulation_missing first_flight_missing pass_on_missing mss_missing" \
		left="decapsulation_missing first_flight_missing pass_on_missing mss_missing"
	pm_up
	healthy "started again"
	PLANTED[not_answering]=1
	kill -STOP "${TESTBED_PID[pm]}"
	equal "not_answering: found and named" "$(findings)" not_answering
	kill -CONT "${TESTBED_PID[pm]}"
	stop pm
	pm clear 2>/dev/null
	sed -i 's/device: lan0,/device: lan0, mode: generic,/' "$CONF"
	pm_up
	healthy "generic mode that is asked for"
	planted generic_mode "" edit='s/mode: generic, //'
}

# Each name of the list was planted; only a kernel without MPTCP is hard to come by.
all_planted() {
	local name missing=

	while read -r name; do
		[ -n "${PLANTED[$name]:-}" ] || [ "$name" = no_mptcp ] || missing+=" $name"
		grep -q "^| \`$name\` |" "$TESTBED_ROOT/docs/doctor.md" || missing+=" $name(docs)"
	done < <(sed -n 's/^[[:space:]]*X([A-Z0-9_]*, "\([a-z0-9_]*\)".*/\1/p' \
		"$TESTBED_ROOT/server-pm/doctor_exam.h")
	equal "every finding there is was planted, and is explained" "$missing" ""
}

doctors_topology
before_run
pm_up
healthy "set up"
machine
healthy "after all of these"
guard
others
firewall
kept
all_planted
conclude
