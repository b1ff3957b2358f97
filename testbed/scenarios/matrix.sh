# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Kinds of clients against ways to deal with joins, families and forwarding modes: each combination is
# tried with real connections, and says where the client joined, if it did, and how much of an upload
# crossed the balancer.
#
#	client ══ eth0, eth1 ══ router ──┬── lb    mp_join, join_ports
#	   as its kind is                ├── b1    server-pm
#	                                 ├── b2    server-pm
#	                                 └── b3    server-pm

about "kinds of clients against policies, families and forwarding modes"
param form full "full (every cell) or short (one mode, the cells that differ most)"
param kinds "default two_links accepts ignores_c ignores_prio tcp stripped" "of these"
param policies "own vip both port" "of: own (reject, server's own addresses), vip (steer), both, port (join_ports)"
param families "4 6" "of: 4 6"
param modes "ipip gue l2" "of: ipip gue l2"
param count 6 "connections per cell"
param bytes 300k "of each connection's upload"

declare -gA KIND_TEXT=(
	[default]="one link, accepts no address (Linux's default)"
	[two_links]="a subflow endpoint on the second link"
	[accepts]="add_addr_accepted 2, no endpoint"
	[ignores_c]="joins the VIP whatever the C flag says"
	[ignores_prio]="as two_links, MP_PRIO never reaches it"
	[tcp]="plain TCP"
	[stripped]="MPTCP options removed on the way"
)
declare -gA POLICY_TEXT=(
	[own]="mp_join: reject; server-pm announces the server's own addresses"
	[vip]="mp_join: steer; join_vip: allow on the servers"
	[both]="mp_join: steer; server-pm announces the server's own addresses"
	[port]="join_ports; server-pm announces VIP:port"
)
SHORT_CELLS="own:two_links:4:ipip own:ignores_c:6:ipip vip:two_links:6:ipip vip:ignores_c:4:ipip
	port:two_links:4:ipip port:accepts:6:ipip vip:stripped:4:ipip both:ignores_c:6:ipip port:tcp:6:ipip"

# ---- what to expect ----------------------------------------------------------------------------

# expected KIND POLICY: where its connections join: own, vip, port, or stays.
expected() {
	case $1:$2 in
	default:* | tcp:* | stripped:* | accepts:vip) echo stays ;;
	ignores_c:vip | ignores_c:both) echo vip ;;
	ignores_c:*) echo stays ;;
	*:both) echo own ;;
	*) echo "$2" ;;
	esac
}

# because KIND POLICY FAMILY: a note to what was expected.
because() {
	case $1:$2:$3 in
	default:*) echo "has one link and accepts no address: nowhere to join from or to" ;;
	tcp:*) echo "has no MPTCP" ;;
	stripped:*) echo "falls back to TCP: no MPTCP reaches the server" ;;
	accepts:vip:*) echo "nothing is announced, and it has no endpoint to join from" ;;
	ignores_c:vip:* | ignores_c:both:*) echo "its join of the VIP is brought to its server" ;;
	ignores_c:*) echo "its join of the VIP is refused with a reset; the connection goes on" ;;
	ignores_prio:own:* | ignores_prio:both:*) echo "joins; goes on using the VIP, as MP_PRIO did not reach it" ;;
	*:port:6) echo "joins the IPv4 VIP: IPv6 with a port does not fit next to TCP timestamps" ;;
	*) echo "joins" ;;
	esac
}

# ---- clients -----------------------------------------------------------------------------------

# client_is KIND: makes the client one of those.
client_is() {
	stop joiner
	on router nft "delete table inet kind" 2>/dev/null || true
	on client sysctl -qw net.mptcp.path_manager=kernel
	on client ip mptcp endpoint flush
	on client ip mptcp limits set add_addr_accepted 0 subflows 2
	case $1 in
	two_links) client_endpoints subflow ;;
	accepts) on client ip mptcp limits set add_addr_accepted 2 subflows 2 ;;
	ignores_c)
		on client sysctl -qw net.mptcp.path_manager=userspace
		start joiner client "$LOAD" join-vip --local "${CLIENT4[1]}" --local "${CLIENT6[1]}"
		ready joiner
		;;
	ignores_prio)
		client_endpoints subflow
		lose_prio
		;;
	stripped)
		on_the_way "tcp option mptcp exists reset tcp option mptcp"
		;;
	esac
}

# Linux honours MP_PRIO. So it never gets one: the kernel writes it as the last of a header's options,
# in 4 bytes with a NOP (the first 5 places that come into question; net/mptcp/options.c).
lose_prio() {
	local bits rules=()

	for bits in 160 256 288 320 352 384 416; do
		rules+=("@th,$bits,24 0x1e0350 drop" "@th,$bits,24 0x1e0351 drop")
	done
	on_the_way "${rules[@]}"
}

