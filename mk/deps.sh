#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Installs the Debian packages that building, testing and the demo need and that are missing.
# --quiet: says nothing where nothing is missing.
set -eu

# to build
build="gcc make pkg-config libc6-dev clang llvm bpftool linux-libc-dev libbpf-dev libxdp-dev
libmnl-dev libcyaml-dev libyaml-dev libjansson-dev libevent-dev libssl-dev scdoc"
# demo and end-to-end tests
run="iproute2 bird2 ethtool jq nftables procps util-linux tcpdump kmod gnuplot-nox"
# tests and checks
test="libcriterion-dev libclang-rt-14-dev clang-format clang-tidy shellcheck qemu-system-x86
busybox-static cpio xz-utils python3"

missing=
for p in $build $run $test; do
	dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q '^install ok installed' ||
		missing="$missing $p"
done
if [ -z "$missing" ]; then
	[ "${1-}" = --quiet ] || echo "deps: nothing is missing"
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
