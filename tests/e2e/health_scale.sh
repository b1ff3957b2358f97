#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Many backends, each probed every second: all probes are on time, none is lost, and what they cost.
# HEALTH_BACKENDS says how many, HEALTH_SECONDS for how long: 1000 and 20 are the full size.
#
#	router ──┬── lb  (the balancer, lb-agent)
#	         └── b1  all backends: 10.1.0.0/16 is local here
# shellcheck disable=SC2317 # functions that `await` calls
# shellcheck source=tests/e2e/check.bash
. "$(dirname "$0")/check.bash"

LB_AGENT=${LB_AGENT:-$BUILD/lb-agent}
N=${HEALTH_BACKENDS:-200}
SECONDS_MEASURED=${HEALTH_SECONDS:-4}
TYPE=${HEALTH_TYPE:-tcp}

# cpu_ms: of the agent, since it began. Packets are delivered in their sender's context here: this
# includes what the backends' kernels do with them.
cpu_ms() {
	local pid stat

	pid=$(pgrep -P "${TESTBED_PID[agent]}" || echo "${TESTBED_PID[agent]}")
	read -r -a stat <"/proc/$pid/stat"
	echo $(((stat[13] + stat[14]) * 1000 / $(getconf CLK_TCK)))
}

ups() {
	grep -c ': up:' "$TESTBED_DIR/agent.err"
}

all_up() {
	[ "$(ups)" -eq "$N" ]
}

topology_lb
serve_backends
server_pm_up b1
route lb 10.1.0.0/16 via 10.0.0.11
on b1 ip route add local 10.1.0.0/16 dev lo
lbctl attach eth0 mode native >>"$TESTBED_DIR/lb.log" 2>&1
{
	cat <<-END
		vips:
		- {name: web, address: $VIP4, port: 80, protocol: tcp, pool: many}
		pools:
		- name: many
		  forward: gue
		  health: {type: $TYPE, interval: 1s, timeout: 500ms, all_down: stop}
		  backends:
	END
	for ((i = 0; i < N; i++)); do
		echo "  - {name: b$i, id: $((i + 1)), address: 10.1.$((i / 250)).$((i % 250 + 1))}"
	done
} >"$TESTBED_DIR/lb.yaml"
start agent lb "$LB_AGENT" --pin-dir "$PINS/lb" run -c "$TESTBED_DIR/lb.yaml"
ready agent
await 10 all_up || true
equal "all are up" "$(ups)" "$N"

asked=$(mib b1 TcpPassiveOpens)
begin=${EPOCHREALTIME/./}
cost=$(cpu_ms)
sleep "$SECONDS_MEASURED"
cost=$(($(cpu_ms) - cost))
took=$(((${EPOCHREALTIME/./} - begin) / 1000))
asked=$(($(mib b1 TcpPassiveOpens) - asked))
echo "# $N backends, $asked probes in $took ms ($((asked * 1000 / took))/s), CPU $cost ms:" \
	"$((cost * 100 / took)) % of a core, $((cost * 1000 / asked)) us a probe"
# An interval is up to 5 % shorter than asked for, never longer; a twentieth for a busy machine.
at_least "each is probed every second" "$asked" $((N * took * 95 / 100000))
at_most "and no more often" "$asked" $((N * took * 110 / 100000 + N / 10))
equal "no probe was lost" "$(grep -c 'down' "$TESTBED_DIR/agent.err")" 0
equal "no connection is kept for TIME_WAIT" \
	"$(on lb ss -Htan | grep -c TIME-WAIT) $(on b1 ss -Htan | grep -c TIME-WAIT)" "0 0"

if [ "$TYPE" = tcp ]; then
	begin=${EPOCHREALTIME/./}
	stop web-b1
	await 20 grep -q "b$((N - 1)): down" "$TESTBED_DIR/agent.err" || true
	await 20 grep -q "change backend many/b0: " "$TESTBED_DIR/agent.err" || true
	lost=$(((${EPOCHREALTIME/./} - begin) / 1000))
	echo "# all down and in the tables after $lost ms"
	at_most "all of them gone at once is seen" "$lost" 15000
fi
conclude
