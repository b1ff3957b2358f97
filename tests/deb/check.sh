#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# make deb-check: lintian has no errors; then, in a throw-away copy of this system with a systemd of its own
# (box.sh), the packages are installed, run, upgraded and removed.
#
#	tests/deb/check.sh FOLDER	with the packages that `make deb` built
set -euo pipefail
cd "$(dirname "$0")/../.."

debs=$(realpath "$1")
pass=0 failed=0

if [ "$(id -u)" -ne 0 ]; then
	echo "deb-check: error: not root; it makes namespaces and installs packages in there" >&2
	exit 1
fi
for tool in lintian dpkg-deb nsenter systemd-analyze bird ip jq; do
	command -v $tool >/dev/null || { echo "deb-check: error: no $tool; run: make deps deb" >&2; exit 1; }
done

ok() { # TEXT COMMAND...
	local text=$1 out

	shift
	if out=$("$@" 2>&1); then
		pass=$((pass + 1))
		echo "ok: $text"
	else
		failed=$((failed + 1))
		printf 'FAILED: %s\n%s\n' "$text" "$out"
	fi
}

no() {
	! "$@"
}

equal() { # TEXT GOT WANT
	# shellcheck disable=SC2016 # the shell that is called expands them
	ok "$1" sh -c '[ "$1" = "$2" ] || { echo "got \"$1\", want \"$2\""; exit 1; }' - "$2" "$3"
}

await() { # SECONDS COMMAND...
	local tries=$(($1 * 10))

	shift
	until "$@" >/dev/null 2>&1; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 0.1
	done
}

# ---- the box -----------------------------------------------------------------------------------

box=$(mktemp -d /tmp/mplb-deb.XXXXXX) outer='' init=''

end() {
	local cgroup

	trap - EXIT
	[ -z "$init" ] || kill -KILL "$init" 2>/dev/null || true
	[ -z "$outer" ] || wait "$outer" 2>/dev/null || true
	if cgroup=$(cat "$box/cgroup" 2>/dev/null); then
		find "$cgroup" -depth -type d -exec rmdir {} + || true
	fi
	rm -rf --one-file-system "$box"
}
trap end EXIT
trap 'exit 130' INT TERM

in_box() {
	nsenter -t "$init" -a --root --wd env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C TERM=dumb \
		DEBIAN_FRONTEND=noninteractive "$@"
}

put() { # FILE: stdin goes there
	in_box sh -c "cat > '$1'"
}

box_up() {
	tests/deb/box.sh "$box" >"$box/log" 2>&1 &
	outer=$!
	await 20 pgrep -P "$outer" -f systemd && init=$(pgrep -P "$outer" -f systemd) &&
		await 60 in_box systemctl is-active box.target && return
	echo "deb-check: error: no systemd in a box of namespaces here" >&2
	cat "$box/log" >&2
	exit 1
}

# deb PACKAGE VERSION: the package that was built, under another version.
deb() {
	dpkg-deb -R "$debs/$1_${version}_"*.deb "$box/deb"
	sed -i "s/^Version:.*/Version: $2/; s/^\(Depends:.*\)(= $version)/\1(>= 0)/" "$box/deb/DEBIAN/control"
	dpkg-deb --root-owner-group -b "$box/deb" "$box/new.deb" >/dev/null
	put "/root/$1.deb" <"$box/new.deb"
	rm -r "$box/deb"
}

upgrade() { # PACKAGE VERSION
	deb "$1" "$2"
	in_box dpkg -i "/root/$1.deb" >"$box/dpkg" 2>&1
}

pid_of() { # UNIT
	in_box systemctl show -P MainPID "$1"
}

# runs_anew UNIT PID: it runs, in another process than PID.
runs_anew() {
	in_box systemctl -q is-active "$1" && [ "$(pid_of "$1")" != "$2" ]
}

goes_on() { # UNIT PID
	in_box systemctl -q is-active "$1" && [ "$(pid_of "$1")" = "$2" ]
}

attached() {
	in_box lbctl -j show attach | jq -e 'length == 1' >/dev/null
}

