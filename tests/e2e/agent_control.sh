#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# lb-agent's control socket: lbctl goes through it when an agent runs, and writes the maps itself
# when none does. What the agent is told outlives it. Wrong uses, and clients that misbehave.
#
#	client ── router ──┬── lb    eth0 (the balancer, lb-agent)
#	                   ├── b1  ┐
#	                   ├── b2  ├ server-pm
#	                   └── b3  ┘
# shellcheck disable=SC2317 # functions that `holds` and `fails` call
# shellcheck source=tests/e2e/check.bash
. "$(dirname "$0")/check.bash"
# shellcheck source=tests/e2e/agent.bash
. "$(dirname "$0")/agent.bash"

# mode FILE
mode() {
	stat -c %a "$1"
}

# marks NAME: the operator's orders and other marks of a backend.
marks() {
	backend "$1" '.marks | join(",")'
}

# idle_client TEXT SECONDS: sends this and nothing more, says so, stays for a while, and says how it ended.
idle_client() {
	python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(float(sys.argv[3]))
s.connect(sys.argv[1])
s.sendall(sys.argv[2].encode())
print("sent", flush=True)
try:
    print("closed" if not s.recv(1) else "answered")
except TimeoutError:
    print("open")' "$SOCKET" "$1" "$2"
}

topology_lb
quietly() {
	"$@" >>"$TESTBED_DIR/lb.log" 2>&1
}
lb_config forward=gue outer=4 >"$TESTBED_DIR/lb.yaml"
agent_fails "no data plane: said" 2 'no data plane here; attach it first'
quietly lbctl attach eth0 mode native

# ---- starts that fail ------------------------------------------------------------------------------

agent_fails "socket in no folder" 2 'No such file.*make its folder' \
	--socket "$TESTBED_DIR/not/there/a.sock"
touch "$TESTBED_DIR/file"
agent_fails "socket that is a file" 2 'this is no socket' --socket "$TESTBED_DIR/file"
equal "the file is still there" "$(mode "$TESTBED_DIR/file")" 644
agent_fails "path too long" 1 'at most 107' --socket "/tmp/$(printf 'a%.0s' {1..120})"
lbctl -j show pool >"$TESTBED_DIR/out"
equal "nothing was applied" "$(cat "$TESTBED_DIR/out")" "[]"
# Somebody was killed and left this.
python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$SOCKET"
starts "a socket that nobody listens on is replaced"
equal "its mode" "$(mode "$SOCKET")" 660
agent_fails "a second agent" 2 'another lb-agent' --socket "$TESTBED_DIR/second.sock"
fails "a second agent on other pins, at the same socket" 2 'another daemon answers there' \
	bash -c "mkdir -p '$PINS/lb2' && ip netns exec $(netns lb) $LBCTL --pin-dir '$PINS/lb2' attach lo \
		&& ip netns exec $(netns lb) timeout 10 $LB_AGENT --pin-dir '$PINS/lb2' --socket '$SOCKET' \
		run -c '$TESTBED_DIR/lb.yaml'"
quietly on lb "$LBCTL" --pin-dir "$PINS/lb2" detach all

# ---- lbctl through the agent -----------------------------------------------------------------------

fails "drain through it" 0 'servers4/b2 +takes no new connections' lbctl drain b2
holds "the agent did it" told 'change backend servers4/b2: takes no new connections'
equal "it is on disk" "$(jq -c '.orders[0] | [.pool, .backend, .drain]' "$STATE")" '["servers4","b2",true]'
fails "errors come back" 1 'no backend is called this' lbctl drain b9
fails "warnings come back" 0 'other changes are under way' lbctl weight b1 300
fails "weight: in JSON" 0 '"action": "change"' lbctl -j weight b1 200
equal "and on disk" "$(jq -c '[.orders[] | [.backend, .drain, .weight]]' "$STATE")" \
	'[["b1",false,200],["b2",true,null]]'
sed 's/weight: 100/weight: heavy/' "$TESTBED_DIR/lb.yaml" >"$TESTBED_DIR/bad.yaml"
fails "a bad config: file, line and key" 1 'bad.yaml:11: pools\[0\].backends\[0\].weight: ' \
	lbctl apply "$TESTBED_DIR/bad.yaml"
