#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Builds the Debian packages in DIR, from an export of the files that git knows, as they are now.
#
#	mk/deb.sh DIR VERSION JOBS
set -eu
cd "$(dirname "$0")/.."
dir=$1 version=$2 jobs=$3

in_changelog=$(dpkg-parsechangelog -S Version)
if [ "$in_changelog" != "$version" ]; then
	echo "deb: error: debian/changelog says $in_changelog, the Makefile $version: make them agree" >&2
	exit 1
fi
if ! git rev-parse --git-dir >/dev/null; then
	echo "deb: error: no git clone; without one: dpkg-buildpackage -us -uc" >&2
	exit 1
fi
src=$dir/mplb-$version
rm -rf "$dir"
mkdir -p "$src"
# Changes that are not committed are taken, too. git makes a commit of them that nothing refers to.
tree=$(git stash create)
git archive "${tree:-HEAD}" | tar -x -C "$src"
if ! (cd "$src" && exec dpkg-buildpackage -us -uc -j"$jobs") >"$dir/log" 2>&1; then
	tail -n 20 "$dir/log" >&2
	echo "deb: error: the build failed; $dir/log has all of it" >&2
	exit 1
fi
rm -rf "$src"
ls "$dir"/*.deb
