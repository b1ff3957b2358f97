#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A client that ignores the C flag and joins the VIP: the balancer answers with a reset that carries
# MP_TCPRST, the join reaches no server, and the connection goes on.
#
#	client ══ eth0, eth1 ══ router ──┬── lb    VIP 198.51.100.1, 2001:db8:100::1
#	   userspace path manager        ├── b1    server-pm
#	   joins the VIP from eth1       ├── b2    server-pm
#	                                 └── b3    server-pm
# shellcheck source=tests/e2e/check.bash
. "$(dirname "$0")/check.bash"

topology_lb
serve_backends
server_pm_up
lb_up
if on client test -e /proc/sys/net/mptcp/path_manager; then
	on client sysctl -qw net.mptcp.path_manager=userspace
else
	on client sysctl -qw net.mptcp.pm_type=1
fi

for f in 4 6; do
	if [ "$f" = 4 ]; then
		vip_address=$VIP4 from=${CLIENT4[1]}
	else
		vip_address=$VIP6 from=${CLIENT6[1]}
	fi
	capture resets client eth1 "src host $vip_address and dst host $from"
	start joiner client "$LOAD" join-vip --local "$from"
	ready joiner
	get ignoring "$(vip "$f")" --proto mptcp --bytes 200k --rate 400k --count 20 --parallel 20
	stop joiner
	stop resets
	what="IPv$f"
	served ignoring "$what: every connection lives on, byte for byte"
	equal "$what: the client tried to join every connection" "$(of joiner .attempted)" 20
	equal "$what: no join was accepted" "$(of joiner .established)" 0
	equal "$what: every join was reset" "$(of joiner '[.joins[] | select(.error == 111 or
		.error == 104)] | length')" 20
	# Kind 30, length 4, subtype 8, reason 3 (RFC 8684, 3.6). On the wire, as Linux does not
	# look at it in answer to a SYN: there is no join yet whose sequence numbers would match
	# (net/mptcp/options.c, check_fully_established).
	equal "$what: with MP_TCPRST, administratively prohibited" "$(captured resets 1e048003)" 20
	equal "$what: the balancer counted them" "$(vip_stat "web$f" mp_join_rejected)" 20
done
equal "drops names the reason" "$(drops join_rejected)" 40
equal "no join reached a wrong server" "$(wrong_joins)" 0
equal "no join reached any server" "$(mib_sum MPTcpExtMPJoinSynRx "${BACKENDS[@]}")" 0

# The same client takes the server's own address when it is told one.
start joiner client "$LOAD" join-vip --local "${CLIENT4[1]}" --announced
ready joiner
get both "$(vip 4)" --proto mptcp --bytes 200k --rate 400k --count 10 --parallel 10 \
	--hold-until-joined 2
stop joiner
served both "a join refused at the VIP leaves the announced address usable"
equal "every connection joined its server's own address" "$(of both .joined)" 10
equal "still no join at a wrong server" "$(wrong_joins)" 0
conclude
