#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# forward: gue. Connections whose slot moves to another backend go on: that backend passes their
# packets on to the fallback. A flow that neither knows is reset, once, and does not go in circles.
#
#	client ── router ──┬── lb    slot: owner (takes new flows), fallback (had it before)
#	                   ├── b1  ┐ server-pm: XDP decapsulates, or makes the packet one for its
#	                   ├── b2  ├ fallback, which tc sends; answers of VIPs announce a smaller MSS
#	                   └── b3  ┘
# shellcheck disable=SC2317 # functions that `holds` calls
# shellcheck source=tests/e2e/check.bash
. "$(dirname "$0")/check.bash"

# long LABEL FAMILY OPTIONS...: connections that ask every 0.1 s for 2 s, with some done already.
long() {
	get_in_background "$1" "$(vip "$2")" --bytes 2000 --requests 20 --gap 0.1 --stall 5 \
		--count 60 --parallel 60 --mark 6000 "${@:3}"
	ready "$1" mark
}

# goes_on WHAT COMMAND...: long connections of both VIPs, TCP and MPTCP, outlive the command.
goes_on() {
	local what=$1 label passed rescued

	passed=$(decapsulated "${BACKENDS[@]}" passed_on)
	rescued=$(decapsulated "${BACKENDS[@]}" gue_rescued)
	long tcp4 4
	long tcp6 6
	long mptcp4 4 --proto mptcp
	"${@:2}" >>"$TESTBED_DIR/lb.log" 2>&1 || fail "$what" "$(tail -1 "$TESTBED_DIR/lb.log")"
	get new "$(vip 4)" --bytes 20k --count 60 --parallel 20
	for label in tcp4 tcp6 mptcp4; do
		finish "$label" 20 || true
		served "$label" "$what: no connection breaks ($label)"
	done
	served new "$what: new connections are served meanwhile"
	passed=$(($(decapsulated "${BACKENDS[@]}" passed_on) - passed))
	rescued=$(($(decapsulated "${BACKENDS[@]}" gue_rescued) - rescued))
	at_least "$what: backends passed packets on" "$passed" 100
	# A last ACK may come when its socket is gone; nobody waits for that one.
	at_most "$what: which found their sockets" "$((passed - rescued))" 5
}

# Every connection of the client, TCP and MPTCP, is on the VIP alone: no subflow saves it.
topology_lb
serve_backends
server_pm_up
lbctl attach eth0 mode native >"$TESTBED_DIR/lb.log" 2>&1

for outer in 4 6; do
	what="IPv$outer outside"
	lb_apply forward=gue outer=$outer members="b1 b2"
	lbctl settle >>"$TESTBED_DIR/lb.log"
	goes_on "$what: a member more" lb_apply forward=gue outer=$outer
	lbctl settle >>"$TESTBED_DIR/lb.log"
	goes_on "$what: drain" lbctl drain b1
	lbctl undrain b1 >>"$TESTBED_DIR/lb.log"
	lbctl settle >>"$TESTBED_DIR/lb.log"
	goes_on "$what: weights" lb_apply forward=gue outer=$outer weight_b2=300 weight_b3=20
	lb_apply forward=gue outer=$outer
	lbctl settle >>"$TESTBED_DIR/lb.log"
done

# Nobody keeps anything: the third segment of a handshake must be known by its cookie alone.
for b in "${BACKENDS[@]}"; do
	on "$b" sysctl -qw net.ipv4.tcp_syncookies=2
done
goes_on "SYN cookies" lbctl drain b2
at_least "SYN cookies: handshakes were known by them" "$(decapsulated "${BACKENDS[@]}" gue_cookie)" 60
for b in "${BACKENDS[@]}"; do
	on "$b" sysctl -qw net.ipv4.tcp_syncookies=1
done
lbctl undrain b2 >>"$TESTBED_DIR/lb.log"

# resets_are COUNT: so many have been written down.
resets_are() {
	[ "$(grep -c 'Flags \[R' "$TESTBED_DIR/resets.out")" = "$1" ]
}

# Connections of b1, whose slots have moved twice: now b3's, and b2's before.
lb_apply forward=gue outer=4 members="b1"
lbctl settle >>"$TESTBED_DIR/lb.log"
for f in 4 6; do
	get_in_background "lost$f" "$(vip "$f")" --bytes 100 --requests 2 --gap 6 --stall 3 \
		--count 10 --parallel 10 --mark 100
	ready "lost$f" mark
done
lb_apply forward=gue outer=4 members="b2"
lbctl settle >>"$TESTBED_DIR/lb.log"
lb_apply forward=gue outer=4 members="b3"
passed=$(decapsulated b3 passed_on) back=$(decapsulated "${BACKENDS[@]}" passed_on) used=$(decapsulated b2 gue_hops_used)
start resets client tcpdump -i eth0 -nn -U --immediate-mode \
	"(tcp[tcpflags] & tcp-rst != 0 and src $VIP4) or (ip6[53] & 4 != 0 and src $VIP6)"
await 5 grep -q '^listening' "$TESTBED_DIR/resets.err"
for f in 4 6; do
	finish "lost$f" 20 || true
	equal "a flow that nobody knows (IPv$f): reset" "$(of "lost$f" .errors.reset)" 10