files() { # PACKAGE: what it has that is no folder and no config
	dpkg-deb -c "$debs/$1_${version}_"*.deb | grep -v '^d' | awk '{print $6}' | sed 's/^\.//' |
		grep -v '^/etc/'
}

# ---- checks ------------------------------------------------------------------------------------

PACKAGES=(mplb-lb mplb-server mplb-testbed)
version=$(dpkg-parsechangelog -S Version)

ok "lintian has no errors" lintian --allow-root --fail-on error "$debs"/*.changes
box_up
# What an install must leave as it was.
find_system() {
	{ in_box find /etc /usr /lib/systemd /var/lib/mplb /sys/fs/bpf/mplb 2>/dev/null || true; } | sort
}
# BIRD, as docs/operations.md has it. What is announced is seen in when BIRD's protocol went up.
put /etc/bird/bird.conf <<-END
	router id 10.0.0.2;
	protocol device { }
	protocol static anycast_web { disabled; ipv4; route 198.51.100.1/32 unreachable; }
END
in_box mkdir -p /etc/systemd/system/lb-agent.service.d
put /etc/systemd/system/lb-agent.service.d/bird.conf <<-END
	[Service]
	SupplementaryGroups=bird
END
announced() {
	in_box birdc show protocols anycast_web | awk '$1 == "anycast_web" && $4 == "up" { print $4, $5, $6 }' |
		grep .
}
ok "BIRD starts" in_box systemctl start bird
before=$(find_system)

for p in "${PACKAGES[@]}"; do
	put "/root/$p.deb" <"$(echo "$debs/${p}_${version}_"*.deb)"
done
ok "all are installed, with what they depend on" in_box dpkg -i /root/mplb-lb.deb /root/mplb-server.deb \
	/root/mplb-testbed.deb
for p in "${PACKAGES[@]}"; do
	# shellcheck disable=SC2046 # one word for each file
	ok "$p: its files are there" in_box ls -d $(files "$p")
done
for program in lbctl lb-agent server-pm; do
	equal "$program --version" "$(in_box $program --version)" "$program $version"
done
for program in lbctl lb-agent server-pm mplb-load mplb-link mplb-testbed; do
	ok "$program help" in_box $program help
done
ok "mplb-testbed list" in_box mplb-testbed list
for page in lbctl lb-agent server-pm; do
	ok "man $page" in_box man -w 8 $page
done
for unit in lb-agent server-pm lb-agent-withdraw; do
	equal "systemd-analyze verify $unit" \
		"$(in_box systemd-analyze verify --man=yes $unit.service 2>&1 | grep -F $unit || true)" ""
done
for unit in lb-agent server-pm; do
	equal "$unit is enabled" "$(in_box systemctl is-enabled $unit)" enabled
	ok "$unit: without a config a start is no failure" in_box systemctl start $unit
	equal "$unit: and does nothing" "$(in_box systemctl show -P ActiveState $unit)" inactive
done

# A balancer.
in_box sh -c 'ip link add eth0 type veth peer name eth1 && ip link set eth1 up && ip link set eth0 up &&
	ip addr add 10.0.0.2/24 dev eth0 && ip neigh add 10.0.0.11 lladdr 02:00:00:00:00:11 dev eth0'
put /etc/mplb/lb.yaml <<-END
	vips: [{name: web, address: 198.51.100.1, port: 443, protocol: tcp, pool: web}]
	pools: [{name: web, forward: gue, backends: [{name: b1, id: 1, address: 10.0.0.11}]}]
	anycast: [{vip: web, protocol: anycast_web, hold_down: 0s, drain_time: 0s}]
END
in_box sed -i 's/^MPLB_DEVICES=.*/MPLB_DEVICES="eth0"/' /etc/default/lb-agent
ok "lb-agent starts" in_box systemctl start lb-agent
ok "lb-agent: the program is on the NIC" attached
ok "lbctl drain" in_box lbctl drain b1
order() {
	in_box lbctl -j show backend | jq -e '.[0].state == "draining"'
}

