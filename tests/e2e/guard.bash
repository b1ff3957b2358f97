# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What the tests of the guard have in common, on the ground of userspace.bash.

# shellcheck source=tests/e2e/userspace.bash
. "$(dirname "${BASH_SOURCE[0]}")/userspace.bash"

# guard_config MANAGER [LINE...]: lines of the config besides.
guard_config() {
	configure "$1" backup
	printf '%s\n' "${@:2}" >>"$TESTBED_DIR/server.yaml"
}

# guard_up MANAGER [LINE...]: server-pm, started anew.
guard_up() {
	stop pm
	guard_config "$@"
	pm_up
}

# guarded REASON: packets.
guarded() {
	pm status -j | jq --arg r "guard_$1" '.guard.counters[] | select(.reason == $r) | .packets'
}

# tokens: of live connections that the guard knows.
tokens() {
	pm status -j | jq .guard.tokens
}

# flood LABEL ADDR:PORT OPTIONS...: from the client, in the background.
flood() {
	local label=$1 to=$2

	shift 2
	start "$label" client "$LOAD" syn --to "$to" "$@"
}

# flood_once ADDR:PORT OPTIONS...: prints how many were sent.
flood_once() {
	on client "$LOAD" syn --to "$@" | jq .sent
}
