#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# forward: ipip, outer header of the VIP's family: IPv4 in IPv4, IPv6 in IPv6.
#
#	client ── router ──┬── lb    VIP 198.51.100.1, 2001:db8:100::1
#	     MTU 1500      ├── b1    server-pm decapsulates what comes from 10.0.0.2, fd00::2
#	                   ├── b2
#	         MTU 1600  └── b3
# shellcheck source=tests/e2e/check.bash
. "$(dirname "$0")/check.bash"

topology_lb
serve_backends
server_pm_up
lb_up forward=ipip
for f in 4 6; do
	plain_checks "IPv$f in IPv$f" "$f"
done
equal "the balancer loses no packet" "$(drops DROP)" 0

# A backend that trusts another balancer takes nothing from this one.
stop pm-b1
server_config b1 | sed 's/10\.0\.0\.2,/10.0.0.99,/' >"$TESTBED_DIR/b1.yaml"
start pm-b1 b1 "$SERVER_PM" --pin-dir "$PINS/b1" run -c "$TESTBED_DIR/b1.yaml"
ready pm-b1
get stranger "$(vip 4)" --bytes 100 --count 30 --parallel 30 --stall 1
equal "a backend drops tunnel packets of a balancer it does not know" \
	"$(of stranger '.servers.b1 // 0')" 0
at_least "the other backends go on" "$(of stranger .ok)" 5
conclude
