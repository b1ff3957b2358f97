#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# mplb on stock Debian kernels in QEMU: the table of packets (does the BPF load and pass there?), and
# the programs end to end in network namespaces (guest.sh, inside the guest).
#
#   tests/kernels/run.sh [6.1] [6.12]     default: both
#
#   PARTS="table e2e" which part; default both, in one boot
#   TEST=FILE         the program of the table, dynamic or static; default build/test-bpf
#   TEST_ARGS=...     its arguments; default "--jobs 1"
#   TIMEOUT=SECONDS   for boot and tests of one kernel; default 900
#   ACCEL=kvm         instead of tcg
#   REQUIRE_ALL=1     fail where something is skipped: a kernel or QEMU that is missing, a check
#
# The last line has the totals: "N passed, M failed", and ", K skipped" if there are any. Exit code 0
# if nothing failed. Kernels are kept below build/kernels/, the guest's console is
# build/kernels/VERSION.log.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/totals.sh
. tests/totals.sh

build=build/kernels
parts=${PARTS:-table e2e}
test_program=${TEST:-build/test-bpf}
test_args=${TEST_ARGS---jobs 1}
limit=${TIMEOUT:-900}
accel=${ACCEL:-tcg}
# What network tests use and Debian builds as modules. The guest's kernel loads them when they are
# asked for. A kernel without one of them is fine.
modules="veth bridge 8021q ipip sit ip6_tunnel fou dummy ifb vrf sch_netem sch_tbf sch_ingress cls_bpf
act_bpf tcp_diag mptcp_diag nf_tables nft_compat ip_vs"
# What the end-to-end part runs, besides busybox.
products="build/lbctl build/server-pm build/mplb-load build/testbed/pass.bpf.o"
tools="bash ip tc ethtool jq nstat sysctl bpftool nsenter mount umount basename cat dirname head
id mktemp rm sleep sort tail timeout tr wc awk grep sed find"

# Where Debian publishes each kernel: a package that depends on the current one.
meta_package() {
	case $1 in
	6.1) echo linux-image-amd64 ;;
	6.12) echo linux-image-6.12-amd64 ;;
	*) return 1 ;;
	esac
}

skip() { # REASON
	echo "SKIP kernels: $*"
	skipped=$((skipped + 1))
}

has() { # PART
	case " $parts " in *" $1 "*) return 0 ;; esac
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

# The other programs on the balancer's NIC.
build_neighbours() {
	for object in neighbour mover; do
		${CLANG:-clang} -O2 -g -Wall -Wextra -Werror -target bpf \
			-I"/usr/include/$(uname -m)-linux-gnu" \
			-c "tests/kernels/$object.bpf.c" -o "$build/$object.bpf.o"
	done
	# shellcheck disable=SC2046 # flags are several words
	${CC:-gcc} -O2 -Wall -Wextra -Werror -D_GNU_SOURCE -o "$build/neighbour" \
		tests/kernels/neighbour.c $(pkg-config --cflags --libs libxdp libbpf)
}

# Copies a program, its shared libraries and its interpreter to the same paths below root.
add_program() { # FILE ROOT PATH
	mkdir -p "$2$(dirname "$3")"
	cp -L "$1" "$2$3"
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

# What guest.sh needs, at the paths that it has in the tree.
add_e2e() { # ROOT
	for tool in $tools; do
		add_program "$(command -v "$tool")" "$1" "/usr/bin/$tool"
	done
	ln -sf /usr/bin/bash "$1/bin/bash"
	for file in $products "$build/neighbour" "$build/neighbour.bpf.o" "$build/mover.bpf.o"; do
		add_program "$file" "$1" "/$file"
	done
	mkdir -p "$1/testbed" "$1/tests/e2e" "$1/tests/kernels"
	cp testbed/lib.sh testbed/topology.sh "$1/testbed/"
	cp tests/e2e/check.bash "$1/tests/e2e/"
	cp tests/kernels/guest.sh "$1/tests/kernels/"
}

part_command() { # PART
	case $1 in
	table)
		# Emulated, the whole BTF of the kernel takes seconds to read, in each test.
		echo "! bpftool gen min_core_btf /sys/kernel/btf/vmlinux /tmp/btf /build/bpf/server.bpf.o ||"
		echo "	export MPLB_TEST_BTF=/tmp/btf"
		echo "/test $test_args"
		;;
	e2e) echo "timeout -k 20 $((limit / 2)) bash /tests/kernels/guest.sh 2>&1" ;;
	esac
}