printf 'vips: \xff\n' >"$TESTBED_DIR/binary.yaml"
fails "a config that is no text" 1 'not UTF-8' lbctl apply "$TESTBED_DIR/binary.yaml"
fails "a config that is not there" 1 'check the path' lbctl apply "$TESTBED_DIR/none.yaml"
lb_config forward=gue outer=4 members="b1 b2" >"$TESTBED_DIR/other.yaml"
fails "another config: applied, and said that it is another" 0 'until lb-agent reads its own config again' \
	lbctl apply "$TESTBED_DIR/other.yaml"
equal "it is in force" "$(marks b3)" gone
fails "what is wrong is said once" 0 'nothing to change' lbctl apply "$TESTBED_DIR/other.yaml"
holds "reload" kill -HUP "${TESTBED_PID[agent]}"
holds "the agent's own config is back" await 5 told 'add backend servers4/b3'
equal "orders stay" "$(marks b2),$(marks b1)" "drain,weight"
rm "$TESTBED_DIR/lb.yaml"
kill -HUP "${TESTBED_PID[agent]}"
holds "a config that vanished: refused" await 5 told 'lb.yaml: not reloaded; what was in force stays'
equal "and nothing changed" "$(marks b2),$(marks b1)" "drain,weight"
lb_config forward=gue outer=4 >"$TESTBED_DIR/lb.yaml"
fails "settle" 0 'servers4/b2 +base weight 100 -> 0' lbctl settle
fails "show settle" 0 'POOL +SETTLED IN' lbctl show settle
fails "left, of a pool without metrics_port" 2 'nobody knows what is left.*metrics_port' \
	lbctl drain b2 wait
fails "an explicit socket that is not there" 2 'no lb-agent runs there' \
	on lb "$LBCTL" --pin-dir "$PINS/lb" --socket "$TESTBED_DIR/none.sock" drain b2

# ---- clients that misbehave ------------------------------------------------------------------------

equal "no JSON" "$(ask 'hello' | jq -r .exit)" 1
equal "no object" "$(ask '[1]' | jq -r .exit)" 1
equal "a request that is none" "$(ask '{"request": "dance"}' | jq -r '.log[0].text')" \
	'control: no request is called "dance"; is this lb-agent older than lbctl?'
equal "a key twice" "$(ask '{"request": "settle", "request": "drain"}' | jq -r .exit)" 1
equal "wrong types" "$(ask '{"request": "weight", "backend": 7, "weight": "x"}' | jq -r .exit)" 1
idle_client '{"request": "sta' 15 >"$TESTBED_DIR/slow.txt" &
slow=$!
await 10 grep -q sent "$TESTBED_DIR/slow.txt" || true
began=$(date +%s%N)
holds "a slow client holds nobody up" lbctl show settle
at_most "for long (ms)" $((($(date +%s%N) - began) / 1000000)) 5000
equal "100 clients that say nothing: those that come too late are told" "$(python3 -c '
import socket, sys
all = []
for i in range(100):
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    s.settimeout(5)
    all.append(s)
print(all[99].recv(200).decode(), end="")' "$SOCKET" | jq -r '.log[0].text')" \
	'control: too many clients at once; try again'
holds "and it goes on when they have gone" await 5 lbctl show settle
equal "a request without end is refused" "$(python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(20)
s.connect(sys.argv[1])
try:
    for i in range(20):
        s.sendall(b"a" * 1000000)
except OSError:
    pass
print(s.makefile().readline(), end="")' "$SOCKET" | jq -r '.log[0].text')" \
	'control: the request is too long'
holds "one that hangs up before its answer" python3 -c '
import socket, sys
for i in range(50):
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    s.sendall(b"{\"request\": \"status\"}\n" * 20)
    s.close()' "$SOCKET"
equal "several requests at once are answered in turn" "$(printf '%s\n%s\n' '{"request": "status"}' \
	'{"request": "settle"}' | python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(10)
s.connect(sys.argv[1])
s.sendall(sys.stdin.buffer.read())
s.shutdown(socket.SHUT_WR)
f = s.makefile()
print(f.read(), end="")' "$SOCKET" | jq -c 'has("version")')" $'true\nfalse'

