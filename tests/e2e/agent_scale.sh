#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# How long changes take with 100 VIPs and 1,000 backends, through lb-agent, and that none costs a packet.
# Figures go to stderr; what is checked is what a small change costs beside a large one.
#
#	client ── router ──┬── lb    eth0 (the balancer, lb-agent): 100 pools of 10
#	                   ├── b1  ┐
#	                   ├── b2  ├ server-pm; each is also 10.1.N.1, ..., which lead there
#	                   └── b3  ┘
#
# ROUNDS=10 repeats each change that often (3 by default).
# shellcheck source=tests/e2e/check.bash
. "$(dirname "$0")/check.bash"
# shellcheck source=tests/e2e/agent.bash
. "$(dirname "$0")/agent.bash"

ROUNDS=${ROUNDS:-3}

# config WEIGHT: of the last backend of each pool. The first pool is the real one.
config() {
	local v i

	lb_config forward=gue outer=4 | sed '/^pools:/,$d'
	for ((v = 1; v < 98; v++)); do
		echo "  - {name: v$v, address: 198.51.101.$v, port: 80, protocol: tcp, pool: p$v}"
	done
	lb_config forward=gue outer=4 | sed -n '/^pools:/,$p'
	for ((v = 1; v < 98; v++)); do
		printf '  - name: p%s\n    forward: gue\n    backends:\n' "$v"
		for ((i = 1; i <= 10; i++)); do
			echo "      - {name: m$i, id: $i, address: 10.1.$v.$i, weight: $((i == 10 ? $1 : 100))}"
		done
	done
}

# timed COMMAND...: its milliseconds are in the file "ms".
timed() {
	local began

	began=$(date +%s%N)
	"$@" >>"$TESTBED_DIR/lb.log" 2>&1 || fail "$*" "$(tail -1 "$TESTBED_DIR/lb.log")"
	echo $((($(date +%s%N) - began) / 1000000)) >>"$TESTBED_DIR/ms"
}

# median: of those, and forgets them.
median() {
	sort -n "$TESTBED_DIR/ms" | awk '{ a[NR] = $1 } END { print a[int((NR + 1) / 2)] }'
	rm "$TESTBED_DIR/ms"
}

topology_lb
serve_backends
server_pm_up
for ((v = 1; v < 98; v++)); do
	route lb "10.1.$v.0/24" via "$(lan4 "b$((v % 3 + 1))")"
done
lb_config forward=gue outer=4 >"$TESTBED_DIR/lb.yaml"
config 100 >"$TESTBED_DIR/many.yaml"
config 50 >"$TESTBED_DIR/other.yaml"
lbctl attach eth0 mode native >>"$TESTBED_DIR/lb.log" 2>&1
agent_run
get_in_background on "$(vip 4)" --bytes 2000 --requests 60 --gap 0.1 --stall 5 --count 20 --parallel 20 --mark 4000
ready on mark

for ((i = 0; i < ROUNDS; i++)); do
	timed lbctl apply "$TESTBED_DIR/many.yaml"
	lbctl apply "$TESTBED_DIR/lb.yaml" >>"$TESTBED_DIR/lb.log" 2>&1
	lbctl settle >>"$TESTBED_DIR/lb.log" 2>&1
done
first=$(median)
lbctl apply "$TESTBED_DIR/many.yaml" >>"$TESTBED_DIR/lb.log" 2>&1
for ((i = 0; i < ROUNDS; i++)); do
	timed lbctl apply "$TESTBED_DIR/other.yaml"
	timed lbctl apply "$TESTBED_DIR/many.yaml"
done
all=$(median)
for ((i = 0; i < ROUNDS; i++)); do
	timed lbctl apply "$TESTBED_DIR/many.yaml"
done
same=$(median)
for ((i = 0; i < ROUNDS * 5; i++)); do
	timed lbctl weight p7/m3 $((i + 1))
done
weight=$(median)
echo "100 VIPs, 1,000 backends: applied in $first ms; every pool changed in $all ms; nothing changed in" \
	"$same ms; one weight changed in $weight ms" >&2
at_most "where nothing changes, it takes half as long at most (ms)" "$same" $((all / 2))
at_most "one weight a third (ms)" "$weight" $((all / 3))
finish on 40 || true
served on "connections go on meanwhile"
equal "the balancer lost no packet" "$(drops DROP)" 0
agent_stop
conclude
