#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Two balancers with the same config decide alike for every packet and keep no state per connection:
# the router may move all connections from one to the other at any time.
#
#	client ══ router ──┬── lb    10.0.0.2   the router's choice at first
#	                   ├── lb2   10.0.0.3   its choice later, and back
#	                   ├── b1    decapsulates from either
#	                   ├── b2
#	                   └── b3
# shellcheck source=tests/e2e/check.bash
. "$(dirname "$0")/check.bash"

topology_lb
serve_backends
server_pm_up
lb_up
# The same members, written down in another order.
second_balancer members="b3 b1 b2"

for f in 4 6; do
	get_in_background "down$f" "$(vip "$f")" --bytes 2M --rate 1M --count 30 --parallel 30 \
		--mark 300k
	get_in_background "up$f" "$(vip "$f")" --put --bytes 2M --rate 1M --count 10 --parallel 10
	ready "down$f" mark
	vips_through lb2
	sleep 0.5
	ip -n "$(netns switch)" link set lb down
	sleep 0.5
	ip -n "$(netns switch)" link set lb up
	vips_through lb
	for label in "down$f" "up$f"; do
		finish "$label" 20 || true
		served "$label" "IPv$f: $label: the balancer changes twice, and one is cut off: nothing breaks"
	done
done
at_least "the second one forwarded" \
	"$(lbctl_on lb2 -j stats | jq '[.vips[].packets] | add')" 100

# owner NODE PORT
owner() {
	lbctl_on "$1" -j explain tcp "192.0.2.2:$2" "$(vip 4)" | jq -r .backend
}

alike=0
for port in {40001..40030}; do
	[ "$(owner lb "$port")" != "$(owner lb2 "$port")" ] || alike=$((alike + 1))
done
equal "both explain every flow alike" "$alike" 30
conclude