ok "lb-agent: the VIP is announced" await 20 announced
since=$(announced || true)
pid=$(pid_of lb-agent)
ok "mplb-lb: upgrade" upgrade mplb-lb "$version+1"
ok "lb-agent: the new one runs" await 20 runs_anew lb-agent "$pid"
ok "lb-agent: the program is on the NIC" attached
ok "lb-agent: an operator's order is still there" order
equal "lb-agent: the VIP was announced all the time" "$(announced || true)" "$since"
equal "an operator's line in /etc/default is still there" \
	"$(in_box sed -n 's/^MPLB_DEVICES=//p' /etc/default/lb-agent)" '"eth0"'

pid=$(pid_of lb-agent)
in_box sed -i 's/^vips/vipps/' /etc/mplb/lb.yaml
ok "mplb-lb: an upgrade with a config that is refused" upgrade mplb-lb "$version+2"
ok "mplb-lb: says so" grep -q 'warning: the lb-agent that runs is still that of' "$box/dpkg"
sleep 2
ok "lb-agent: the old one goes on" goes_on lb-agent "$pid"
in_box sed -i 's/^vipps/vips/' /etc/mplb/lb.yaml

in_box sed -i 's/^MPLB_DEVICES=.*/MPLB_DEVICES="eth0 none"/' /etc/default/lb-agent
ok "mplb-lb: an upgrade that cannot attach" upgrade mplb-lb "$version+3"
sleep 2
ok "lb-agent: the old one goes on" goes_on lb-agent "$pid"
ok "lb-agent: the program is on the NIC" attached
in_box sed -i 's/^MPLB_DEVICES=.*/MPLB_DEVICES="eth0"/' /etc/default/lb-agent

in_box systemctl -q disable --now lb-agent
ok "mplb-lb: upgrade of one that was taken out" upgrade mplb-lb "$version+4"
equal "lb-agent: it is not started" "$(in_box systemctl show -P ActiveState lb-agent)" inactive
ok "lb-agent: nothing is announced" no announced
in_box systemctl -q enable --now lb-agent

# A server.
in_box ip addr add 203.0.113.11/32 dev lo
put /etc/mplb/server-pm.yaml <<-END
	vips: [198.51.100.9]
	dedicated: [203.0.113.11]
	decapsulate: {device: eth1}
	balancers: [10.0.0.2]
END
vip() {
	in_box ip -o addr show dev lo to 198.51.100.9 | grep .
}
ok "server-pm starts" in_box systemctl start server-pm
ok "server-pm: the VIP is there" vip
pid=$(pid_of server-pm)
ok "mplb-server: upgrade" upgrade mplb-server "$version+1"
ok "server-pm: the new one runs" await 20 runs_anew server-pm "$pid"
in_box sed -i 's/^vips/vipps/' /etc/mplb/server-pm.yaml
pid=$(pid_of server-pm)
ok "mplb-server: an upgrade with a config that is refused" upgrade mplb-server "$version+2"
ok "server-pm: the old one goes on" goes_on server-pm "$pid"
ok "server-pm: the VIP is there" vip

# Removal.
ok "mplb-testbed: purge" in_box dpkg -P mplb-testbed
ok "mplb-server: removal" in_box dpkg -r mplb-server
ok "server-pm: the VIP is gone" no vip
equal "server-pm: no process" "$(in_box pgrep -x server-pm)" ""
ok "lb-agent: the VIP is announced" await 20 announced
ok "mplb-lb: removal" in_box dpkg -r mplb-lb
ok "lb-agent: nothing is announced" no announced
equal "lb-agent: no process" "$(in_box pgrep -x lb-agent)" ""
equal "no program is on a NIC" "$(in_box ip link | grep -w xdp)" ""
ok "configs stay" in_box ls /etc/mplb/lb.yaml /etc/mplb/server-pm.yaml /etc/default/lb-agent
ok "purge" in_box dpkg -P mplb-lb mplb-server
ok "the operator's configs stay even so" in_box rm /etc/mplb/lb.yaml /etc/mplb/server-pm.yaml
in_box rmdir --ignore-fail-on-non-empty /etc/mplb
equal "nothing else is left" "$(diff <(echo "$before") <(find_system) || true)" ""

[ "$failed" -eq 0 ] || in_box journalctl -n 40 --no-pager -o cat -u server-pm -u lb-agent || true
echo "deb-check: passed=$pass failed=$failed"
[ "$failed" -eq 0 ]
