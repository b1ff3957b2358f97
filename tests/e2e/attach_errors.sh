#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Attaching and detaching where it cannot work: the exit code, a message that says why, and nothing
# half done. Then attach, attach again, detach, in both modes, with traffic.
#
#	client ── router ──┬── lb    eth0 (the balancer), spare0 ── spare1 in "switch"
#	                   ├── b1
#	                   ├── b2
#	                   └── b3
# shellcheck disable=SC2317 # functions that `fails` calls
# shellcheck source=tests/e2e/check.bash
. "$(dirname "$0")/check.bash"

# xdp_on DEV: the id of the program there; 0: none.
xdp_on() {
	ip -n "$(netns lb)" -j link show dev "$1" | jq '.[0].xdp.prog.id // 0'
}

# as_nobody COMMAND...: on the balancer, without any right.
as_nobody() {
	on lb setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all \
		--bounding-set=-all "$@"
}

topology_lb
vips_on_backends
serve_backends
wire lb spare0 switch spare1 1500

fails "no such device" 1 nosuch lbctl attach nosuch0
fails "no device named" 1 usage lbctl attach
fails "mode that is none" 1 sideways lbctl attach eth0 mode sideways
fails "detach where nothing is attached" 2 'attach' lbctl detach eth0
fails "show before attach" 2 'attach' lbctl show
# A place that anyone may look into, so that what is refused is the right and not the path.
install -d -m 755 "$TESTBED_DIR/open"
cp "$LBCTL" "$TESTBED_DIR/open/lbctl"
chmod 755 "$TESTBED_DIR"
fails "attach without rights" 2 'root|[Pp]ermi' \
	as_nobody "$TESTBED_DIR/open/lbctl" --pin-dir "$PINS/nobody" attach eth0
mkdir "$TESTBED_DIR/plain"
fails "pins on a file system that is no bpffs" 1 'bpf' \
	on lb "$LBCTL" --pin-dir "$TESTBED_DIR/plain/pins" attach eth0
equal "after all that no program is on the NIC" "$(xdp_on eth0)" 0

pass_stub lb spare0
stranger=$(xdp_on spare0)
fails "another XDP program is there" 2 'XDP|xdp|program' lbctl attach spare0
equal "it stays" "$(xdp_on spare0)" "$stranger"

for mode in native generic; do
	holds "$mode: attach" lbctl attach eth0 mode "$mode"
	equal "$mode: shown" "$(lbctl -j show attach | jq -r '.[0].mode')" "$mode"
	lb_apply forward=l2
	get "traffic-$mode" "$(vip 4)" --bytes 20k --count 30 --parallel 10
	served "traffic-$mode" "$mode: connections are served"
	keep "again-$mode" "$(vip 4)" --count 10 --parallel 10 --mark 10k
	ready "again-$mode" mark
	fails "$mode: a second attach takes the place of the first" 0 'replaced program' \
		lbctl attach eth0 mode "$mode"
	fails "$mode: detach without rights" 2 'root|[Pp]ermi' \
		as_nobody "$TESTBED_DIR/open/lbctl" --pin-dir "$PINS/lb" detach eth0
	equal "$mode: shown once" "$(lbctl -j show attach | jq length)" 1
	let_go "again-$mode"
	served "again-$mode" "$mode: connections under way were not disturbed"
	holds "$mode: detach all" lbctl detach all
	equal "$mode: no program is left" "$(xdp_on eth0)" 0
	equal "$mode: no pin is left" "$(find "$PINS/lb" -type f 2>/dev/null | wc -l)" 0
done
conclude