write_init() { # ROOT
	{
		cat <<-INIT
		#!/bin/sh
		export PATH=/usr/bin:/usr/sbin:/bin:/sbin
		mount -t proc proc /proc
		mount -t sysfs sysfs /sys
		mount -t devtmpfs devtmpfs /dev
		mkdir -p /dev/shm
		mount -t tmpfs tmpfs /dev/shm
		mount -t tmpfs tmpfs /tmp
		mount -t tmpfs tmpfs /run
		mount -t bpf bpf /sys/fs/bpf
		ln -s /proc/self/fd /dev/fd
		ip link set lo up
		ulimit -l unlimited
		export REQUIRE_ALL=${REQUIRE_ALL:-0} MPLB_QUICK=1
		echo "mplb-guest: linux \$(uname -r)"
		INIT
		for part in $parts; do
			cat <<-INIT
			began=\$(date +%s)
			echo "mplb-guest: begin $part"
			$(part_command "$part")
			echo "mplb-guest: verdict $part \$? \$((\$(date +%s) - began))"
			INIT
		done
		echo "poweroff -f"
	} >"$1/init"
	chmod +x "$1/init"
}

# Builds the guest's root: busybox, the programs, and the files that they may open by their path.
make_initramfs() { # KERNEL-ROOT RELEASE WORK
	root=$3/root
	mkdir -p "$root/bin" "$root/sbin" "$root/proc" "$root/sys" "$root/dev" "$root/tmp" \
		"$root/run" "$root/build" "$root/loader" "$root/etc"
	add_program "$(command -v busybox)" "$root" /bin/busybox
	for tool in $("$root/bin/busybox" --list); do
		[ "$tool" = busybox ] || ln -s /bin/busybox "$root/bin/$tool"
	done
	ln -s /bin/busybox "$root/sbin/modprobe" # where the kernel looks for it
	if has table; then
		add_program "$test_program" "$root" /test
		add_program "$(command -v bpftool)" "$root" /usr/bin/bpftool
		[ ! -d build/bpf ] || cp -r build/bpf "$root/build/"
		cp loader/*.yaml "$root/loader/"
	fi
	! has e2e || add_e2e "$root"
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

# Adds up what the table said: good, bad and left become the numbers passed, failed and skipped.
count_table() { # LOG VERDICT
	line=$(grep 'Tested: [0-9]' "$1" | tail -n 1)
	if [ -n "$line" ]; then
		# shellcheck disable=SC2046 # tested, passing, failing, crashing
		set -- "$1" "$2" $(echo "${line#*Tested:}" | tr -c '0-9' ' ')
		good=$4 bad=$(($5 + $6))
	elif [ "$2" -eq 0 ]; then # a program that counts nothing is one test
		good=1
	fi
	if [ "$2" -eq 0 ] && [ "$good" -eq 0 ]; then
		echo "$test_program ran no test"
		bad=1
	fi
	# With REQUIRE_ALL, what is skipped all the same is what this kernel cannot do.
	[ "${REQUIRE_ALL:-0}" = 1 ] || left=$(grep -c '^\[SKIP\]' "$1" || true)
	grep -E '^\[(====|SKIP)\]' "$1" || true
	[ "$2" -eq 0 ] || grep -vE '^\[(RUN |PASS|====|SKIP)' "$1" || true
}

count_e2e() { # LOG
	count_lines "$1"
	cat "$1"
}

# Prints what the guest said in one part and adds it up.
report_part() { # PART LOG RELEASE
	good=0 bad=0 left=0
	part_log=$2.$1
	sed -n "/^mplb-guest: begin $1\$/,/^mplb-guest: verdict $1 /p" "$2.text" |
		grep -v '^mplb-guest: ' >"$part_log" || true
	# shellcheck disable=SC2046 # exit code, seconds
	set -- "$1" "$2" "$3" $(sed -n "s/^mplb-guest: verdict $1 //p" "$2.text")
	"count_$1" "$part_log" "${4:-1}"
	if [ -z "${4:-}" ]; then
		echo "Linux $3: $1: the guest ended without a verdict; its last words (see $2):"
		tail -n 20 "$2.text"
		bad=$((bad + 1))
	elif [ "$4" -ne 0 ] && [ "$bad" -eq 0 ]; then
		echo "Linux $3: $1: ended early with exit code $4"
		bad=1
	fi
	add_up
	word=PASS
	[ "$bad" -eq 0 ] || word=FAIL
	echo "$word: Linux $3: $1: $good passed, $bad failed, $left skipped (${5:-?} s)"
}

report() { # LOG VERSION QEMU-STATUS SECONDS
	esc=$(printf '\033')
	tr -d '\r' <"$1" | sed "s/$esc\[[0-9;]*m//g" >"$1.text"
	release=$(sed -n 's/^mplb-guest: linux //p' "$1.text")
	for part in $parts; do
		report_part "$part" "$1" "${release:-$2}"
	done
	[ "$3" -ne 124 ] || echo "Linux ${release:-$2}: stopped after $limit s"
	echo "kernels: Linux ${release:-$2} took $4 s"
	rm -f "$1.text"
}

run_one() { # VERSION
	began=$(date +%s)
	fetch "$1" || { skip "Linux $1: the kernel package cannot be downloaded"; return; }
	kernel=$(ls "$build/$1"/boot/vmlinuz-*)
	release=${kernel##*/vmlinuz-}
	# modprobe wants an index; Debian's packages make it when they are installed.
	[ -e "$build/$1/lib/modules/$release/modules.dep" ] || depmod -b "$build/$1" "$release"
	work=$(mktemp -d "$build/run.XXXXXX")
	make_initramfs "$build/$1" "$release" "$work"
	try=1
	while :; do
		status=0
		boot "$kernel" "$work/initramfs.gz" "$build/$1.log" || status=$?
		# QEMU's emulation of several processors lets a kernel panic now and then while it patches
		# its own code, long before our init: that says nothing of us.
		if grep -aq '^mplb-guest: linux' "$build/$1.log" || [ "$status" -eq 124 ] || [ "$try" -eq 3 ]; then
			break
		fi
		echo "kernels: Linux $release ended before its init began; booted again"
		try=$((try + 1))
	done
	rm -rf "$work"
	work=
	report "$build/$1.log" "$1" "$status" $(($(date +%s) - began))
}

