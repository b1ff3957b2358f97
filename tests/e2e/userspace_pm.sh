#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# server-pm in userspace mode: announcing, moving the traffic off the VIP, restarts, modes, addresses
# and listeners that come and go.
#
#	client ══ eth0, eth1 ══ router ── server   (tests/e2e/userspace.bash)
# shellcheck disable=SC2317 # functions that `holds` and `await` call
# shellcheck source=tests/e2e/userspace.bash
. "$(dirname "$0")/userspace.bash"

# as_nobody COMMAND...: on the server, without any right.
as_nobody() {
	on server setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all \
		--bounding-set=-all "$@"
}

check_rights() {
	# A place that anyone may look into, so that what is refused is the right and not the path.
	install -d -m 755 "$TESTBED_DIR/open"
	cp "$SERVER_PM" "$TESTBED_DIR/server.yaml" "$TESTBED_DIR/open"
	chmod -R a+rX "$TESTBED_DIR/open"
	chmod 755 "$TESTBED_DIR"
	fails "connections without rights" 2 'CAP_NET_ADMIN.*root' \
		as_nobody "$TESTBED_DIR/open/server-pm" connections
	fails "run without rights" 2 'CAP_NET_ADMIN.*root' \
		as_nobody "$TESTBED_DIR/open/server-pm" --pin-dir "$PINS/nobody" run \
		-c "$TESTBED_DIR/open/server.yaml"
	sed 's/userspace/kernel/; s/backup/close/' "$TESTBED_DIR/server.yaml" >"$TESTBED_DIR/bad.yaml"
	fails "closing in kernel mode is refused" 1 'bad.yaml:4: initial_subflow: .*userspace' \
		pm check -c "$TESTBED_DIR/bad.yaml"
}

# ---- clients of all kinds ----------------------------------------------------------------------

check_clients() {
	two_links
	get four "$(vip 4)" --proto mptcp --bytes 10k --count 30 --parallel 10 --hold-until-joined 3
	equal "client with a second link: joins" "$(of four .joined)" 30
	get six "$(vip 6)" --proto mptcp --bytes 10k --count 30 --parallel 10 --hold-until-joined 3
	equal "client with a second link, IPv6: joins" "$(of six .joined)" 30
	accepting
	get accept "$(vip 4)" --proto mptcp --bytes 10k --count 30 --parallel 10 \
		--hold-until-joined 3
	equal "client that accepts ADD_ADDR: joins" "$(of accept .joined)" 30
	two_links
	equal "nothing was refused by the kernel" "$(counted announce_failed)" 0
}

# A client that never joins gets ADD_ADDR again and again, also after its echo.
check_again() {
	local before

	on client ip mptcp endpoint flush
	before=$(mib server MPTcpExtAddAddrTx)
	keep one "$(vip 4)" --proto mptcp
	sleep 4.5
	at_least "echoed and not joined: announced again every second" \
		$(($(mib server MPTcpExtAddAddrTx) - before)) 6
	equal "status: it is on the VIP" "$(state vip)" 1
	let_go one
	served one "and it is served"
	two_links
}

# ---- off the VIP -------------------------------------------------------------------------------

# off_vip WHAT [--put]: 50 MB; by the client's own count of bytes per subflow.
off_vip() {
	get off "$(vip 4)" --proto mptcp --bytes 50M --join-first 3 "${@:2}"
	served off "$1: 50 MB arrive"
	at_least "$1: of 10,000 bytes, so many off the VIP" \
		"$(of off '10000 * .bytes_dedicated / (.bytes_dedicated + .bytes_vip) | floor')" 9950
}

check_off_vip() {
	restart userspace backup
	off_vip "backup, download"
	off_vip "backup, upload" --put
	restart userspace close
	off_vip "close, download"
	off_vip "close, upload" --put
	get held "$(vip 6)" --proto mptcp --bytes 100k --count 20 --parallel 20 --join-first 3
	served held "close, IPv6: served"
	equal "close: each initial subflow was closed" "$(counted closed)" 22
}

