#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A throw-away copy of this machine's system with a systemd of its own, for packages to be installed in:
# an overlay over /, on a tmpfs, in namespaces of its own. Nothing of it outlives it; what is the whole
# machine's (/sys, /proc/sys but for net) is read-only in there.
#
#	tests/deb/box.sh FOLDER		an empty folder to mount it on; ends when its systemd does
#
# Its systemd is the only child of the process that was started; SIGKILL to the child ends all of it. The
# cgroup that FOLDER/cgroup names is then the caller's to remove.
set -euo pipefail

if [ "${2-}" != inside ]; then
	# Its systemd has this cgroup for the root.
	cgroup=$(findmnt -n -o TARGET -t cgroup2 | head -n 1)/$(basename "$1")
	mkdir "$cgroup"
	echo "$cgroup" >"$1/cgroup"
	echo $$ >"$cgroup/cgroup.procs"
	exec unshare --mount --pid --fork --kill-child --net --uts --ipc --cgroup -- "$0" "$1" inside
fi
box=$1 root=$1/root
mount --make-rprivate /
mount -t tmpfs -o mode=755 box "$box"
mkdir "$box/upper" "$box/work" "$root"
mount -t overlay -o "lowerdir=/,upperdir=$box/upper,workdir=$box/work" box "$root"
mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount --bind /proc/sys/net "$root/proc/sys/net"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t bpf bpf "$root/sys/fs/bpf"
mount -t tmpfs -o mode=755 tmpfs "$root/sys/fs/cgroup"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
mount -t tmpfs tmpfs "$root/tmp"
mkdir "$root/dev/shm" "$root/dev/pts"
mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx" # PrivateDevices wants it
for node in null:3 zero:5 full:7 random:8 urandom:9; do
	mknod -m 666 "$root/dev/${node%:*}" c 1 "${node#*:}"
done
# Nothing of what this machine starts.
rm -rf "$root"/etc/systemd/system/*
rm -f "$root/etc/fstab" "$root/usr/sbin/policy-rc.d"
cat >"$root/etc/systemd/system/box.target" <<-END
	[Unit]
	Wants=basic.target
	AllowIsolate=yes
END
for unit in systemd-journald-audit.socket systemd-modules-load.service systemd-udevd.service; do
	ln -s /dev/null "$root/etc/systemd/system/$unit"
done
ip link set lo up
exec env -i container=box PATH=/usr/sbin:/usr/bin:/sbin:/bin \
	chroot "$root" /lib/systemd/systemd --unit=box.target --log-target=journal --show-status=0
