#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# mp_join: steer. A client with two links ignores the C flag and joins the VIP, of either family: each
# join reaches the server of its connection, which knows nothing of the balancer. The tokens that the
# balancer has learnt are those of the servers' sockets. A join follows its connection to a member that
# is drained, and to nobody once the member has left, also when another has come in its place.
#
#	client ══ eth0, eth1 ══ router ──┬── lb    mp_join: steer
#	   userspace path manager        ├── b1    VIP on lo, C flag set by hand
#	   joins the VIP from eth1       ├── b2
#	                                 └── b3
# shellcheck disable=SC2317 # a function that `await` calls
# shellcheck source=tests/e2e/check.bash
. "$(dirname "$0")/check.bash"

N=54

topology_lb
vips_on_backends
for b in "${BACKENDS[@]}"; do
	on "$b" sysctl -qw net.mptcp.allow_join_initial_addr_port=0
done
serve_backends
lb_up forward=l2 mp_join=steer
if on client test -e /proc/sys/net/mptcp/path_manager; then
	on client sysctl -qw net.mptcp.path_manager=userspace
else
	on client sysctl -qw net.mptcp.pm_type=1
fi

# server_tokens BACKEND: tokens of its sockets, 8 hexadecimal digits each.
server_tokens() {
	on "$1" ss -MinHO state established sport = :80 | grep -oE 'token:[0-9a-f]+' | cut -d: -f2 |
		sort -u | while read -r token; do printf '%08x\n' "0x$token"; done
}

# owner_of TOKEN: whom the balancer would send a join to.
owner_of() {
	lbctl -j explain tcp "${CLIENT4[1]}:7" "$VIP4:80" join "$1" | jq -r '.backend // .reason'
}

for f in 4 6; do
	from=${CLIENT4[1]}
	[ "$f" = 4 ] || from=${CLIENT6[1]}
	start joiner client "$LOAD" join-vip --local "$from"
	ready joiner
	get "steer$f" "$(vip "$f")" --proto mptcp --bytes 200k --rate 400k --count "$N" --parallel "$N"
	stop joiner
	served "steer$f" "IPv$f: every connection is served byte for byte"
	equal "IPv$f: connections are at all servers" "$(reached "steer$f")" 3
	equal "IPv$f: the client tried to join every connection" "$(of joiner .attempted)" "$N"
	equal "IPv$f: every join came about" "$(of joiner .established)" "$N"
	at_least "IPv$f: every token was learnt" \
		$(($(vip_stat "web$f" learnt_ack) + $(vip_stat "web$f" learnt_data))) "$N"
	at_least "IPv$f: every join was steered" "$(vip_stat "web$f" mp_join_steered)" "$N"
done
equal "no join reached a wrong server" "$(wrong_joins)" 0
equal "every join reached a server" "$(mib_sum MPTcpExtMPJoinAckRx "${BACKENDS[@]}")" $((2 * N))

# Tokens, and changes of the pool. b1 is taken away from under connections that go on.
all_learnt() {
	[ $(($(vip_stat web4 learnt_ack) + $(vip_stat web4 learnt_data))) -ge $((2 * N)) ]
}

keep held "$(vip 4)" --proto mptcp --count "$N" --parallel "$N"
await 10 all_learnt || true
# Of all servers before anything is asked: that takes its time, and connections end.
for b in "${BACKENDS[@]}"; do
	server_tokens "$b" | sed "s/$/ $b/"
done >"$TESTBED_DIR/tokens"
known=0 agreed=0 token_b1='' token_b2=''
while read -r token b; do
	known=$((known + 1))
	[ "$(owner_of "$token")" != "$b" ] || agreed=$((agreed + 1))
	[ "$b" != b1 ] || token_b1=$token
	[ "$b" != b2 ] || token_b2=$token
done <"$TESTBED_DIR/tokens"
at_least "the servers' sockets have tokens" "$known" "$N"
equal "the balancer has the same, each with its server" "$agreed" "$known"
at_least "show backend counts them" \
	"$(lbctl -j show backend | jq '[.[] | select(.pool == "servers4") | .tokens] | add')" "$N"
equal "a join of the other family goes there, too" "$(lbctl -j explain tcp \
	"[${CLIENT6[1]}]:7" "[$VIP6]:80" join "$token_b1" | jq -r '.pool + "/" + .backend')" servers6/b1
before=$(vip_stat web4 mp_join_steered)
owner_of "$token_b1" >/dev/null
equal "explaining a join counts and changes nothing" "$(vip_stat web4 mp_join_steered)" "$before"
holds "a member is drained" lbctl drain servers4/b1
equal "a join follows its connection to a draining member" "$(owner_of "$token_b1")" b1
lb_apply forward=l2 mp_join=steer members="b2 b3"
equal "a join of a member that has left is rejected" "$(owner_of "$token_b1")" join_gone
lb_apply forward=l2 mp_join=steer
equal "and is not the one's who has come in its place" "$(owner_of "$token_b1")" join_unknown
equal "the others' joins go where they went" "$(owner_of "$token_b2")" b2
equal "a token that nobody has" "$(owner_of 00000001)" join_unknown
stop held
conclude
