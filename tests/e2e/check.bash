# shellcheck shell=bash disable=SC2119,SC2120 # functions whose arguments are optional
# SPDX-License-Identifier: GPL-2.0-only
#
# What the end-to-end tests have in common. A test sources this file, and gets a testbed named after
# the test (testbed/lib.sh, testbed/topology.sh), gone when the test ends. Each check is a line on stdout:
#
#	ok TEST: what
#	not ok TEST: what: why
#	SKIP TEST: what: reason
#
# A test ends with `conclude`; without that, run.sh counts the test as failed.

set -euo pipefail
# shellcheck source=testbed/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../testbed/lib.sh"
# shellcheck source=testbed/topology.sh
. "$TESTBED_ROOT/testbed/topology.sh"

TEST=$(basename "$0" .sh)
FAILED=0

for program in "$LBCTL" "$SERVER_PM" "$LOAD" "$BUILD/testbed/pass.bpf.o"; do
	[ -f "$program" ] || die "$program is not built; run: make"
done
testbed_begin "$TEST"

pass() {
	echo "ok $TEST: $1"
}

fail() {
	echo "not ok $TEST: $1: $2"
	FAILED=1
}

skip() {
	echo "SKIP $TEST: $1: $2"
}

# equal WHAT GOT WANT
equal() {
	if [ "$2" = "$3" ]; then
		pass "$1"
	else
		fail "$1" "got ${2:-nothing}, want $3"
	fi
}

# at_least WHAT GOT MINIMUM and at_most WHAT GOT MAXIMUM: integers.
at_least() {
	if [[ $2 =~ ^[0-9]+$ ]] && [ "$2" -ge "$3" ]; then
		pass "$1"
	else
		fail "$1" "got ${2:-nothing}, want at least $3"
	fi
}

at_most() {
	if [[ $2 =~ ^[0-9]+$ ]] && [ "$2" -le "$3" ]; then
		pass "$1"
	else
		fail "$1" "got ${2:-nothing}, want at most $3"
	fi
}

# holds WHAT COMMAND...: the command succeeds; its output is the reason if it does not.
holds() {
	local what=$1 out

	shift
	if out=$("$@" 2>&1); then
		pass "$what"
	else
		fail "$what" "$(tail -1 <<<"${out:-"exit code not 0: $*"}")"
	fi
}

# fails WHAT EXIT-CODE PATTERN COMMAND...: ends with that code and says something like the pattern.
fails() {
	local what=$1 want=$2 pattern=$3 out code=0

	shift 3
	out=$("$@" 2>&1) || code=$?
	if [ "$code" -ne "$want" ]; then
		fail "$what" "exit code $code, want $want: $(tail -1 <<<"$out")"
	elif ! grep -qE -- "$pattern" <<<"$out"; then
		fail "$what" "no \"$pattern\" in: $(tail -1 <<<"$out")"
	else
		pass "$what"
	fi
}

conclude() {
	exit "$FAILED"
}

# ---- traffic -----------------------------------------------------------------------------------

# vip 4|6: as an address and port.
vip() {
	if [ "$1" = 4 ]; then
		echo "$VIP4:80"
	else
		echo "[$VIP6]:80"
	fi
}

# get LABEL ADDR:PORT OPTIONS...: on the client; the JSON is for `of`.
get() {
	local label=$1 to=$2

	shift 2
	on client timeout 60 "$LOAD" get --connect "$to" "$@" -j \
		>"$TESTBED_DIR/$label.out" 2>"$TESTBED_DIR/$label.err" || true
}

# get_in_background LABEL ADDR:PORT OPTIONS...: wait for it with `finish`.
get_in_background() {
	local label=$1 to=$2

	shift 2
	start "$label" client "$LOAD" get --connect "$to" "$@" -j
}

# keep LABEL ADDR:PORT OPTIONS...: in the background, connections that trickle on until `let_go LABEL`:
# what is left of them then comes at once, and they end.
keep() {
	local label=$1 to=$2

	shift 2
	get_in_background "$label" "$to" --bytes 2M --rate 20k --timeout 100 "$@"
}

