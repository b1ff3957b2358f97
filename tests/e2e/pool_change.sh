#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Changes of a pool under traffic. ipip has no second chance: a plain TCP connection whose slot moves
# to another backend breaks, and only such a one does. Those that must not be touched are not.
#
#	client ══ eth0, eth1 ══ router ──┬── lb    pool: b1 b2, then b1 b2 b3, then weights
#	                                 ├── b1    server-pm
#	                                 ├── b2    server-pm
#	                                 └── b3    server-pm, not in the pool at first
# shellcheck source=tests/e2e/check.bash
. "$(dirname "$0")/check.bash"

# long LABEL OPTIONS...: connections that exchange a request and an answer every 0.1 s for 2 s.
long() {
	get_in_background "$1" "$(vip 4)" --bytes 2000 --requests 20 --gap 0.1 --stall 5 \
		--count 60 --parallel 60 --mark 6000 "${@:2}"
	ready "$1" mark
}

topology_lb
client_endpoints subflow
serve_backends
server_pm_up
lb_up members="b1 b2"

get two "$(vip 4)" --bytes 100 --count 60 --parallel 20
equal "two members: both serve" "$(reached two)" 2

long same --proto tcp
lb_apply members="b1 b2"
lb_apply members="b2 b1"
lb_apply members="b1 b2" weight_b1=200 weight_b2=200
finish same 20 || true
served same "the same pool again, reordered, with all weights doubled: nothing breaks"

long grow --proto tcp
long grow-mptcp --proto mptcp --join-first 3
lb_apply
finish grow 20 || true
finish grow-mptcp 20 || true
# Two slots of six move: those of b3. Binomial, 60 connections, a third: 4 sigma is 35.
at_most "a new member: no more TCP connections break than its share" \
	"$(of grow '.count - .ok')" 35
at_least "a new member: the others go on" "$(of grow .ok)" 25
equal "a new member: none is answered by another server in between" \
	"$(of grow '.errors.moved // 0')" 0
served grow-mptcp "a new member: no MPTCP connection that joined its server breaks"
get three "$(vip 4)" --bytes 100 --count 90 --parallel 20
served three "a new member: new connections are served"
equal "a new member: it takes some" "$(reached three)" 3

long weight-mptcp --proto mptcp --join-first 3
lb_apply weight_b3=0
finish weight-mptcp 20 || true
served weight-mptcp "weight 0 for a member: no MPTCP connection that joined breaks"
get drained "$(vip 4)" --bytes 100 --count 90 --parallel 20
served drained "weight 0 for a member: new connections are served"
equal "weight 0 for a member: it takes none of them" "$(of drained '.servers.b3 // 0')" 0

long leave --proto mptcp --join-first 3
lb_apply members="b1"
finish leave 20 || true
served leave "members leave: no MPTCP connection that joined its server breaks"
get one "$(vip 4)" --bytes 100 --count 30 --parallel 10
equal "members leave: one is left" "$(of one '.servers.b1')" 30

lb_apply weight_b1=300
get weighted "$(vip 4)" --bytes 100 --count 500 --parallel 50
served weighted "weights 300, 100, 100: served"
# Three fifths of 500 is 300; 4 sigma is 44.
at_least "weights 300, 100, 100: the first has its share" "$(of weighted .servers.b1)" 256
at_most "weights 300, 100, 100: and no more" "$(of weighted .servers.b1)" 344
equal "no join reached a wrong server" "$(wrong_joins)" 0
equal "the balancer loses no packet" "$(drops DROP)" 0
conclude