# ---- crashes, restarts, modes ------------------------------------------------------------------

check_takeover() {
	stop pm KILL
	keep orphan "$(vip 4)" --proto mptcp --count 10 --parallel 10
	await 5 state_is vip 10 || true
	sleep 0.3
	equal "nobody announces: connections stay on the VIP" "$(state vip)" 10
	pm_up
	holds "taken over: they join and leave the VIP" await 10 state_is off_path 10
	equal "status: ten were taken over" "$(counted taken_over)" 10
	let_go orphan
	served orphan "taken over: and are served"
}

# A change of mode leaves live connections alone: neither closed, nor moved back to the VIP.
check_modes() {
	restart kernel backup
	keep switch "$(vip 4)" --proto mptcp --count 10 --parallel 10
	holds "kernel mode: off the VIP" await 10 state_is off_path 10
	restart userspace backup
	equal "kernel to userspace: still off the VIP" "$(state off_path)" 10
	get there "$(vip 4)" --proto mptcp --bytes 10k --count 10 --hold-until-joined 3
	equal "kernel to userspace: new connections join" "$(of there .joined)" 10
	keep back "$(vip 4)" --proto mptcp --count 10 --parallel 10
	holds "userspace mode: off the VIP" await 10 state_is off_path 20
	restart kernel backup
	equal "userspace to kernel: still off the VIP" "$(state off_path)" 20
	get there "$(vip 4)" --proto mptcp --bytes 10k --count 10 --hold-until-joined 3
	equal "userspace to kernel: new connections join" "$(of there .joined)" 10
	let_go switch
	let_go back
	served switch "connections that lived through both are served"
	served back "connections that lived through one are served"
}

# ---- addresses and listeners -------------------------------------------------------------------

check_addresses() {
	restart userspace backup
	keep moved "$(vip 4)" --proto mptcp --count 10 --parallel 10
	holds "off the VIP" await 10 state_is off_path 10
	ip -n "$(netns server)" addr del "$OWN4/32" dev lo
	holds "the dedicated address goes: back on the VIP" await 10 state_is vip 10
	at_least "the client is told: RM_ADDR" "$(mib server MPTcpExtRmAddrTx)" 10
	ip -n "$(netns server)" addr add "$OWN4/32" dev lo
	get returned "$(vip 4)" --proto mptcp --bytes 10k --count 10 --hold-until-joined 3
	equal "it comes back: new connections join" "$(of returned .joined)" 10
	let_go moved
	served moved "transfers survive its going"
}

joins_on_81() {
	get "$1" "$VIP4:81" --proto mptcp --bytes 10k --count 10 --hold-until-joined 5
	equal "$2" "$(of "$1" .joined)" "$3"
}

listens_on_81() {
	on server ss -Hltn "src $OWN4:81" | grep -q "$OWN4:81"
}

closed_on_81() {
	! listens_on_81
}

check_listeners() {
	start narrow server "$LOAD" serve --listen "$VIP4:81" --name narrow
	ready narrow
	holds "application on the VIP only: a listener for joins" await 10 listens_on_81
	joins_on_81 narrow "and clients join" 10
	get plain "$OWN4:81" --bytes 100 --stall 2
	equal "a whole connection to it is refused" "$(of plain .ok)" 0
	joins_on_81 after "and joins go on" 10
	stop narrow
	holds "application gone: so is the listener" await 10 closed_on_81
	start wide server "$LOAD" serve --listen "*:81" --name wide
	ready wide
	holds "an application on every address can have the port" running wide
	joins_on_81 wide "and clients join there" 10
	stop wide
}

begin userspace backup
fails "metrics on a port that is taken" 2 'metrics.*9181.*in use' \
	on server "$SERVER_PM" --pin-dir "$PINS/other" run -c "$TESTBED_DIR/server.yaml"
check_rights
check_clients
check_again
check_addresses
check_listeners
check_off_vip
check_takeover
check_modes
stop pm
holds "clear" pm clear
equal "clear brings back the kernel's path manager" \
	"$(on server sysctl -n net.mptcp.path_manager)" kernel
conclude