# on_the_way RULE...: what the router does with packets to and from the client, by nft.
on_the_way() {
	{
		printf 'table inet kind {\nchain fw {\ntype filter hook forward priority 0\n'
		printf '%s\n' "$@" '}' '}'
	} | on router nft -f -
}

# ---- policies ----------------------------------------------------------------------------------

# policy_is POLICY MODE
policy_is() {
	local b

	for b in "${BACKENDS[@]}"; do
		stop "pm-$b"
	done
	case $1 in
	own) lb_apply "forward=$2" mp_join=reject ;;
	vip | both) lb_apply "forward=$2" mp_join=steer ;;
	port) lb_apply "forward=$2" mp_join=reject join_ports=20000 ;;
	esac
	JOINS=${1/both/own} server_pm_up
}

# ---- cells -------------------------------------------------------------------------------------

# cell POLICY KIND FAMILY MODE: tries it.
cell() {
	local policy=$1 kind=$2 family=$3 mode=$4 proto=mptcp to=$VIP4:80 wrong refused prio carried row got want

	[ "$family" = 4 ] || to="[$VIP6]:80"
	[ "$kind" != tcp ] || proto=tcp
	wrong=$(mib_sum MPTcpExtMPJoinNoTokenFound "${BACKENDS[@]}")
	refused=$(refusals)
	prio=$(mib client MPTcpExtMPPrioRx)
	carried=$(to_balancer)
	# Those that never join wait for it in vain.
	start cell client "$LOAD" get --connect "$to" --proto "$proto" --put --bytes "${P[bytes]}" \
		--count "${P[count]}" --parallel "${P[count]}" --timeout 30 \
		--join-first "$([ "$(expected "$kind" "$policy")" = stays ] && echo 0.7 || echo 5)" -j
	finish cell 60 || true
	jq -e .count "$TESTBED_DIR/cell.out" >/dev/null 2>&1 ||
		die "$*: the client broke down: $(tail -1 "$TESTBED_DIR/cell.err")"
	want=$(expected "$kind" "$policy")
	row=$(jq -c --arg policy "$policy" --arg kind "$kind" --arg family "$family" --arg mode "$mode" \
		--arg want "$want" --arg because "$(because "$kind" "$policy" "$family")" \
		--argjson wrong "$(($(mib_sum MPTcpExtMPJoinNoTokenFound "${BACKENDS[@]}") - wrong))" \
		--argjson refused "$(($(refusals) - refused))" \
		--argjson prio "$(($(mib client MPTcpExtMPPrioRx) - prio))" \
		--argjson carried "$(($(to_balancer) - carried))" '
		def where: if .joined and $policy == "port" then "port" elif .joined then "own"
			elif .joined_vip then "vip" else "stays" end;
		(.connections | map(where) | unique) as $where
		| (if .ok < .count then "fails" elif ($where | length) > 1 then "mixed" else $where[0] end) as $got
		| {kind: $kind, policy: $policy, family: $family, mode: $mode, count, ok, errors,
		joined: (.joined // 0), joined_vip: (.joined_vip // 0), fallback: (.fallback // 0),
		joins_at_wrong_server: $wrong, joins_refused: $refused, prio_received: $prio, got: $got, expected: $want,
		because: $because,
		balancer_per_byte: ($carried / ([.bytes, 1] | max) * 1000 | round / 1000)}' "$TESTBED_DIR/cell.out")
	record "$row"
	got=$(jq -r .got <<<"$row")
	progress "$TOTAL" "$policy, $kind, IPv$family, $mode: $got$([ "$got" = "$want" ] ||
		echo ", and $want was expected")"
}

# to_balancer: bytes of frames on their way to it.
to_balancer() {
	ip -n "$(netns switch)" -s -j link show dev lb | jq '.[0].stats64.tx.bytes'
}

# refusals: joins that the balancer has answered with a reset.
refusals() {
	lbctl -j stats | jq '[.vips[] | .mp_join_rejected // 0] | add'
}

# wanted POLICY MODE: the cells of that policy and mode, "KIND:FAMILY" each.
wanted() {
	local kind family

	for kind in ${P[kinds]}; do
		for family in ${P[families]}; do
			[ "${P[form]}" = full ] ||
				[[ " ${SHORT_CELLS//[[:space:]]/ } " == *" $1:$kind:$family:$2 "* ]] || continue
			echo "$kind:$family"
		done
	done
}

scenario() {
	local policy mode cell cells

	topology_lb
	serve_backends
	lb_up
	TOTAL=0
	for policy in ${P[policies]}; do
		for mode in ${P[modes]}; do
			TOTAL=$((TOTAL + $(wanted "$policy" "$mode" | wc -l)))
		done
	done
	for policy in ${P[policies]}; do
		for mode in ${P[modes]}; do
			mapfile -t cells < <(wanted "$policy" "$mode")
			[ ${#cells[@]} -gt 0 ] || continue
			policy_is "$policy" "$mode"
			for cell in "${cells[@]}"; do
				client_is "${cell%:*}"
				cell "$policy" "${cell%:*}" "${cell#*:}" "$mode"
			done
		done
	done
	table
	judge
}

# The table: a line per kind and family, a column per policy and mode.
table() {
	local name

	# shellcheck disable=SC2016 # the dollars are jq's
	rows '
		def pad($n): . + (" " * ([$n - length, 1] | max));
		(map(.policy) | unique_by({own: 0, vip: 1, both: 2, port: 3}[.])) as $policies
		| (map(.mode) | unique) as $modes
		| ("" | pad(18)) + ([$policies[] as $p | $modes[] | "\($p)/\(.)" | pad(11)] | join("")),
		(group_by([.kind, .family])[] | . as $cells
			| ("\($cells[0].kind) v\($cells[0].family)" | pad(18))
			+ ([$policies[] as $p | $modes[] as $m
				| ($cells | map(select(.policy == $p and .mode == $m))[0]) as $c
				| (if $c then $c.got + (if $c.got == $c.expected then "" else "!" end)
					else "-" end) | pad(11)] | join("")))' | sed 's/^/  /'
	cat <<-END
	  own, vip, port: joins the server's own address, the VIP, the VIP at the server's port (works)
	  stays: falls back to one path, through the VIP; fails: not every connection was served;
	  !: not as expected
	END
	for name in ${P[policies]}; do
		echo "  $name: ${POLICY_TEXT[$name]}"
	done
	for name in ${P[kinds]}; do
		echo "  $name: ${KIND_TEXT[$name]}"
	done
	echo "  what was measured:"
	# shellcheck disable=SC2016
	rows 'unique_by([.kind, .policy, .because])[] | "\(.kind), \(.policy), IPv\(.family): \(.because); " +
		"the balancer carried \(.balancer_per_byte) bytes of each uploaded"' | sed 's/^/  /'
}

judge() {
	verdict "connections served byte for byte" \
		"$(rows '"\(map(.ok) | add) of \(map(.count) | add)"')" all "$(rows 'all(.ok == .count)')"
	verdict "cells as expected" "$(rows '"\(map(select(.got == .expected)) | length) of \(length)"')" \
		all "$(rows 'all(.got == .expected)')"
	# That each kind was what it is called.
	verdict "joins of the VIP tried in spite of the C flag, and refused" \
		"$(rows 'map(select(.kind == "ignores_c" and (.policy == "own" or .policy == "port"))) |
			"\(map(.joins_refused) | add // 0) of \(map(.count) | add // 0)"')" all \
		"$(rows 'map(select(.kind == "ignores_c" and (.policy == "own" or .policy == "port"))) | all(.joins_refused >= .count)')"
	verdict "connections that fell back where options are removed" \
		"$(rows 'map(select(.kind == "stripped")) |
			"\(map(.fallback) | add // 0) of \(map(.count) | add // 0)"')" all \
		"$(rows 'map(select(.kind == "stripped")) | all(.fallback == .count)')"
	verdict "MP_PRIO at a client that is to ignore it" \
		"$(rows 'map(select(.kind == "ignores_prio") | .prio_received) | add // 0')" 0 \
		"$(rows 'all(.kind != "ignores_prio" or .prio_received == 0)')"
	verdict "joins at a wrong server" "$(rows 'map(.joins_at_wrong_server) | add')" 0 \
		"$(rows 'all(.joins_at_wrong_server == 0)')"
}

# A line per client and family, a column per policy; each cell over the forwarding modes.
tables() {
	jq '.rows as $r | {title: "Clients against policies: works (by what is joined) or falls back to one path, and why; forwarding modes: \(
			[$r[].mode] | unique | join(", "))",
		head: (["client", "family"] + ["own addresses", "steer", "both", "join ports"]),
		body: [[$r[] | {kind, family}] | unique[] as $k | [$k.kind, "IPv\($k.family)"] + [("own", "vip", "both", "port") as $p
		| [$r[] | select(.kind == $k.kind and .family == $k.family and .policy == $p)]
		| if length == 0 then "" else (map(.got) | unique | map(if . == "stays" then "falls back" elif . == "fails"
			then "FAILS" elif . == "mixed" then "mixed" else "works: \(.)" end) | join(", ")) as $what
			| (map(.because | select(. != "")) | unique | join("; ")) as $why
			| $what + if $why == "" then "" else " (\($why))" end end]]}' "$1"
}
