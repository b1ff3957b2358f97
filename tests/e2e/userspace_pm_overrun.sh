#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# server-pm in userspace mode misses events: its socket overflows while it is stopped, and connections
# begin and end unseen.
#
#	client ══ eth0, eth1 ══ router ── server   (tests/e2e/userspace.bash)
# shellcheck disable=SC2317 # functions that `holds` and `await` call
# shellcheck source=tests/e2e/userspace.bash
. "$(dirname "$0")/userspace.bash"

# shrink PID: makes room for a few events only: takes the process's event socket and sets it.
shrink() {
	# shellcheck disable=SC2016 # perl's
	perl -MSocket -e '
		my $pid = shift;
		my $pidfd = syscall(434, $pid + 0, 0); # pidfd_open
		for my $link (glob "/proc/$pid/fd/*") {
			next unless (readlink($link) // "") =~ /^socket:/;
			my $fd = syscall(438, $pidfd, ($link =~ /(\d+)$/)[0] + 0, 0); # pidfd_getfd
			open(my $s, "+<&=", $fd) or next;
			next if unpack("i", getsockopt($s, SOL_SOCKET, SO_RCVBUF)) < 1 << 20;
			setsockopt($s, SOL_SOCKET, SO_RCVBUF, pack("i", 32768)) or die $!;
			print "shrunk\n";
		}' "$1"
}

followed() {
	[ "$(pm status -j | jq '.userspace.connections | add')" -eq "$1" ]
}

none_left() {
	[ "$(pm status -j | jq '.userspace.connections | add')" -eq 0 ]
}

begin userspace backup
# Connections come and go while server-pm is stopped, and its socket overflows.
equal "one event socket is made small" "$(shrink "${TESTBED_PID[pm]}")" shrunk
kill -STOP "${TESTBED_PID[pm]}"
get gone "$(vip 4)" --proto mptcp --bytes 100 --count 5000 --parallel 500
served gone "5,000 connections come and go unseen"
keep stay "$(vip 4)" --proto mptcp --count 50 --parallel 50
await 5 state_is vip 50 || true
kill -CONT "${TESTBED_PID[pm]}"
holds "lost events are noticed" await 5 grep -q 'some are lost' "$TESTBED_DIR/pm.err"
holds "and made up for: who is there joins and leaves the VIP" await 8 state_is off_path 50
holds "who is gone is not followed" await 8 followed 50
let_go stay
served stay "and all are served"
holds "and forgotten in the end" await 5 none_left
conclude