done
passed=$(($(decapsulated b3 passed_on) - passed))
# tcpdump may take a moment to write them down, and one too many to come.
await 5 resets_are "$passed" || true
sleep 0.5
stop resets
back=$(($(decapsulated "${BACKENDS[@]}" passed_on) - back))
holds "a flow that nobody knows: one reset for each segment" resets_are "$passed"
equal "a flow that nobody knows: a segment of each was passed on" "$passed" 20
equal "a flow that nobody knows: once, by its first backend" "$back" "$passed"
equal "a flow that nobody knows: its second one answers" \
	"$(($(decapsulated b2 gue_hops_used) - used))" "$passed"
equal "the balancer loses no packet" "$(drops DROP)" 0

# ---- a backend that was cut off ----

# It comes back with sockets of connections that their clients have given up. A client has begun anew at
# the same port, at another backend: that connection must not be held by the old socket.
lb_apply forward=gue outer=4
lbctl settle >>"$TESTBED_DIR/lb.log"
# again LABEL REQUESTS: from a port that no other connection has had: the kernel gives out those from 32768 on.
again() {
	get_in_background "$1" "$(vip 4)" --source 192.0.2.2:21000 --bytes 100 --requests "$2" --gap 0.2 \
		--count 1 --stall 5 --mark 200
	ready "$1" mark
}
again before 200 # it does not end by itself
victim=$(for b in "${BACKENDS[@]}"; do
	[ -z "$(on "$b" ss -Htn dport = :21000)" ] || echo "$b"
done)
ip -n "$(netns switch)" link set "$victim" down
on client ss -HK sport = :21000 >/dev/null 2>&1
stop before
lbctl drain "$victim" >>"$TESTBED_DIR/lb.log"
again after 30
ip -n "$(netns switch)" link set "$victim" up
lbctl undrain "$victim" >>"$TESTBED_DIR/lb.log"
equal "cut off: it has the old socket" "$(on "$victim" ss -Htn dport = :21000 | wc -l)" 1
finish after 20 || true
served after "cut off and back: a connection of the same ports goes on at the other"
lbctl settle >>"$TESTBED_DIR/lb.log"

# ---- the MSS ----

# announced ADDRESS: the MSS in the answer to a SYN.
announced() {
	: >"$TESTBED_DIR/mss.out"
	start mss client tcpdump -i eth0 -nn -U --immediate-mode src "$1" and tcp
	await 5 grep -q '^listening' "$TESTBED_DIR/mss.err"
	if [[ $1 = *:* ]]; then get one "[$1]:80"; else get one "$1:80"; fi
	await 10 grep -q 'Flags \[S.\]' "$TESTBED_DIR/mss.out" || true
	stop mss
	sed -n 's/.*Flags \[S.\].*mss \([0-9]*\).*/\1/p' "$TESTBED_DIR/mss.out" | head -1
}

lb_apply forward=gue outer=6
lbctl settle >>"$TESTBED_DIR/lb.log"
equal "MSS of the VIP: MTU 1600, less 72, less headers" "$(announced "$VIP4")" 1488
equal "MSS of the VIP, IPv6" "$(announced "$VIP6")" 1468
equal "MSS of a dedicated address: as ever" "$(announced "$(own4 b1)")" 1560
for n in "${BACKENDS[@]}" lb; do
	ip -n "$(netns "$n")" link set eth0 mtu 1500
	ip -n "$(netns switch)" link set "$n" mtu 1500
done
equal "MSS of the VIP: follows the device's MTU" "$(announced "$VIP4")" 1388
lb_apply forward=gue outer=6
for f in 4 6; do
	get put "$(vip "$f")" --put --bytes 300k --count 12 --parallel 6
	served put "uploads fit a tunnel of the client's own MTU (IPv$f)"
done
equal "and none was too big" "$(($(drops too_big) + $(drops too_big_answered)))" 0

# ---- tc programs as things that server-pm keeps ----

has_filter() { # SIDE NAME
	on b1 tc filter show dev eth0 "$1" | grep -q "$2"
}

on b1 tc qdisc del dev eth0 clsact
holds "put back: clsact, second chance" await 5 has_filter ingress mplb_pass_on
holds "put back: MSS" await 5 has_filter egress mplb_mss
equal "status: both in place" "$(server_pm b1 status -j | jq -r \
	'[.items[] | select(.kind == "second chance" or .kind == "VIPs'\'' MSS") | .state] | join(" ")')" \
	"ok ok"
stop pm-b1
on b1 tc filter add dev eth0 egress prio 7 bpf bytecode '1,6 0 0 0'
holds "clear" server_pm b1 clear
holds "clear leaves others' filters" has_filter egress bytecode
holds "clear takes ours off" test -z "$(on b1 tc filter show dev eth0 ingress)"
on b1 tc filter del dev eth0 egress prio 7
sed -i 's/device: eth0/device: eth0, mtu: 0/' "$TESTBED_DIR/b1.yaml"
on b1 tc qdisc del dev eth0 clsact
start pm-b1 b1 "$SERVER_PM" --pin-dir "$PINS/b1" run -c "$TESTBED_DIR/b1.yaml"
ready pm-b1
holds "mtu: 0: no program on egress" test -z "$(on b1 tc filter show dev eth0 egress)"
stop pm-b1
holds "clear again" server_pm b1 clear
holds "clear takes the qdisc that it made" test -z "$(on b1 tc qdisc show dev eth0 clsact)"
conclude
