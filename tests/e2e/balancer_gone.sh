#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The balancer goes away in the middle of transfers: once with its program detached, once with its
# link cut. A connection whose dedicated subflow is up goes on; TCP stalls, and goes on if the
# balancer comes back in time.
#
#	client ══ eth0, eth1 ══ router ──┬─X─ lb   gone while data flows
#	   subflow endpoint on eth1      ├── b1    203.0.113.11  server-pm
#	                                 ├── b2    203.0.113.12  server-pm
#	                                 └── b3    203.0.113.13  server-pm
# shellcheck source=tests/e2e/check.bash
. "$(dirname "$0")/check.bash"

# begin LABEL PROTO OPTIONS...: transfers that last about 3 s.
begin() {
	get_in_background "$1" "$(vip 4)" --proto "$2" --bytes 1500k --rate 500k --mark 300k \
		--count 10 --parallel 10 "${@:3}"
}

topology_lb
client_endpoints subflow
serve_backends
server_pm_up
lb_up

begin mptcp mptcp --join-first 3
begin mptcp-put mptcp --join-first 3 --put
begin tcp tcp --bytes 20M --stall 2 # they do not end before
ready mptcp mark
ready tcp mark
sleep 0.3
lbctl detach eth0 2>/dev/null
for label in mptcp mptcp-put tcp; do
	finish "$label" 30 || true
done
served mptcp "program detached: MPTCP downloads finish"
equal "program detached: all had joined" "$(of mptcp .joined)" 10
served mptcp-put "program detached: MPTCP uploads finish"
equal "program detached: TCP downloads stall" "$(of tcp .errors.stall)" 10
get closed "$(vip 4)" --bytes 100 --stall 1
equal "program detached: no new connection" "$(of closed .ok)" 0

holds "attach again" lbctl attach eth0 mode native
get again "$(vip 4)" --bytes 10k --count 30 --parallel 10
served again "attached again, with the config that it had: new connections are served"

# Attaching takes as long as the machine takes to verify a program; TCP waits twice as long each time.
begin short tcp --stall 20
ready short mark
lbctl detach eth0 2>/dev/null
sleep 0.5
holds "attach again in a hurry" lbctl attach eth0 mode native
finish short 60 || true
served short "half a second without the balancer breaks no TCP connection"

begin cut mptcp --join-first 3
ready cut mark
ip -n "$(netns switch)" link set lb down
finish cut 30 || true
served cut "link cut: MPTCP downloads finish"
equal "link cut: all had joined" "$(of cut .joined)" 10
equal "no join reached a wrong server" "$(wrong_joins)" 0
conclude