[ $# -gt 0 ] || set -- 6.1 6.12
for version in "$@"; do
	meta_package "$version" >/dev/null || {
		echo "error: no kernel '$version'; give 6.1 or 6.12" >&2
		exit 1
	}
done
for part in $parts; do
	case $part in
	table) needed=$test_program ;;
	e2e) needed=$products ;;
	*) echo "error: no part '$part' in PARTS; give table or e2e" >&2; exit 1 ;;
	esac
	for file in $needed; do
		[ -e "$file" ] || { echo "error: $file is missing; run make tests" >&2; exit 1; }
	done
done
PATH=$PATH:/usr/sbin:/sbin
# shellcheck disable=SC2086 # a list
for tool in qemu-system-x86_64 busybox cpio dpkg-deb depmod $(! has e2e || echo $tools); do
	command -v "$tool" >/dev/null || {
		skip "$tool is not installed; run make deps"
		conclude
		exit
	}
done
work='' guests=''
# shellcheck disable=SC2086 # several processes
trap '[ -z "$guests" ] || kill $guests 2>/dev/null || true; [ -z "$work" ] || rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir -p "$build"
! has e2e || build_neighbours
# The guests side by side: each keeps one processor busy. Packages come one after another.
for version in "$@"; do
	fetch "$version" || true
	(
		run_one "$version"
		echo "$passed $failed $skipped" >"$build/$version.count"
	) >"$build/$version.out" 2>&1 &
	guests="$guests $!"
done
# shellcheck disable=SC2086 # several processes
wait $guests || true
guests=
for version in "$@"; do
	cat "$build/$version.out"
	read -r good bad left <"$build/$version.count" || { good=0 bad=1 left=0; }
	rm -f "$build/$version.count" "$build/$version.out"
	add_up
done
conclude
