# shellcheck shell=bash disable=SC2119,SC2120 # functions whose arguments are optional
# SPDX-License-Identifier: GPL-2.0-only
#
# What the tests of lb-agent have in common. To be sourced after check.bash.

LB_AGENT=${LB_AGENT:-$BUILD/lb-agent}
# shellcheck disable=SC2034 # used by those who source this
SOCKET=$TESTBED_DIR/agent.sock STATE=$TESTBED_DIR/orders.json

# agent_run [CONFIG]: starts it, and waits until it is ready.
agent_run() {
	start agent lb "$LB_AGENT" --pin-dir "$PINS/lb" --socket "$SOCKET" --state "$STATE" run \
		-c "${1:-$TESTBED_DIR/lb.yaml}"
	ready agent
}

# agent_stop: and nothing was found by a sanitizer, where it was built with one.
agent_stop() {
	stop agent
	! grep -E 'Sanitizer|runtime error' "$TESTBED_DIR/agent.err" ||
		fail "lb-agent ends" "a sanitizer found something"
}

# starts WHAT [CONFIG]: it does.
starts() {
	if agent_run "${@:2}"; then
		pass "$1"
	else
		fail "$1" "$(tail -1 "$TESTBED_DIR/agent.err")"
	fi
}

# agent_fails WHAT EXIT PATTERN OPTIONS...: it does not start.
agent_fails() {
	fails "$1" "$2" "$3" on lb timeout 10 "$LB_AGENT" --pin-dir "$PINS/lb" "${@:4}" \
		run -c "$TESTBED_DIR/lb.yaml"
}

# told PATTERN: has the agent logged it?
told() {
	grep -qE -- "$1" "$TESTBED_DIR/agent.err"
}

# backend NAME FILTER: from `show backend`.
backend() {
	lbctl -j show backend | jq -r --arg n "$1" ".[] | select(.name == \$n) | $2"
}

# settled: are all pools?
settled() {
	[ "$(lbctl -j show pool | jq '[.[].settled] | all')" = true ]
}

# ask JSON: what the agent answers to that, whoever asks.
ask() {
	python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(15)
s.connect(sys.argv[1])
s.sendall(sys.argv[2].encode() + b"\n")
print(s.makefile().readline(), end="")' "$SOCKET" "$1"
}
