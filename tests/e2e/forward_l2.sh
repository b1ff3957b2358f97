#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# forward: l2, IPv4 and IPv6, plain TCP and UDP. Nothing on the backends but the VIP itself.
#
#	client ── router ──┬── lb    VIP 198.51.100.1, 2001:db8:100::1
#	                   ├── b1    the balancer rewrites MAC addresses only,
#	                   ├── b2    servers answer through the router
#	                   └── b3
# shellcheck source=tests/e2e/check.bash
. "$(dirname "$0")/check.bash"

topology_lb
vips_on_backends
serve_backends
lb_up forward=l2
for f in 4 6; do
	plain_checks "IPv$f" "$f"
done
equal "the balancer loses no packet" "$(drops DROP)" 0
conclude
