#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# forward: ipip across families: the IPv6 VIP over backends with IPv4 addresses, and the reverse.
#
#	client ── router ──┬── lb    VIP 198.51.100.1, 2001:db8:100::1
#	                   ├── b1    10.0.0.11  or  fd00::11  in the pool, both VIPs on lo
#	                   ├── b2    10.0.0.12  or  fd00::12
#	                   └── b3    10.0.0.13  or  fd00::13
# shellcheck source=tests/e2e/check.bash
. "$(dirname "$0")/check.bash"

topology_lb
serve_backends
server_pm_up
lb_up outer=4
plain_checks "IPv6 in IPv4" 6
lb_apply outer=6
plain_checks "IPv4 in IPv6" 4
equal "the balancer loses no packet" "$(drops DROP)" 0
conclude
