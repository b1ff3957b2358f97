#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# mp_join: hash, the unaware balancer that we compare with: joins are hashed like any other packet,
# most hit a wrong server, and the connections survive that on their first subflow.
#
#	client ══ eth0, eth1 ══ router ──┬── lb    mp_join: hash
#	   joins the VIP from eth1       ├── b1    VIP on lo, C flag not set,
#	                                 ├── b2    nothing announced
#	                                 └── b3
# shellcheck source=tests/e2e/check.bash
. "$(dirname "$0")/check.bash"

topology_lb
client_endpoints subflow
vips_on_backends
serve_backends
lb_up forward=l2 mp_join=hash
get hashed "$(vip 4)" --proto mptcp --bytes 10k --count 90 --parallel 10 --hold-until-joined 0.2
served hashed "every connection is served byte for byte"
joined=$(of hashed .joined_vip)
equal "every join was hashed" "$(vip_stat web4 mp_join_hashed)" 90
equal "a join ends at its server or at a wrong one" $((joined + $(wrong_joins))) 90
at_least "two of three servers are wrong" "$(wrong_joins)" 40
at_least "one of three is right" "$joined" 15

# The same clients, with the default: the kernel's clients join the VIP as long as no server sets
# the C flag, and none may reach a wrong server.
before=$(wrong_joins)
lb_apply forward=l2 mp_join=reject
get rejected "$(vip 4)" --proto mptcp --bytes 10k --count 90 --parallel 10 --hold-until-joined 0.2
served rejected "mp_join: reject: every connection is served byte for byte"
equal "mp_join: reject: no join reaches a wrong server" "$(wrong_joins)" "$before"
equal "mp_join: reject: each is counted" "$(vip_stat web4 mp_join_rejected)" 90
conclude
