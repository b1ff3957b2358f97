#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs a test program on stock Debian kernels in QEMU: does the BPF load and pass there?
#
#   tests/kernels/run.sh [6.1] [6.12]     default: 6.1
#
#   TEST=FILE        the program, dynamic or static; default build/test-bpf
#   TEST_ARGS=...    its arguments; default "--jobs 1"
#   TIMEOUT=SECONDS  for boot and tests of one kernel; default 600
#   ACCEL=kvm        instead of tcg
#   REQUIRE_ALL=1    fail where a kernel or QEMU is missing, instead of SKIP
#
# Exit 0: passed everywhere. 1: failed, crashed or hung. 77: nothing failed, something was skipped.
# Kernels are kept below build/kernels/, the guest's console is build/kernels/VERSION.log.
set -eu
cd "$(dirname "$0")/../.."

build=build/kernels
test_program=${TEST:-build/test-bpf}
test_args=${TEST_ARGS---jobs 1}
limit=${TIMEOUT:-600}
accel=${ACCEL:-tcg}
# What network tests use and Debian builds as modules. The guest's kernel loads them when they are
# asked for. A kernel without one of them is fine.
modules="veth ipip sit ip6_tunnel fou dummy ifb vrf sch_netem sch_ingress cls_bpf act_bpf
tcp_diag mptcp_diag nf_tables nft_compat ip_vs"

# Where Debian publishes each kernel: a package that depends on the current one.
meta_package() {
	case $1 in
	6.1) echo linux-image-amd64 ;;
	6.12) echo linux-image-6.12-amd64 ;;
	*) return 1 ;;
	esac
}

skip() { # REASON: returns 77, or 1 where nothing may be skipped
	echo "SKIP: $*"
	[ "${REQUIRE_ALL:-0}" = 1 ] || return 77
	echo "error: REQUIRE_ALL=1 and something was skipped" >&2
	return 1
}

# Follows the meta package to the one that has the kernel.
kernel_package() { # META VERSION
	apt-cache depends "$1" 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' |
		grep -F "linux-image-$2." | head -n 1
}

download() { # VERSION DIRECTORY
	meta=$(meta_package "$1")
	package=$(kernel_package "$meta" "$1")
	[ -n "$package" ] || return 1
	echo "kernels: downloading $package"
	# As root, apt would warn that its own user cannot write here.
	(cd "$2" && apt-get -q -o APT::Sandbox::User="$(id -un)" download "$package" >apt.log 2>&1)
}

# Unpacks the kernel of this version to $build/VERSION unless it is there.
fetch() { # VERSION
	[ -d "$build/$1" ] && return 0
	work=$(mktemp -d "$build/fetch.XXXXXX")
	if ! download "$1" "$work"; then
		# The package lists may be old or empty.
		[ "$(id -u)" -ne 0 ] || apt-get -q update >"$work/update.log" 2>&1 || true
		download "$1" "$work" || { rm -rf "$work"; return 1; }
	fi
	mkdir "$work/root"
	dpkg-deb -x "$work"/*.deb "$work/root" || { rm -rf "$work"; return 1; }
	# Drivers of hardware and file systems are most of 400 MB, and the guest has no use for them.
	find "$work"/root/lib/modules/*/kernel/drivers -mindepth 1 -maxdepth 1 ! -name net \
		-exec rm -rf {} +
	rm -rf "$work"/root/lib/modules/*/kernel/sound "$work"/root/lib/modules/*/kernel/fs
	mv "$work/root" "$build/$1"
	rm -rf "$work"
}

# Copies a program, its shared libraries and its interpreter to the same paths below root.
add_program() { # FILE ROOT PATH
	mkdir -p "$2$(dirname "$3")"
	cp "$1" "$2$3"
	ldd "$1" 2>/dev/null | grep -o '/[^ ]*' | while read -r lib; do
		mkdir -p "$2$(dirname "$lib")"
		[ -e "$2$lib" ] || cp -L "$lib" "$2$lib"
	done
}

add_modules() { # KERNEL-ROOT ROOT RELEASE
	mkdir -p "$2/lib/modules/$3"
	cp "$1/lib/modules/$3"/modules.order "$1/lib/modules/$3"/modules.builtin* \
		"$2/lib/modules/$3/"
	for name in $modules; do
		modprobe -d "$1" -S "$3" --show-depends "$name" 2>/dev/null || true
	done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | sort -u | while read -r file; do
		to=$2/lib/modules/$3/kernel/$(basename "$file")
		mkdir -p "$(dirname "$to")"
		cp "$file" "$to"
		case $to in *.xz) unxz "$to" ;; esac
	done
	depmod -b "$2" "$3"
}

write_init() { # ROOT
	cat >"$1/init" <<-INIT
	#!/bin/sh
	mount -t proc proc /proc
	mount -t sysfs sysfs /sys
	mount -t devtmpfs devtmpfs /dev
	mkdir -p /dev/shm
	mount -t tmpfs tmpfs /dev/shm
	mount -t tmpfs tmpfs /tmp
	mount -t tmpfs tmpfs /run
	mount -t bpf bpf /sys/fs/bpf
	ip link set lo up
	ulimit -l unlimited
	echo "mplb-guest: begin \$(uname -r)"
	export REQUIRE_ALL=${REQUIRE_ALL:-0} MPLB_QUICK=1
	/test $test_args
	echo "mplb-guest: verdict \$?"
	poweroff -f
	INIT
	chmod +x "$1/init"
}

