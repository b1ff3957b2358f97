#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# `lbctl explain` says before or after the fact which server a connection gets, and counts nothing.
#
#	client ── router ──┬── lb    VIP 198.51.100.1, 2001:db8:100::1
#	                   ├── b1
#	                   ├── b2
#	                   └── b3
# shellcheck source=tests/e2e/check.bash
. "$(dirname "$0")/check.bash"

# explained LABEL FAMILY: how many connections `explain` gives to the server that they had.
explained() {
	local right=0 from server

	while read -r from server; do
		[ "$(lbctl -j explain tcp "$from" "$(vip "$2")" | jq -r .backend)" != "$server" ] ||
			right=$((right + 1))
	done < <(of "$1" '.connections[] | "\(.local) \(.server)"')
	echo "$right"
}

topology_lb
vips_on_backends
serve_backends
lb_up forward=l2
for f in 4 6; do
	get "some$f" "$(vip "$f")" --bytes 100 --count 20 --parallel 5
	before=$(lbctl -j stats)
	equal "IPv$f: explain names the server that each connection had" "$(explained "some$f" "$f")" 20
	equal "IPv$f: explain counts nothing" "$(lbctl -j stats)" "$before"
done
from=192.0.2.2:5555
equal "a join to the VIP is rejected" \
	"$(lbctl -j explain tcp "$from" "$(vip 4)" join 0xdeadbeef | jq -r .reason)" join_rejected
equal "what is for no VIP passes" \
	"$(lbctl -j explain tcp "$from" 192.0.2.99:80 | jq -r .reason)" not_vip
lb_apply forward=l2 mp_join=hash
equal "mp_join: hash: a join is forwarded" \
	"$(lbctl -j explain tcp "$from" "$(vip 4)" join 0xdeadbeef | jq -r .reason)" forwarded
fails "an address that is none" 1 'explain|address' lbctl explain tcp nonsense "$(vip 4)"
conclude
