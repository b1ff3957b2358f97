#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Health probes: each goes through the tunnel to one backend, and what they find gets into the
# tables.
#
#	client ── router ──┬── lb    eth0 (the balancer, lb-agent)
#	                   ├── b1  ┐
#	                   ├── b2  ├ server-pm, a service on port 80
#	                   └── b3  ┘
# shellcheck disable=SC2317 # functions that `holds` and `fails` call
# shellcheck source=tests/e2e/check.bash
. "$(dirname "$0")/check.bash"

LB_AGENT=${LB_AGENT:-$BUILD/lb-agent}
INTERVAL=200	# milliseconds

# health_config HEALTH KEY=VALUE...: the config of the testbed with this `health` in each pool.
health_config() {
	lb_config "${@:2}" | sed "s/^    forward: .*/&\n    health: {$1}/" >"$TESTBED_DIR/lb.yaml"
}

agent() {
	start agent lb "$LB_AGENT" --pin-dir "$PINS/lb" run -c "$TESTBED_DIR/lb.yaml"
	ready agent
}

# reload HEALTH KEY=VALUE...: with another config.
reload() {
	health_config "$@"
	: >"$TESTBED_DIR/agent.err"
	kill -HUP "${TESTBED_PID[agent]}"
}

# states [POOL]: "b1 active, b2 down, ..."
states() {
	lbctl -j show backend | jq -r --arg p "${1:-servers4}" \
		'[.[] | select(.pool == $p) | "\(.name) \(.state)"] | join(", ")'
}

become() {
	[ "$(states "${2:-servers4}")" = "$1" ]
}

# comes WHAT STATES [POOL]
comes() {
	if await 10 become "$2" "${3:-servers4}"; then
		pass "$1"
	else
		fail "$1" "$(states "${3:-servers4}"), want $2"
	fi
}

logged() {
	grep -qE -- "$1" "$TESTBED_DIR/agent.err"
}

# says WHAT PATTERN: the agent logs it.
says() {
	if await 10 logged "$2"; then
		pass "$1"
	else
		fail "$1" "no \"$2\" in: $(tail -1 "$TESTBED_DIR/agent.err")"
	fi
}

ALL="b1 active, b2 active, b3 active"
NO2="b1 active, b2 down, b3 active"
topology_lb
serve_backends
server_pm_up
quietly() { "$@" >>"$TESTBED_DIR/lb.log" 2>&1; }
quietly lbctl attach eth0 mode native

health_config "type: tcp, interval: ${INTERVAL}ms, timeout: 150ms, fall: 3" forward=gue outer=4
agent
for b in b1 b2 b3; do
	says "tcp: $b is found up" "servers4/$b: up"
done
stop web-b2
comes "service gone: down" "$NO2"
tail -20 "$TESTBED_DIR/agent.err"
conclude