# Builds the guest's root: busybox, the program, and the files that it may open by their path.
make_initramfs() { # KERNEL-ROOT RELEASE WORK
	root=$3/root
	mkdir -p "$root/bin" "$root/sbin" "$root/proc" "$root/sys" "$root/dev" "$root/tmp" \
		"$root/run" "$root/build" "$root/loader" "$root/etc"
	add_program "$(command -v busybox)" "$root" /bin/busybox
	for tool in $("$root/bin/busybox" --list); do
		[ "$tool" = busybox ] || ln -s /bin/busybox "$root/bin/$tool"
	done
	ln -s /bin/busybox "$root/sbin/modprobe" # where the kernel looks for it
	add_program "$test_program" "$root" /test
	[ ! -d build/bpf ] || cp -r build/bpf "$root/build/"
	cp loader/*.yaml "$root/loader/"
	for bpf in /usr/lib/*/bpf; do # libxdp's dispatcher
		[ ! -d "$bpf" ] || { mkdir -p "$root$bpf" && cp "$bpf"/*.o "$root$bpf/"; }
	done
	echo 'root:x:0:0:root:/:/bin/sh' >"$root/etc/passwd"
	add_modules "$1" "$root" "$2"
	write_init "$root"
	(cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) >"$3/initramfs.gz"
}

boot() { # KERNEL INITRAMFS LOG
	timeout "$limit" qemu-system-x86_64 -accel "$accel" -cpu max -smp 2 -m 1024 \
		-display none -no-reboot -nic none -monitor none -serial "file:$3" \
		-kernel "$1" -initrd "$2" \
		-append 'console=ttyS0 quiet panic=-1 mitigations=off random.trust_cpu=on' \
		</dev/null
}

# Prints what the guest said and returns its verdict.
report() { # VERSION LOG QEMU-STATUS SECONDS
	esc=$(printf '\033')
	tr -d '\r' <"$2" | sed "s/$esc\[[0-9;]*m//g" | sed -n '/^mplb-guest: begin/,/^mplb-guest: verdict/p' >"$2.tests"
	release=$(sed -n 's/^mplb-guest: begin //p' "$2.tests")
	verdict=$(sed -n 's/^mplb-guest: verdict //p' "$2.tests")
	if [ "$verdict" = 0 ] && grep -q 'Tested: 0 ' "$2.tests"; then
		echo "FAIL: Linux $release: $test_program ran no test"
		return 1
	fi
	if [ "$verdict" = 0 ]; then
		grep -E '^\[(====|SKIP)\]' "$2.tests" || true
		echo "PASS: Linux $release ($4 s)"
		return 0
	fi
	if [ -n "$verdict" ]; then
		grep -v '^mplb-guest: ' "$2.tests" || true
		echo "FAIL: Linux $release: $test_program exited with $verdict ($4 s)"
	elif [ "$3" -eq 124 ]; then
		tail -n 20 "$2"
		echo "FAIL: Linux ${release:-$1}: no verdict within $limit s; see $2"
	else
		tail -n 40 "$2"
		echo "FAIL: Linux ${release:-$1}: the guest ended without a verdict; see $2"
	fi
	return 1
}

run_one() { # VERSION
	began=$(date +%s)
	fetch "$1" || { skip "Linux $1: the kernel package cannot be downloaded"; return; }
	kernel=$(ls "$build/$1"/boot/vmlinuz-*)
	release=${kernel##*/vmlinuz-}
	# modprobe wants an index; Debian's packages make it when they are installed.
	[ -e "$build/$1/lib/modules/$release/modules.dep" ] || depmod -b "$build/$1" "$release"
	work=$(mktemp -d "$build/run.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	make_initramfs "$build/$1" "$release" "$work"
	status=0
	boot "$kernel" "$work/initramfs.gz" "$build/$1.log" || status=$?
	rm -rf "$work"
	report "$1" "$build/$1.log" "$status" $(($(date +%s) - began))
}

worst=0
[ $# -gt 0 ] || set -- 6.1
for version in "$@"; do
	meta_package "$version" >/dev/null || {
		echo "error: no kernel '$version'; give 6.1 or 6.12" >&2
		exit 1
	}
done
if [ ! -x "$test_program" ]; then
	echo "error: $test_program is missing; run make tests" >&2
	exit 1
fi
for tool in qemu-system-x86_64 busybox cpio dpkg-deb depmod; do
	PATH=$PATH:/usr/sbin:/sbin
	command -v "$tool" >/dev/null || { skip "$tool is not installed; run make deps"; exit; }
done
mkdir -p "$build"
for version in "$@"; do
	set +e # in "( ... ) || ..." the shell would go on after an error inside
	(set -e; run_one "$version")
	status=$?
	set -e
	case $status in
	0) ;;
	77) [ "$worst" -ne 0 ] || worst=77 ;;
	*) worst=1 ;;
	esac
done
exit "$worst"
