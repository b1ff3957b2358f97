#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# MPTCP with our policy: clients join the server's own address, data leaves the balancer, no join
# reaches a wrong server. Both families, both forwarding modes.
#
#	client ══ eth0, eth1 ══ router ──┬── lb    VIP 198.51.100.1, 2001:db8:100::1
#	   subflow endpoint on eth1      ├── b1    203.0.113.11, 2001:db8:d::11  server-pm
#	                                 ├── b2    203.0.113.12, 2001:db8:d::12  server-pm
#	                                 └── b3    203.0.113.13, 2001:db8:d::13  server-pm
# shellcheck source=tests/e2e/check.bash
. "$(dirname "$0")/check.bash"

topology_lb
client_endpoints subflow
serve_backends
server_pm_up

# offload_checks WHAT FAMILY
offload_checks() {
	local what=$1 to before

	to=$(vip "$2")
	get many "$to" --proto mptcp --bytes 10k --count 60 --parallel 10 --hold-until-joined 3
	served many "$what: connections are served byte for byte"
	equal "$what: on all servers" "$(reached many)" 3
	equal "$what: none falls back to TCP" "$(of many .fallback)" 0
	equal "$what: every one joins the server's own address" "$(of many .joined)" 60
	equal "$what: none joins the VIP" "$(of many .joined_vip)" 0
	before=$(packets switch lb tx)
	get one "$to" --proto mptcp --bytes 10M --hold-until-joined 3
	served one "$what: a long download arrives"
	# Ten or so where the join is as quick as it can be, which the testbed measures (docs/results.md).
	at_most "$what: it puts few packets on the balancer" \
		$(($(packets switch lb tx) - before)) 40
	at_least "$what: its bytes come from the server's own address" \
		"$(of one .bytes_dedicated)" 9000000
	before=$(packets switch lb tx)
	get up "$to" --proto mptcp --put --bytes 10M --join-first 3
	served up "$what: a long upload arrives"
	at_most "$what: the upload puts few packets on the balancer" \
		$(($(packets switch lb tx) - before)) 40
}

# A client of a single link, which joins what is announced to it.
one_link_checks() {
	on client ip mptcp endpoint flush
	on client ip mptcp limits set add_addr_accepted 1 subflows 1
	get single "$(vip 4)" --proto mptcp --bytes 10k --count 30 --parallel 10 \
		--hold-until-joined 3
	served single "one link, accepts an address: served"
	equal "one link, accepts an address: every connection joins" "$(of single .joined)" 30
	on client ip mptcp limits set add_addr_accepted 0 subflows 2
	get stay "$(vip 4)" --proto mptcp --bytes 10k --count 30 --parallel 10 \
		--hold-until-joined 0.2
	served stay "one link, accepts none: served through the VIP"
	equal "one link, accepts none: no connection joins" "$(of stay .joined)" 0
}

lb_up forward=ipip
for f in 4 6; do
	offload_checks "ipip, IPv$f" "$f"
done
# The same in l2 mode; the servers' decapsulation is then idle.
lb_apply forward=l2
for f in 4 6; do
	offload_checks "l2, IPv$f" "$f"
done
one_link_checks
equal "no join reached a wrong server" "$(wrong_joins)" 0
equal "the balancer saw no join" "$(($(vip_stat web4 mp_join_rejected) + $(vip_stat web6 mp_join_rejected)))" 0
equal "the balancer loses no packet" "$(drops DROP)" 0
conclude