let_go() {
	kill -USR1 "${TESTBED_PID[$1]}" 2>/dev/null || true
	finish "$1" 30 || true
}

# of LABEL FILTER: from that JSON.
of() {
	jq -r "$2" "$TESTBED_DIR/$1.out" 2>/dev/null || true
}

# served LABEL WHAT: every connection was served and every byte verified.
served() {
	local count ok

	count=$(of "$1" .count)
	ok=$(of "$1" .ok)
	if [ -n "$count" ] && [ "$count" = "$ok" ]; then
		pass "$2"
	else
		fail "$2" "$ok of $count served, errors $(of "$1" '.errors // {lost} | tostring')$(
			tail -1 "$TESTBED_DIR/$1.err")"
	fi
}

# decapsulated NODE... REASON: packets that server-pm counts under it, on these backends.
decapsulated() {
	local sum=0 n reason=${*: -1}

	for n in "${@:1:$#-1}"; do
		sum=$((sum + $(server_pm "$n" status -j | jq --arg r "$reason" \
			'[.decapsulation.counters[] | select(.reason == $r) | .packets] | add')))
	done
	echo "$sum"
}

# reached LABEL: how many servers answered.
reached() {
	of "$1" '.servers | length'
}

# capture LABEL NODE DEV FILTER: packets in hexadecimal; `stop LABEL` ends it. See captured.
capture() {
	start "$1" "$2" tcpdump -i "$3" -nn -x -U --immediate-mode "$4"
	await 5 grep -q '^listening' "$TESTBED_DIR/$1.err" || die "tcpdump does not start"
}

# captured LABEL HEX: how many packets with these bytes at an even offset of the IP packet.
captured() {
	# A packet is a heading and lines "\t0x0010:  4500 0034 ..."; make each one line of bytes.
	awk -v hex="$2" '
		/^[^\t]/ { n += index(bytes, hex) > 0; bytes = "" }
		/^\t/ { $1 = ""; gsub(/ /, ""); bytes = bytes $0 }
		END { print n + (index(bytes, hex) > 0) }' "$TESTBED_DIR/$1.out"
}

# wrong_joins: at servers that do not own the token, since the testbed began.
wrong_joins() {
	mib_sum MPTcpExtMPJoinNoTokenFound "${BACKENDS[@]}"
}

# drops REASON: packets that the balancer did not forward for it; DROP: for all that lose a packet.
drops() {
	if [ "$1" = DROP ]; then
		lbctl -j drops | jq '[.[] | select(.action == "drop") | .packets] | add'
	else
		lbctl -j drops | jq --arg r "$1" '[.[] | select(.reason == $r) | .packets] | add'
	fi
}

# vip_stat VIP COUNTER
vip_stat() {
	lbctl -j stats | jq --arg v "$1" ".vips[] | select(.name == \$v) | .$2"
}

# plain_checks WHAT FAMILY: TCP both ways and UDP through the VIP of that family.
plain_checks() {
	local what=$1 f=$2 before

	get down "$(vip "$f")" --bytes 20k --count 60 --parallel 10
	served down "$what: downloads arrive byte for byte"
	equal "$what: downloads come from all servers" "$(reached down)" 3
	before=$(packets switch lb tx)
	# At most an acknowledgement for each of the 3,450 segments; with the data it would be 5,000.
	get big "$(vip "$f")" --bytes 5M
	served big "$what: a long download arrives"
	at_most "$what: its data does not cross the balancer" \
		$(($(packets switch lb tx) - before)) 4000
	# An upload fills the packets: with an outer header they are larger than the client's MTU.
	get up "$(vip "$f")" --put --bytes 1M --count 6 --parallel 3
	served up "$what: uploads of full-size packets arrive"
	get echo "$(vip "$f")" --udp --bytes 1000 --count 120 --parallel 20 --stall 3
	served echo "$what: UDP datagrams are echoed"
	equal "$what: UDP flows spread over all servers" "$(reached echo)" 3
}
