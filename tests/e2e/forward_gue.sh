#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# forward: gue, IPv4 and IPv6 in IPv4, then in IPv6. The second chance has a test of its own.
#
#	client ── router ──┬── lb    VIP 198.51.100.1, 2001:db8:100::1
#	     MTU 1500      ├── b1    server-pm takes UDP to port 6080 from 10.0.0.2, fd00::2 apart
#	                   ├── b2
#	         MTU 1600  └── b3
# shellcheck source=tests/e2e/check.bash
. "$(dirname "$0")/check.bash"

topology_lb
serve_backends
server_pm_up
lbctl attach eth0 mode native >"$TESTBED_DIR/lb.log" 2>&1
for outer in 4 6; do
	lb_apply forward=gue outer=$outer
	for f in 4 6; do
		plain_checks "IPv$f in IPv$outer" "$f"
	done
done
equal "the balancer loses no packet" "$(drops DROP)" 0

# A settled pool: every packet is at its place at once.
for b in "${BACKENDS[@]}"; do
	equal "$b passes nothing on" "$(server_pm "$b" status -j | jq \
		'.decapsulation.counters[] | select(.reason == "passed_on") | .packets')" 0
done
conclude
