#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A backend is drained, waited for and removed under many long connections: none breaks. What is left on
# it is what its server-pm says.
#
#	client ── router ──┬── lb    eth0 (the balancer, lb-agent)
#	                   ├── b1  ┐
#	                   ├── b2  ├ server-pm, metrics on port 9181
#	                   └── b3  ┘
#
# COUNT=1000 connections (200 by default).
# shellcheck source=tests/e2e/check.bash
. "$(dirname "$0")/check.bash"
# shellcheck source=tests/e2e/agent.bash
. "$(dirname "$0")/agent.bash"

COUNT=${COUNT:-200}

# with_metrics KEY=VALUE...: lb_config, and where server-pm's metrics are.
with_metrics() {
	lb_config "$@" | sed 's/^    forward: .*/&\n    metrics_port: 9181/'
}

# left NAME: connections on the backend's VIPs.
left() {
	ask "{\"request\": \"left\", \"backend\": \"$1\"}" | jq .vip_sockets
}

topology_lb
serve_backends
for b in "${BACKENDS[@]}"; do
	{
		server_config "$b"
		echo "metrics: {listen: \"$(lan4 "$b"):9181\"}"
	} >"$TESTBED_DIR/$b.yaml"
	start "pm-$b" "$b" "$SERVER_PM" --pin-dir "$PINS/$b" run -c "$TESTBED_DIR/$b.yaml"
done
for b in "${BACKENDS[@]}"; do
	ready "pm-$b"
done
with_metrics forward=gue outer=4 >"$TESTBED_DIR/lb.yaml"
lbctl attach eth0 mode native >>"$TESTBED_DIR/lb.log" 2>&1
agent_run

# They last 8 s.
get_in_background long "$(vip 4)" --proto tcp --bytes 2000 --requests 20 --gap 0.4 --stall 5 --count "$COUNT" \
	--parallel "$COUNT" --mark 4000
ready long mark 30
before=$(left b2)
at_least "the agent asks what is there" "$before" $((COUNT / 5))
equal "and all of it adds up" "$(($(left b1) + before + $(left b3)))" "$COUNT"
start drain lb "$LBCTL" --pin-dir "$PINS/lb" drain b2 wait deadline 60s
await 5 grep -q 'left: ' "$TESTBED_DIR/drain.out" || true
at_least "it is shown what is left" \
	"$(sed -n 's/^b2: left: \([0-9]*\) TCP.*/\1/p' "$TESTBED_DIR/drain.out" | head -1)" 1
fails "a deadline that comes first" 2 'not empty at the deadline' lbctl drain b2 deadline 1s
stop agent KILL
sleep 1.5
agent_run
get drained "$(vip 4)" --bytes 1000 --count 60 --parallel 20
served drained "new connections are served"
equal "by others" "$(of drained '.servers.b2 // 0')" 0
code=0
finish drain 60 || code=$?
equal "it ends when the backend is empty" "$code $(tail -1 "$TESTBED_DIR/drain.out")" "0 b2: empty"
finish long 40 || true
served long "connections from before lived to their end"
equal "nothing is left" "$(left b2)" 0

# Removed, and its place is another's; connections of the others go on.
get_in_background more "$(vip 4)" --proto tcp --bytes 2000 --requests 20 --gap 0.1 --stall 5 --count "$COUNT" \
	--parallel "$COUNT" --mark 4000
ready more mark 30
with_metrics forward=gue outer=4 members="b1 b3" >"$TESTBED_DIR/lb.yaml"
fails "removed from the config" 0 'remove|backend' lbctl apply "$TESTBED_DIR/lb.yaml"
stop pm-b2
stop web-b2
finish more 40 || true
served more "removed and stopped: connections go on"

# What nobody knows is not said to be nothing.
with_metrics forward=gue outer=4 >"$TESTBED_DIR/lb.yaml"
lbctl apply "$TESTBED_DIR/lb.yaml" >>"$TESTBED_DIR/lb.log" 2>&1
fails "server-pm is gone: nobody knows" 2 'nobody knows what is left: 10.0.0.12:9181: server-pm does not answer' \
	lbctl drain b2 wait
fails "in JSON" 2 '"empty": false' lbctl -j drain b2 wait
fails "no such word" 1 'no word "now"' lbctl drain b2 now
fails "no such time" 1 'no time such as' lbctl drain b2 deadline soon
equal "the balancer lost no packet" "$(drops DROP)" 0
agent_stop
conclude