# ---- rights ------------------------------------------------------------------------------------------

chmod 711 "$TESTBED_DIR"
fails "who is not in the socket's group" 2 'Permission denied; run as root, or as one of the' \
	on lb setpriv --reuid 65534 --regid 65534 --clear-groups "$LBCTL" --socket "$SOCKET" drain b2
chgrp 65533 "$SOCKET"
fails "who is in it" 0 'nothing to change' \
	on lb setpriv --reuid 65534 --regid 65533 --clear-groups "$LBCTL" --socket "$SOCKET" drain b2

# ---- restarts ----------------------------------------------------------------------------------------

table() {
	lbctl -j show backend | jq -c '[.[] | [.name, .state, .weight, .base_weight, .prev_weight, .marks]]'
}
before=$(table)
agent_stop
holds "the socket is gone" test ! -e "$SOCKET"
equal "no agent: lbctl does it" "$(lbctl -j drain b3 | jq -r '.[0].name')" servers4/b3
fails "no agent: what only it knows" 2 'no lb-agent runs here' lbctl show settle
fails "no agent: no waiting" 2 'no lb-agent runs here' lbctl drain b3 wait
lbctl undrain b3 >>"$TESTBED_DIR/lb.log" 2>&1
lbctl settle >>"$TESTBED_DIR/lb.log" 2>&1
before=$(table)
starts "it starts again"
holds "and finds nothing to change" told 'config: nothing to change'
equal "orders are still there" "$(table)" "$before"
stop agent KILL
starts "killed, it starts again"
equal "orders are still there" "$(table)" "$before"
agent_stop
# As after a reboot: the maps are gone.
quietly lbctl detach all
quietly lbctl attach eth0 mode native
starts "maps that are new"
holds "orders are read from the disk" told 'orders from before are carried out'
equal "and carried out" "$(marks b2),$(marks b1),$(backend b1 .weight)" "drain,weight,200"
quietly lbctl undrain b2
quietly lbctl weight b1 config
equal "none is left on disk" "$(jq -c .orders "$STATE")" '[]'
agent_stop
quietly lbctl detach all
quietly lbctl attach eth0 mode native
echo '{"version": 1, "orders": [7]}' >"$STATE"
starts "a state file that makes no sense is no reason not to run"
holds "it is said" told 'orders.json: makes no sense'
agent_stop
mkdir "$TESTBED_DIR/full"
mount -t tmpfs -o size=4k tmpfs "$TESTBED_DIR/full"
head -c 4096 /dev/zero >"$TESTBED_DIR/full/filler" 2>/dev/null || true
STATE=$TESTBED_DIR/full/orders.json agent_run
fails "a full disk: the order is carried out, and it is said" 0 \
	'No space left.*orders are in force, and will not outlast a reboot' lbctl drain b2
equal "it is in force" "$(marks b2)" drain
rm "$TESTBED_DIR/full/filler"
quietly lbctl weight b1 7
equal "with room again, all are on disk" "$(jq -c '[.orders[].backend]' "$TESTBED_DIR/full/orders.json")" \
	'["b1","b2"]'
agent_stop
umount "$TESTBED_DIR/full"

wait "$slow" || true
equal "the slow client was let go" "$(tail -1 "$TESTBED_DIR/slow.txt")" closed

# ---- settling by itself -------------------------------------------------------------------------------

quietly lbctl undrain b2
quietly lbctl weight b1 config
quietly lbctl settle
{
	echo "settle_after: 4s"
	lb_config forward=gue outer=4
} >"$TESTBED_DIR/lb.yaml"
agent_run
quietly lbctl drain b2
equal "a change is under way" "$(lbctl -j show pool | jq '.[0].settled')" false
fails "it is shown when it will be settled" 0 '^servers4 +[0-9]' lbctl show settle
sleep 2.5
quietly lbctl weight b1 300
sleep 2.5
equal "another one begins the time anew" "$(lbctl -j show pool | jq '.[0].settled')" false
holds "settled by itself" await 10 settled
holds "and said" told 'pool servers4: settled'
equal "the order stays" "$(marks b2)" drain
agent_stop
holds "detach all, with an agent's folder there" lbctl detach all
conclude
