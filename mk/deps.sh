#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Installs the Debian packages that building, testing and the demo need and that are missing.
#
#	mk/deps.sh [--quiet] [--browser] [--deb]
#
# --quiet: says nothing where nothing is missing. --browser: the one that a test looks at the testbed's
# report with, too (350 MB). --deb: those that make and check Debian packages, too.
set -eu

quiet='' browser='' deb=''
for arg; do
	case $arg in
	--quiet) quiet=yes ;;
	--browser) browser=chromium ;;
	--deb) deb="build-essential debhelper git lintian" ;;
	*)
		echo "deps: error: no option $arg; there are --quiet, --browser and --deb" >&2
		exit 1
		;;
	esac
done

# to build
build="gcc make pkg-config libc6-dev clang llvm bpftool linux-libc-dev libbpf-dev libxdp-dev
libmnl-dev libcyaml-dev libyaml-dev libjansson-dev libevent-dev libssl-dev scdoc"
# demo and end-to-end tests
run="iproute2 bird2 openssl faketime ethtool jq nftables procps util-linux tcpdump kmod gnuplot-nox"
# tests and checks
test="libcriterion-dev libclang-rt-14-dev clang-format clang-tidy shellcheck qemu-system-x86
busybox-static cpio xz-utils python3 systemd"

missing=
for p in $build $run $test $browser $deb; do
	dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q '^install ok installed' ||
		missing="$missing $p"
done
if [ -z "$missing" ]; then
	[ -n "$quiet" ] || echo "deps: nothing is missing"
	exit 0
fi
echo "deps: missing:$missing"
if [ "$(id -u)" -ne 0 ]; then
	echo "deps: error: not root; run as root: apt-get install --no-install-recommends$missing" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
# An old or empty package list names files that are gone: refresh it first.
apt-get update -q
# shellcheck disable=SC2086 # one word for each package
apt-get install -y -q --no-install-recommends $missing
echo "deps: installed:$missing"
