#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# server-pm as a service: with the capabilities of its unit and no others it works, without each of them
# it says what is missing; what it tells systemd; the unit itself.
#
#	client ══ eth0, eth1 ══ router ── server   (tests/e2e/userspace.bash)
# shellcheck disable=SC2317 # functions that `holds` and `await` call
# shellcheck source=tests/e2e/userspace.bash
. "$(dirname "$0")/userspace.bash"

UNIT=$TESTBED_ROOT/server-pm/server-pm.service
CONF=$TESTBED_DIR/server.yaml

# confined CAPABILITIES COMMAND...: server-pm on the server with just these, as root.
confined() {
	local caps=-all cap

	for cap in $1; do
		caps+=,+${cap#CAP_}
	done
	shift
	on server setpriv "--bounding-set=${caps,,}" --inh-caps=-all --no-new-privs \
		"$SERVER_PM" --pin-dir "$PINS/server" "$@"
}

# confined_up CAPABILITIES
confined_up() {
	local caps=-all cap

	for cap in $1; do
		caps+=,+${cap#CAP_}
	done
	start pm server setpriv "--bounding-set=${caps,,}" --inh-caps=-all --no-new-privs \
		"$SERVER_PM" --pin-dir "$PINS/server" run -c "$CONF"
}

without() {
	tr ' ' '\n' <<<"$1" | grep -vx "$2" | paste -sd ' '
}

warned() {
	grep -q "$1" "$TESTBED_DIR/pm.err"
}

listens_on_81() {
	on server ss -Hltn "src $OWN4:81" | grep -q "$OWN4:81"
}

check_capabilities() {
	local caps

	caps=$(sed -n 's/^CapabilityBoundingSet=//p' "$UNIT")
	confined_up "$caps"
	holds "with the unit's capabilities: ready" ready pm
	start narrow server "$LOAD" serve --listen "$VIP4:81" --name narrow
	ready narrow
	holds "and listens for joins below port 1024" await 5 listens_on_81
	get joins "$(vip 4)" --proto mptcp --bytes 10k --count 10 --hold-until-joined 3
	equal "and clients join" "$(of joins .joined)" 10
	kill -HUP "${TESTBED_PID[pm]}"
	holds "and reloads" await 5 said pm reloaded
	equal "nothing was refused" "$(grep -cE 'error|warning' "$TESTBED_DIR/pm.err")" 0
	holds "check" confined "$caps" check -c "$CONF"
	stop pm
	confined_up "$(without "$caps" CAP_NET_BIND_SERVICE)"
	holds "without CAP_NET_BIND_SERVICE: a warning names it" \
		await 5 warned 'joins need a listener.*CAP_NET_BIND_SERVICE'
	stop pm
	stop narrow
	fails "without CAP_NET_ADMIN: an error names it" 2 'error:.*CAP_NET_ADMIN.*run as root' \
		confined "$(without "$caps" CAP_NET_ADMIN)" run -c "$CONF"
	fails "without CAP_SYS_ADMIN: an error names it" 2 'error:.*CAP_SYS_ADMIN.*run as root' \
		confined "CAP_BPF $(without "$caps" CAP_SYS_ADMIN)" run -c "$CONF"
	holds "clear" confined "$caps" clear
	sed -i '/^decapsulate/d; /^balancers/d' "$CONF"
	confined_up "CAP_BPF $(without "$caps" CAP_SYS_ADMIN)"
	holds "without decapsulation CAP_BPF will do for CAP_SYS_ADMIN" ready pm
	stop pm
	fails "and without it: an error names it" 2 'error:.*CAP_BPF.*run as root' \
		confined "$(without "$caps" CAP_SYS_ADMIN)" run -c "$CONF"
}

check_notifications() {
	local all

	if ! command -v systemd-socket-activate >/dev/null; then
		skip "what systemd is told" "no systemd-socket-activate; apt-get install systemd"
		return
	fi
	start systemd server systemd-socket-activate --datagram --listen="$TESTBED_DIR/notify" \
		sh -c 'exec cat <&3'
	await 5 test -S "$TESTBED_DIR/notify" || true
	start pm server env NOTIFY_SOCKET="$TESTBED_DIR/notify" WATCHDOG_USEC=30000000 \
		"$SERVER_PM" --pin-dir "$PINS/server" run -c "$CONF"
	ready pm
	kill -HUP "${TESTBED_PID[pm]}"
	await 5 said pm reloaded || true
	sed -i 's/^vips/vipss/' "$CONF"
	kill -HUP "${TESTBED_PID[pm]}"
	await 5 warned 'not reloaded' || true
	sleep 2.2
	stop pm
	await 5 grep -q STOPPING "$TESTBED_DIR/systemd.out" || true
	stop systemd
	all=$(tr '\n' ' ' <"$TESTBED_DIR/systemd.out" | sed -E 's/(WATCHDOG=1)+/W /g; s/STATUS=/\n&/g')
	holds "systemd is told of start, reloads, watchdog and end" grep -qzE \
		'READY=1 .*STATUS=2 VIPs, 2 ded[^=]*RELOADING=1READY=1 .*RELOADING=1READY=1 .*STATUS=The config was not reloaded[^=]*W STOPPING=1' \
		<<<"$all"
}

check_unit() {
	if ! command -v systemd-analyze >/dev/null; then
		skip "the unit" "no systemd-analyze; apt-get install systemd"
		return
	fi
	sed "s|@SBINDIR@|$BUILD|" "$UNIT" >"$TESTBED_DIR/server-pm.service"
	equal "systemd-analyze verify has nothing to say" \
		"$(systemd-analyze verify --man=no "$TESTBED_DIR/server-pm.service" 2>&1)" ""
}

topology
web_up
two_links
configure userspace backup
cat >>"$CONF" <<-END
	decapsulate: {device: eth0}
	balancers: [10.0.0.2]
END
check_capabilities
check_notifications
check_unit
conclude
