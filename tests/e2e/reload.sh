#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# SIGHUP: server-pm takes another config while connections live, and leaves them whole; a config that
# does not validate changes nothing.
#
#	client ══ eth0, eth1 ══ router ── server   (tests/e2e/userspace.bash)
#	                                           a second dedicated address, 203.0.113.12
# shellcheck disable=SC2317 # functions that `holds` and `await` call
# shellcheck source=tests/e2e/userspace.bash
. "$(dirname "$0")/userspace.bash"

CONF=$TESTBED_DIR/server.yaml
OTHER4=203.0.113.12
N=10

lines() {
	grep -cE "$1" "$TESTBED_DIR/pm.err" || true
}

# reload SED-SCRIPT [WORD]: of the config; waits for the word.
reload() {
	local word=${2:-reloaded} before

	before=$(lines "$word")
	sed -E -i "$1" "$CONF"
	kill -HUP "${TESTBED_PID[pm]}"
	await 5 said_again "$word" "$before" || fail "reload: $1" "$(tail -1 "$TESTBED_DIR/pm.err")"
}

said_again() {
	[ "$(lines "$1")" -gt "$2" ]
}

# transfers LABEL: that outlive what follows.
transfers() {
	keep "$1" "$(vip 4)" --proto mptcp --count "$N" --parallel "$N"
}

# on_address ADDRESS: how many live connections have a subflow there.
on_address() {
	pm connections -j | jq --arg a "$1:" '[.[] | select(.dedicated | any(startswith($a)))] |
		length'
}

is_on() {
	[ "$(on_address "$1")" -eq "$2" ]
}

snapshot() {
	on server ip mptcp endpoint show
	on server ip mptcp limits show
	on server sysctl net.mptcp
	ip -n "$(netns server)" -br addr show dev lo
	pm connections -j | jq -c '[.[] | .state] | sort'
}

check_refusals() {
	local before

	transfers steady
	holds "off the VIP" await 5 state_is off_path "$N"
	before=$(snapshot)
	cp "$CONF" "$TESTBED_DIR/good.yaml"
	reload 's/^dedicated:.*/dedicated: [203.0.113.300]/' "not reloaded"
	at_least "bad config: the log has file, line and key" \
		"$(lines 'server.yaml:2: dedicated\[0\]: .*203.0.113.300')" 1
	cp "$TESTBED_DIR/good.yaml" "$CONF"
	reload 's/9181/9182/' "not reloaded" # someone has it, see below
	at_least "metrics' new port is taken: refused" "$(lines 'metrics.*9182.*in use')" 1
	cp "$TESTBED_DIR/good.yaml" "$CONF"
	echo 'decapsulate: {device: eth9}' >>"$CONF"
	echo 'balancers: [10.0.0.2]' >>"$CONF"
	reload '' "not reloaded"
	at_least "a device that is not there: refused" "$(lines 'no device eth9')" 1
	cp "$TESTBED_DIR/good.yaml" "$CONF"
	equal "and nothing has changed" "$(snapshot)" "$before"
	holds "and it runs on" running pm
}

# In both modes: an address is added, and one taken away, under live connections.
check_addresses() {
	local mode=$1 before

	configure "$mode" backup
	sed -i "s/^dedicated:.*/dedicated: [$OWN4]/" "$CONF"
	reload ''
	stop steady
	accepting
	transfers "$mode"
	holds "$mode: off the VIP" await 5 is_on "$OWN4" "$N"
	before=$(mib server MPTcpExtRmAddrTx)
	reload "s/^dedicated:.*/dedicated: [$OTHER4, $OWN4]/"
	holds "$mode: an address that comes is announced to live connections" \
		await 5 is_on "$OTHER4" "$N"
	reload "s/^dedicated:.*/dedicated: [$OTHER4]/"
	at_least "$mode: one that goes is taken back (RM_ADDR)" \
		$(($(mib server MPTcpExtRmAddrTx) - before)) "$N"
	holds "$mode: and its subflows are closed" await 5 is_on "$OWN4" 0
	equal "$mode: connections are still off the VIP" "$(state off_path)" "$N"
	get "new-$mode" "$(vip 4)" --proto mptcp --bytes 10k --count "$N" --hold-until-joined 3
	equal "$mode: new connections join the new address" "$(of "new-$mode" .joined)" "$N"
	let_go "$mode"
	served "$mode" "$mode: transfers survive all of it"
}

# Nothing can be joined at first.
check_late() {
	reload "s/^dedicated:.*/dedicated: [203.0.113.99]/"
	accepting
	transfers late
	holds "nobody can join: on the VIP" await 5 state_is vip "$N"
	reload "s/^dedicated:.*/dedicated: [$OWN4]/"
	holds "another address: they join it and leave the VIP" await 5 state_is off_path "$N"
	reload 's/^initial_subflow: .*/initial_subflow: close/'
	holds "backup becomes close: initial subflows are closed" await 5 initial_gone
	let_go late
	served late "and the transfers are served"
}

initial_gone() {
	[ "$(pm connections -j | jq '[.[] | select(.local == null)] | length')" -eq "$N" ]
}

# The other way of managing paths, and back.
check_modes() {
	reload 's/^initial_subflow: .*/initial_subflow: backup/'
	two_links
	transfers modes
	holds "userspace: off the VIP" await 5 state_is off_path "$N"
	reload 's/^path_manager: .*/path_manager: kernel/'
	equal "to kernel: live connections are left alone" "$(state off_path)" "$N"
	get modes-k "$(vip 4)" --proto mptcp --bytes 10k --count "$N" --hold-until-joined 3
	equal "to kernel: new ones join" "$(of modes-k .joined)" "$N"
	reload 's/^path_manager: .*/path_manager: userspace/'
	equal "to userspace: live connections are left alone" "$(state off_path)" "$N"
	get modes-u "$(vip 4)" --proto mptcp --bytes 10k --count "$N" --hold-until-joined 3
	equal "to userspace: new ones join" "$(of modes-u .joined)" "$N"
	let_go modes
	served modes "transfers live through both"
}

check_metrics() {
	stop taken
	reload 's/9181/9182/'
	holds "metrics move to another port" scrape 9182
	fails "and leave the old one" 1 '' scrape 9181
}

scrape() {
	# shellcheck disable=SC2016 # expanded by the other shell
	on server bash -c 'exec 3<>/dev/tcp/127.0.0.1/'"$1"' &&
		printf "GET /metrics HTTP/1.0\r\n\r\n" >&3 && cat <&3' | grep -q mplb_server_info
}

begin kernel backup
address server lo "$OTHER4/32"
route router "$OTHER4" via 10.0.0.11
start taken server "$LOAD" serve --listen 127.0.0.1:9182 --name taken
ready taken
check_refusals
check_addresses kernel
check_addresses userspace
check_late
check_modes
check_metrics
holds "check: what runs is what the file says" pm check -c "$CONF"
conclude
