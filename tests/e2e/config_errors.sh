#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A config that does not validate: exit code 1, a message with file, line and key, and nothing
# changes: not the state shown, not the traffic under way.
#
#	client ── router ──┬── lb    VIP 198.51.100.1, 2001:db8:100::1
#	                   ├── b1
#	                   ├── b2
#	                   └── b3
# shellcheck source=tests/e2e/check.bash
. "$(dirname "$0")/check.bash"

GOOD=$TESTBED_DIR/lb.yaml
BAD=$TESTBED_DIR/bad.yaml

# refused WHAT PATTERN SED-SCRIPT: the running config, edited.
refused() {
	sed -E "$3" "$GOOD" >"$BAD"
	if cmp -s "$GOOD" "$BAD"; then
		fail "$1" "the edit changed nothing"
		return
	fi
	fails "$1" 1 "$2" lbctl apply "$BAD"
	fails "$1: check agrees" 1 "$2" lbctl check "$BAD"
}

topology_lb
vips_on_backends
serve_backends
lb_up forward=l2
before=$(lbctl -j show)
keep steady "$(vip 4)" --count 12 --parallel 12 --mark 10k
ready steady mark

refused "unknown key" 'bad.yaml:[0-9]+:.*colour' 's/^hash_seed:.*/&\ncolour: blue/'
refused "YAML that does not parse" 'bad.yaml:[0-9]+' 's/^pools:/pools: [/'
refused "VIP of a pool that is not there" 'bad.yaml:2?[0-9]:.*vips\[0\].*nowhere' \
	'0,/pool: servers4/s//pool: nowhere/'
refused "address that is none" 'bad.yaml:[0-9]+:.*vips\[0\].*198\.51\.100\.300' \
	's/198\.51\.100\.1"/198.51.100.300"/'
refused "port out of range" 'bad.yaml:[0-9]+:.*vips\[0\].*port' '0,/port: 80/s//port: 70000/'
refused "the same VIP twice" 'bad.yaml:[0-9]+:.*already served' 's/protocol: udp/protocol: tcp/'
refused "the same id twice" 'bad.yaml:[0-9]+:.*already the id' 's/id: 2,/id: 1,/'
refused "the same name twice" 'bad.yaml:[0-9]+:.*already the name' 's/name: b2,/name: b1,/'
refused "policy that is none" 'bad.yaml:[0-9]+:.*mp_join' 's/mp_join: reject/mp_join: perhaps/'
refused "forwarding mode that is none" 'bad.yaml:[0-9]+:.*forward' 's/forward: l2/forward: l3/'
refused "l2 across families" 'bad.yaml:[0-9]+:.*family' '0,/pool: servers4/s//pool: servers6/'
refused "backend at a VIP's address" 'bad.yaml:[0-9]+:.*VIP' 's/10\.0\.0\.11/198.51.100.1/'
fails "no such file" 1 "missing.yaml" lbctl apply "$TESTBED_DIR/missing.yaml"
fails "a folder for a file" 1 "$TESTBED_DIR" lbctl apply "$TESTBED_DIR"
: >"$BAD"
fails "an empty file" 1 "bad.yaml" lbctl apply "$BAD"
head -c 100000 /dev/urandom >"$BAD"
fails "noise for a file" 1 "bad.yaml" lbctl apply "$BAD"

equal "what is in force has not changed" "$(lbctl -j show)" "$before"
let_go steady
served steady "connections under way were not disturbed"
get new "$(vip 4)" --bytes 1000 --count 60 --parallel 20
served new "new connections are served"
equal "by all servers" "$(reached new)" 3
holds "the good file still applies" lbctl apply "$GOOD"
equal "the balancer loses no packet" "$(drops DROP)" 0
conclude
